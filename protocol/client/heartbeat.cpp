#include "protocol/client/heartbeat.hpp"

namespace phx::protocol {

void Heartbeat::start(TimePoint now) {
    stop();
    if (interval_ > Duration{0}) deadline_ = after(now, interval_);
}

void Heartbeat::handle_sent(TimePoint now, std::uint64_t ref) {
    ref_ = ref;
    sent_at_ = now;
    deadline_ = after(now, timeout_);
}

std::optional<Duration> Heartbeat::handle_reply(TimePoint now, std::uint64_t ref) {
    if (ref_ == 0 || ref != ref_) return std::nullopt;
    const Duration round_trip = now - sent_at_;
    start(now);
    return round_trip;
}

Heartbeat::Due Heartbeat::due(TimePoint now) const noexcept {
    if (!deadline_ || *deadline_ > now) return Due::nothing;
    return ref_ == 0 ? Due::send : Due::lost;
}

} // namespace phx::protocol
