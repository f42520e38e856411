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
static_assert(static_cast<int>(phx::Jitter::between) == static_cast<int>(protocol::Jitter::between));
static_assert(static_cast<int>(phx::Overflow::drop_oldest) ==
              static_cast<int>(protocol::Overflow::drop_oldest));
static_assert(static_cast<int>(phx::InFlight::wait) == static_cast<int>(protocol::InFlight::wait));
static_assert(static_cast<int>(phx::AfterClose::rejoin) == static_cast<int>(protocol::AfterClose::rejoin));

ChannelCore* Driver::find(protocol::ChannelId id) noexcept {
    const auto found = channels_.find(id);
    return found == channels_.end() ? nullptr : found->second.get();
}

// ---- at once, before any handler: states are true as soon as anybody can ask for them

void Driver::note(const protocol::event::SocketChanged& news) {
    using protocol::SocketState;
    SocketCounters& counters = core_->counters;
    if (news.to == SocketState::open) counters.opens.add();
    if (news.from == SocketState::open && news.to == SocketState::waiting) counters.losses.add();
    if (is_detached_) return choice_.handle_stopped();
    core_->state = static_cast<phx::SocketState>(news.to);
    std::optional<Duration> wait;
    if (news.to == SocketState::waiting) wait = machine_.next_attempt().value_or(loop_.now()) - loop_.now();
    log(news, wait);
    if (news.to == SocketState::waiting || news.to == SocketState::idle) forget_answers();
    const bool is_disconnected = news.to == SocketState::idle || news.to == SocketState::closing;
    if (is_disconnected) { // what is still asked, is asked for nobody
        ++session_;
        preparation_.asks_params = preparation_.asks_token = false;
        std::erase_if(questions_, [](const auto& question) {
            return std::holds_alternative<protocol::act::PrepareJoin>(question);
        });
        for (const auto& [id, channel] : channels_) channel->asks_params = false;
    }
    if (wait && news.why && setup_.retry.should_reconnect) {
        questions_.emplace_back(ConfirmReconnect{protocol::connection_error(*news.why)});
    }
    follow(news);
}

void Driver::note(const protocol::event::ChannelChanged& news) {
    ChannelCore* const channel = find(news.channel);
    if (is_detached_ || !channel) return;
    channel->state = static_cast<phx::ChannelState>(news.to);
    log(news, channel->topic());
    const bool is_ours = machine_.state() == protocol::SocketState::open; // not the connection's failure
    channel->rpc.note_changed(static_cast<phx::ChannelState>(news.from), channel->state, is_ours);
    if (is_ours && news.to == protocol::ChannelState::errored && news.why) {
        questions_.emplace_back(ConfirmRejoin{news.channel, *news.why});
    }
}

void Driver::note(const protocol::event::PushFinished& news) {
    if (news.outcome.error) core_->counters.pushes_failed.add();
    log(news);
}

void Driver::note(const protocol::event::HeartbeatChanged& news) {
    log(news);
    if (news.status != protocol::HeartbeatStatus::ok) return;
    core_->counters.heartbeats.add();
    core_->counters.last_round_trip.set(static_cast<std::uint64_t>(news.round_trip.count()));
}

void Driver::note(const protocol::event::FrameDropped& news) {
    core_->counters.frames_dropped.add();
    log(news);
}

// ---- handlers

void Driver::tell(protocol::event::SocketChanged& news) {
    using protocol::SocketState;
    core_->notify(core_->changed, static_cast<phx::SocketState>(news.from),
                  static_cast<phx::SocketState>(news.to));
    if (was_open_ && (news.to == SocketState::idle || news.to == SocketState::waiting ||
                      news.to == SocketState::connecting)) {
        was_open_ = false;
        const protocol::CloseInfo why = news.why.value_or(protocol::CloseInfo{});
        core_->notify(core_->closed, why.code, std::string_view(why.reason));
    }
    if (news.to == SocketState::open) {
        was_open_ = true;
        core_->notify(core_->opened);
    }
    if (!news.why) return;
    if (news.why->error) core_->report(std::move(*news.why->error));
}

void Driver::tell(protocol::event::ChannelChanged& news) {
    ChannelCore* const channel = find(news.channel);
    if (!channel) return;
    tell_observer(*channel, [&](ChannelObserver& observer) {
        observer.channel_changed(static_cast<phx::ChannelState>(news.from),
                                 static_cast<phx::ChannelState>(news.to), news.why ? &*news.why : nullptr);
    });
    core_->notify(channel->changed, static_cast<phx::ChannelState>(news.from),
                  static_cast<phx::ChannelState>(news.to),
                  static_cast<const Error*>(news.why ? &*news.why : nullptr));
    channel->rpc.retry_waiting(*channel);
}

void Driver::tell(protocol::event::Joined& news) {
    ChannelCore* const channel = find(news.channel);
    if (!channel || (!channel->observer && channel->joined.empty())) return;
    const protocol::PushOutcome& reply = news.reply;
    const Reply answer(std::string(reply.status), reply.kind, std::string(reply.response),
                       Micros(reply.elapsed));
    tell_observer(*channel, [&](ChannelObserver& observer) { observer.channel_joined(answer); });
    core_->notify(channel->joined, answer);
}

void Driver::tell(protocol::event::MessageArrived& news) {
    const Message message(news.frame, news.kind);
    core_->counters.messages.add();
    if (ChannelCore* const channel = find(news.channel)) {
        tell_observer(*channel, [&](ChannelObserver& observer) { observer.channel_received(message); });
        const bool is_request = message.event() == protocol::rpc_request_event;
        if (is_request && channel->rpc.is_serving()) channel->rpc.receive(*channel, message);
        const auto handlers = channel->by_event.find(message.event());
        if (handlers != channel->by_event.end()) core_->notify(handlers->second, message);
        core_->notify(channel->any, message);
    }
    core_->notify(core_->message, message);
}

void Driver::tell(protocol::event::Unclaimed& news) {
    core_->notify(core_->message, Message(news.frame, news.kind));
}

void Driver::tell(protocol::event::PushFinished& news) {
    const auto found = pushes_.find(news.push);
    if (found == pushes_.end()) return;
    const PushPtr state = std::move(found->second);
    pushes_.erase(found);
    core_->counters.pushes_waiting.set(pushes_.size());
    protocol::PushOutcome& outcome = news.outcome;
    std::string status(outcome.error || !outcome.status.empty() ? outcome.status : std::string_view("ok"));
    state->finish(
        Reply(std::move(status), outcome.kind, std::string(outcome.response), Micros(outcome.elapsed)),
        std::move(outcome.error));
}

void Driver::tell(protocol::event::HeartbeatChanged& news) {
    core_->notify(core_->heartbeat, static_cast<phx::HeartbeatStatus>(news.status), Micros(news.round_trip));
}

void Driver::tell(protocol::event::FrameDropped& news) { core_->report(std::move(news.error)); }

void Driver::tell(protocol::event::Gap& news) {
    ChannelCore* const channel = find(news.channel);
    if (!channel) return;
    const auto offline = std::chrono::duration_cast<Millis>(news.offline);
    tell_observer(*channel, [&](ChannelObserver& observer) { observer.channel_missed(offline); });
    core_->notify(channel->gap, offline);
}

} // namespace phx::shell
