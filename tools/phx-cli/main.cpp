#include "exit_code.hpp"
#include "phx/version.hpp"
#include "verbs.hpp"

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    using namespace phx::cli;
    CLI::App app("Talk to Phoenix Channels and Supabase Realtime from a shell.\n"
                 "URL is the endpoint as phoenix.js takes it, without /websocket: ws://host:4000/socket,\n"
                 "wss://project.supabase.co/realtime/v1; PHX_URL stands in when it is left out.",
                 "phx-cli");
    app.set_version_flag("--version", "phx-cli " PHX_VERSION_STRING);
    app.require_subcommand(1);
    app.footer("stdout is data, stderr is everything else.\n"
               "Exit codes: 0 ok, 1 failure, 2 usage, 3 network, 4 refused (401, 403), 5 join refused,\n"
               "6 error reply, 7 timeout, 8 closed by the server, 130 interrupted.\n"
               "Environment: PHX_URL, PHX_TOKEN, PHX_TIMEOUT, NO_COLOR.");
    int exit_code = 0;
    add_listen(app, exit_code);
    add_push(app, exit_code);
    add_call(app, exit_code);
    add_send(app, exit_code);
    add_presence(app, exit_code);
    add_serve(app, exit_code);
    add_decode(app, exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error); // --help and --version
        std::cerr << "phx-cli: " << error.what() << "; see phx-cli --help\n";
        return static_cast<int>(ExitCode::usage);
    } catch (const std::exception& error) {
        std::cerr << "phx-cli: " << error.what() << '\n';
        return static_cast<int>(ExitCode::failure);
    }
    return exit_code;
}
