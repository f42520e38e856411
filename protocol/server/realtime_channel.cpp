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
    if (request.refusal.empty() && config.private_only && !request.is_private)
        request.refusal = realtime::private_only;
    if (request.subscriptions.size() > config.max_subscriptions_per_channel) {
        note_hit(Limit::max_subscriptions_per_channel);
        request.refusal = realtime::too_many_subscriptions;
    }
    if (!request.refusal.empty()) return refuse_join(session, frame, request.refusal, replaced);

    const Visibility visibility = request.is_private ? Visibility::restricted : Visibility::open;
    Membership& member = add_member(session, topic_hash, frame, visibility, std::nullopt);
    member.realtime = std::make_unique<RealtimeMember>();
    member.token = std::make_unique<ChannelToken>();
    member.realtime->self = request.broadcast_self;
    member.realtime->ack = request.broadcast_ack;
    member.realtime->watches_presence = !request.is_private || request.presence_enabled;
    member.realtime->presence_key =
        request.presence_key.empty() ? ids.uuid() : std::move(request.presence_key);
    member.pending = std::make_unique<PendingJoin>();
    member.pending->ref.assign(frame.ref.value_or(null_token).text);
    member.pending->replaced = std::move(replaced);
    member.pending->request = std::move(request);
    const auto& token = member.pending->request.token;
    if (config.verifies_tokens && token) return ask_about_token(member, *token);
    admit_realtime(session, member);
}

void ServerMachine::State::admit_realtime(Session& session, Membership& member) {
    judge(session, member);
    settle(time, member, phx::server::JoinAnswer::ok(member.pending->request.response));
}

void ServerMachine::State::begin_realtime(Session& session, Membership& member, const PendingJoin& join) {
    const realtime::JoinRequest& request = join.request;
    wait_for_token(member);
    if (member.phase != MemberPhase::joined) return; // it expired while the join waited for the broker
    replay_history(session, member, join);
    subscribe_to_changes(session, member, request);
    // There is no replication here that could be late.
    if (request.replication_ready)
        push_system(session, member, "ok", "system", "Replication connection established");
    if (request.presence_enabled && member.rights.presence) push_presence_state(session, member);
}

void ServerMachine::State::deliver_realtime(Session& session, Membership& member, const FrameView& frame) {
    // A stale join_ref is accepted here, and anything else than these gets no reply: unknown events, because
    // Supabase ignores them.
    if (frame.event == "broadcast") return relay(session, member, frame);
    if (frame.event == "presence") return answer_presence(session, member, frame);
    if (frame.event == "access_token") return receive_token(member, frame);
}

void ServerMachine::State::relay(Session& session, Membership& member, const FrameView& frame) {
    if (!member.rights.write) return; // Supabase: no reply either, the client times out
    Topic& topic = topics[member.topic];
    if (!topic.message_rate.take(time, config.rates.messages_per_topic, std::chrono::seconds(1))) {
        note_hit(Limit::messages_per_topic);
        return end_with_system(session, member, "Too many messages per second");
    }
    const bool acks = member.realtime->ack;
    if (frame.payload.size() > config.max_broadcast_bytes) {
        note_hit(Limit::max_broadcast_bytes);
        if (acks) // Supabase: a bare string
            reply(session, JsonToken{member.channel_ref}, frame, "error",
                  {Opcode::text, "\"payload_size_exceeded\""});
        return;
    }
    FrameView copy;
    copy.event = "broadcast";
    copy.user_event = frame.user_event; // kind 3 arrives as kind 4, without the client's metadata
    copy.kind = frame.kind;
    copy.payload = frame.payload;
    const Membership* const except = member.realtime->self ? nullptr : &member;
    relay_everywhere(topic, copy, except);
    if (acks) reply(session, JsonToken{member.channel_ref}, frame, "ok", {});
}

bool ServerMachine::State::fan_out_everywhere(Topic& topic, const FrameView& frame,
                                              const Membership* except) {
    if (!fan_out(topic, frame, except)) return false;
    tell_peers(topic_ns(topic), topic.name, publication_of(frame));
    return true;
}

void ServerMachine::State::answer_presence(Session& session, Membership& member, const FrameView& frame) {
    using realtime::PresenceAction;
    const auto request =
        realtime::read_presence(frame.kind == Opcode::text ? frame.payload : std::string_view());
    const bool tracks = request.action == PresenceAction::track;
    if (tracks && request.meta.size() > config.max_presence_meta_bytes) {
        note_hit(Limit::max_presence_meta_bytes);
        return end_with_system(session, member, "Track message size exceeded");
    }
    if (!may_call_presence(session, member)) return;
    const auto answer = [&](std::string_view status, std::string_view response) {
        reply(session, JsonToken{member.channel_ref}, frame, status, {Opcode::text, response});
    };
    if (!member.rights.presence || !member.rights.write) return answer("error", "{}");
    if (request.action == PresenceAction::bad_meta) return answer("error", realtime::bad_meta_response);
    const std::string& key = member.realtime->presence_key;
    std::string meta;
    const bool has_meta = tracks && presence_meta(request.meta, meta);
    if (has_meta && !has_room(member, key, meta))
        return answer("error", "{\"reason\":\"Too many members are present\"}");
    answer(request.action == PresenceAction::unknown ? "error" : "ok", "{}");
    if (request.action == PresenceAction::untrack) return untrack(member, key);
    if (!has_meta) return;
    if (!std::exchange(member.realtime->watches_presence, true)) --topics[member.topic].blind_members;
    track(member, key, meta, Repeat::ignore);
}

void ServerMachine::State::end_with_system(Session& session, Membership& member, std::string_view message) {
    push_system(session, member, "error", "system", message);
    end_frame(session, topic_name(member), JsonToken{member.join_ref}, "phx_close", "{}");
    end(member, EndReason::stopped);
}

void ServerMachine::State::tell_of_disconnect(Session& session) {
    for (const JoinEntry& entry : session.joins) {
        const Membership& member = *members.find(entry.member);
        if (!member.realtime || member.phase != MemberPhase::joined) continue;
        FrameView frame;
        frame.topic = topic_name(member);
        frame.event = "system";
        // Supabase: without a channel
        frame.payload = R"({"message":"Server requested disconnect","status":"ok","extension":"system"})";
        send(session, frame);
    }
}

} // namespace phx::protocol::server
