#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <variant>

namespace phx::protocol::server {

ServerMachine::State::State(const ServerConfig& wanted)
    : config(wanted), registry(config.hash_seed), topics(config.hash_seed), ids(config.seed),
      history(config.hash_seed, config.max_history_bytes) {}

std::string ServerMachine::State::connection_id(SessionId id) const {
    std::array<char, 16> digits{};
    const auto [end, error] =
        std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint64_t>(id), 16);
    return config.node + '.' + std::string(digits.data(), end);
}

void ServerMachine::State::begin_call() {
    if (!replays.empty() || !out.reset()) return; // not drained: the old views stay good
    replayed.clear();
    for (const MemberId id : ended) {
        topics.release(members.find(id)->topic);
        members.erase(id);
    }
    ended.clear();
}

void ServerMachine::State::end(Membership& member, EndReason reason) {
    if (leave_topic(member, reason)) untrack_all(member);
}

bool ServerMachine::State::leave_topic(Membership& member, EndReason reason) {
    if (member.phase == MemberPhase::ended) return false;
    Session& session = *sessions.find(member.session);
    std::erase_if(session.joins, [&](const JoinEntry& entry) { return entry.member == member.id; });
    session.params_bytes -= std::exchange(member.params_bytes, 0);
    const bool was_joined = member.phase == MemberPhase::joined;
    member.phase = MemberPhase::ended;
    ended.push_back(member.id);
    add_dead(std::exchange(member.timers, 0));
    member.pending.reset();
    member.waiting = {};
    fail_requests(member, reason);
    if (!was_joined) return false;
    if (!sees_presence(member.id)) --topics[member.topic].blind_members;
    subscribers.erase(member.id);
    const MemberId moved = topics.leave(member.topic, session.vsn, member.position);
    if (moved != TopicTable::none) members.find(moved)->position = member.position;
    if (member.is_inbox) {
        session.inbox = {};
    } else if (!member.realtime) {
        out.push(event::Ended{member.id, member.pattern, reason});
    }
    return true;
}

void ServerMachine::State::end_all(Session& session) {
    // Each end takes itself out of the list.
    while (!session.joins.empty()) end(*members.find(session.joins.back().member), EndReason::disconnected);
}

void ServerMachine::State::close(Session& session, std::uint16_t code, std::string_view reason) {
    const std::size_t ended_before = ended.size();
    begin_close(session, code, reason);
    finish_close(ended_before);
}

void ServerMachine::State::close_all(std::uint16_t code) {
    const std::size_t ended_before = ended.size();
    sessions.for_each([&](Session& session) { begin_close(session, code, {}); });
    finish_close(ended_before);
}

void ServerMachine::State::begin_close(Session& session, std::uint16_t code, std::string_view reason) {
    if (session.phase != SessionPhase::open) return;
    session.phase = SessionPhase::closing;
    registry.remove(session, sessions);
    if (session.idle_timeout > Duration::zero()) add_dead(1);
    if (std::exchange(session.has_token_deadline, false)) add_dead(1);
    out.push(act::Close{session.id, code, std::string(reason)});
    while (!session.joins.empty())
        leave_topic(*members.find(session.joins.back().member), EndReason::disconnected);
}

void ServerMachine::State::finish_close(std::size_t ended_before) {
    for (std::size_t i = ended_before; i < ended.size(); ++i) untrack_all(*members.find(ended[i]));
}

std::size_t ServerMachine::State::disconnect(std::vector<SessionId> list, std::uint16_t code) {
    const std::size_t ended_before = ended.size();
    for (const SessionId id : list) {
        tell_of_disconnect(*sessions.find(id));
        begin_close(*sessions.find(id), code, {});
    }
    finish_close(ended_before);
    return list.size();
}

bool ServerMachine::State::is_moot(const Output& output) {
    MemberId id = {};
    if (const auto* const in = std::get_if<event::MessageIn>(&output)) {
        id = in->member;
    } else if (const auto* const broadcast = std::get_if<event::MessageOut>(&output)) {
        id = broadcast->member;
    } else if (const auto* const info = std::get_if<event::InfoDue>(&output)) {
        id = info->member;
    } else if (const auto* const response = std::get_if<event::ResponseIn>(&output)) {
        id = response->member;
    } else if (const auto* const asked = std::get_if<event::TokenAsked>(&output)) {
        id = asked->member;
    } else {
        return false;
    }
    const Membership* const member = members.find(id);
    return member == nullptr || member->phase == MemberPhase::ended;
}

bool ServerMachine::State::is_dead(const Deadline& deadline) {
    if (deadline.kind == DeadlineKind::drain_end) return sessions.size() == 0;
    if (deadline.kind == DeadlineKind::idle || deadline.kind == DeadlineKind::drain ||
        deadline.kind == DeadlineKind::session_token) {
        const Session* const session = sessions.find(SessionId{deadline.id});
        return session == nullptr || session->phase != SessionPhase::open;
    }
    if (deadline.kind == DeadlineKind::request) return !requests.contains(RequestId{deadline.id});
    const Membership* const member = members.find(MemberId{deadline.id});
    const auto waits = deadline.kind == DeadlineKind::join ? MemberPhase::delayed : MemberPhase::joined;
    return member == nullptr || member->phase != waits;
}

void ServerMachine::State::add_dead(std::size_t count) {
    static constexpr std::size_t tolerated = 64;
    dead_deadlines += count;
    if (dead_deadlines <= tolerated || dead_deadlines <= deadlines.size() / 2) return;
    deadlines.remove_if([this](const Deadline& deadline) { return is_dead(deadline); });
    dead_deadlines = 0;
}

void ServerMachine::State::prune() {
    while (!deadlines.empty() && is_dead(deadlines.top())) {
        deadlines.pop();
        if (dead_deadlines > 0) --dead_deadlines;
    }
}

void ServerMachine::State::wait_for_idle(Session& session, TimePoint from) {
    const TimePoint at = after(from, session.idle_timeout);
    if (!deadlines.push(at, DeadlineKind::idle, static_cast<std::uint64_t>(session.id)))
        session.idle_timeout = {}; // never: as without one
}

void ServerMachine::State::fire(TimePoint now, Deadline deadline) {
    if (deadline.kind == DeadlineKind::idle) {
        Session& session = *sessions.find(SessionId{deadline.id});
        const bool idle = after(session.last_activity, session.idle_timeout) <= now;
        if (idle) {
            const std::uint16_t code = session.dialect == Dialect::phoenix ? 1002 : 1000;
            out.push(act::CloseIfIdle{session.id, session.last_activity, code});
        }
        // Lazy: a frame only notes its time. Asked again if the transport knew better.
        const TimePoint from = idle ? now : session.last_activity;
        return wait_for_idle(session, from);
    }
    if (deadline.kind == DeadlineKind::drain) return drain_session(now, SessionId{deadline.id});
    if (deadline.kind == DeadlineKind::drain_end) return end_drain();
    if (deadline.kind == DeadlineKind::request) return time_out(RequestId{deadline.id});
    if (deadline.kind == DeadlineKind::session_token) {
        Session& session = *sessions.find(SessionId{deadline.id});
        session.has_token_deadline = false;
        return end_expired(session);
    }
    Membership& member = *members.find(MemberId{deadline.id});
    --member.timers;
    if (deadline.kind == DeadlineKind::member_token) {
        if (deadline.at == member.realtime->token_deadline) member.realtime->token_deadline.reset();
        return wait_for_token(member);
    }
    if (deadline.kind == DeadlineKind::join) {
        const phx::server::JoinAnswer answer = std::move(member.pending->answer);
        return settle(now, member, answer);
    }
    ++member.due;
    out.push(event::InfoDue{member.id, member.pattern, std::move(deadline.info)});
}

} // namespace phx::protocol::server
