#include "protocol/client/channel_machine.hpp"

#include <utility>

namespace phx::protocol {

ChannelMachine::ChannelMachine(ChannelId id, std::string topic, JoinParams params,
                               const ChannelConfig& config)
    : waiting(config.max_buffered_pushes, config.max_buffered_bytes), id_(id), topic_(std::move(topic)),
      params_(params), rejoin_(config.rejoin), max_rejoins_(config.max_rejoins),
      after_close_(config.after_close), overflow_(config.overflow) {}

void ChannelMachine::start_join(Duration timeout) {
    state_ = ChannelState::joining;
    join_ref_ = 0;
    join_timeout_ = timeout;
    cancel_rejoin();
}

std::optional<Duration> ChannelMachine::handle_joined(TimePoint now) {
    state_ = ChannelState::joined;
    reset_rejoin();
    const auto gap = offline_since_ ? std::optional(now - *offline_since_) : std::nullopt;
    offline_since_.reset();
    return gap;
}

void ChannelMachine::handle_error(TimePoint now) {
    if (state_ == ChannelState::joined) offline_since_ = now;
    state_ = ChannelState::errored;
    join_ref_ = 0;
}

void ChannelMachine::close(TimePoint now, Gap gap) {
    if (gap == Gap::forget) {
        offline_since_.reset();
    } else if (state_ == ChannelState::joined) {
        offline_since_ = now;
    }
    state_ = ChannelState::closed;
    join_ref_ = 0;
    cancel_rejoin();
    reset_rejoin();
}

std::optional<TimePoint> ChannelMachine::schedule_rejoin(TimePoint now, Random& random) {
    if (max_rejoins_ != 0 && rejoin_.tries() >= max_rejoins_) return std::nullopt;
    rejoin_at_ = after(now, rejoin_.next(random));
    return rejoin_at_;
}

} // namespace phx::protocol
