#pragma once

#include "protocol/clock.hpp"

#include <cstdint>
#include <optional>

namespace phx::protocol {

/// stopped -start-> resting -interval-> (send) -handle_sent-> waiting -reply-> resting; waiting -timeout->
/// (lost). The next one goes out one interval after the reply (phoenix.js socket.js resetHeartbeat).
class Heartbeat {
public:
    /// A zero interval means none.
    Heartbeat(Duration interval, Duration timeout) : interval_(interval), timeout_(timeout) {}

    enum class Due : std::uint8_t { nothing, send, lost };

    void start(TimePoint now);
    void stop() noexcept { *this = Heartbeat(interval_, timeout_); }
    void handle_sent(TimePoint now, std::uint64_t ref);
    /// The round trip, if the reply is to the heartbeat that is out.
    std::optional<Duration> handle_reply(TimePoint now, std::uint64_t ref);

    Due due(TimePoint now) const noexcept;
    std::optional<TimePoint> next_timeout() const noexcept { return deadline_; }

private:
    Duration interval_;
    Duration timeout_;
    std::optional<TimePoint> deadline_ = {};
    TimePoint sent_at_{};
    std::uint64_t ref_ = 0; ///< of the one that is out; 0: none is
};

} // namespace phx::protocol
