#include "src/server/shard.hpp"

#include "protocol/auth/refusal_text.hpp"
#include "protocol/wire/utf8.hpp"
#include "src/loop/random.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>
#include <utility>
#include <variant>

namespace phx::shell {
namespace {

using namespace protocol::server;
using protocol::FrameOpcode;
using protocol::Opcode;

protocol::server::Dialect machine_dialect(phx::server::Dialect dialect) noexcept {
    return dialect == phx::server::Dialect::phoenix ? Dialect::phoenix : Dialect::supabase;
}

std::string hex(std::uint32_t number) {
    std::array<char, 8> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return {digits.data(), end};
}

ServerConfig machine_config(LoopCore& loop, const phx::server::Options& options, std::string server) {
    ServerConfig config;
    std::array<std::uint64_t, 3> seeds{};
    fill_random(loop, std::span(seeds));
    config.seed = seeds[0];
    config.hash_seed = seeds[1]; // presence refs publish the other one
    config.node = hex(static_cast<std::uint32_t>(seeds[2]));
    config.server = std::move(server);
    config.peers = options.broker ? Peers::possible : Peers::none;
    config.realtime = options.realtime;
    config.verifies_tokens = true;
    config.max_channels_per_session = options.max_channels_per_connection;
    config.private_only = options.private_only;
    config.policies = options.policies;
    config.rates = options.rates;
    config.history = options.history;
    config.max_history_bytes = options.max_history_bytes;
    config.max_broadcast_bytes = options.max_broadcast_bytes;
    config.max_presence_bytes_per_topic = options.max_pending_bytes / 2; // who joins is sent it at once
    config.max_replay_bytes = options.max_pending_bytes / 2;             // likewise
    for (const phx::server::Endpoint& endpoint : options.endpoints) {
        config.limits.max_frame_bytes = std::max(config.limits.max_frame_bytes, endpoint.max_message_bytes);
    }
    return config;
}

Patterns add_patterns(ServerMachine& machine, Patterns patterns) {
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        const auto& [pattern, handlers] = patterns[i];
        ChannelTraits traits;
        if (handlers.initial_authorisation) traits.first_message = ChannelTraits::First::judged;
        if (handlers.handle_broker) traits.published = ChannelTraits::Published::asked;
        [[maybe_unused]] const PatternId id = machine.add_channel(pattern, handlers.intercepts, traits);
        assert(static_cast<std::size_t>(id) == i);
    }
    return patterns;
}

} // namespace

Shard::Shard(LoopCore& loop, const phx::server::Options& options, Application application,
             std::shared_ptr<const TokenSlot> tokens, std::shared_ptr<ConnectionLimits> limits,
             std::shared_ptr<Counters> counters)
    : loop_(loop), options_(options), tokens_(std::move(tokens)), limits_(std::move(limits)),
      counters_(std::move(counters)), config_(machine_config(loop, options, std::move(application.server))),
      machine_(config_), patterns_(add_patterns(machine_, std::move(application.patterns))),
      effects_(std::move(application.effects)),
      broker_(options.broker ? options.broker : phx::server::make_local_broker()),
      broker_port_(*broker_, config_.node, machine_,
                   {.post = [&loop](Function<void()> call) { loop.post(std::move(call)); },
                    .now = [this] { return now(); },
                    .pump = [this] { pump(); },
                    .report = [this](const Error& error) { report(error); }}),
      timer_(loop, [this] { tick(); }) {
    tell_unix_time();
    deadlines_.set_duration(DeadlineKind::request, options.timeouts.request);
    deadlines_.set_duration(DeadlineKind::write, options.timeouts.write);
    deadlines_.set_duration(DeadlineKind::close, options.timeouts.close);
    deadlines_.set_duration(DeadlineKind::poll, options.timeouts.poll);
}

Shard::~Shard() { assert(connections_.empty()); }

// ---- connections

Connection& Shard::add_connection(std::string peer, ConnectionLimits::Place place) {
    auto connection = std::make_unique<Connection>(*this, std::move(peer), std::move(place));
    connection->position = connections_.size();
    connections_.push_back(std::move(connection));
    return *connections_.back();
}

void Shard::open_sockets() {
    vhost_ = create_server_vhost(loop_.lws());
    if (!vhost_)
        throw std::system_error(std::make_error_code(std::errc::not_enough_memory), "libwebsockets vhost");
}

void Shard::listen(ListeningSocket socket, Function<void(AcceptedSocket, std::string)> accepted) {
    acceptor_.emplace(loop_.uv(), std::move(socket), std::move(accepted));
}

void Shard::accept(AcceptedSocket socket, std::string peer, ConnectionLimits::Place place) {
    if (stop_deadline_) return;
    Connection& connection = add_connection(std::move(peer), std::move(place));
    if (tls_) connection.secure(tls_);
    if (!connection.adopt(vhost_, socket.release())) connections_.pop_back();
}

void Shard::accept(std::unique_ptr<VirtualStream> stream, std::string peer) {
    add_connection(std::move(peer), {}).adopt(std::move(stream));
}

void Shard::remove(Connection& connection) {
    end_session(connection);
    const std::size_t position = connection.position;
    std::swap(connections_[position], connections_.back());
    connections_[position]->position = position;
    connections_.pop_back();
    leave_if_done();
}

void Shard::remove(PollingClient& client) { polling_.erase(client.token()); }

Transport* Shard::find(SessionId session) const noexcept {
    const std::size_t index = slot(session);
    Transport* const transport = index < by_slot_.size() ? by_slot_[index] : nullptr;
    return transport && transport->session() == session ? transport : nullptr;
}

void Shard::set_deadline(Deadline& deadline, DeadlineKind kind) {
    deadlines_.set(deadline, kind, loop_.now());
    arm_timer();
}

phx::server::ConnectAnswer Shard::judge(const ConnectAttempt& request, const std::string& peer) {
    phx::server::Identity identity;
    if (const auto verifier = tokens_->get()) {
        auto verdict = verifier->verify(request.token, loop_.wall_clock());
        if (const auto* const refusal = std::get_if<phx::server::TokenRefusal>(&verdict))
            return refuse_token(*refusal, request.endpoint->dialect, peer);
        identity = std::get<phx::server::Identity>(std::move(verdict));
    }
    auto answer = ask_user({*request.endpoint, request.params, peer, identity});
    if (answer.identity == phx::server::Identity{}) answer.identity = std::move(identity);
    return answer;
}

phx::server::ConnectAnswer Shard::refuse_token(const phx::server::TokenRefusal& refusal,
                                               phx::server::Dialect dialect, const std::string& peer) {
    counters_->refused_tokens.add();
    report(fail(Errc::bad_auth, "a connect from " + peer + " is refused: " + describe(refusal), Origin::peer)
               .error);
    phx::server::ConnectAnswer answer;
    answer.http_status = protocol::auth::phoenix_connect_status;
    if (dialect == phx::server::Dialect::phoenix) return answer;
    auto supabase = protocol::auth::supabase_connect_refusal(refusal);
    answer.http_status = supabase.status;
    answer.body = std::move(supabase.text);
    return answer;
}

phx::server::ConnectAnswer Shard::ask_user(const phx::server::ConnectRequest& request) noexcept {
    phx::server::ConnectAnswer answer;
    if (!options_.authorize) return answer;
    try {
        answer = options_.authorize(request);
        if (answer.http_status == 0 || (answer.http_status >= 300 && answer.http_status <= 599))
            return answer;
        report(fail(Errc::invalid_argument, "authorize answered with the HTTP status " +
                                                std::to_string(answer.http_status) +
                                                ", which refuses nothing")
                   .error);
    } catch (const std::exception& thrown) {
        report(fail(Errc::handler_failed, std::string("authorize threw: ") + thrown.what()).error);
    } catch (...) {
        report(fail(Errc::handler_failed, "authorize threw something that is no std::exception").error);
    }
    answer = {};
    answer.http_status = 500;
    return answer;
}

// ---- from connections to the machine

void Shard::open_session(Transport& transport, ConnectAttempt attempt, const std::string& peer,
                         phx::server::ConnectAnswer judged) {
    assert(!is_pumping_);
    SessionConfig config;
    config.vsn = attempt.vsn;
    config.dialect = machine_dialect(attempt.endpoint->dialect);
    config.idle_timeout = attempt.endpoint->idle_timeout;
    static_cast<phx::server::Identity&>(config.record) = std::move(judged.identity);
    config.record.socket_id = std::move(judged.socket_id);
    config.record.params = std::move(attempt.params);
    config.record.peer = peer;
    config.record.connected_at = loop_.wall_clock();
    if (config.record.expires_at) config.token_expires_at = loop_time(*config.record.expires_at);
    const SessionId session = machine_.handle_open(loop_.now(), std::move(config));
    if (slot(session) >= by_slot_.size()) by_slot_.resize(slot(session) + std::size_t{1});
    by_slot_[slot(session)] = &transport;
    transport.start_session(session, machine_.connection(session));
    tell_connection(transport, phx::server::ConnectionChange::opened);
    pump();
}

void Shard::receive(Transport& transport, Opcode opcode, std::string_view payload) {
    assert(!is_pumping_); // what the machine said last would change under who carries it out
    counters_->frames_in.add();
    read_at_ = transport.last_receive();
    machine_.handle_frame(*read_at_, *transport.session(), opcode, payload);
    pump();
    read_at_.reset();
}

void Shard::note_activity(Transport& transport) {
    if (!transport.session() || find(*transport.session()) != &transport) return;
    later_.push_back({Later::What::activity, *transport.session()});
    pump();
}

void Shard::end_session(Transport& transport) {
    if (!transport.session() || find(*transport.session()) != &transport || transport.session_has_ended())
        return;
    transport.note_session_end();
    tell_connection(transport, phx::server::ConnectionChange::ended);
    later_.push_back({Later::What::closed, *transport.session()});
    pump();
}

std::vector<PollingClient*> Shard::polling_clients() const {
    std::vector<PollingClient*> clients;
    for (const auto& [token, client] : polling_) clients.push_back(client.get());
    return clients;
}

void Shard::emit_change(phx::server::Change change) {
    if (auto emitted = machine_.emit_change(loop_.now(), std::move(change)); !emitted)
        report(emitted.error());
    pump();
}

void Shard::close_all(std::uint16_t code, std::string_view reason) {
    for (const auto& connection : connections_) connection->close(code, reason);
    for (PollingClient* const client : polling_clients()) client->close(code, reason);
}

void Shard::pump() {
    if (is_pumping_) return; // the one that runs carries out what was added
    is_pumping_ = true;
    for (;;) {
        while (auto output = machine_.poll()) {
            std::visit([this](const auto& item) { on(item); }, *output);
        }
        if (later_.empty()) break;
        const Later next = later_.back();
        later_.pop_back();
        carry_out_later(next);
    }
    is_pumping_ = false;
    publish_limit_hits(); // before the client hears of it
    look_at_drain();
    if (has_turn_end_) return;
    has_turn_end_ = !has_left_ && loop_.post([this] { end_turn(); });
    if (!has_turn_end_) end_turn();
}

void Shard::end_turn() {
    has_turn_end_ = true; // for pump()
    while (machine_.handle_turn_end()) pump();
    has_turn_end_ = false;
    publish_sizes();
    arm_timer();
}

void Shard::carry_out_later(Later next) {
    if (next.what == Later::What::activity) return machine_.handle_activity(now(), next.session);
    machine_.handle_closed(now(), next.session);
    while (auto output = machine_.poll()) { // on_close handlers still see the connection
        std::visit([this](const auto& item) { on(item); }, *output);
    }
    Transport* const transport = std::exchange(by_slot_[slot(next.session)], nullptr);
    if (transport) transport->session_over();
}

void Shard::publish_sizes() noexcept {
    counters_->connections.set(machine_.sessions());
    counters_->topics.set(machine_.topics());
    counters_->channels.set(machine_.members());
}

// ---- time

protocol::TimePoint Shard::now() const noexcept { return read_at_ ? *read_at_ : loop_.now(); }

void Shard::arm_timer() {
    std::optional<protocol::TimePoint> soonest = machine_.next_timeout();
    for (const auto& other : {deadlines_.next(), stop_deadline_, next_drain_look_}) {
        if (other && (!soonest || *other < *soonest)) soonest = other;
    }
    timer_.arm(soonest);
}

void Shard::tick() {
    const protocol::TimePoint now = loop_.now();
    while (Deadline* const passed = deadlines_.pop(now)) passed->handle_deadline();
    if (stop_deadline_ && *stop_deadline_ <= now) {
        stop_deadline_ = protocol::TimePoint::max(); // said once; it still means that we are stopping
        for (const auto& connection : connections_) connection->kill();
    }
    tell_unix_time(); // clocks are set
    machine_.handle_timeout(now);
    pump();
    leave_if_done();
}

protocol::TimePoint Shard::loop_time(std::chrono::system_clock::time_point time) const noexcept {
    const auto left = std::chrono::duration_cast<protocol::Duration>(time - loop_.wall_clock());
    return protocol::after(loop_.now(), left);
}

void Shard::tell_unix_time() {
    const auto since_1970 = loop_.wall_clock().time_since_epoch();
    machine_.set_unix_time(loop_.now(), std::chrono::duration_cast<std::chrono::microseconds>(since_1970));
}

void Shard::loop_stopping() {
    acceptor_.reset();
    finish_drain(machine_.sessions() == 0 && !serves_http());
    stop_deadline_ = loop_.now() + options_.timeouts.stop;
    machine_.close_all(loop_.now());
    pump();
    for (const auto& connection : connections_) connection->stop();
    leave_if_done();
}

void Shard::leave_if_done() {
    const bool is_over = stop_deadline_ == protocol::TimePoint::max();
    if (!stop_deadline_ || has_left_ || !connections_.empty() || (pending_swaps_ > 0 && !is_over)) return;
    has_left_ = true;
    loop_.remove_member(*this);
}

// ---- orders of the machine

void Shard::on(const act::Send& send) {
    Transport* const transport = find(send.session);
    if (!transport) return;
    counters_->frames_out.add();
    transport->send(send.opcode, send.data);
}

void Shard::on(const act::Fanout& fanout) {
    fanout_frame_.clear();
    const bool is_text = fanout.opcode == Opcode::text;
    protocol::append_frame(fanout_frame_, is_text ? FrameOpcode::text : FrameOpcode::binary, fanout.data);
    for (const SessionId session : fanout.sessions) {
        if (Transport* const transport = find(session))
            transport->send_shared(fanout_frame_, fanout.opcode, fanout.data);
    }
    counters_->frames_out.add(fanout.sessions.size());
}

void Shard::on(const act::Close& order) {
    Transport* const transport = find(order.session);
    if (!transport) return;
    const bool is_sendable = protocol::is_close_code(order.code); // it may be a handler's
    transport->close(is_sendable ? order.code : std::uint16_t{1011},
                     protocol::is_utf8(order.reason) ? std::string_view(order.reason) : std::string_view{});
}

void Shard::on(const act::CloseIfIdle& order) {
    Transport* const transport = find(order.session);
    if (!transport) return;
    if (transport->last_receive() > order.since) {
        later_.push_back({Later::What::activity, order.session});
    } else {
        count_hit(phx::server::Limit::idle_timeout);
        transport->close(order.code, {});
    }
}

} // namespace phx::shell
