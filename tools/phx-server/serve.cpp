#include "tools/phx-server/serve.hpp"

#include "phx/server/server.hpp"
#include "phx/version.hpp"
#include "tools/phx-server/echo.hpp"
#include "tools/phx-server/reload.hpp"

#include <csignal>
#include <cstdio>

namespace phx::tools {
namespace {

enum ExitCode : int { stopped = 0, cannot_serve = 1, refused = 2 };

int complain(const ServeOptions& options, const std::string& line, ExitCode code) {
    std::fprintf(stderr, "%s: %s\n", options.program.c_str(), line.c_str());
    return code;
}

/// They wait to be fetched by wait_for_stop(); a client that goes away is no reason to end.
sigset_t block_signals(const ServeOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (options.reread) sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

template <class Reload> int wait_for_stop(const sigset_t& signals, Reload&& on_hangup) {
    for (;;) {
        int signal = 0;
        sigwait(&signals, &signal);
        if (signal != SIGHUP) return signal;
        on_hangup();
    }
}

/// The next SIGINT or SIGTERM ends the program at once; nothing is reloaded any more.
void unblock_signals(sigset_t signals) {
    std::signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

std::string endpoints_text(const std::vector<server::Endpoint>& endpoints) {
    std::string text;
    for (const server::Endpoint& endpoint : endpoints)
        text.append(text.empty() ? "" : ",").append(endpoint.path);
    return text;
}

void log_start(Log& log, const Config& config, const std::string& address) {
    log.write(LogLevel::info, "started",
              {{"version", PHX_VERSION_STRING},
               {"address", address},
               {"auth", config.options.tokens ? "tokens" : "off"},
               {"tls", config.tls.cert_file.empty() ? "off" : "on"},
               {"endpoints", endpoints_text(config.options.endpoints)}});
    if (config.insecure_no_auth)
        log.write_always(LogLevel::warn, "insecure",
                         {{"message", "INSECURE: --insecure-no-auth lets everybody who reaches " + address +
                                          " join, read and write every topic"}});
}

} // namespace

std::optional<std::string> why_refused(const Config& config) {
    if (config.insecure_no_auth || config.options.tokens) return std::nullopt;
    return "there is no key to verify tokens with: give --jwt-secret-file or --jwks-file (or "
           "PHX_SERVER_JWT_SECRET or PHX_SERVER_JWKS in the environment), or --insecure-no-auth, on a "
           "loopback address, to let everybody in who can reach it";
}

int serve(const ServeOptions& options) {
    Config config = options.config;
    if (const auto why = why_refused(config)) return complain(options, *why, refused);
    server::Options settings = server_options(config);
    if (const auto checked = server::check(settings); !checked)
        return complain(options, checked.error().message, refused);
    const sigset_t signals = block_signals(options);
    Log log(config.log);
    settings.on_error = [&log](const Error& error) { log.report(error); };
    settings.on_connection_error = [&log](const server::Connection* connection, const Error& error) {
        log.report(error, connection);
    };
    settings.on_connection = [&log](const server::Connection& connection, server::ConnectionChange change) {
        log.report(connection, change);
    };
    server::Server server(std::move(settings));
    if (config.echo) server.channel("*", echo_handlers());
    const auto port = server.start();
    if (!port) return complain(options, port.error().message, cannot_serve);
    ListenAddress bound = config.listen;
    bound.port = *port;
    log_start(log, config, bound.text());
    if (std::printf("listening on %s\n", bound.text().c_str()) < 0 || std::fflush(stdout) != 0)
        return complain(options,
                        "cannot write to stdout; whoever waits for \"listening on\" would wait for ever",
                        cannot_serve);
    const int signal = wait_for_stop(signals, [&] { reload(server, log, config, options.reread()); });
    log.write(LogLevel::info, "stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    unblock_signals(signals);
    if (!server.drain(config.drain_spread, config.drain_timeout))
        log.write(LogLevel::warn, "cut_off",
                  {{"message", "not everything was answered within drain.timeout"}});
    server.stop();
    log.flush();
    log.write(LogLevel::info, "stopped");
    return stopped;
}

} // namespace phx::tools
