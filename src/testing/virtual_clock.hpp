#pragma once

#include "protocol/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace phx::sim {

using protocol::Duration;
using protocol::TimePoint;

/// Time that passes only when nothing is left to do: tasks run in the order of their time, and those of one
/// instant in the order in which they were given.
class VirtualClock {
public:
    using Task = std::function<void()>;

    TimePoint now() const noexcept { return now_; }
    /// A time that has passed counts as now.
    void at(TimePoint, Task);
    void after(Duration wait, Task task) { at(protocol::after(now_, wait), std::move(task)); }

    /// Runs the first task, if it is due by `end`.
    bool run_one(TimePoint end);
    /// Runs what is due up to and including `end`, which is then the time.
    void run_until(TimePoint end);
    void run_for(Duration wait) { run_until(protocol::after(now_, wait)); }

    std::size_t waiting() const noexcept { return tasks_.size(); }
    std::optional<TimePoint> next() const {
        return tasks_.empty() ? std::nullopt : std::optional(tasks_.front().at);
    }
    std::uint64_t tasks_run() const noexcept { return run_; }

private:
    struct Entry {
        TimePoint at;
        std::uint64_t number;
        Task task;
    };
    static bool later(const Entry& a, const Entry& b) noexcept {
        return a.at != b.at ? a.at > b.at : a.number > b.number;
    }

    TimePoint now_{};
    std::vector<Entry> tasks_; // a heap
    std::uint64_t given_ = 0;
    std::uint64_t run_ = 0;
};

/// The one timer that a machine's owner keeps. Arming it again replaces what it waited for; its end disarms
/// it.
class VirtualTimer {
public:
    VirtualTimer(VirtualClock& clock, VirtualClock::Task task);
    ~VirtualTimer();
    VirtualTimer(const VirtualTimer&) = delete;
    VirtualTimer& operator=(const VirtualTimer&) = delete;

    /// Nothing, and TimePoint::max(), are never.
    void arm(std::optional<TimePoint> at);

private:
    struct State {
        VirtualClock& clock;
        VirtualClock::Task task;
        TimePoint armed = TimePoint::max();
        TimePoint scheduled = TimePoint::max(); ///< the earliest task of ours that the clock has
    };
    static void arm(const std::shared_ptr<State>&, TimePoint at);
    static void fire(const std::shared_ptr<State>&, TimePoint at);

    std::shared_ptr<State> state_;
};

} // namespace phx::sim
