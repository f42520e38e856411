#include "protocol/server/server_machine.hpp"

#include "protocol/server/machine_state.hpp"

#include <utility>

namespace phx::protocol::server {

ServerMachine::ServerMachine(const ServerConfig& config) : state_(std::make_unique<State>(config)) {}
ServerMachine::~ServerMachine() = default;

PatternId ServerMachine::add_channel(std::string pattern, std::vector<std::string> intercepts,
                                     ChannelTraits traits) {
    state_->patterns.push_back({std::move(pattern), std::move(intercepts), traits});
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

void ServerMachine::set_policies(TimePoint now, std::vector<phx::server::Policy> policies) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    s.config.policies = std::move(policies);
    s.judge_all();
}

void ServerMachine::set_rates(const phx::server::Rates& rates) {
    State& s = *state_;
    s.config.rates = rates;
    const bool are_counted = rates.messages_per_connection > 0 || rates.joins_per_connection > 0;
    for (const SessionId id : s.connections(phx::server::Route::all())) {
        Session& session = *s.sessions.find(id);
        if (are_counted && !session.rates) session.rates = std::make_unique<SessionRates>();
    }
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
    if (member == nullptr || member->realtime) return;
    const bool is_accepted = answer.verdict == phx::server::JoinAnswer::Verdict::accept;
    if (member->keyed && !s.note_join_answer(*member, is_accepted)) return;
    if (member->phase != MemberPhase::asked) return;
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
    if (member == nullptr) return;
    if (member->phase == MemberPhase::joined) {
        s.act_all(now, *member, message, actions);
        s.note_promise(*member, message, actions);
    } else if (member->phase == MemberPhase::ended && member->keyed) {
        s.act_closed(*member, actions.list); // its entity was stored: the rest of it happens too
    }
    s.go_on(*member);
}

void ServerMachine::apply_closed(TimePoint now, MemberId id, const phx::server::Actions& actions) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    if (member == nullptr || member->phase != MemberPhase::ended) return;
    s.act_closed(*member, actions.list);
    s.go_on(*member);
}

void ServerMachine::set_broker_key(MemberId id, std::string key) {
    Membership* const member = state_->members.find(id);
    if (member == nullptr || member->phase != MemberPhase::asked) return;
    member->keyed = std::make_unique<KeyedMember>();
    member->keyed->key = std::move(key);
}

void ServerMachine::answer_token(TimePoint now, MemberId id, TokenVerdict verdict) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    const bool is_asked = member != nullptr && member->token &&
                          (member->phase == MemberPhase::asked || member->phase == MemberPhase::joined);
    if (is_asked) s.renew_token(*s.sessions.find(member->session), *member, std::move(verdict));
}

void ServerMachine::answer_first(TimePoint now, MemberId id, ReplyTo message,
                                 const phx::server::JoinAnswer& answer) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    if (member == nullptr) return;
    if (member->phase == MemberPhase::judging) s.take_verdict(now, *member, message, answer);
    s.go_on(*member);
}

void ServerMachine::crash(TimePoint now, MemberId id, std::string_view reason) {
    State& s = *state_;
    s.time = now;
    Membership* const member = s.members.find(id);
    if (member == nullptr) return;
    switch (member->phase) {
    case MemberPhase::asked:
    case MemberPhase::delayed:
    case MemberPhase::subscribing:
        if (member->keyed) member->keyed->asked = KeyedMember::Asked::nothing;
        s.settle(now, *member, State::refusal(reason.empty() ? "join crashed" : reason));
        break;
    case MemberPhase::unjudged:
    case MemberPhase::judging:
    case MemberPhase::joined: s.crash(*member, reason.empty() ? "channel_crash" : reason); break;
    case MemberPhase::ended: break;
    }
    s.go_on(*member);
}

void ServerMachine::broadcast(TimePoint, std::string_view topic, std::string_view event,
                              PayloadView payload) {
    State& s = *state_;
    s.begin_call();
    if (Topic* const found = s.topics.find(topic, Visibility::open))
        s.broadcast(*found, event, payload, nullptr);
    s.tell_peers(open_topic_ns, topic, State::publication_of(event, payload));
}

void ServerMachine::set_unix_time(TimePoint now, std::chrono::microseconds since_1970) {
    state_->unix_offset = since_1970 - now.time_since_epoch();
}

void ServerMachine::disconnect(TimePoint, std::string_view socket_id) {
    state_->begin_call();
    state_->disconnect_everywhere(Publication::Kind::disconnect_socket, socket_id); // 1000 before Phoenix 1.8
}

void ServerMachine::disconnect_user(TimePoint, std::string_view user_id) {
    state_->begin_call();
    state_->disconnect_everywhere(Publication::Kind::disconnect_user, user_id);
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
    State& s = *state_;
    std::optional<Output> output; // moved once
    do {
        while (s.out.poll(output)) {
            if (s.is_moot(*output)) continue;
            s.note_asked(*output);
            return output;
        }
        output.reset();
    } while (s.replay_next());
    return output;
}

std::optional<ServerMachine::Member> ServerMachine::member(MemberId id) const {
    const Membership* const found = state_->members.find(id);
    if (found == nullptr) return std::nullopt;
    return Member{found->session,
                  found->connection.get(),
                  state_->topic_name(*found),
                  found->params,
                  found->state,
                  found->join_ref,
                  found->keyed ? &found->keyed->key : nullptr};
}

std::shared_ptr<const phx::server::Connection> ServerMachine::connection(SessionId id) const {
    const Session* const session = state_->sessions.find(id);
    return session != nullptr ? session->connection : nullptr;
}

std::size_t ServerMachine::sessions() const noexcept { return state_->sessions.size(); }
std::size_t ServerMachine::topics() const noexcept { return state_->topics.populated(); }
std::size_t ServerMachine::members() const noexcept { return state_->topics.members(); }

std::optional<phx::server::LimitHits> ServerMachine::take_limit_hits() noexcept {
    if (!std::exchange(state_->has_limit_hits, false)) return std::nullopt;
    return std::exchange(state_->limit_hits, {});
}

} // namespace phx::protocol::server
