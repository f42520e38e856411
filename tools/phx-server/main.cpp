#include "phx/version.hpp"
#include "tools/phx-server/echo.hpp"
#include "tools/phx-server/serve.hpp"
#include "tools/phx-server/token_commands.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace {

constexpr int usage_error = 2;

constexpr const char* footer_head = "WebSocket paths: /socket/websocket (as Phoenix), /realtime/v1/websocket "
                                    "(as Supabase). GET /health says whether it\n"
                                    "is alive. When it serves it prints \"listening on HOST:PORT\" to "
                                    "stdout; everything else goes to stderr. SIGINT and\n"
                                    "SIGTERM close every connection with 1012.\n\n";
constexpr const char* footer_tail =
    "\nExit codes: 0 stopped by a signal, 1 cannot serve (address in use, ...), 2 usage.\n"
    "Example: PHX_SERVER_JWT_SECRET=... phx-server --listen 0.0.0.0:4000";

int run(int argc, char** argv) {
    phx::tools::ServeOptions options;
    std::string listen = options.listen.text();
    bool no_auth = false;
    bool verbose = false;

    CLI::App app("A server for Phoenix Channels and Supabase Realtime clients.", "phx-server");
    app.add_option("--listen", listen, "HOST:PORT to listen on, IPv6 in brackets; port 0 is any free one")
        ->capture_default_str();
    phx::tools::KeySources keys;
    phx::tools::add_key_options(app, keys);
    app.add_flag("--insecure-no-auth", no_auth, "Let everybody in; on loopback addresses only");
    app.add_flag("-v,--verbose", verbose, "Also report what clients do wrong");
    app.set_version_flag("--version", "phx-server " PHX_VERSION_STRING);
    app.require_subcommand(0, 1);
    const phx::tools::GenToken gen_token(app);
    const phx::tools::CheckToken check_token(app);
    app.footer(std::string(footer_head) + phx::tools::echo_help + footer_tail);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
        return app.exit(asked);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "phx-server: %s; see phx-server --help\n", error.what());
        return usage_error;
    }
    if (gen_token.is_asked()) return gen_token.run();
    if (check_token.is_asked()) return check_token.run();
    const auto address = phx::tools::parse_listen_address(listen);
    if (!address) {
        std::fprintf(stderr, "phx-server: --listen: %s\n", address.error().message.c_str());
        return usage_error;
    }
    options.listen = *address;
    if (no_auth) {
        options.authentication = phx::tools::Authentication::none;
    } else {
        auto found = phx::tools::read_token_keys(keys);
        if (!found) {
            std::fprintf(stderr, "phx-server: %s\n", found.error().message.c_str());
            return usage_error;
        }
        if (!found->secrets.empty() || !found->jwks.empty()) options.tokens = {*std::move(found), {}};
    }
    if (verbose) options.verbosity = phx::tools::Verbosity::clients_faults_too;
    return phx::tools::serve(options);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "phx-server: %s\n", error.what());
        return 1;
    }
}
