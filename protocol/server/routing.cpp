#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/server/machine_state.hpp"
#include "protocol/wire/rpc.hpp"

#include <string>
#include <utility>

namespace phx::protocol::server {
namespace {

constexpr std::string_view heartbeat_topic = "phoenix";

bool is_null(const std::optional<JsonToken>& token) noexcept { return !token || token->is_null(); }

/// What Phoenix' own channels crash on when a client sends it: no handle_in clause can take it.
bool is_reserved(std::string_view event) noexcept {
    return event == "phx_reply" || event == "phx_close" || event == "phx_error";
}

std::uint16_t close_code(const Error& error) noexcept {
    if (error.code == Errc::invalid_utf8) return 1007;
    return error.code == Errc::frame_too_large ? 1009 : 1011;
}

} // namespace

void ServerMachine::State::receive(Session& session, RawFrame raw, std::string& decode_scratch) {
    const auto frame =
        decode(session.vsn, Direction::to_server, raw.opcode, raw.data, decode_scratch, config.limits);
    if (!frame) return drop(session, frame.error());
    if (is_too_long(frame->ref) || is_too_long(frame->join_ref)) {
        return drop(session, fail(Errc::malformed_frame,
                                  "a ref of more than " + std::to_string(config.max_ref_bytes) + " bytes",
                                  Origin::peer)
                                 .error);
    }
    route(session, *frame, raw);
}

bool ServerMachine::State::is_too_long(const std::optional<JsonToken>& ref) const noexcept {
    if (!ref) return false;
    const std::size_t quotes = ref->text.starts_with('"') ? 2 : 0; // binary refs are counted without them
    return ref->text.size() - quotes > config.max_ref_bytes;
}

void ServerMachine::State::drop(Session& session, const Error& error) {
    out.push(event::FrameDropped{session.id, error});
    if (error.code == Errc::frame_too_large) note_hit(Limit::max_message_bytes);
    // Supabase drops what it cannot read and lives on; both close with 1009 on a message that is too large.
    if (session.dialect == Dialect::phoenix || error.code == Errc::frame_too_large)
        close(session, close_code(error), {});
}

/// Whether a handler would be asked for an answer.
bool ServerMachine::State::is_push(const Membership& member, const FrameView& frame) {
    return !member.realtime && !member.is_inbox && frame.event != "phx_join" && frame.event != "phx_leave" &&
           frame.event != rpc_response_event;
}

void ServerMachine::State::route(Session& session, const FrameView& frame, RawFrame raw) {
    if (frame.topic == heartbeat_topic && frame.event == "heartbeat") {
        reply(session, null_token, frame, "ok", {});
        return;
    }
    const std::uint64_t hash = text_hash(config.hash_seed, frame.topic);
    Membership* const member = frame.topic_token ? nullptr : find_join(session, hash, frame.topic);
    if (member != nullptr && member->pending) return hold(session, *member, frame, raw);
    if (member != nullptr && session.takes_no_pushes && is_push(*member, frame))
        return refuse(session, JsonToken{member->channel_ref}, frame, "server draining");
    if (member != nullptr && must_wait(*member)) return hold_keyed(session, *member, frame, raw);
    if (frame.event == "phx_join") return join(session, hash, frame);
    if (member != nullptr) return deliver(session, *member, frame);
    if (frame.event == "phx_leave") {
        reply(session, frame.join_ref.value_or(null_token), frame, "ok", {});
        return;
    }
    refuse(session, null_token, frame, "unmatched topic");
}

void ServerMachine::State::hold(Session& session, Membership& member, const FrameView& frame, RawFrame raw) {
    PendingJoin& pending = *member.pending;
    const bool full = pending.held.size() >= config.max_held_frames ||
                      raw.data.size() > config.max_held_bytes - pending.held_bytes;
    const bool leaves = frame.event == "phx_leave";
    if (full) note_hit(Limit::max_held_frames);
    if (full && !leaves) return refuse(session, null_token, frame, "join pending");
    pending.held.push_back(HeldFrame{raw.opcode, std::string(raw.data), {}});
    pending.held_bytes += raw.data.size();
    // A client leaves once, and would stay a member if that were lost: rather end the join that all wait for.
    if (full) settle({}, member, phx::server::JoinAnswer::refuse("{\"reason\":\"join pending\"}"));
}

void ServerMachine::State::deliver(Session& session, Membership& member, const FrameView& frame) {
    const bool stale = !is_null(frame.join_ref) && frame.join_ref->text != member.join_ref;
    if (frame.event == "phx_leave") return leave(session, member, frame);
    if (frame.event == rpc_response_event) return take_response(session, member, frame);
    if (!may_push(session, member, frame)) return;
    if (member.is_inbox) return deliver_inbox(session, member, frame);
    if (member.realtime) return deliver_realtime(session, member, frame);
    if (stale) return; // Phoenix 1.8: without a reply
    if (frame.user_event) return take_user_broadcast(session, member, frame);
    if (frame.event_token || is_reserved(frame.event)) return crash(member);
    ask_handler(session, member, frame, {frame.kind, frame.payload}, {});
}

/// Kind 3 is Supabase's, Phoenix' serializer does not know it. A handler of a `realtime:*` topic gets what
/// the same broadcast is as text; bytes come as they are, with the name beside.
void ServerMachine::State::take_user_broadcast(Session& session, Membership& member, const FrameView& frame) {
    if (!frame.topic.starts_with(realtime_prefix)) {
        return drop(session, fail(Errc::unknown_kind, "a user broadcast to a channel that is not realtime:*",
                                  Origin::peer)
                                 .error);
    }
    if (frame.kind == Opcode::binary)
        return ask_handler(session, member, frame, {frame.kind, frame.payload}, *frame.user_event);
    text.assign("{\"type\":\"broadcast\",\"event\":");
    append_json_string(text, *frame.user_event);
    text.append(",\"payload\":").append(frame.payload.empty() ? "{}" : frame.payload).append("}");
    ask_handler(session, member, frame, {Opcode::text, out.keep(text)}, *frame.user_event);
}

void ServerMachine::State::ask_handler(Session& session, Membership& member, const FrameView& frame,
                                       PayloadView payload, std::string_view user_event) {
    if (member.phase == MemberPhase::judging)
        return refuse(session, JsonToken{member.channel_ref}, frame, "not judged yet");
    const ReplyTo reply_to{++last_reply};
    const JsonToken ref = frame.ref.value_or(null_token);
    if (member.waiting.add(reply_to.id, ref, config.max_waiting_replies) == LateReplies::Added::forgot_oldest)
        tell_of_forgotten(session, member);
    if (member.keyed) member.keyed->asked = KeyedMember::Asked::question;
    if (member.phase == MemberPhase::joined) {
        out.push(event::MessageIn{member.id, member.pattern, reply_to, frame.event, payload, user_event});
    } else {
        member.phase = MemberPhase::judging;
        out.push(event::FirstMessage{member.id, member.pattern, reply_to, frame.event, payload, user_event});
    }
}

void ServerMachine::State::tell_of_forgotten(const Session& session, Membership& member) {
    if (std::exchange(member.has_told_of_forgotten, true)) return;
    note_hit(Limit::max_waiting_replies);
    const std::string limit = std::to_string(config.max_waiting_replies);
    out.push(event::FrameDropped{
        session.id,
        fail(Errc::buffer_full, limit + " pushes of a channel have no reply: beyond them the oldest can no "
                                        "longer be answered (told once per channel)")
            .error});
}

void ServerMachine::State::leave(Session& session, Membership& member, const FrameView& frame) {
    const JsonToken join_ref = frame.join_ref.value_or(null_token);
    const bool same = join_ref.text == member.join_ref;
    // Phoenix 1.8 takes a null join_ref as current; Supabase runs the rule of 1.7, which asks what the join
    // had.
    const bool current = same || (member.realtime ? member.join_ref == null_token.text : join_ref.is_null());
    if (!current) return;
    reply(session, JsonToken{member.channel_ref}, frame, "ok", {});
    end_frame(session, frame.topic, JsonToken{member.join_ref}, "phx_close", "{}");
    end(member, EndReason::left);
}

Membership* ServerMachine::State::find_join(Session& session, std::uint64_t topic_hash,
                                            std::string_view topic) {
    for (const JoinEntry& entry : session.joins) {
        if (entry.topic_hash != topic_hash) continue;
        Membership* const member = members.find(entry.member);
        if (topic_name(*member) == topic) return member;
    }
    return nullptr;
}

} // namespace phx::protocol::server
