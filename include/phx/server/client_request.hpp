#pragma once

#include "phx/server/payload.hpp"

#include <chrono>
#include <string>

namespace phx::server {

/// What is asked of a client that has joined a topic, and serves the method there (`Channel::serve`).
struct ClientRequest {
    std::string connection_id = {};
    std::string topic = {}; ///< `realtime:$inbox` too
    std::string method = {};
    Payload params = {}; ///< bytes need a client of protocol version 2
    /// How long its response is awaited; a later one is reported to Options::on_error and counted
    /// (Stats::late_responses). The client may have acted all the same.
    std::chrono::milliseconds timeout{10'000};
};

} // namespace phx::server
