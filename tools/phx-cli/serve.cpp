#include "tools/phx-server/serve.hpp"
#include "args.hpp"
#include "tools/phx-server/echo.hpp"
#include "verbs.hpp"

#include <memory>

namespace phx::cli {
namespace {

struct Serve {
    std::string listen = "127.0.0.1:4000";
    bool verbose = false;
};

int run(const Serve& args) {
    auto address = tools::parse_listen_address(args.listen);
    if (!address) usage_error("--listen: " + address.error().message);
    tools::ServeOptions options;
    options.program = "phx-cli serve";
    options.config.listen = *address;
    options.config.insecure_no_auth = true; // for trying things out; loopback addresses only
    if (args.verbose) options.config.log.level = tools::LogLevel::debug;
    return tools::serve(options);
}

} // namespace

void add_serve(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<Serve>();
    auto* verb = app.add_subcommand("serve", "run a server for trying things out, without authentication");
    verb->add_option("--listen", args->listen, "loopback address; port 0 is any free one")
        ->type_name("HOST:PORT")
        ->capture_default_str();
    verb->add_flag("-v,--verbose", args->verbose, "say what clients do wrong");
    verb->footer(tools::echo_help);
    verb->callback([args, &exit_code] { exit_code = run(*args); });
}

} // namespace phx::cli
