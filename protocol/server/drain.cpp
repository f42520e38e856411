#include "protocol/server/machine_state.hpp"
#include "protocol/time/backoff.hpp"

#include <algorithm>
#include <chrono>
#include <variant>

// The graceful stop: what was accepted is answered before its connection is closed.
namespace phx::protocol::server {
namespace {

/// How soon a session that is busy is looked at again.
constexpr Duration busy_interval = std::chrono::milliseconds(50);
constexpr std::uint16_t service_restart = 1012; // as Phoenix and Supabase close on SIGTERM

/// Whether they make a handler be called later, which may reply.
bool call_later(const phx::server::Actions& actions) {
    return std::any_of(actions.list.begin(), actions.list.end(), [](const phx::server::Action& action) {
        return std::holds_alternative<phx::server::action::After>(action) ||
               std::holds_alternative<phx::server::action::ReplyLater>(action) ||
               std::holds_alternative<phx::server::action::Request>(action);
    });
}

} // namespace

void ServerMachine::State::note_promise(Membership& member, ReplyTo message,
                                        const phx::server::Actions& actions) {
    if (message.id != 0 && call_later(actions)) member.waiting.promise(message);
}

bool ServerMachine::State::is_joining(const Session& session) {
    const auto is_held = [&](const Replay& replay) { return replay.session == session.id; };
    return std::any_of(replays.begin(), replays.end(), is_held) ||
           std::any_of(session.joins.begin(), session.joins.end(), [this](const JoinEntry& entry) {
               return members.find(entry.member)->pending != nullptr;
           });
}

bool ServerMachine::State::is_answering(const Session& session) {
    return std::any_of(session.joins.begin(), session.joins.end(), [this](const JoinEntry& entry) {
        const Membership& member = *members.find(entry.member);
        const bool will_reply = member.waiting.promised() > 0 && (member.timers > 0 || member.due > 0);
        return must_wait(member) || !member.requests.empty() || will_reply;
    });
}

void ServerMachine::State::note_asked(const Output& output) {
    if (const auto* const info = std::get_if<event::InfoDue>(&output)) --members.find(info->member)->due;
    const auto* const rare = std::get_if<RareOutput>(&output);
    const auto* const in = rare != nullptr ? std::get_if<event::ResponseIn>(rare) : nullptr;
    if (in != nullptr) --members.find(in->member)->due;
}

void ServerMachine::State::drain(TimePoint now, Duration spread, Duration timeout) {
    if (is_draining) return;
    is_draining = true;
    spread = std::clamp(spread, Duration::zero(), std::max(Duration::zero(), timeout));
    const std::vector<SessionId> open = connections(Route::all());
    if (open.empty()) return;
    // Each in a part of its own, and anywhere in that: nobody's clients come back all at once.
    const auto part = static_cast<std::uint64_t>(spread.count()) / open.size();
    Random random(config.seed);
    TimePoint begin = now;
    for (const SessionId id : open) {
        const auto jitter = Duration(static_cast<Duration::rep>(random.below(part)));
        deadlines.push(after(begin, jitter), DeadlineKind::drain, static_cast<std::uint64_t>(id));
        begin = after(begin, Duration(static_cast<Duration::rep>(part)));
    }
    deadlines.push(after(now, std::max(Duration::zero(), timeout)), DeadlineKind::drain_end, 0);
}

void ServerMachine::State::drain_session(TimePoint now, SessionId id) {
    Session& session = *sessions.find(id);
    session.takes_no_pushes = is_answering(session);
    if (!session.takes_no_pushes && !is_joining(session)) return close(session, service_restart, {});
    deadlines.push(after(now, busy_interval), DeadlineKind::drain, static_cast<std::uint64_t>(id));
}

void ServerMachine::State::end_drain() {
    has_cut_off = true;
    close_all(service_restart);
}

void ServerMachine::drain(TimePoint now, Duration spread, Duration timeout) {
    state_->begin_call();
    state_->drain(now, spread, timeout);
}

bool ServerMachine::is_draining() const noexcept { return state_->is_draining; }
bool ServerMachine::has_cut_off() const noexcept { return state_->has_cut_off; }

} // namespace phx::protocol::server
