#pragma once

#include <phx/server/server.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

/// A server in the process for the examples: `room:*` answers "count", passes "shout" on, and closes the
/// connection at "deploy".
class ExampleServer {
public:
    ExampleServer() {
        phx::server::Handlers room;
        room.handle_in = [](const phx::server::Context&, std::string_view event,
                            phx::server::PayloadView payload) {
            phx::server::Actions actions;
            if (event == "shout") {
                actions.ok();
                actions.broadcast("shout", payload);
            } else if (event == "count") {
                actions.ok(R"({"members":1})");
            } else if (event == "deploy") {
                actions.close_connection(1012, "deploy");
            } else {
                actions.error(R"({"reason":"unknown event"})");
            }
            return actions;
        };
        server_.channel("room:*", room);
        const auto port = server_.start();
        if (!port) {
            std::cerr << port.error().message << '\n';
            std::exit(1);
        }
        url_ = "ws://127.0.0.1:" + std::to_string(*port) + "/socket";
    }

    const std::string& url() const { return url_; }

private:
    phx::server::Server server_;
    std::string url_;
};
