#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/server/machine_state.hpp"

#include <utility>
#include <vector>

namespace phx::protocol::server {

const phx::server::Identity& ServerMachine::State::identity(const Session& session,
                                                            const Membership& member) const {
    if (member.realtime && member.realtime->identity) return *member.realtime->identity;
    return *session.connection;
}

/// The connection's own token, for a channel that lives by it.
bool ServerMachine::State::token_has_expired(const Session& session, const Membership& member) const {
    if (member.realtime && member.realtime->identity) return false;
    return session.token_expires_at && *session.token_expires_at <= time;
}

void ServerMachine::State::judge(const Session& session, Membership& member) {
    Topic& topic = topics[member.topic];
    const bool counts = member.phase == MemberPhase::joined;
    if (counts && !sees_presence(member.id)) --topic.blind_members;
    if (member.realtime && topic.visibility == Visibility::open) {
        member.rights = {};
    } else {
        const WithoutPolicy without = member.realtime ? WithoutPolicy::deny : WithoutPolicy::allow;
        member.rights = rights_of(config.policies, topic.name, identity(session, member), without);
    }
    if (counts && !sees_presence(member.id)) ++topic.blind_members;
}

void ServerMachine::State::ask_about_token(Membership& member, std::string_view token) {
    member.realtime->token_hash = text_hash(config.hash_seed, token);
    out.push(event::TokenAsked{member.id, out.keep(token)});
}

/// Supabase: null, the same token, a key (`sb_...`) and what is no token at all are ignored, and a good one
/// is not answered.
void ServerMachine::State::receive_token(Membership& member, const FrameView& frame) {
    if (!config.verifies_tokens || frame.kind != Opcode::text) return;
    const auto value = realtime::json_member(frame.payload, "access_token");
    const auto token = value ? realtime::json_string(*value) : std::nullopt;
    if (!token || token->starts_with("sb_")) return;
    if (member.realtime->token_hash == text_hash(config.hash_seed, *token)) return;
    ask_about_token(member, *token);
}

void ServerMachine::State::renew_token(Session& session, Membership& member, TokenVerdict verdict) {
    const bool joins = member.phase != MemberPhase::joined;
    if (!verdict.identity) {
        if (!joins) return end_with_system(session, member, verdict.system_message);
        return settle(time, member, refusal(verdict.join_reason));
    }
    member.realtime->identity = std::move(verdict.identity);
    member.realtime->token_expires_at = verdict.expires_at;
    if (joins) return admit_realtime(session, member);
    judge(session, member);
    if (!member.rights.enter) {
        const std::string subtopic(topic_name(member).substr(realtime_prefix.size()));
        return end_with_system(session, member,
                               "You do not have permissions to read from this Channel topic: " + subtopic);
    }
    wait_for_token(member);
}

/// Ends the channel if its own token has expired, or else waits until it does.
void ServerMachine::State::wait_for_token(Membership& member) {
    RealtimeMember& realtime = *member.realtime;
    if (!realtime.token_expires_at) return;
    if (*realtime.token_expires_at <= time)
        return end_with_system(*sessions.find(member.session), member, "Token has expired 0 seconds ago");
    if (realtime.token_deadline && *realtime.token_deadline <= *realtime.token_expires_at) return;
    if (!deadlines.push(*realtime.token_expires_at, DeadlineKind::member_token,
                        static_cast<std::uint64_t>(member.id)))
        return;
    ++member.timers;
    realtime.token_deadline = realtime.token_expires_at;
}

/// The connection's token: whatever lives by it.
void ServerMachine::State::end_expired(Session& session) {
    std::vector<MemberId> over;
    for (const JoinEntry& entry : session.joins) {
        const Membership& member = *members.find(entry.member);
        if (!member.pending && token_has_expired(session, member)) over.push_back(entry.member);
    }
    for (const MemberId id : over)
        end_with_system(session, *members.find(id), "Token has expired 0 seconds ago");
}

} // namespace phx::protocol::server
