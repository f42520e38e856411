#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace phx::protocol::server {

namespace action = phx::server::action;

ServerMachine::State::Verdict ServerMachine::State::act(TimePoint now, Session& session, Membership& member,
                                                        ReplyTo message, const phx::server::Action& wanted) {
    const auto run = [&]<class A>(const A& a) {
        if constexpr (std::is_same_v<A, action::Reply>) {
            return act_reply(session, member, message, a.status, a.response);
        } else if constexpr (std::is_same_v<A, action::LateReply>) {
            return act_late_reply(session, member, a);
        } else if constexpr (std::is_same_v<A, action::Push>) {
            if (!push(session, member, a.event, a.payload)) crash(member);
        } else if constexpr (std::is_same_v<A, action::Broadcast>) {
            const Membership* const except = a.audience == action::Audience::others ? &member : nullptr;
            if (!broadcast(topics[member.topic], a.event, a.payload, except)) crash(member);
        } else if constexpr (std::is_same_v<A, action::Send>) {
            if (!send_to(a.route, a.event, a.payload, &session)) crash(member);
        } else if constexpr (std::is_same_v<A, action::Request>) {
            act_request(now, session, member, a);
        } else if constexpr (std::is_same_v<A, action::Notify>) {
            if (!push_request(session, member, RequestId{}, a.method, a.params)) crash(member);
        } else if constexpr (std::is_same_v<A, action::SetState>) {
            member.state = a.json;
        } else if constexpr (std::is_same_v<A, action::Track>) {
            return act_track(member, a);
        } else if constexpr (std::is_same_v<A, action::Untrack>) {
            untrack(member, a.key);
        } else if constexpr (std::is_same_v<A, action::PushPresenceState>) {
            push_presence_state(session, member);
        } else if constexpr (std::is_same_v<A, action::ReplyPresence>) {
            return act_reply(session, member, message, "ok", Payload(std::string(presence_state(member))));
        } else if constexpr (std::is_same_v<A, action::After>) {
            return act_after(now, member, a);
        } else if constexpr (std::is_same_v<A, action::Stop>) {
            if (a.reason == phx::server::StopReason::crash) {
                crash(member);
            } else {
                end_frame(session, topic_name(member), JsonToken{member.join_ref}, "phx_close", "{}");
                end(member, EndReason::stopped);
            }
        } else if constexpr (std::is_same_v<A, action::CloseConnection>) {
            close(session, a.code, a.reason);
        } else {
            static_assert(std::is_same_v<A, action::Disconnect>);
            disconnect(sessions_of(Registry::Kind::socket_id, a.socket_id), 1001);
        }
        return member.phase == MemberPhase::joined ? Verdict::going_on : Verdict::ended;
    };
    return std::visit(run, wanted);
}

ServerMachine::State::Verdict ServerMachine::State::act_reply(Session& session, Membership& member,
                                                              ReplyTo to, std::string_view status,
                                                              const Payload& response) {
    const auto ref = member.waiting.take(to);
    if (!ref) return Verdict::going_on;
    FrameView question;
    question.ref = JsonToken{*ref};
    question.topic = topic_name(member);
    if (reply(session, JsonToken{member.channel_ref}, question, status, response)) return Verdict::going_on;
    crash(member);
    return Verdict::ended;
}

ServerMachine::State::Verdict ServerMachine::State::act_late_reply(Session& session, Membership& member,
                                                                   const action::LateReply& late) {
    if (member.waiting.ref(late.to) != null_token.text)
        return act_reply(session, member, late.to, late.status, late.response);
    // Phoenix socket_ref/1 raises for a push without a ref: it can be answered at once only.
    crash(member);
    return Verdict::ended;
}

ServerMachine::State::Verdict ServerMachine::State::act_track(Membership& member,
                                                              const action::Track& wanted) {
    const auto& keys = member.presence_keys;
    const bool has_room = keys.size() < config.max_presence_keys_per_member ||
                          std::find(keys.begin(), keys.end(), wanted.key) != keys.end();
    std::string meta;
    if (has_room && wanted.meta.size() <= config.max_presence_meta_bytes &&
        presence_meta(wanted.meta, meta)) {
        track(member, wanted.key, meta, Repeat::update);
        return Verdict::going_on;
    }
    crash(member);
    return Verdict::ended;
}

ServerMachine::State::Verdict ServerMachine::State::act_after(TimePoint now, Membership& member,
                                                              const action::After& wanted) {
    if (member.timers >= config.max_timers_per_channel) {
        crash(member);
        return Verdict::ended;
    }
    const TimePoint at = after(now, std::max(Duration::zero(), Duration(wanted.delay)));
    if (deadlines.push(at, DeadlineKind::info, static_cast<std::uint64_t>(member.id), wanted.info))
        ++member.timers;
    return Verdict::going_on;
}

void ServerMachine::State::crash(Membership& member) {
    Session& session = *sessions.find(member.session);
    end_frame(session, topic_name(member), JsonToken{member.join_ref}, "phx_error",
              "{\"reason\":\"channel_crash\"}");
    end(member, EndReason::crashed);
}

} // namespace phx::protocol::server
