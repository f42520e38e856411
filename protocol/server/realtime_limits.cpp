#include "protocol/realtime/join_request.hpp"
#include "protocol/server/machine_state.hpp"
#include "protocol/server/policy.hpp"

#include <chrono>
#include <map>
#include <utility>

namespace phx::protocol::server {
namespace {

constexpr Duration second = std::chrono::seconds(1);

Visibility visibility_of(const RealtimeBroadcast& message) noexcept {
    return message.is_private ? Visibility::restricted : Visibility::open;
}

} // namespace

bool ServerMachine::State::may_join(Session& session, const FrameView& frame, bool built_in) {
    if (!session.rates || session.rates->joins.take(time, config.rates.joins_per_connection, second))
        return true;
    note_hit(Limit::joins_per_connection);
    refuse(session, frame.join_ref.value_or(null_token), frame,
           built_in ? realtime::too_many_joins : "too many joins per second");
    close(session, 1001, {});
    return false;
}

bool ServerMachine::State::may_push(Session& session, Membership& member, const FrameView& frame) {
    const auto refuse_push = [&](std::string_view reason) {
        refuse(session, JsonToken{member.channel_ref}, frame, reason);
        return false;
    };
    if (session.rates && !session.rates->messages.take(time, config.rates.messages_per_connection, second)) {
        note_hit(Limit::messages_per_connection);
        if (!member.realtime) return refuse_push("rate limited");
        end_with_system(session, member, "Too many messages per second");
        return false;
    }
    // The built-in channel keeps silent about what may not be written.
    return member.realtime || member.rights.write || refuse_push("unauthorized");
}

bool ServerMachine::State::may_send(const RealtimeBroadcast& message) const {
    if (message.writer == nullptr) return true;
    if (is_reserved_topic(message.topic)) return false;
    // As for its channels: a public room is open to everybody, unless users serve it. Their handlers, which
    // would decide there, are not asked.
    if (!message.is_private && !match(message.topic)) return true;
    return rights_of(config.policies, message.topic, *message.writer, WithoutPolicy::deny).write;
}

RateVerdict ServerMachine::admit(TimePoint now, std::span<const RealtimeBroadcast> messages) {
    State& s = *state_;
    const std::uint32_t limit = s.config.rates.messages_per_topic;
    if (limit == 0) return RateVerdict::within;
    std::map<std::pair<std::string_view, Visibility>, std::size_t> counts;
    for (const RealtimeBroadcast& message : messages)
        if (s.may_send(message)) ++counts[{message.topic, visibility_of(message)}];
    const auto refuse = [&s](RateVerdict verdict) {
        s.note_hit(Limit::messages_per_topic);
        return verdict;
    };
    for (const auto& [room, count] : counts)
        if (count > limit) return refuse(RateVerdict::batch_too_large);
    std::vector<std::pair<RateMeter*, std::size_t>> wanted;
    for (const auto& [room, count] : counts) {
        Topic* const topic = s.topics.find(room.first, room.second);
        if (topic == nullptr) continue;
        if (!topic->message_rate.has(now, limit, second, count)) return refuse(RateVerdict::exceeded);
        wanted.emplace_back(&topic->message_rate, count);
    }
    for (const auto& [rate, count] : wanted) rate->take(now, limit, second, count);
    return RateVerdict::within;
}

bool ServerMachine::State::may_call_presence(Session& session, Membership& member) {
    const phx::server::Rates& rates = config.rates;
    if (!member.realtime->presence_rate.take(time, rates.presence_calls, rates.presence_window)) {
        note_hit(Limit::presence_calls);
        end_with_system(session, member, "Client presence rate limit exceeded");
        return false;
    }
    if (!topics[member.topic].presence_rate.take(time, rates.presence_per_topic, second)) {
        note_hit(Limit::presence_per_topic);
        end_with_system(session, member, "Too many presence messages per second");
        return false;
    }
    return true;
}

} // namespace phx::protocol::server
