#include "protocol/client/channel_machine.hpp"

#include <utility>

namespace phx::protocol {

ChannelMachine::ChannelMachine(ChannelId id, std::string topic, JoinParams params, BackoffConfig rejoin,
                               SendBuffer buffer)
    : waiting(std::move(buffer)), id_(id), topic_(std::move(topic)), params_(params),
      rejoin_(std::move(rejoin)) {}

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

TimePoint ChannelMachine::schedule_rejoin(TimePoint now, Random& random) {
    rejoin_at_ = after(now, rejoin_.next(random));
    return *rejoin_at_;
}

} // namespace phx::protocol
