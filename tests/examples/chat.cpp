// Join a room, say something, hear it.
#include "example_server.hpp"

#include <phx/phx.hpp>

#include <future>

int main() {
    ExampleServer server;

    std::promise<std::string> heard;
    phx::Loop loop;
    phx::Socket socket(loop, server.url());
    auto room = socket.channel("room:lobby", {{"nick", "ada"}});
    room.on("shout", [&](const phx::Message& message) {
        if (auto payload = message.json()) heard.set_value((*payload)["body"].get<std::string>());
    });
    socket.on_error([](const phx::Error& error) { std::cerr << error.message << '\n'; });
    socket.connect();
    room.join().receive("error",
                        [](const phx::Reply& reply) { std::cerr << "refused: " << reply.text() << '\n'; });

    const auto reply = room.push("shout", {{"body", "hi"}}).wait(); // buffered until the room is joined
    if (!reply) {
        std::cerr << reply.error().message << '\n';
        return 1;
    }
    std::cout << heard.get_future().get() << '\n';

    const auto refused = room.push("nonsense").wait();
    return refused.has_value() || refused.error().code != phx::Errc::rejected ? 1 : 0;
}
