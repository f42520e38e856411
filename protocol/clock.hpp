#pragma once

#include <chrono>

namespace phx::protocol {

/// Time as the core knows it: an argument. There is deliberately no now(); microseconds, because a loopback round
/// trip takes six.
struct Clock {
    using rep = std::int64_t;
    using period = std::micro;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
};
using Duration = Clock::duration;
using TimePoint = Clock::time_point;

} // namespace phx::protocol
