#include "src/server/shard.hpp"

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

FrameOpcode frame_opcode(Opcode opcode) noexcept {
    return opcode == Opcode::text ? FrameOpcode::text : FrameOpcode::binary;
}

protocol::server::Dialect machine_dialect(phx::server::Dialect dialect) noexcept {
    return dialect == phx::server::Dialect::phoenix ? Dialect::phoenix : Dialect::supabase;
}

std::string hex(std::uint32_t number) {
    std::array<char, 8> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return {digits.data(), end};
}

ServerConfig machine_config(LoopCore& loop, const phx::server::Options& options) {
    ServerConfig config;
    std::array<std::uint64_t, 3> seeds{};
    fill_random(loop, std::span(seeds));
    config.seed = seeds[0];
    config.hash_seed = seeds[1]; // presence refs publish the other one
    config.node = hex(static_cast<std::uint32_t>(seeds[2]));
    config.peers = options.broker ? Peers::possible : Peers::none;
    config.realtime = options.realtime;
    config.max_channels_per_session = options.max_channels_per_connection;
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
             std::shared_ptr<Counters> counters)
    : loop_(loop), options_(options), counters_(std::move(counters)), config_(machine_config(loop, options)),
      machine_(config_), patterns_(add_patterns(machine_, std::move(application.patterns))),
      effects_(std::move(application.effects)),
      broker_(options.broker ? options.broker : phx::server::make_local_broker()),
      broker_port_(*broker_, config_.node, machine_,
                   {.post = [&loop](Function<void()> call) { loop.post(std::move(call)); },
                    .now = [&loop] { return loop.now(); },
                    .pump = [this] { pump(); },
                    .report = [this](const Error& error) { report(error); }}),
      timer_(loop, [this] { tick(); }) {
    deadlines_.set_duration(DeadlineKind::request, options.timeouts.request);
    deadlines_.set_duration(DeadlineKind::write, options.timeouts.write);
    deadlines_.set_duration(DeadlineKind::close, options.timeouts.close);
}

Shard::~Shard() { assert(connections_.empty()); }

// ---- connections

Connection& Shard::add_connection(std::string peer) {
    auto connection = std::make_unique<Connection>(*this, std::move(peer));
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

void Shard::accept(AcceptedSocket socket, std::string peer) {
    if (stop_deadline_) return;
    if (!add_connection(std::move(peer)).adopt(vhost_, socket.release())) connections_.pop_back();
}

void Shard::accept(std::unique_ptr<VirtualStream> stream, std::string peer) {
    add_connection(std::move(peer)).adopt(std::move(stream));
}

void Shard::remove(Connection& connection) {
    end_session(connection);
    const std::size_t position = connection.position;
    std::swap(connections_[position], connections_.back());
    connections_[position]->position = position;
    connections_.pop_back();
    leave_if_done();
}

Connection* Shard::find(SessionId session) const noexcept {
    const std::size_t index = slot(session);
    Connection* const connection = index < by_slot_.size() ? by_slot_[index] : nullptr;
    return connection && connection->session() == session ? connection : nullptr;
}

void Shard::set_deadline(Connection& connection, DeadlineKind kind) {
    deadlines_.set(connection, kind, loop_.now());
    arm_timer();
}

phx::server::ConnectAnswer Shard::judge(const phx::server::ConnectRequest& request) noexcept {
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

void Shard::open_session(Connection& connection, UpgradeRequest request, phx::server::ConnectAnswer judged) {
    SessionConfig config;
    config.vsn = request.vsn;
    config.dialect = machine_dialect(request.endpoint->dialect);
    config.idle_timeout = request.endpoint->idle_timeout;
    static_cast<phx::server::Identity&>(config.record) = std::move(judged.identity);
    config.record.socket_id = std::move(judged.socket_id);
    config.record.params = std::move(request.params);
    config.record.peer = connection.peer();
    config.record.connected_at = loop_.wall_clock();
    if (const auto expires_at = config.record.expires_at) {
        const auto left = std::chrono::duration_cast<protocol::Duration>(*expires_at - loop_.wall_clock());
        config.token_expires_at = protocol::after(loop_.now(), left);
    }
    const SessionId session = machine_.handle_open(loop_.now(), std::move(config));
    if (slot(session) >= by_slot_.size()) by_slot_.resize(slot(session) + std::size_t{1});
    by_slot_[slot(session)] = &connection;
    connection.start_session(session, machine_.connection(session));
    log_connection(connection, "opened");
    pump();
}

void Shard::receive(Connection& connection, Opcode opcode, std::string_view payload) {
    counters_->frames_in.fetch_add(1, std::memory_order_relaxed);
    machine_.handle_frame(loop_.now(), *connection.session(), opcode, payload);
    pump();
}

void Shard::note_activity(Connection& connection) {
    if (!connection.session() || find(*connection.session()) != &connection) return;
    later_.push_back({Later::What::activity, *connection.session()});
    pump();
}

void Shard::end_session(Connection& connection) {
    if (!connection.session() || find(*connection.session()) != &connection || connection.session_has_ended())
        return;
    connection.note_session_end();
    log_connection(connection, "ended");
    later_.push_back({Later::What::closed, *connection.session()});
    pump();
}

void Shard::broadcast(std::string_view topic, std::string_view event, phx::server::PayloadView payload) {
    machine_.broadcast(loop_.now(), topic, event, payload);
    pump();
}

void Shard::close_all(std::uint16_t code, std::string_view reason) {
    for (const auto& connection : connections_) connection->close(code, reason);
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
    publish_sizes();
    arm_timer();
}

void Shard::carry_out_later(Later next) {
    if (next.what == Later::What::activity) return machine_.handle_activity(loop_.now(), next.session);
    machine_.handle_closed(loop_.now(), next.session);
    while (auto output = machine_.poll()) { // on_close handlers still see the connection
        std::visit([this](const auto& item) { on(item); }, *output);
    }
    by_slot_[slot(next.session)] = nullptr;
}

void Shard::publish_sizes() noexcept {
    counters_->connections.store(machine_.sessions(), std::memory_order_relaxed);
    counters_->topics.store(machine_.topics(), std::memory_order_relaxed);
    counters_->channels.store(machine_.members(), std::memory_order_relaxed);
}

// ---- time

void Shard::arm_timer() {
    std::optional<protocol::TimePoint> soonest = machine_.next_timeout();
    for (const auto& other : {deadlines_.next(), stop_deadline_}) {
        if (other && (!soonest || *other < *soonest)) soonest = other;
    }
    timer_.arm(soonest);
}

void Shard::tick() {
    const protocol::TimePoint now = loop_.now();
    while (Deadline* const passed = deadlines_.pop(now)) static_cast<Connection*>(passed)->handle_deadline();
    if (stop_deadline_ && *stop_deadline_ <= now) {
        stop_deadline_ = protocol::TimePoint::max(); // said once; it still means that we are stopping
        for (const auto& connection : connections_) connection->kill();
    }
    machine_.handle_timeout(now);
    pump();
    leave_if_done();
}

void Shard::loop_stopping() {
    acceptor_.reset();
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
    Connection* const connection = find(send.session);
    if (!connection) return;
    counters_->frames_out.fetch_add(1, std::memory_order_relaxed);
    connection->send(frame_opcode(send.opcode), send.data);
}

void Shard::on(const act::Fanout& fanout) {
    fanout_frame_.clear();
    protocol::append_frame(fanout_frame_, frame_opcode(fanout.opcode), fanout.data);
    for (const SessionId session : fanout.sessions) {
        if (Connection* const connection = find(session)) connection->send_frame(fanout_frame_);
    }
    counters_->frames_out.fetch_add(fanout.sessions.size(), std::memory_order_relaxed);
}

void Shard::on(const act::Close& order) {
    Connection* const connection = find(order.session);
    if (!connection) return;
    const bool is_sendable = protocol::is_close_code(order.code); // it may be a handler's
    connection->close(is_sendable ? order.code : std::uint16_t{1011},
                      protocol::is_utf8(order.reason) ? std::string_view(order.reason) : std::string_view{});
}

void Shard::on(const act::CloseIfIdle& order) {
    Connection* const connection = find(order.session);
    if (!connection) return;
    if (connection->last_receive() > order.since) {
        later_.push_back({Later::What::activity, order.session});
    } else {
        connection->close(order.code, {});
    }
}

// ---- news

void Shard::on(const event::FrameDropped& dropped) {
    if (dropped.error.origin == Origin::peer) // the counter is of malformed frames
        counters_->frames_dropped.fetch_add(1, std::memory_order_relaxed);
    report(find(dropped.session), dropped.error);
}

void Shard::report_broken_frame(const Connection& connection, const protocol::WebSocketEvent& event) {
    counters_->frames_dropped.fetch_add(1, std::memory_order_relaxed);
    report(&connection, protocol::websocket_error(event.code, event.payload));
}

void Shard::count_slow_consumer(const Connection& connection) {
    counters_->slow_consumers.fetch_add(1, std::memory_order_relaxed);
    report(&connection, fail(Errc::buffer_full,
                             "connection " + connection.record()->id + " of " + connection.peer() +
                                 " reads too slowly: " + std::to_string(connection.pending_bytes()) +
                                 " bytes wait for it, it is closed with 1013; see Options::max_pending_bytes",
                             Origin::peer)
                            .error);
}

void Shard::report(const Connection* connection, const Error& error) noexcept {
    if (!options_.on_connection_error) return report(error);
    log(LogLevel::warning, error.message);
    try {
        options_.on_connection_error(connection ? connection->record().get() : nullptr, error);
    } catch (...) { // there is nobody left to tell
    }
}

void Shard::report(const Error& error) noexcept {
    log(LogLevel::warning, error.message);
    if (!options_.on_error) return;
    try {
        options_.on_error(error);
    } catch (...) { // there is nobody left to tell
    }
}

void Shard::log_connection(const Connection& connection, const char* what) noexcept {
    if (!options_.on_log) return;
    log(LogLevel::info, "connection " + connection.record()->id + " of " + connection.peer() + ' ' + what);
}

void Shard::log(LogLevel level, const std::string& line) noexcept {
    if (!options_.on_log) return;
    try {
        options_.on_log(level, line);
    } catch (...) { // there is nobody left to tell
    }
}

} // namespace phx::shell
