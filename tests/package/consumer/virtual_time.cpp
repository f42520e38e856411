// The test kit: client and server in virtual time.
#include <phx/phx.hpp>
#include <phx/testing.hpp>

#include <chrono>
#include <iostream>

int main() {
    using namespace std::chrono_literals;
    phx::testing::World world(1);
    phx::Socket socket(world.loop(), world.url());
    auto lobby = socket.channel("realtime:lobby");
    socket.connect();
    if (auto joined = lobby.join().wait(); !joined) {
        std::cerr << joined.error().message << '\n';
        return 1;
    }
    world.drop_connections();
    world.run_for(1min);
    return lobby.state() == phx::ChannelState::joined && world.dialled() == 2 ? 0 : 1;
}
