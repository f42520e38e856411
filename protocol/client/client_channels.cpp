#include "phx/protocol/builders.hpp"
#include "protocol/client/client_state.hpp"
#include "protocol/client/ref_token.hpp"
#include "protocol/client/text.hpp"

#include <algorithm>
#include <utility>

namespace phx::protocol {

ChannelId ClientMachine::State::add_channel(std::string topic, JoinParams params, std::string join_json,
                                            const std::optional<ChannelConfig>& own) {
    const ChannelId id{++last_channel};
    auto channel =
        std::make_unique<ChannelMachine>(id, std::move(topic), params, own ? *own : config.channel);
    if (!is_valid_text(channel->topic())) {
        channel->unusable_topic = make_error(Errc::invalid_utf8, "the topic is not UTF-8");
    }
    if (params == JoinParams::given) set_join_payload(*channel, std::move(join_json));
    channels.emplace(id, std::move(channel));
    return id;
}

void ClientMachine::State::set_join_payload(ChannelMachine& channel, std::string json) {
    channel.join_json = json.empty() ? "{}" : std::move(json);
    channel.unusable_params.reset();
    const auto valid = check_json(channel.join_json, config.limits.max_depth);
    if (!valid) channel.unusable_params = valid.error();
}

void ClientMachine::State::remove_channel(TimePoint now, ChannelMachine& channel) {
    const Error why = make_error(Errc::channel_closed, "the channel was removed");
    if (channel.state() != ChannelState::closed) {
        if (channel.state() != ChannelState::leaving) tell_leaving(channel);
        close_channel(now, channel, ChannelMachine::Gap::forget, failed(why), why);
    }
    channels.erase(channel.id());
}

ChannelMachine* ClientMachine::State::find(ChannelId id) noexcept {
    const auto at = channels.find(id);
    return at == channels.end() ? nullptr : at->second.get();
}

ChannelMachine* ClientMachine::State::find(std::string_view topic) noexcept {
    const auto at = live.find(topic);
    return at == live.end() ? nullptr : at->second;
}

std::vector<ChannelMachine*> ClientMachine::State::in_order() {
    std::vector<ChannelMachine*> all;
    all.reserve(live.size());
    for (const auto& [topic, channel] : live) all.push_back(channel);
    std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->id() < b->id(); });
    return all;
}

void ClientMachine::State::change_channel(ChannelMachine& channel, ChannelState from,
                                          std::optional<Error> why) {
    out.add(event::ChannelChanged{channel.id(), from, channel.state(), std::move(why)});
    settle_rejoins();
}

// ---- join

PushId ClientMachine::State::join(TimePoint now, ChannelMachine& channel, Duration timeout) {
    if (channel.state() == ChannelState::joined) return finish_now(done());
    if (is_full()) return fail_now(make_error(Errc::buffer_full, "too many pushes are waiting"));
    if (channel.state() == ChannelState::joining) {
        return pushes.add(PushKind::join, channel.id(), channel.pushes, deadline_of(now, timeout));
    }
    if (channel.unusable_topic) return fail_now(*channel.unusable_topic);
    if (channel.params() == JoinParams::given && channel.unusable_params)
        return fail_now(*channel.unusable_params);
    if (channel.state() == ChannelState::leaving) complete_leave(now, channel, done());
    replace_duplicate(now, channel);
    begin_join(now, channel, timeout);
    const PushId id = pushes.add(PushKind::join, channel.id(), channel.pushes, deadline_of(now, timeout));
    if (is_open()) go_on_joining(now, channel);
    return id;
}

/// The topic belongs to who joins it last (phoenix.js socket.js leaveOpenTopic). An errored channel is closed
/// too: its rejoin would throw the new one out again. One that is leaving has left: the server may owe it no
/// answer any more.
void ClientMachine::State::replace_duplicate(TimePoint now, const ChannelMachine& joining) {
    ChannelMachine* old = find(joining.topic());
    if (old == nullptr || old == &joining) return;
    if (old->state() == ChannelState::leaving) return complete_leave(now, *old, done());
    tell_leaving(*old);
    const Error why = make_error(Errc::channel_closed, "another channel joined the same topic");
    close_channel(now, *old, ChannelMachine::Gap::forget, failed(why), why, why);
}

void ClientMachine::State::begin_join(TimePoint now, ChannelMachine& channel, Duration timeout) {
    const ChannelState from = channel.state();
    channel.start_join(timeout);
    // Before the push that waits for it: when both are due, the channel learns it first.
    channel.attempt =
        pushes.add(PushKind::join_attempt, channel.id(), channel.pushes, deadline_of(now, timeout));
    live[channel.topic()] = &channel;
    change_channel(channel, from);
}

void ClientMachine::State::go_on_joining(TimePoint now, ChannelMachine& channel) {
    if (channel.params() == JoinParams::given) return send_join(now, channel);
    if (std::exchange(channel.params_pending, true)) return;
    out.add(act::PrepareJoin{channel.id(), channel.rejoin_tries()});
}

void ClientMachine::State::handle_join_payload(TimePoint now, ChannelMachine& channel,
                                               Result<std::string> json) {
    channel.params_pending = false;
    if (!is_open() || channel.state() != ChannelState::joining || channel.join_ref() != 0) return;
    if (!json) return fail_join(now, channel, json.error(), failed(json.error()));
    set_join_payload(channel, *std::move(json));
    send_join(now, channel);
}

void ClientMachine::State::send_join(TimePoint now, ChannelMachine& channel) {
    if (const auto why = channel.unusable_params) return fail_join(now, channel, *why, failed(*why));
    const std::uint64_t ref = refs.next();
    const RefToken token(ref);
    const std::size_t begin = out.bytes().size();
    build_join(config.vsn, {channel.topic(), token.token(), token.token()}, channel.join_json, out.bytes());
    out.add_send(conn_id(), Opcode::text, begin);
    pushes.mark_sent(channel.attempt, ref, now);
    channel.handle_join_sent(ref);
}

void ClientMachine::State::drop_attempt(ChannelMachine& channel) {
    if (channel.attempt != PushId{}) pushes.take(std::exchange(channel.attempt, PushId{}));
}

void ClientMachine::State::handle_join_ok(TimePoint now, ChannelMachine& channel, const PushOutcome& reply) {
    const ChannelState from = channel.state();
    drop_attempt(channel);
    const auto gap = channel.handle_joined(now);
    change_channel(channel, from);
    if (gap) out.add(event::Gap{channel.id(), *gap});
    out.add(event::Joined{channel.id(), reply});
    finish_all(channel.pushes, Which::joins, reply);
    flush(now, channel);
}

/// phoenix.js joins again after every failure, an "unauthorized" too; what waits in the buffer keeps waiting.
void ClientMachine::State::fail_join(TimePoint now, ChannelMachine& channel, const Error& why,
                                     const PushOutcome& joins) {
    const ChannelState from = channel.state();
    drop_attempt(channel);
    channel.handle_error(now);
    change_channel(channel, from, why);
    finish_all(channel.pushes, Which::joins, joins);
    schedule_rejoin(now, channel, why);
}

void ClientMachine::State::handle_join_timeout(TimePoint now, ChannelMachine& channel) {
    const Error why = make_error(Errc::timeout, "the join was not answered in time", Origin::peer);
    tell_leaving(channel); // phoenix.js channel.js: the server may still let us in
    fail_join(now, channel, why, failed(why));
}

void ClientMachine::State::schedule_rejoin(TimePoint now, ChannelMachine& channel, const Error& why) {
    if (!is_open()) return;
    if (const auto due = channel.schedule_rejoin(now, random)) return rejoins.add(*due, channel.id());
    give_up(now, channel, why);
}

void ClientMachine::State::give_up(TimePoint now, ChannelMachine& channel, const Error& why) {
    if (channel.state() != ChannelState::errored) return;
    close_channel(now, channel, ChannelMachine::Gap::keep, failed(why), why, why);
}

void ClientMachine::State::settle_rejoins() {
    rejoins.settle(live.size(), [this](ChannelId id, TimePoint due) {
        const ChannelMachine* channel = find(id);
        return channel != nullptr && channel->rejoin_at() == due;
    });
}

void ClientMachine::State::handle_rejoins(TimePoint now) {
    // Bounded: a join that fails at once with a rejoin that is due at once must not keep us here.
    for (std::size_t n = rejoins.size(); n > 0; --n) {
        const auto id = rejoins.due(now);
        if (!id) return;
        ChannelMachine& channel = *find(*id);
        begin_join(now, channel, channel.join_timeout());
        go_on_joining(now, channel);
    }
}

// ---- leave and other ends

PushId ClientMachine::State::leave(TimePoint now, ChannelMachine& channel, Duration timeout) {
    const ChannelState from = channel.state();
    if (from == ChannelState::closed) return finish_now(done());
    if (from == ChannelState::joining || from == ChannelState::errored) {
        tell_leaving(channel);
        const Error why = make_error(Errc::channel_closed, "the channel was left");
        close_channel(now, channel, ChannelMachine::Gap::forget, done(), why);
        return finish_now(done());
    }
    if (is_full()) return fail_now(make_error(Errc::buffer_full, "too many pushes are waiting"));
    const TimePoint until = deadline_of(now, timeout);
    if (from == ChannelState::joined) {
        const std::uint64_t ref = refs.next();
        channel.start_leave();
        change_channel(channel, from);
        send_leave(channel, ref);
        channel.attempt = pushes.add(PushKind::leave_attempt, channel.id(), channel.pushes, until);
        pushes.mark_sent(channel.attempt, ref, now);
    }
    return pushes.add(PushKind::leave, channel.id(), channel.pushes, until);
}

void ClientMachine::State::send_leave(const ChannelMachine& channel, std::uint64_t ref) {
    const std::size_t begin = out.bytes().size();
    build_leave(config.vsn, {channel.topic(), RefToken(channel.join_ref()).token(), RefToken(ref).token()},
                out.bytes());
    out.add_send(conn_id(), Opcode::text, begin);
}

/// Sends a phx_leave that nobody waits for, if the server may hold the channel for us.
void ClientMachine::State::tell_leaving(const ChannelMachine& channel) {
    if (channel.join_ref() != 0) send_leave(channel, refs.next());
}

void ClientMachine::State::complete_leave(TimePoint now, ChannelMachine& channel, const PushOutcome& leaves) {
    const Error why = make_error(Errc::channel_closed, "the channel was left before the answer came");
    close_channel(now, channel, ChannelMachine::Gap::forget, leaves, why);
}

void ClientMachine::State::close_channel(TimePoint now, ChannelMachine& channel, ChannelMachine::Gap gap,
                                         const PushOutcome& leaves, const Error& pushes_end,
                                         std::optional<Error> why) {
    const ChannelState from = channel.state();
    drop_attempt(channel);
    channel.close(now, gap);
    live.erase(channel.topic());
    change_channel(channel, from, std::move(why));
    finish_all(channel.pushes, Which::leaves, leaves);
    finish_all(channel.pushes, Which::all, failed(pushes_end));
}

void ClientMachine::State::end_channel(TimePoint now, ChannelMachine& channel, const Ending& ending) {
    const ChannelState from = channel.state();
    const bool everything = ending.scope == Scope::everything;
    const bool sent = channel.join_ref() != 0;
    channel.cancel_rejoin();
    // The server lets go of its channels with the connection: who was leaving has left.
    if (from == ChannelState::leaving) {
        const PushOutcome leaves = everything ? failed(ending.push) : done();
        return close_channel(now, channel, ChannelMachine::Gap::forget, leaves, ending.push);
    }
    // A join that was not sent yet goes on with the next connection.
    if (sent || (from == ChannelState::joining && everything)) {
        drop_attempt(channel);
        channel.handle_error(now);
        change_channel(channel, from, ending.channel);
    }
    if (sent || everything) finish_all(channel.pushes, Which::joins, failed(ending.push));
    if (everything) {
        finish_all(channel.pushes, Which::all, failed(ending.push));
    } else {
        fail_in_flight(channel, ending.push);
    }
}

void ClientMachine::State::end_channels(TimePoint now, const Ending& ending) {
    if (ending.scope == Scope::everything) { // an answer that is out, is for nobody, also of who has left
        for (const auto& [id, channel] : channels) channel->params_pending = false;
    }
    for (ChannelMachine* channel : in_order()) end_channel(now, *channel, ending);
    settle_rejoins();
    finish_all(pings, Which::all, failed(ending.push));
}

} // namespace phx::protocol
