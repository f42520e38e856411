#pragma once

#include "protocol/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace phx::protocol {

enum class Jitter : std::uint8_t {
    none,    ///< the ladder as it is, as phoenix.js
    full,    ///< uniform in [0, step)
    equal,   ///< uniform in [step / 2, step)
    between, ///< uniform in [the step before, step); before the first: [0, step)
};

/// A ladder of delays; the last step repeats.
struct BackoffConfig {
    std::vector<Duration> steps = {};
    Jitter jitter = Jitter::full;

    /// phoenix.js reconnectAfterMs: 10, 50, 100, 150, 200, 250, 500, 1000, 2000, then 5000 ms; equal jitter.
    static BackoffConfig first_connect();
    /// 1, 2, 5, 10 s, between: attempts of the first second, of the next, ... do not meet, so that a server
    /// that was away is not stampeded, however long it was (tests/sim/stampede_test.cpp).
    static BackoffConfig reconnect();
    /// phoenix.js rejoinAfterMs: 1, 2, 5, then 10 s; equal jitter.
    static BackoffConfig rejoin();
};

/// splitmix64: small, seedable and good enough for jitter.
class Random {
public:
    explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t next() noexcept;
    /// Uniform in [0, bound); 0 if bound is 0.
    std::uint64_t below(std::uint64_t bound) noexcept;

private:
    std::uint64_t state_;
};

class Backoff {
public:
    explicit Backoff(BackoffConfig config) : config_(std::move(config)) {}
    /// The delay before the next attempt; each call climbs one step.
    Duration next(Random&);
    /// The delay of the last step, for what soon trying again does not cure; it counts as a try too.
    Duration slowest(Random&);
    void reset() noexcept { tries_ = 0; }
    unsigned tries() const noexcept { return tries_; }

private:
    Duration jittered(std::size_t step, Random&) const;

    BackoffConfig config_;
    unsigned tries_ = 0;
};

} // namespace phx::protocol
