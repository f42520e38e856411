#include "phx/protocol/codec.hpp"
#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

namespace phx::protocol::server {

namespace action = phx::server::action;

void ServerMachine::State::act_all(TimePoint now, Membership& member, ReplyTo message,
                                   const phx::server::Actions& actions) {
    Session& session = *sessions.find(member.session);
    for (std::span rest(actions.list); !rest.empty();) {
        const phx::server::Action& wanted = rest.front();
        rest = rest.subspan(1);
        if (act(now, session, member, message, wanted) == Verdict::ended) return act_closed(member, rest);
    }
}

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
            if (broadcast(topics[member.topic], a.event, a.payload, except)) {
                tell_peers_of_broadcast(topics[member.topic], a.event, a.payload);
            } else {
                crash(member);
            }
        } else if constexpr (std::is_same_v<A, action::Send>) {
            if (!send_everywhere(a.route, a.event, a.payload, &session)) crash(member);
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
        } else if constexpr (std::is_same_v<A, action::Disconnect>) {
            disconnect_everywhere(Publication::Kind::disconnect_socket, a.socket_id);
        } else if constexpr (std::is_same_v<A, action::DisconnectUser>) {
            disconnect_everywhere(Publication::Kind::disconnect_user, a.user_id);
        } else if constexpr (std::is_same_v<A, action::Publish>) {
            publish(member, a);
        } else if constexpr (std::is_same_v<A, action::Effect>) {
            out.push(act::RunEffect{out.keep(a.name), out.keep(a.json)});
        } else if constexpr (std::is_same_v<A, action::NoReply>) {
            member.waiting.take(message);
        } else if constexpr (std::is_same_v<A, action::ReplyLater>) {
            return act_reply_later(now, member, message, a);
        } else {
            static_assert(std::is_same_v<A, action::UpdateEntity> || std::is_same_v<A, action::EraseEntity>);
            if (!member.keyed) crash(member); // with a key it has been stored before anything else was done
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
    tell_own_presence_changes(member);
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
    const bool may_have_key = keys.size() < config.max_presence_keys_per_member ||
                              std::find(keys.begin(), keys.end(), wanted.key) != keys.end();
    std::string meta;
    if (!may_have_key) {
        note_hit(Limit::max_presence_keys_per_member);
    } else if (wanted.meta.size() > config.max_presence_meta_bytes) {
        note_hit(Limit::max_presence_meta_bytes);
    } else if (presence_meta(wanted.meta, meta) && has_room(member, wanted.key, meta)) {
        track(member, wanted.key, meta, Repeat::update);
        return Verdict::going_on;
    }
    crash(member);
    return Verdict::ended;
}

ServerMachine::State::Verdict ServerMachine::State::act_after(TimePoint now, Membership& member,
                                                              const action::After& wanted) {
    if (member.timers >= config.max_timers_per_channel) {
        note_hit(Limit::max_timers_per_channel);
        crash(member);
        return Verdict::ended;
    }
    const TimePoint at = after(now, std::max(Duration::zero(), Duration(wanted.delay)));
    if (deadlines.push(at, DeadlineKind::info, static_cast<std::uint64_t>(member.id), wanted.info))
        ++member.timers;
    return Verdict::going_on;
}

ServerMachine::State::Verdict ServerMachine::State::act_reply_later(TimePoint now, Membership& member,
                                                                    ReplyTo message,
                                                                    const action::ReplyLater& wanted) {
    const TimePoint at = after(now, std::max(Duration::zero(), Duration(wanted.timeout)));
    if (!member.waiting.set_deadline(message, at) || at >= member.reply_timer) return Verdict::going_on;
    if (member.timers >= config.max_timers_per_channel) {
        note_hit(Limit::max_timers_per_channel);
        crash(member);
        return Verdict::ended;
    }
    if (deadlines.push(at, DeadlineKind::reply, static_cast<std::uint64_t>(member.id))) {
        ++member.timers;
        member.reply_timer = at;
    }
    return Verdict::going_on;
}

void ServerMachine::State::fire_reply(TimePoint now, Membership& member, TimePoint deadline) {
    if (deadline != member.reply_timer) return; // a sooner one has taken its place
    member.reply_timer = TimePoint::max();
    while (const auto late = member.waiting.find_late(now)) {
        if (member.waiting.ref(*late) == null_token.text) {
            member.waiting.take(*late); // without a ref nobody waits for it
        } else {
            act_reply(*sessions.find(member.session), member, *late, "error", "{\"reason\":\"timeout\"}");
        }
    }
    const TimePoint next = member.waiting.next_deadline();
    if (deadlines.push(next, DeadlineKind::reply, static_cast<std::uint64_t>(member.id))) {
        ++member.timers;
        member.reply_timer = next;
    }
}

/// What does not need the member: its entity is stored already, and nobody would hear of it.
void ServerMachine::State::act_closed(Membership& member, std::span<const phx::server::Action> actions) {
    const auto run = [&]<class A>(const A& a) {
        if constexpr (std::is_same_v<A, action::Broadcast>) {
            broadcast(topics[member.topic], a.event, a.payload, nullptr);
            tell_peers_of_broadcast(topics[member.topic], a.event, a.payload);
        } else if constexpr (std::is_same_v<A, action::Send>) {
            send_everywhere(a.route, a.event, a.payload, sessions.find(member.session));
        } else if constexpr (std::is_same_v<A, action::Publish>) {
            publish(member, a);
        } else if constexpr (std::is_same_v<A, action::Effect>) {
            out.push(act::RunEffect{out.keep(a.name), out.keep(a.json)});
        } else if constexpr (std::is_same_v<A, action::Disconnect>) {
            disconnect_everywhere(Publication::Kind::disconnect_socket, a.socket_id);
        } else if constexpr (std::is_same_v<A, action::DisconnectUser>) {
            disconnect_everywhere(Publication::Kind::disconnect_user, a.user_id);
        }
    };
    for (const phx::server::Action& wanted : actions) std::visit(run, wanted);
}

void ServerMachine::State::crash(Membership& member, std::string_view reason) {
    Session& session = *sessions.find(member.session);
    std::string json = "{\"reason\":";
    append_json_string(json, reason);
    json.push_back('}');
    end_frame(session, topic_name(member), JsonToken{member.join_ref}, "phx_error", json);
    end(member, EndReason::crashed);
}

} // namespace phx::protocol::server
