#include "tools/phx-server/serve.hpp"

#include "phx/server/server.hpp"
#include "tools/phx-server/echo.hpp"

#include <csignal>
#include <cstdio>

namespace phx::tools {
namespace {

enum ExitCode : int { stopped = 0, cannot_serve = 1, refused = 2 };

void complain(const ServeOptions& options, const std::string& line) {
    std::fprintf(stderr, "%s: %s\n", options.program.c_str(), line.c_str());
}

/// SIGINT and SIGTERM wait to be fetched by wait_for_stop(); a client that goes away is no reason to end.
sigset_t block_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

void wait_for_stop(const sigset_t& signals) {
    int signal = 0;
    sigwait(&signals, &signal);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr); // a second one ends the program at once
}

phx::server::Options server_options(const ServeOptions& options) {
    phx::server::Options result;
    result.host = options.listen.host;
    result.port = options.listen.port;
    if (options.authentication == Authentication::required) {
        result.tokens = options.tokens;
    } else {
        // Nobody is known, so nobody can be kept out: private channels are as open as public ones.
        const phx::server::Requirement nothing;
        result.policies = {{.topic = "realtime:*", .join = nothing, .write = nothing, .presence = nothing}};
    }
    result.on_error = [&options](const Error& error) {
        if (error.origin == Origin::local || options.verbosity == Verbosity::clients_faults_too) {
            complain(options, error.message);
        }
    };
    return result;
}

} // namespace

int serve(const ServeOptions& options) {
    const bool is_open = options.authentication == Authentication::none;
    if (!is_open && !options.tokens) {
        complain(options,
                 "there is no key to verify tokens with: give --jwt-secret-file or --jwks (or "
                 "PHX_SERVER_JWT_SECRET or PHX_SERVER_JWKS in the environment), or --insecure-no-auth, on "
                 "a loopback address, to let everybody in who can reach it");
        return refused;
    }
    const sigset_t signals = block_signals();
    phx::server::Server server(server_options(options));
    server.channel("*", echo_handlers());
    const auto port = server.start();
    if (!port) {
        complain(options, port.error().message);
        return cannot_serve;
    }
    ListenAddress bound = options.listen;
    bound.port = *port;
    if (is_open)
        complain(options, "INSECURE: --insecure-no-auth lets everybody who reaches " + bound.text() +
                              " join, read and write every topic");
    if (std::printf("listening on %s\n", bound.text().c_str()) < 0 || std::fflush(stdout) != 0) {
        complain(options, "cannot write to stdout; whoever waits for \"listening on\" would wait for ever");
        return cannot_serve;
    }
    wait_for_stop(signals);
    server.stop();
    return stopped;
}

} // namespace phx::tools
