#pragma once

#include "protocol/time/backoff.hpp"

#include <cstddef>
#include <cstdint>

namespace phx::sim {

/// Every decision of a run comes from one of these, and all of them from one seed.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : random_(seed) {}

    std::uint64_t next() { return random_.next(); }
    /// Uniform in [0, n); 0 if n is 0.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.below(n)); }
    bool one_in(std::size_t n) { return below(n) == 0; }
    protocol::Duration between(protocol::Duration from, protocol::Duration to) {
        return from + protocol::Duration{static_cast<protocol::Duration::rep>(
                          below(static_cast<std::size_t>((to - from).count()) + 1))};
    }

private:
    protocol::Random random_;
};

} // namespace phx::sim
