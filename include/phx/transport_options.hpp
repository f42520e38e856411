#pragma once

#include "phx/json.hpp"
#include "phx/protocol/endpoint.hpp"

#include <optional>

namespace phx {

using protocol::Transport;

/// What carries the messages of a socket. WebSocket, unless a network in between does not let it through:
/// then Phoenix' long poll does, HTTP requests that the server answers when it has something to say. It needs
/// `longpoll: true` at the server's socket and protocol version 2, and costs latency and requests.
struct TransportOptions {
    Transport transport = Transport::websocket;
    /// A WebSocket that has not opened within this time, has then not answered within it once more, or has
    /// failed gives way to long poll, unless a WebSocket of this socket has ever worked: then never. Attempts
    /// of both count for `RetryOptions::max_attempts`. Not set: no fallback. phoenix.js longPollFallbackMs;
    /// 2500 ms is its recommendation.
    std::optional<Millis> long_poll_fallback = {};
    /// After this time on long poll the next attempt to connect takes WebSocket again; a session of the long
    /// poll that works is not cut off for it. If long poll does not open either, the next attempt takes
    /// WebSocket, too. phoenix.js remembers the fallback for as long as the page's session lasts.
    Millis retry_websocket{300'000};
    /// How long one request of the long poll may take, and so longer than the server holds one back (10 s).
    /// phoenix.js longpollerTimeout.
    Millis long_poll_timeout{20'000};
};

} // namespace phx
