#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/realtime/join_request.hpp"
#include "protocol/realtime/presence_request.hpp"
#include "protocol/server/machine_state.hpp"

#include <utility>

namespace phx::protocol::server {

void ServerMachine::State::join_realtime(Session& session, std::uint64_t topic_hash, const FrameView& frame,
                                         std::optional<std::string> replaced) {
    const std::string_view payload =
        frame.kind == Opcode::text ? frame.payload : std::string_view("<<binary>>");
    realtime::JoinRequest request = realtime::read_join(frame.topic.substr(realtime_prefix.size()), payload);
    const bool accepted = request.refusal.empty();
    if (accepted) {
        const Visibility visibility = request.is_private ? Visibility::restricted : Visibility::open;
        Membership& member = add_member(session, topic_hash, frame, visibility, std::nullopt);
        if (request.presence_key.empty()) request.presence_key = ids.uuid();
        member.realtime = std::make_unique<RealtimeMember>(
            RealtimeMember{request.broadcast_self, request.broadcast_ack, std::move(request.presence_key)});
        member.pending = std::make_unique<PendingJoin>();
        member.pending->ref.assign(frame.ref.value_or(null_token).text);
        member.pending->replaced = std::move(replaced);
        auto answer = phx::server::JoinAnswer::ok(std::move(request.response));
        if (request.presence_enabled) answer.then.presence_state();
        return settle(latest, member, answer);
    }
    refuse(session, frame.join_ref.value_or(null_token), frame, request.refusal);
    if (replaced) end_frame(session, frame.topic, JsonToken{*replaced}, "phx_close", "{}");
}

void ServerMachine::State::deliver_realtime(Session& session, Membership& member, const FrameView& frame) {
    // A stale join_ref is accepted here, and anything else than these two gets no reply: access_token,
    // because a token that is accepted is not answered, and unknown events, because Supabase ignores them.
    if (frame.event == "broadcast") return relay(session, member, frame);
    if (frame.event == "presence") return answer_presence(session, member, frame);
}

void ServerMachine::State::relay(Session& session, Membership& member, const FrameView& frame) {
    FrameView copy;
    copy.event = "broadcast";
    copy.user_event = frame.user_event; // kind 3 arrives as kind 4, without the client's metadata
    copy.kind = frame.kind;
    copy.payload = frame.payload;
    fan_out(topics[member.topic], copy, member.realtime->self ? nullptr : &member);
    tell_peers_of_broadcast(topics[member.topic], copy.event, {copy.kind, copy.payload}, copy.user_event);
    if (member.realtime->ack) reply(session, JsonToken{member.channel_ref}, frame, "ok", {});
}

void ServerMachine::State::answer_presence(Session& session, Membership& member, const FrameView& frame) {
    using realtime::PresenceAction;
    const auto request =
        realtime::read_presence(frame.kind == Opcode::text ? frame.payload : std::string_view());
    if (request.action == PresenceAction::track && request.meta.size() > config.max_presence_meta_bytes)
        return end_over_meta_limit(session, member);
    const bool known =
        request.action != PresenceAction::unknown && request.action != PresenceAction::bad_meta;
    PayloadView response;
    if (request.action == PresenceAction::bad_meta) response.data = realtime::bad_meta_response;
    reply(session, JsonToken{member.channel_ref}, frame, known ? "ok" : "error", response);
    const std::string& key = member.realtime->presence_key;
    if (request.action == PresenceAction::untrack) return untrack(member, key);
    std::string meta;
    if (request.action == PresenceAction::track && presence_meta(request.meta, meta))
        track(member, key, meta, Repeat::ignore);
}

/// As Supabase: no reply, a system event that says why, and the channel is closed.
void ServerMachine::State::end_over_meta_limit(Session& session, Membership& member) {
    const std::string_view topic = topic_name(member);
    text.assign("{\"message\":\"Track message size exceeded\",\"status\":\"error\",\"extension\":\"system\","
                "\"channel\":");
    append_json_string(text, topic.substr(realtime_prefix.size()));
    text.push_back('}');
    push(session, member, "system", {Opcode::text, text});
    end_frame(session, topic, JsonToken{member.join_ref}, "phx_close", "{}");
    end(member, EndReason::stopped);
}

} // namespace phx::protocol::server
