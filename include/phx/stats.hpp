#pragma once

#include "phx/json.hpp"

#include <cstdint>

namespace phx {

/// What a socket has done since it was made. Numbers only grow, but those that say otherwise. Each is exact;
/// taken together they may be a moment apart.
struct SocketStats {
    std::uint64_t connects = 0;        ///< attempts
    std::uint64_t opens = 0;           ///< attempts that opened a connection
    std::uint64_t losses = 0;          ///< connections that ended and that this program had not closed
    std::uint64_t frames_sent = 0;     ///< frames of the protocol, of all kinds
    std::uint64_t frames_received = 0; ///
    std::uint64_t bytes_sent = 0;      ///< of those frames, without WebSocket and TLS
    std::uint64_t bytes_received = 0;  ///
    std::uint64_t messages = 0;        ///< that reached a channel
    std::uint64_t frames_dropped = 0;  ///< that could not be read, or were accepted and not sent
    std::uint64_t pushes = 0;          ///< made
    std::uint64_t pushes_failed = 0;   ///< finished with an error
    std::uint64_t pushes_waiting = 0;  ///< not finished at the moment
    std::uint64_t heartbeats = 0;      ///< answered
    Micros last_round_trip{0};         ///< of the latest heartbeat that was answered
    std::uint64_t buffered_bytes = 0;  ///< waiting for the network at the moment
};

} // namespace phx
