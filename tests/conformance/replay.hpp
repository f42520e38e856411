#pragma once

#include "tests/conformance/differences.hpp"
#include "tests/conformance/scenario.hpp"

#include <cstdint>
#include <string>

namespace phx::conformance {

/// Says to the server on this port (loopback) what the recorded client said, each line when everything that
/// had come before it on its connection has come, and compares the answers: those of one connection in order,
/// those of different connections in any order. At the end every connection that is still open answers a
/// heartbeat and has nothing else to say.
///
/// Empty if the server behaves as recorded, or as the table says; otherwise what differs first, with a
/// transcript.
std::string replay(const Scenario& scenario, const Table& table, std::uint16_t port);

} // namespace phx::conformance
