#include "src/client/driver.hpp"

#include <chrono>
#include <utility>

// What the machine reports, told to handlers.
namespace phx::shell {

static_assert(static_cast<int>(phx::SocketState::waiting) ==
              static_cast<int>(protocol::SocketState::waiting));
static_assert(static_cast<int>(phx::ChannelState::errored) ==
              static_cast<int>(protocol::ChannelState::errored));
static_assert(static_cast<int>(phx::HeartbeatStatus::timeout) ==
              static_cast<int>(protocol::HeartbeatStatus::timeout));
static_assert(static_cast<int>(phx::Jitter::equal) == static_cast<int>(protocol::Jitter::equal));

ChannelCore* Driver::find(protocol::ChannelId id) noexcept {
    const auto found = channels_.find(id);
    return found == channels_.end() ? nullptr : found->second.get();
}

void Driver::tell(protocol::event::SocketChanged& news) {
    using protocol::SocketState;
    core_->changed.run(guard(), static_cast<phx::SocketState>(news.from),
                       static_cast<phx::SocketState>(news.to));
    if (news.to == SocketState::open) core_->opened.run(guard());
    if (!news.why) return;
    // A connection that had been open ends when it leaves `open` unasked, or `closing`.
    const bool was_open = news.from == SocketState::open || news.from == SocketState::closing;
    if (was_open) core_->closed.run(guard(), news.why->code, std::string_view(news.why->reason));
    if (news.why->error) core_->report(std::move(*news.why->error));
}

void Driver::tell(protocol::event::ChannelChanged& news) {
    ChannelCore* const channel = find(news.channel);
    if (!channel) return;
    channel->changed.run(guard(), static_cast<phx::ChannelState>(news.from),
                         static_cast<phx::ChannelState>(news.to),
                         static_cast<const Error*>(news.why ? &*news.why : nullptr));
}

void Driver::tell(protocol::event::MessageArrived& news) {
    const Message message(news.frame, news.kind);
    if (ChannelCore* const channel = find(news.channel)) {
        const auto handlers = channel->by_event.find(message.event());
        if (handlers != channel->by_event.end()) handlers->second.run(guard(), message);
        channel->any.run(guard(), message);
    }
    core_->message.run(guard(), message);
}

void Driver::tell(protocol::event::Unclaimed& news) {
    core_->message.run(guard(), Message(news.frame, news.kind));
}

void Driver::tell(protocol::event::PushFinished& news) {
    const auto found = pushes_.find(news.push);
    if (found == pushes_.end()) return;
    const PushPtr state = std::move(found->second);
    pushes_.erase(found);
    protocol::PushOutcome& outcome = news.outcome;
    std::string status(outcome.error || !outcome.status.empty() ? outcome.status : std::string_view("ok"));
    state->finish(
        Reply(std::move(status), outcome.kind, std::string(outcome.response), Micros(outcome.elapsed)),
        std::move(outcome.error));
}

void Driver::tell(protocol::event::HeartbeatChanged& news) {
    core_->heartbeat.run(guard(), static_cast<phx::HeartbeatStatus>(news.status), Micros(news.round_trip));
}

void Driver::tell(protocol::event::FrameDropped& news) { core_->report(std::move(news.error)); }

void Driver::tell(protocol::event::Gap& news) {
    ChannelCore* const channel = find(news.channel);
    if (channel) channel->gap.run(guard(), std::chrono::duration_cast<Millis>(news.offline));
}

} // namespace phx::shell
