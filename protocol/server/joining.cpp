#include "phx/protocol/topic.hpp"
#include "protocol/realtime/join_request.hpp"
#include "protocol/server/machine_state.hpp"

#include <utility>

namespace phx::protocol::server {

std::optional<PatternId> ServerMachine::State::match(std::string_view topic) const {
    // A catch-all leaves realtime:* to the built-in channel; a pattern that names it takes it over.
    if (topic.empty()) return std::nullopt;
    const bool is_built_in = config.realtime && topic.starts_with(realtime_prefix);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        if (is_built_in && patterns[i].text == "*") continue;
        if (topic_matches(patterns[i].text, topic)) return PatternId{static_cast<std::uint32_t>(i)};
    }
    return std::nullopt;
}

void ServerMachine::State::join(Session& session, std::uint64_t topic_hash, const FrameView& frame) {
    if (is_draining) return refuse(session, frame.join_ref.value_or(null_token), frame, "server draining");
    const bool is_inbox = !frame.topic_token && frame.topic == inbox_topic;
    const auto pattern = frame.topic_token || is_inbox ? std::nullopt : match(frame.topic);
    const bool is_realtime =
        !pattern && config.realtime && !frame.topic_token && frame.topic.starts_with(realtime_prefix);
    const bool built_in = is_inbox || is_realtime;
    if (!pattern && !built_in) return refuse(session, null_token, frame, "unmatched topic");
    if (!may_join(session, frame, built_in)) return;
    const JsonToken join_ref = frame.join_ref.value_or(null_token);
    if (frame.topic.size() > config.max_topic_bytes) {
        note_hit(Limit::max_topic_bytes);
        return refuse(session, join_ref, frame, "topic too long");
    }

    // Phoenix ends the old channel before it asks the new one, and says so only after its reply.
    std::optional<std::string> replaced;
    if (Membership* const old = find_join(session, topic_hash, frame.topic)) {
        replaced = old->join_ref;
        end(*old, EndReason::replaced);
    }
    if (session.joins.size() >= config.max_channels_per_session) {
        note_hit(Limit::max_channels_per_connection);
        return refuse_join(session, frame,
                           built_in ? realtime::too_many_channels : "too many channels joined", replaced);
    }
    if (frame.payload.size() > config.max_params_bytes_per_session - session.params_bytes) {
        note_hit(Limit::max_params_bytes_per_session);
        return refuse_join(session, frame, "join payload too large", replaced);
    }
    if (is_inbox) return join_inbox(session, topic_hash, frame, std::move(replaced));
    if (built_in) return join_realtime(session, topic_hash, frame, std::move(replaced));

    Membership& member = add_member(session, topic_hash, frame, Visibility::open, pattern);
    judge(session, member);
    member.params.assign(frame.payload);
    member.params_kind = frame.kind;
    member.pending = std::make_unique<PendingJoin>();
    member.pending->ref.assign(frame.ref.value_or(null_token).text);
    member.pending->replaced = std::move(replaced);
    if (!member.rights.enter || token_has_expired(session, member))
        return settle(time, member, no_entry(session, member));
    out.push(event::JoinAsked{member.id, *pattern, {member.params_kind, member.params}});
}

void ServerMachine::State::refuse_join(Session& session, const FrameView& frame, std::string_view reason,
                                       const std::optional<std::string>& replaced) {
    refuse(session, frame.join_ref.value_or(null_token), frame, reason);
    if (replaced) end_frame(session, frame.topic, JsonToken{*replaced}, "phx_close", "{}");
}

Membership& ServerMachine::State::add_member(Session& session, std::uint64_t topic_hash,
                                             const FrameView& frame, Visibility visibility,
                                             std::optional<PatternId> pattern) {
    const auto [id, member] = members.insert();
    member.id = id;
    member.session = session.id;
    member.topic = topics.acquire(frame.topic, visibility);
    topics[member.topic].pattern = pattern;
    member.pattern = pattern.value_or(PatternId{});
    member.connection = session.connection;
    const JsonToken join_ref = frame.join_ref.value_or(null_token);
    member.join_ref.assign(join_ref.text);
    member.channel_ref.assign((join_ref.is_null() ? frame.ref.value_or(null_token) : join_ref).text);
    session.joins.push_back({topic_hash, id});
    member.params_bytes = frame.payload.size();
    session.params_bytes += member.params_bytes;
    return member;
}

void ServerMachine::State::enter_topic(Session& session, Membership& member) {
    member.phase = MemberPhase::joined;
    if (!sees_presence(member.id)) ++topics[member.topic].blind_members;
    member.position = topics.join(member.topic, session.vsn, session.id, member.id);
    if (member.keyed) enter_group(member);
    if (member.is_inbox) {
        session.inbox = member.id;
        if (member.token->identity) name_inbox(session, member.token->identity.get());
    }
}

void ServerMachine::State::settle(TimePoint now, Membership& member, const phx::server::JoinAnswer& answer) {
    const bool accepted = answer.verdict == phx::server::JoinAnswer::Verdict::accept;
    Session& session = *sessions.find(member.session);
    // For every way into a topic; since the member was judged its token or the policies may have changed.
    const bool may_enter = !token_has_expired(session, member) && (member.is_inbox || member.rights.enter);
    if (accepted && !may_enter) return settle(now, member, no_entry(session, member));
    if (accepted && subscribe(now, member, answer)) return;
    const std::unique_ptr<PendingJoin> pending = std::exchange(member.pending, nullptr);
    if (pending->has_asked_history) std::erase(topics[member.topic].readers, member.id);
    FrameView question;
    question.ref = JsonToken{pending->ref};
    question.topic = topic_name(member);
    const bool sent =
        reply(session, JsonToken{member.join_ref}, question, accepted ? "ok" : "error", answer.response);
    // A binary response that this version or these names cannot carry: the join crashed.
    if (!sent) refuse(session, JsonToken{member.join_ref}, question, "join crashed");
    const bool is_judged = accepted && sent && traits(member).first_message == ChannelTraits::First::judged;
    if (accepted && sent && !is_judged) enter_topic(session, member);
    if (pending->replaced)
        end_frame(session, question.topic, JsonToken{*pending->replaced}, "phx_close", "{}");
    if (is_judged) {
        member.phase = MemberPhase::unjudged;
        member.then = std::make_unique<phx::server::Actions>(answer.then);
    } else if (accepted && sent && member.realtime) {
        begin_realtime(session, member, *pending);
    } else if (accepted && sent && member.is_inbox) {
        wait_for_token(member);
    } else if (accepted && sent) {
        act_all(now, member, ReplyTo{}, answer.then);
    } else {
        end(member, EndReason::crashed);
    }
    if (!pending->held.empty()) replays.push_back({session.id, std::move(pending->held), 0});
}

bool ServerMachine::State::replay_next() {
    if (replays.empty()) return false;
    Replay& replay = replays.front();
    Session* const session = sessions.find(replay.session);
    if (session != nullptr && session->phase == SessionPhase::open) {
        HeldFrame& frame = replayed.emplace_back(std::move(replay.held[replay.next++]));
        receive(*session, {frame.opcode, frame.data}, frame.scratch);
        if (replay.next < replay.held.size()) return true;
    }
    replays.pop_front();
    return true;
}

} // namespace phx::protocol::server
