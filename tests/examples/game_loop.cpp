// A game polls the network once in a frame: no thread, no lock, handlers run between two frames.
#include "example_server.hpp"

#include <phx/phx.hpp>

#include <chrono>
#include <thread>

int main() {
    ExampleServer server;
    phx::Loop loop({.run = phx::LoopOptions::Run::caller});
    phx::Socket socket(loop, server.url());
    auto room = socket.channel("room:arena");

    int hits = 0; // of the game: only ever touched by this thread
    room.on("shout", [&](const phx::Message&) { ++hits; });
    socket.connect();
    room.join();
    if (!room.send("shout", R"({"hit":true})")) return 1;

    const auto last_frame = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (hits == 0 && std::chrono::steady_clock::now() < last_frame) {
        loop.poll(); // what is due now; never blocks
        // ... move, draw ...
        std::this_thread::sleep_for(std::chrono::milliseconds(16));
    }
    std::cout << hits << " hit\n";
    return hits == 1 ? 0 : 1;
}
