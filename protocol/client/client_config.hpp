#pragma once

#include "phx/protocol/frame.hpp"
#include "protocol/client/outputs.hpp"
#include "protocol/clock.hpp"
#include "protocol/time/backoff.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace phx::protocol {

/// What happens to a push that finds a full buffer.
enum class Overflow : std::uint8_t {
    reject_newest, ///< the new push fails with buffer_full
    drop_oldest,   ///< the oldest waiting push fails with buffer_full (realtime-js)
};

/// What becomes of a push whose reply is awaited when the connection is lost.
enum class InFlight : std::uint8_t {
    fail, ///< it fails at once with disconnected: the reply cannot come any more
    wait, ///< it waits for its timeout, as in phoenix.js
};

/// What becomes of a channel that the server closes (phx_close) though nobody asked for it.
enum class AfterClose : std::uint8_t {
    stay_closed, ///< phoenix.js
    rejoin,      ///< as after a crash: a deploy can close channels and leave the socket open
};

/// What may differ from channel to channel.
struct ChannelConfig {
    BackoffConfig rejoin = BackoffConfig::rejoin();
    unsigned max_rejoins = 0; ///< consecutive ones that may fail on one connection; 0: no limit
    AfterClose after_close = AfterClose::stay_closed;

    std::size_t max_buffered_pushes = 1000;     ///< that wait for the join
    std::size_t max_buffered_bytes = 16u << 20; ///< events and payloads of those
    Overflow overflow = Overflow::reject_newest;
};

/// Defaults are phoenix.js', except where protocol/README.md says otherwise.
struct ClientConfig {
    Target target = {}; ///< what is dialled when ask_target is not set
    bool ask_target = false;
    Vsn vsn = Vsn::v2;
    std::uint64_t seed = 0; ///< of the jitter

    Duration timeout = std::chrono::seconds(10); ///< of pushes that name none
    Duration connect_timeout = std::chrono::seconds(10);
    Duration close_timeout = std::chrono::seconds(5);
    Duration heartbeat_interval = std::chrono::seconds(30); ///< zero: none
    Duration heartbeat_timeout = std::chrono::seconds(10);
    Duration stable_after = std::chrono::seconds(10); ///< uptime after which the backoff starts anew

    BackoffConfig first_connect =
        BackoffConfig::first_connect();                   ///< until a connection opened for the first time
    BackoffConfig reconnect = BackoffConfig::reconnect(); ///< after that
    unsigned max_attempts = 0;                            ///< consecutive connects that may fail; 0: no limit
    InFlight in_flight = InFlight::fail;

    std::size_t max_waiting_pushes = 1u << 18; ///< not finished yet, of all channels: else buffer_full
    ChannelConfig channel = {};                ///< of channels that name none of their own
    Limits limits = {};
};

} // namespace phx::protocol
