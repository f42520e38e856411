#include "phx/version.hpp"
#include "tools/phx-server/config_commands.hpp"
#include "tools/phx-server/echo.hpp"
#include "tools/phx-server/flags.hpp"
#include "tools/phx-server/serve.hpp"

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
    "1000000}}); the first of these that is there counts. Durations have a unit: 500ms, 10s, 5m, 1h.\n\n"
    "GET /health says whether it is alive. When it serves it prints \"listening on HOST:PORT\" to stdout; "
    "its\n"
    "log goes to stderr. SIGINT and SIGTERM close every connection with 1012, a second one ends it at once.\n"
    "SIGHUP reads the configuration again and applies tls, allowed_origins and log.\n\n";
constexpr const char* footer_tail =
    "\nExit codes: 0 stopped by a signal, 1 cannot serve (address in use, ...), 2 usage or configuration.\n"
    "Example: phx-server --listen 127.0.0.1:0 --insecure-no-auth";

int serve(const phx::tools::Flags& flags) {
    const phx::tools::ConfigRead read = flags.read_config();
    const phx::tools::Faults faults = phx::tools::faults_of(read);
    for (const std::string& line : faults.lines()) std::fprintf(stderr, "phx-server: %s\n", line.c_str());
    if (!faults.empty()) return usage_error;
    phx::tools::ServeOptions options;
    options.config = read.config;
    options.reread = [&flags] { return flags.read_config(); };
    return phx::tools::serve(options);
}

int run(int argc, char** argv) {
    CLI::App app("A server for Phoenix Channels and Supabase Realtime clients.", "phx-server");
    app.set_version_flag("--version", "phx-server " PHX_VERSION_STRING);
    app.require_subcommand(0, 1);
    app.footer(std::string(footer_head) + phx::tools::echo_help + footer_tail);
    const phx::tools::Flags flags(app);
    const phx::tools::CheckConfig check_config(app, flags);
    const phx::tools::DefaultConfig default_config(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) { // --help, --version
        return app.exit(asked);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "phx-server: %s; see phx-server --help\n", error.what());
        return usage_error;
    }
    if (check_config.is_asked()) return check_config.run();
    if (default_config.is_asked()) return default_config.run();
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
