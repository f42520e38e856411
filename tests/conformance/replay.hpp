#pragma once

#include "tests/conformance/differences.hpp"
#include "tests/conformance/scenario.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace phx::conformance {

/// The server that is replayed to.
struct Target {
    std::uint16_t port = 0; ///< on loopback
    /// How long it holds a poll open when there is nothing to say.
    std::chrono::milliseconds poll_window{10'000};
    std::function<void()> terminate = {}; ///< tells it to stop, where that was recorded
};

/// Says to the server what the recorded client said, each line when everything that had come before it on its
/// connection has come, and compares the answers: those of one connection in order, those of different
/// connections in any order. At the end every connection that is still open answers a heartbeat and has
/// nothing else to say.
///
/// Empty if the server behaves as recorded, or as the table says; otherwise what differs first, with a
/// transcript.
std::string replay(const Scenario& scenario, const Table& table, const Target& target);

/// Whether the server was told to stop while it was recorded.
bool ends_its_server(const Scenario& scenario);

} // namespace phx::conformance
