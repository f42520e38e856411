#pragma once

#include "phx/json.hpp"
#include "protocol/clock.hpp"

#include <chrono>

namespace phx::shell {

/// A time of the user for the core, which counts microseconds: what is too long for those is for ever.
inline protocol::Duration in_core(Millis time) noexcept {
    constexpr auto longest = std::chrono::duration_cast<Millis>(protocol::Duration::max());
    if (time > longest) return protocol::Duration::max();
    if (time < -longest) return protocol::Duration::min();
    return time;
}

} // namespace phx::shell
