#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/server/machine_state.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol::server {
namespace {

std::string no_right_to_read(std::string_view topic) {
    if (topic.starts_with(realtime_prefix)) topic.remove_prefix(realtime_prefix.size());
    return "You do not have permissions to read from this Channel topic: " + std::string(topic);
}

} // namespace

const phx::server::Identity& ServerMachine::State::identity(const Session& session,
                                                            const Membership& member) const {
    if (member.token && member.token->identity) return *member.token->identity;
    return *session.connection;
}

/// Of the token that a channel lives by.
std::optional<TimePoint> ServerMachine::State::token_end(const Session& session,
                                                         const Membership& member) const {
    const bool has_own = member.token && member.token->identity;
    return has_own ? member.token->expires_at : session.token_expires_at;
}

bool ServerMachine::State::token_has_expired(const Session& session, const Membership& member) const {
    const auto end = token_end(session, member);
    return end && *end <= time;
}

phx::server::JoinAnswer ServerMachine::State::no_entry(const Session& session, const Membership& member) {
    if (!member.realtime) return phx::server::JoinAnswer::refuse("{\"reason\":\"unauthorized\"}");
    if (!token_has_expired(session, member))
        return refusal("Unauthorized: " + no_right_to_read(topic_name(member)));
    const auto ago = std::chrono::duration_cast<std::chrono::seconds>(time - *token_end(session, member));
    return refusal("InvalidJWTToken: Token has expired " + std::to_string(ago.count()) + " seconds ago");
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

void ServerMachine::State::judge_all() {
    std::vector<MemberId> all;
    for (const SessionId id : connections(phx::server::Route::all()))
        for (const JoinEntry& entry : sessions.find(id)->joins) all.push_back(entry.member);
    for (const MemberId id : all) {
        Membership* const member = members.find(id);
        if (member == nullptr || member->is_inbox) continue;
        Session& session = *sessions.find(member->session);
        judge(session, *member);
        if (member->rights.enter) continue;
        // A join that is not settled yet is judged when it is.
        if (!member->pending && member->phase != MemberPhase::ended)
            end_with_system(session, *member, no_right_to_read(topic_name(*member)));
    }
}

void ServerMachine::State::ask_about_token(Membership& member, std::string_view token) {
    member.token->hash = text_hash(config.hash_seed, token);
    out.push(event::TokenAsked{member.id, out.keep(token)});
}

/// Supabase: null, a key (`sb_...`) and what is no token at all are ignored.
std::optional<std::string> ServerMachine::State::token_in(const FrameView& frame) {
    if (frame.kind != Opcode::text) return std::nullopt;
    const auto value = realtime::json_member(frame.payload, "access_token");
    auto token = value ? realtime::json_string(*value) : std::nullopt;
    if (token && token->starts_with("sb_")) token.reset();
    return token;
}

/// Supabase: the same token is ignored, and a good one is not answered.
void ServerMachine::State::receive_token(Membership& member, const FrameView& frame) {
    const auto token = token_in(frame);
    if (!config.verifies_tokens || !token) return;
    if (member.token->hash == text_hash(config.hash_seed, *token)) return;
    ask_about_token(member, *token);
}

void ServerMachine::State::renew_token(Session& session, Membership& member, TokenVerdict verdict) {
    const bool joins = member.phase != MemberPhase::joined;
    if (!verdict.identity) {
        if (!joins) return end_with_system(session, member, verdict.system_message);
        return settle(time, member, refusal(verdict.join_reason));
    }
    member.token->identity = std::move(verdict.identity);
    member.token->expires_at = verdict.expires_at;
    if (joins) return member.is_inbox ? accept_inbox(member) : admit_realtime(session, member);
    if (member.is_inbox) {
        name_inbox(session, member.token->identity.get());
    } else {
        judge(session, member);
        if (!member.rights.enter)
            return end_with_system(session, member, no_right_to_read(topic_name(member)));
    }
    wait_for_token(member);
}

/// Ends the channel if its own token has expired, or else waits until it does.
void ServerMachine::State::wait_for_token(Membership& member) {
    if (member.phase != MemberPhase::joined) return;
    ChannelToken& token = *member.token;
    if (!token.expires_at) return;
    if (*token.expires_at <= time)
        return end_with_system(*sessions.find(member.session), member, "Token has expired 0 seconds ago");
    if (token.deadline && *token.deadline <= *token.expires_at) return;
    if (!deadlines.push(*token.expires_at, DeadlineKind::member_token, static_cast<std::uint64_t>(member.id)))
        return;
    ++member.timers;
    token.deadline = token.expires_at;
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
