#include "phx/version.hpp"
#include "tools/phx-server/config_commands.hpp"
#include "tools/phx-server/echo.hpp"
#include "tools/phx-server/flags.hpp"
#include "tools/phx-server/serve.hpp"
#include "tools/phx-server/token_commands.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

namespace {

constexpr int usage_error = 2;

constexpr const char* footer_head =
    "A setting is a flag (--limits-max-pending-bytes 1000000), a variable of the environment\n"
    "(PHX_SERVER_LIMITS_MAX_PENDING_BYTES=1000000) or a member of the file "
    "({\"limits\":{\"max_pending_bytes\":\n"
    "1000000}}); the first of these that is there counts. Durations have a unit: 500ms, 10s, 5m, 1h.\n"
    "JSON is what the file has: --history '[{\"pattern\":\"realtime:*\"}]'.\n"
    "Keys of tokens come from files, or themselves from PHX_SERVER_JWT_SECRET and PHX_SERVER_JWKS.\n"
    "A variable PHX_SERVER_... that is none of these is an error.\n\n"
    "GET /health says whether it is alive. When it serves it prints \"listening on HOST:PORT\" to stdout; "
    "its\n"
    "log goes to stderr. SIGINT and SIGTERM close every connection with 1012, a second one ends it at once.\n"
    "SIGHUP reads the configuration again and applies keys, tokens, tls, allowed_origins, policies, rates,\n"
    "drain and log.\n\n";
constexpr const char* footer_tail =
    "\nExit codes: 0 stopped by a signal (a second one: 130 or 143), 1 cannot serve (address in use, ...),\n"
    "2 usage or configuration.\n"
    "Example: PHX_SERVER_JWT_SECRET=... phx-server --listen 0.0.0.0:4000";

int serve(const phx::tools::Flags& flags) {
    const phx::tools::ConfigRead read = flags.read_config();
    for (const std::string& line : read.faults.lines())
        std::fprintf(stderr, "phx-server: %s\n", line.c_str());
    if (!read.faults.empty()) return usage_error;
    phx::tools::ServeOptions options;
    options.config = read.config;
    options.reread = [&flags] { return flags.read_config(); };
    return phx::tools::serve(options);
}

std::string surplus(const CLI::App& app) {
    for (const std::string& argument : app.remaining(true))
        if (argument.starts_with('-')) return "there is no flag " + argument.substr(0, argument.find('='));
    return "there is an argument too many";
}

int run(int argc, char** argv) {
    CLI::App app("A server for Phoenix Channels and Supabase Realtime clients.", "phx-server");
    app.set_version_flag("--version", "phx-server " PHX_VERSION_STRING);
    app.require_subcommand(0, 1);
    app.footer(std::string(footer_head) + phx::tools::echo_help + footer_tail);
    const phx::tools::Flags flags(app);
    const phx::tools::CheckConfig check_config(app, flags);
    const phx::tools::DefaultConfig default_config(app);
    const phx::tools::GenToken gen_token(app);
    const phx::tools::CheckToken check_token(app, flags);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
        return app.exit(asked);
    } catch (const CLI::ExtrasError&) { // its text has all arguments, and one may be a secret
        std::fprintf(stderr, "phx-server: %s; see phx-server --help\n", surplus(app).c_str());
        return usage_error;
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "phx-server: %s; see phx-server --help\n", error.what());
        return usage_error;
    }
    if (check_config.is_asked()) return check_config.run();
    if (default_config.is_asked()) return default_config.run();
    if (gen_token.is_asked()) return gen_token.run();
    if (check_token.is_asked()) return check_token.run();
    return serve(flags);
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
