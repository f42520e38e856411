#pragma once

#include "phx/protocol/endpoint.hpp"
#include "protocol/clock.hpp"

#include <optional>

namespace phx::protocol {

struct TransportChoiceConfig {
    Transport transport = Transport::websocket;
    /// How long a WebSocket may take to open, and then to bring a message, before long poll takes its place;
    /// not set: for ever.
    std::optional<Duration> fallback = {};
    Duration retry_websocket = std::chrono::minutes(5);
};

/// Which transport the next attempt takes (phoenix.js socket.js connectWithFallback, but never for ever).
///
///     trying --a message came over WebSocket--> settled: WebSocket, always
///     trying --a WebSocket failed, or its time is over--> fallen: long poll
///     fallen --long poll had its turn and retry_websocket is over--> trying, at the next attempt
///     fallen --long poll did not open either--> trying: it is not the WebSocket's fault
class TransportChoice {
public:
    explicit TransportChoice(TransportChoiceConfig);

    /// Of the attempt that is about to be made.
    Transport next(TimePoint now);
    /// It is under way.
    void handle_dialled(TimePoint now, Transport);
    /// True when the other end should be made to say something: only that proves a WebSocket.
    bool handle_open(TimePoint now);
    /// The connection brought a message.
    void handle_message();
    /// The attempt failed, or the connection was lost. True when the next attempt need not wait, because it
    /// takes another transport.
    bool handle_lost(TimePoint now);
    /// Nobody wants a connection any more.
    void handle_stopped();

    /// True when the WebSocket that is under way has had its time: end it.
    bool handle_timeout(TimePoint now);
    std::optional<TimePoint> next_timeout() const noexcept { return deadline_; }

private:
    enum class State : std::uint8_t { trying, settled, fallen };

    bool is_tried() const noexcept { return state_ == State::trying && dialled_ == Transport::websocket; }

    TransportChoiceConfig config_;
    State state_;
    std::optional<Transport> dialled_ = {}; ///< by the attempt or connection there is
    bool is_open_ = false;
    TimePoint fallen_at_{};
    bool has_polled_ = false; ///< since then
    std::optional<TimePoint> deadline_ = {};
};

} // namespace phx::protocol
