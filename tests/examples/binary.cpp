// Bytes both ways: no base64, no JSON.
#include "example_server.hpp"

#include <phx/phx.hpp>

#include <array>
#include <future>

int main() {
    ExampleServer server;
    std::promise<std::size_t> heard;
    phx::Loop loop;
    phx::Socket socket(loop, server.url());
    auto room = socket.channel("room:lobby");
    room.on("shout", [&](const phx::Message& message) {
        if (message.binary()) heard.set_value(message.bytes().size());
    });
    socket.connect();
    room.join();

    const std::array<float, 3> position = {1.0F, 2.0F, 3.0F};
    const auto reply = room.push_binary("shout", std::as_bytes(std::span(position))).wait();
    if (!reply) {
        std::cerr << reply.error().message << '\n';
        return 1;
    }
    const std::size_t bytes = heard.get_future().get();
    std::cout << bytes << " bytes came back\n";
    return bytes == sizeof position ? 0 : 1;
}
