#pragma once

#include "phx/error.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace phx {

/// How the steps of a `Ladder` are spread, so that many clients do not come back in the same moment.
enum class Jitter : std::uint8_t {
    none,    ///< the steps as they are, as phoenix.js
    full,    ///< uniform in [0, step)
    equal,   ///< uniform in [step / 2, step)
    between, ///< uniform in [the step before, step); of the first: [0, step)
};

/// Delays between attempts; the last one repeats.
struct Ladder {
    std::vector<Millis> steps = {};
    Jitter jitter = Jitter::full;
};

/// When to dial and to join again. The server's Retry-After, if it sends one, is the least delay.
struct RetryOptions {
    /// Until a connection opened for the first time: phoenix.js reconnectAfterMs, with jitter.
    Ladder first_connect = {{Millis(10), Millis(50), Millis(100), Millis(150), Millis(200), Millis(250),
                             Millis(500), Millis(1000), Millis(2000), Millis(5000)},
                            Jitter::equal};
    /// After a connection that had been open: within a second, then slower. First, second, ... attempts of
    /// many clients fall into intervals that do not overlap, so that a server that was away is not stampeded.
    Ladder reconnect = {{Millis(1000), Millis(2000), Millis(5000), Millis(10'000)}, Jitter::between};
    /// Of a channel that crashed or was refused: phoenix.js rejoinAfterMs, with jitter.
    Ladder rejoin = {{Millis(1000), Millis(2000), Millis(5000), Millis(10'000)}, Jitter::equal};
    /// A connection that lasted this long starts the ladder anew when it ends; zero: every one that opened,
    /// as phoenix.js.
    Millis stable_after{10'000};
    /// Consecutive attempts that may fail; then the socket becomes idle and reports the last error. 0: no
    /// limit.
    unsigned max_attempts = 0;
    /// Asked on the loop thread when a connection was lost or could not be opened; false: the socket becomes
    /// idle until `connect()`, and what waits fails with this error. Its detail has the close code, or the
    /// HTTP status and headers of a refused upgrade. Not set: always true, as phoenix.js 1.8.16, whatever the
    /// close code; refused credentials (401, 403) are tried again at the slowest step.
    Function<bool(const Error&)> should_reconnect = {};
};

/// What happens to a push that finds its buffer full.
enum class Overflow : std::uint8_t {
    reject_newest, ///< the new push fails with `Errc::buffer_full`
    drop_oldest,   ///< the oldest waiting push fails with `Errc::buffer_full`, as in realtime-js
};

/// What becomes of a push whose reply is awaited when the connection is lost, or its channel crashes.
enum class InFlight : std::uint8_t {
    fail, ///< it fails at once (disconnected, channel_closed): the reply cannot come any more
    wait, ///< it waits for its timeout, as in phoenix.js
};

/// What becomes of a channel that the server closes (phx_close) though this side did not leave.
enum class AfterClose : std::uint8_t {
    stay_closed, ///< as in phoenix.js
    rejoin,      ///< as after a crash: a server that is deployed can close channels and keep the connection
};

/// What may differ from channel to channel. The options of `Socket::channel()` count when it makes the
/// channel.
struct ChannelOptions {
    /// When to join again after a crash or a refusal; not set: `RetryOptions::rejoin`.
    std::optional<Ladder> rejoin = {};
    /// Consecutive rejoins on one connection that may fail; then the channel is closed. 0: no limit.
    unsigned max_rejoins = 0;
    /// Asked on the loop thread when the channel crashed, was refused or timed out; false: the channel is
    /// closed with this error, until `join()`. The server's answer is in its detail. Not set: every error but
    /// a refusal whose reason is "unauthorized" (phoenix.js asks for ever, and nothing changes).
    Function<bool(const Error&)> should_rejoin = {};
    AfterClose after_close = AfterClose::stay_closed;

    /// Pushes that wait for the join; not set: `SocketOptions::max_buffered_messages`.
    std::optional<std::size_t> max_buffered_messages = {};
    /// Events and payloads of those.
    std::size_t max_buffered_bytes = 16u << 20;
    Overflow overflow = Overflow::reject_newest;
};

} // namespace phx
