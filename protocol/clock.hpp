#pragma once

#include <chrono>
#include <cstdint>

namespace phx::protocol {

/// Time as the core knows it: an argument. There is deliberately no now(); microseconds, because a loopback
/// round trip takes six.
struct Clock {
    using rep = std::int64_t;
    using period = std::micro;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
};
using Duration = Clock::duration;
using TimePoint = Clock::time_point;

/// `now + wait` that saturates: no timeout of a user and no Retry-After of a peer overflows. TimePoint::max()
/// is never.
constexpr TimePoint after(TimePoint now, Duration wait) noexcept {
    return wait > Duration{0} && now > TimePoint::max() - wait ? TimePoint::max() : now + wait;
}

} // namespace phx::protocol
