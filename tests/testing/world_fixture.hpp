#pragma once

#include <phx/phx.hpp>
#include <phx/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {

using namespace std::chrono_literals;
using testing::Frame;
using testing::Peer;
using testing::World;

/// Passes "shout" on, tracks who says "here", echoes the rest.
inline server::Handlers room() {
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view event, server::PayloadView payload) {
        if (event == "shout") return server::Actions().broadcast("shout", payload).ok();
        if (event == "here") return server::Actions().track(std::string(payload.data)).presence_state().ok();
        if (event == "crash") throw std::runtime_error("on purpose");
        if (event == "silence") return server::Actions();
        return server::Actions().ok(payload);
    };
    return handlers;
}

/// A World whose server has the room, and a client who has joined it.
struct Joined {
    explicit Joined(std::uint64_t seed = 1, testing::Options options = {}) : world(seed, std::move(options)) {
        world.server().channel("room:*", room());
        lobby.on_gap([this](Millis) { ++gaps; });
        lobby.on("shout", [this](const Message& message) { heard.emplace_back(message.text()); });
        socket.on_error([this](const Error& error) { errors.push_back(error); });
        socket.on_close([this](std::uint16_t code, std::string_view) { closes.push_back(code); });
        socket.connect();
        EXPECT_TRUE(lobby.join().wait());
    }
    bool is_joined() const { return lobby.state() == ChannelState::joined; }

    // Before the socket, which tells its handlers of pushes that nobody has looked at until its end.
    int gaps = 0;
    std::vector<std::string> heard;
    std::vector<Error> errors;
    std::vector<std::uint16_t> closes;
    World world;
    Socket socket{world.loop(), world.url()};
    Channel lobby = socket.channel("room:lobby");
};

} // namespace phx::test
