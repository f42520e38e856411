#include "src/testing/virtual_clock.hpp"

#include <algorithm>
#include <utility>

namespace phx::sim {

void VirtualClock::at(TimePoint when, Task task) {
    tasks_.push_back({std::max(when, now_), ++given_, std::move(task)});
    std::push_heap(tasks_.begin(), tasks_.end(), later);
}

bool VirtualClock::run_one(TimePoint end) {
    if (tasks_.empty() || tasks_.front().at > end) return false;
    std::pop_heap(tasks_.begin(), tasks_.end(), later);
    Entry entry = std::move(tasks_.back());
    tasks_.pop_back();
    now_ = entry.at;
    ++run_;
    entry.task();
    return true;
}

void VirtualClock::run_until(TimePoint end) {
    while (run_one(end)) {
    }
    now_ = std::max(now_, end);
}

VirtualTimer::VirtualTimer(VirtualClock& clock, VirtualClock::Task task)
    : state_(std::make_shared<State>(State{clock, std::move(task)})) {}

VirtualTimer::~VirtualTimer() {
    state_->armed = TimePoint::max();
    state_->scheduled = TimePoint::max(); // what the clock still has finds nothing to do
}

void VirtualTimer::arm(std::optional<TimePoint> at) { arm(state_, at.value_or(TimePoint::max())); }

void VirtualTimer::arm(const std::shared_ptr<State>& s, TimePoint at) {
    if (at != TimePoint::max()) at = std::max(at, s->clock.now());
    s->armed = at;
    // A deadline that moves away needs no task of its own: the earlier one looks again.
    if (at >= s->scheduled) return;
    s->scheduled = at;
    s->clock.at(at, [s, at] { fire(s, at); });
}

void VirtualTimer::fire(const std::shared_ptr<State>& s, TimePoint at) {
    if (at != s->scheduled) return; // replaced by an earlier one
    s->scheduled = TimePoint::max();
    if (s->armed > at) return arm(s, s->armed);
    s->armed = TimePoint::max();
    s->task();
}

} // namespace phx::sim
