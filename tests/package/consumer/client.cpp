// A server in the process, a client that joins, pushes and hears its own broadcast.
#include <phx/phx.hpp>
#include <phx/server/server.hpp>

#include <future>
#include <iostream>

int main() {
    phx::server::Server server;
    phx::server::Handlers echo;
    echo.handle_in = [](const phx::server::Context&, std::string_view, phx::server::PayloadView payload) {
        phx::server::Actions actions;
        actions.ok(payload);
        actions.broadcast("shout", payload);
        return actions;
    };
    server.channel("room:*", echo);
    const auto port = server.start();
    if (!port) {
        std::cerr << port.error().message << '\n';
        return 1;
    }

    phx::Loop loop;
    phx::Socket socket(loop, "ws://127.0.0.1:" + std::to_string(*port) + "/socket");
    auto room = socket.channel("room:lobby");
    std::promise<std::string> heard;
    room.on("shout", [&](const phx::Message& message) { heard.set_value(std::string(message.text())); });
    socket.connect();
    if (auto joined = room.join().wait(); !joined) {
        std::cerr << joined.error().message << '\n';
        return 1;
    }
    const auto reply = room.push("say", {{"body", "hi"}}).wait();
    if (!reply) {
        std::cerr << reply.error().message << '\n';
        return 1;
    }
    std::cout << reply->text() << ' ' << heard.get_future().get() << '\n';
    return 0;
}
