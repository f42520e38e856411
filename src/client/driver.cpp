#include "src/client/driver.hpp"

#include "src/loop/random.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

namespace phx::shell {
namespace {

protocol::BackoffConfig backoff_of(const Ladder& ladder) {
    protocol::BackoffConfig config;
    for (const Millis step : ladder.steps) config.steps.emplace_back(step);
    config.jitter = static_cast<protocol::Jitter>(ladder.jitter);
    return config;
}

protocol::ClientConfig config_of(const SocketSetup& setup) {
    protocol::ClientConfig config;
    config.ask_target = true;
    config.vsn = setup.vsn;
    std::array<std::uint64_t, 1> seed{};
    fill_random(std::span(seed));
    config.seed = seed[0];
    config.timeout = setup.timeout;
    config.connect_timeout = setup.connect_timeout;
    config.heartbeat_interval = setup.heartbeat_interval;
    config.heartbeat_timeout = setup.heartbeat_timeout;
    config.stable_after = setup.retry.stable_after;
    config.first_connect = backoff_of(setup.retry.first_connect);
    config.reconnect = backoff_of(setup.retry.reconnect);
    config.rejoin = backoff_of(setup.retry.rejoin);
    config.max_attempts = setup.retry.max_attempts;
    config.max_buffered_pushes = setup.max_buffered_messages;
    config.limits.max_frame_bytes = setup.max_message_bytes;
    return config;
}

} // namespace

Driver::Driver(std::shared_ptr<SocketCore> core, std::string endpoint, SocketSetup setup)
    : loop_(core->loop()), core_(std::move(core)), endpoint_(std::move(endpoint)), setup_(std::move(setup)),
      machine_(config_of(setup_)), timer_(loop_, [this] {
          machine_.handle_timeout(loop_.now());
          pump();
      }) {}

Driver::~Driver() = default;

// ---- the drain loop

/// After every call of the machine: carry out its orders, arm the timer, and last, when the machine is at
/// rest, run the code of the user, whose calls only post; then what it posted.
void Driver::pump() {
    drain();
    if (core_->is_in_round) return; // a command of the round below, which goes on
    core_->is_in_round = true;
    constexpr int max_rounds = 16; // then it is the turn of the network
    for (int round = 0; round < max_rounds; ++round) {
        run_handlers();
        drop_removed();
        const bool is_asked = answer_questions();
        const bool is_told = core_->run_commands();
        if (!is_asked && !is_told) break;
        drain();
    }
    core_->is_in_round = false;
    timer_.arm(machine_.next_timeout());
    if (!news_.empty() || !questions_.empty() || !removed_.empty()) {
        loop_.post([driver = std::weak_ptr<Driver>(shared_from_this())] {
            if (const auto self = driver.lock()) self->pump();
        });
    }
    core_->schedule_commands();
}

void Driver::drain() {
    while (auto output = machine_.poll()) carry_out(*output);
}

void Driver::carry_out(protocol::Output& output) {
    std::visit(
        [&](auto& what) {
            using What = std::decay_t<decltype(what)>;
            using namespace protocol;
            if constexpr (std::is_same_v<What, act::Send>) {
                tap(Direction::to_server, what.opcode, what.data);
                if (ClientConnection* connection = find(what.conn)) connection->send(what.opcode, what.data);
            } else if constexpr (std::is_same_v<What, act::Open>) {
                open(what);
            } else if constexpr (std::is_same_v<What, act::Close>) {
                if (ClientConnection* connection = find(what.conn)) connection->close(what.code, what.reason);
            } else if constexpr (std::is_same_v<What, act::Prepare> ||
                                 std::is_same_v<What, act::PrepareJoin>) {
                questions_.emplace_back(what);
            } else {
                note_state(what);
                news_.push_back(std::move(output));
            }
        },
        output);
}

/// States are true as soon as anybody can ask for them, handlers come later.
template <class News> void Driver::note_state(const News& news) {
    if (is_detached_) return;
    if constexpr (std::is_same_v<News, protocol::event::SocketChanged>) {
        core_->state = static_cast<phx::SocketState>(news.to);
    } else if constexpr (std::is_same_v<News, protocol::event::ChannelChanged>) {
        ChannelCore* const channel = find(news.channel);
        if (channel) channel->state = static_cast<phx::ChannelState>(news.to);
    }
}

void Driver::open(const protocol::act::Open& order) {
    connections_.push_back(std::make_unique<ClientConnection>(
        loop_, *this, order.conn,
        ClientConnection::Limits{setup_.max_message_bytes, setup_.max_buffered_bytes}));
    TunnelTarget target;
    target.url = *protocol::parse_url(order.target.url); // prepare_target() made it
    target.subprotocols = order.target.subprotocols;
    target.headers = setup_.headers;
    target.tls = setup_.tls;
    target.network = setup_.network;
    connections_.back()->open(std::move(target));
}

void Driver::run_handlers() {
    for (protocol::Output& output : news_) {
        std::visit([this](auto& what) { tell(what); }, output);
    }
    news_.clear();
}

void Driver::tap(Direction direction, Opcode opcode, std::string_view frame) {
    if (setup_.frame_tap && !is_detached_) core_->guard([&] { setup_.frame_tap(direction, opcode, frame); });
}

// ---- reports of connections

ClientConnection* Driver::find(protocol::ConnId id) noexcept {
    for (const auto& connection : connections_) {
        if (connection->id() == id) return connection.get();
    }
    return nullptr;
}

void Driver::connection_opened(protocol::ConnId id) {
    machine_.handle_open(loop_.now(), id);
    pump();
}

void Driver::connection_message(protocol::ConnId id, Opcode opcode, std::string_view message) {
    tap(Direction::to_client, opcode, message);
    machine_.handle_frame(loop_.now(), id, opcode, message);
    pump();
}

void Driver::connection_closed(protocol::ConnId id, protocol::CloseInfo info) {
    const auto found = std::find_if(connections_.begin(), connections_.end(),
                                    [id](const auto& connection) { return connection->id() == id; });
    // Its method is still running.
    loop_.post([connection = std::move(*found)] {});
    connections_.erase(found);
    machine_.handle_closed(loop_.now(), id, std::move(info));
    pump();
    leave_loop_when_done();
}

// ---- the end

void Driver::detach() {
    if (std::exchange(is_detached_, true)) return;
    core_->driver = nullptr;
    core_->begin_last_commands();
    core_->detach();
    for (const auto& [id, channel] : channels_) channel->clear_handlers(); // also of those being removed
    machine_.disconnect(loop_.now());
    pump();
    auto left = std::exchange(pushes_, {});
    for (const auto& [id, state] : left) state->finish(SocketCore::closed_error());
    core_->end_last_commands();
    leave_loop_when_done();
}

void Driver::leave_loop_when_done() {
    if (is_detached_ && connections_.empty()) loop_.remove_member(*this);
}

void Driver::loop_stopping() {
    detach();
    for (const auto& connection : connections_)
        connection->flush_now(); // the close frame, if the kernel takes it
    connections_.clear();
    loop_.remove_member(*this);
}

} // namespace phx::shell
