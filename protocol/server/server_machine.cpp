#include "protocol/server/server_machine.hpp"

#include "protocol/server/machine_state.hpp"

#include <utility>

namespace phx::protocol::server {

ServerMachine::ServerMachine(const ServerConfig& config) : state_(std::make_unique<State>(config)) {}
ServerMachine::~ServerMachine() = default;

PatternId ServerMachine::add_channel(std::string pattern, std::vector<std::string> intercepts) {
    state_->patterns.push_back({std::move(pattern), std::move(intercepts)});
    return PatternId{static_cast<std::uint32_t>(state_->patterns.size() - 1)};
}

SessionId ServerMachine::handle_open(TimePoint now, SessionConfig config) {
    State& s = *state_;
    s.begin_call();
    const auto [id, session] = s.sessions.insert();
    session.id = id;
    session.vsn = config.vsn;
    session.dialect = config.dialect;
    session.idle_timeout = config.idle_timeout;
    session.last_activity = now;
    config.record.id = s.connection_id(id);
    session.connection = std::make_shared<const phx::server::Connection>(std::move(config.record));
    session.token_expires_at = config.token_expires_at;
    s.registry.add(session);
    if (session.idle_timeout > Duration::zero()) s.wait_for_idle(session, now);
    const phx::server::Rates& rates = s.config.rates;
    if (rates.messages_per_connection > 0 || rates.joins_per_connection > 0)
        session.rates = std::make_unique<SessionRates>();
    if (session.token_expires_at && s.deadlines.push(*session.token_expires_at, DeadlineKind::session_token,
                                                     static_cast<std::uint64_t>(id)))
        session.has_token_deadline = true;
    return id;
}

void ServerMachine::handle_frame(TimePoint now, SessionId id, Opcode opcode, std::string_view data) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    Session* const session = s.sessions.find(id);
    if (session == nullptr || session->phase != SessionPhase::open) return;
    session->last_activity = now;
    s.receive(*session, {opcode, data}, s.scratch);
}

void ServerMachine::handle_activity(TimePoint now, SessionId id) {
    if (Session* const session = state_->sessions.find(id)) session->last_activity = now;
}

void ServerMachine::handle_closed(TimePoint, SessionId id) {
    State& s = *state_;
    s.begin_call();
    Session* const session = s.sessions.find(id);
    if (session == nullptr) return;
    const SessionPhase before = std::exchange(session->phase, SessionPhase::closing); // the sweep asks for it
    if (before == SessionPhase::open && session->idle_timeout > Duration::zero()) s.add_dead(1);
    if (std::exchange(session->has_token_deadline, false)) s.add_dead(1);
    s.end_all(*session);
    s.registry.remove(*session, s.sessions);
    s.sessions.erase(id);
}

void ServerMachine::answer_join(TimePoint now, MemberId id, phx::server::JoinAnswer answer) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    if (member == nullptr || member->phase != MemberPhase::asked || member->realtime) return;
    const Duration delay = answer.delay;
    if (delay <= Duration::zero()) return s.settle(now, *member, answer);
    member->phase = MemberPhase::delayed;
    member->pending->answer = std::move(answer);
    if (s.deadlines.push(after(now, delay), DeadlineKind::join, static_cast<std::uint64_t>(id)))
        ++member->timers;
}

void ServerMachine::apply(TimePoint now, MemberId id, ReplyTo message, const phx::server::Actions& actions) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    if (member == nullptr || member->phase != MemberPhase::joined) return;
    Session& session = *s.sessions.find(member->session);
    for (const phx::server::Action& action : actions.list)
        if (s.act(now, session, *member, message, action) == State::Verdict::ended) return;
    s.note_promise(*member, message, actions);
}

void ServerMachine::answer_token(TimePoint now, MemberId id, TokenVerdict verdict) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    if (member == nullptr || !member->realtime || member->phase == MemberPhase::ended) return;
    s.renew_token(*s.sessions.find(member->session), *member, std::move(verdict));
}

void ServerMachine::crash(TimePoint now, MemberId id) {
    State& s = *state_;
    Membership* const member = s.members.find(id);
    if (member == nullptr || member->phase == MemberPhase::ended) return;
    if (member->phase == MemberPhase::joined) return s.crash(*member);
    s.settle(now, *member, phx::server::JoinAnswer::refuse("{\"reason\":\"join crashed\"}"));
}

void ServerMachine::broadcast(TimePoint, std::string_view topic, std::string_view event,
                              PayloadView payload) {
    State& s = *state_;
    s.begin_call();
    if (Topic* const found = s.topics.find(topic, Visibility::open))
        s.broadcast(*found, event, payload, nullptr);
}

void ServerMachine::set_unix_time(TimePoint now, std::chrono::microseconds since_1970) {
    state_->unix_offset = since_1970 - now.time_since_epoch();
}

void ServerMachine::disconnect(TimePoint, std::string_view socket_id) {
    State& s = *state_;
    s.begin_call();
    s.disconnect(s.sessions_of(Registry::Kind::socket_id, socket_id), 1001); // 1000 before Phoenix 1.8
}

void ServerMachine::close_all(TimePoint) {
    state_->begin_call();
    state_->close_all(1012);
}

void ServerMachine::handle_timeout(TimePoint now) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    while (s.prune(), !s.deadlines.empty() && s.deadlines.top().at <= now) s.fire(now, s.deadlines.pop());
}

std::optional<TimePoint> ServerMachine::next_timeout() const {
    state_->prune();
    if (state_->deadlines.empty()) return std::nullopt;
    return state_->deadlines.top().at;
}

std::optional<Output> ServerMachine::poll() {
    for (;;) {
        if (auto output = state_->out.poll()) {
            if (state_->is_moot(*output)) continue;
            state_->note_asked(*output);
            return output;
        } else if (!state_->replay_next()) {
            return std::nullopt;
        }
    }
}

std::optional<ServerMachine::Member> ServerMachine::member(MemberId id) const {
    const Membership* const found = state_->members.find(id);
    if (found == nullptr) return std::nullopt;
    return Member{found->session, state_->topic_name(*found), found->params, found->state, found->join_ref};
}

std::shared_ptr<const phx::server::Connection> ServerMachine::connection(SessionId id) const {
    const Session* const session = state_->sessions.find(id);
    return session != nullptr ? session->connection : nullptr;
}

std::size_t ServerMachine::sessions() const noexcept { return state_->sessions.size(); }
std::size_t ServerMachine::topics() const noexcept { return state_->topics.populated(); }
std::size_t ServerMachine::members() const noexcept { return state_->topics.members(); }

} // namespace phx::protocol::server
