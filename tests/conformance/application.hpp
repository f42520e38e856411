#pragma once

#include "phx/server/server.hpp"

#include <cstdint>
#include <string>

namespace phx::conformance {

/// The sockets of the application that the recordings of tests/vectors/phoenix were made with: `/socket` with
/// defaults, `/limited` with 4096 bytes a message and 2 s of idleness, `/compressed` as `/socket`; the
/// connect parameter `token` decides, and pages of any origin may come.
server::Options application_options(std::string host = "127.0.0.1", std::uint16_t port = 0);

/// Its channels: `room:*`, `bench:*` and `exact`, all with the same events.
void add_channels(server::Server& server);

} // namespace phx::conformance
