#include "src/client/driver.hpp"

#include "src/client/duration.hpp"
#include "src/loop/random.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

namespace phx::shell {

protocol::BackoffConfig backoff_of(const Ladder& ladder) {
    protocol::BackoffConfig config;
    for (const Millis step : ladder.steps) config.steps.push_back(in_core(step));
    config.jitter = static_cast<protocol::Jitter>(ladder.jitter);
    return config;
}

namespace {

protocol::ClientConfig config_of(LoopCore& loop, const SocketSetup& setup) {
    protocol::ClientConfig config;
    config.ask_target = true;
    config.vsn = setup.vsn;
    std::array<std::uint64_t, 1> seed{};
    fill_random(loop, std::span(seed));
    config.seed = seed[0];
    config.timeout = in_core(setup.timeout);
    config.connect_timeout = in_core(setup.connect_timeout);
    config.heartbeat_interval = in_core(setup.heartbeat_interval);
    config.heartbeat_timeout = in_core(setup.heartbeat_timeout);
    config.stable_after = in_core(setup.retry.stable_after);
    config.first_connect = backoff_of(setup.retry.first_connect);
    config.reconnect = backoff_of(setup.retry.reconnect);
    config.channel.rejoin = backoff_of(setup.retry.rejoin);
    config.max_attempts = setup.retry.max_attempts;
    config.in_flight = static_cast<protocol::InFlight>(setup.in_flight);
    config.channel.max_buffered_pushes = setup.max_buffered_messages;
    config.limits.max_frame_bytes = setup.max_message_bytes;
    return config;
}

} // namespace

Driver::Driver(std::shared_ptr<SocketCore> core, std::string endpoint, SocketSetup setup)
    : loop_(core->loop()), core_(std::move(core)), endpoint_(std::move(endpoint)), setup_(std::move(setup)),
      machine_(config_of(loop_, setup_)), timer_(loop_,
                                                 [this] {
                                                     machine_.handle_timeout(loop_.now());
                                                     pump();
                                                 }),
      choice_({.transport = setup_.transport.transport,
               .fallback = setup_.transport.long_poll_fallback,
               .retry_websocket = setup_.transport.retry_websocket}),
      fallback_timer_(loop_, [this] { fall_back(); }), log_(std::move(setup_.logger), setup_.log_level) {}

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
    fallback_timer_.arm(choice_.next_timeout());
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
                send(what);
            } else if constexpr (std::is_same_v<What, act::Open>) {
                open(what);
            } else if constexpr (std::is_same_v<What, act::Close>) {
                if (SocketConnection* connection = find(what.conn)) connection->close(what.code, what.reason);
            } else if constexpr (std::is_same_v<What, act::Prepare> ||
                                 std::is_same_v<What, act::PrepareJoin>) {
                questions_.emplace_back(what);
            } else {
                note(what);
                news_.push_back(std::move(output));
            }
        },
        output);
}

void Driver::send(const protocol::act::Send& order) {
    note_frame(Direction::to_server, order.opcode, order.data);
    SocketConnection* const connection = find(order.conn);
    if (!connection) return;
    connection->send(order.opcode, order.data);
    constexpr std::size_t high_water_bytes = 64u << 10;
    const std::size_t waiting = connection->buffered_bytes();
    core_->counters.buffered_bytes.set(waiting);
    if (waiting > high_water_bytes) is_choked_ = true;
}

void Driver::run_handlers() {
    for (protocol::Output& output : news_) {
        std::visit([this](auto& what) { tell(what); }, output);
    }
    news_.clear();
    constexpr std::size_t max_kept_news = 4096; // a burst does not keep its memory
    if (news_.capacity() > max_kept_news) news_ = {};
}

void Driver::note_frame(Direction direction, Opcode opcode, std::string_view frame) {
    SocketCounters& counters = core_->counters;
    (direction == Direction::to_server ? counters.frames_sent : counters.frames_received).add();
    (direction == Direction::to_server ? counters.bytes_sent : counters.bytes_received).add(frame.size());
    if (core_->is_closed()) return;
    log_.frame(setup_.vsn, direction, opcode, frame);
    if (setup_.frame_tap) core_->guard([&] { setup_.frame_tap(direction, opcode, frame); });
}

// ---- reports of connections

SocketConnection* Driver::find(protocol::ConnId id) noexcept {
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
    note_frame(Direction::to_client, opcode, message);
    choice_.handle_message();
    machine_.handle_frame(loop_.now(), id, opcode, message);
    pump();
}

/// Inside a flush, where no handler may run.
void Driver::connection_wrote(std::size_t waiting) {
    core_->counters.buffered_bytes.set(waiting);
    if (waiting > 0 || !std::exchange(is_choked_, false)) return;
    loop_.post([core = core_] {
        core->notify(core->drained);
        core->schedule_commands();
    });
}

void Driver::connection_closed(protocol::ConnId id, protocol::CloseInfo info) {
    const auto found = std::find_if(connections_.begin(), connections_.end(),
                                    [id](const auto& connection) { return connection->id() == id; });
    // Its method is still running.
    loop_.post([connection = std::move(*found)] {});
    connections_.erase(found);
    if (connections_.empty()) core_->counters.buffered_bytes.set(0);
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
