#include "protocol/client/client_machine.hpp"

#include "protocol/client/client_state.hpp"

#include <algorithm>
#include <utility>

namespace phx::protocol {
namespace {

Error dead_channel() { return make_error(Errc::channel_closed, "the channel was removed"); }

} // namespace

ClientMachine::ClientMachine(ClientConfig config) : state_(std::make_unique<State>(std::move(config))) {}
ClientMachine::~ClientMachine() = default;
ClientMachine::ClientMachine(ClientMachine&&) noexcept = default;
ClientMachine& ClientMachine::operator=(ClientMachine&&) noexcept = default;

void ClientMachine::connect(TimePoint now) {
    state_->out.begin();
    state_->connect(now);
}

void ClientMachine::disconnect(TimePoint now, std::uint16_t code, std::string_view reason) {
    state_->out.begin();
    state_->disconnect(now, code, reason);
}

void ClientMachine::reconnect_now(TimePoint now) {
    state_->out.begin();
    state_->reconnect_now(now);
}

void ClientMachine::skip_wait(TimePoint now) {
    state_->out.begin();
    if (state_->state == SocketState::waiting) state_->start_attempt(now);
}

void ClientMachine::give_up(TimePoint now, const Error& why) {
    state_->out.begin();
    if (state_->state == SocketState::waiting) state_->give_up(now, why);
}

ChannelId ClientMachine::add_channel(std::string topic, std::string join_json,
                                     const std::optional<ChannelConfig>& config) {
    state_->out.begin();
    return state_->add_channel(std::move(topic), JoinParams::given, std::move(join_json), config);
}

ChannelId ClientMachine::add_asking_channel(std::string topic, const std::optional<ChannelConfig>& config) {
    state_->out.begin();
    return state_->add_channel(std::move(topic), JoinParams::asked, {}, config);
}

void ClientMachine::set_join_payload(ChannelId id, std::string join_json) {
    state_->out.begin();
    if (ChannelMachine* channel = state_->find(id)) state_->set_join_payload(*channel, std::move(join_json));
}

void ClientMachine::remove_channel(TimePoint now, ChannelId id) {
    state_->out.begin();
    if (ChannelMachine* channel = state_->find(id)) state_->remove_channel(now, *channel);
}

PushId ClientMachine::join(TimePoint now, ChannelId id, Duration timeout) {
    state_->out.begin();
    ChannelMachine* channel = state_->find(id);
    return channel ? state_->join(now, *channel, timeout) : state_->fail_now(dead_channel());
}

PushId ClientMachine::push(TimePoint now, ChannelId id, std::string_view event, Opcode kind,
                           std::string_view payload, Duration timeout) {
    return push(now, id, {event, kind, payload}, Expects::reply, timeout);
}

PushId ClientMachine::push(TimePoint now, ChannelId id, const PushContent& content, Expects expects,
                           Duration timeout) {
    state_->out.begin();
    ChannelMachine* channel = state_->find(id);
    return channel ? state_->push(now, *channel, content, expects, timeout)
                   : state_->fail_now(dead_channel());
}

Result<void> ClientMachine::send(TimePoint now, ChannelId id, std::string_view event, Opcode kind,
                                 std::string_view payload) {
    state_->out.begin();
    ChannelMachine* channel = state_->find(id);
    if (channel == nullptr) return Failure{dead_channel()};
    return state_->send(now, *channel, {event, kind, payload});
}

PushId ClientMachine::leave(TimePoint now, ChannelId id, Duration timeout) {
    state_->out.begin();
    ChannelMachine* channel = state_->find(id);
    return channel ? state_->leave(now, *channel, timeout) : state_->fail_now(dead_channel());
}

void ClientMachine::give_up(TimePoint now, ChannelId id, const Error& why) {
    state_->out.begin();
    if (ChannelMachine* channel = state_->find(id)) state_->give_up(now, *channel, why);
}

PushId ClientMachine::ping(TimePoint now, Duration timeout) {
    state_->out.begin();
    return state_->ping(now, timeout);
}

void ClientMachine::cancel(TimePoint, PushId id) {
    state_->out.begin();
    state_->cancel(id);
}

void ClientMachine::handle_prepared(TimePoint now, ConnId conn, Result<Target> target) {
    state_->out.begin();
    state_->handle_prepared(now, conn, std::move(target));
}

void ClientMachine::handle_join_payload(TimePoint now, ChannelId id, Result<std::string> json) {
    state_->out.begin();
    if (ChannelMachine* channel = state_->find(id))
        state_->handle_join_payload(now, *channel, std::move(json));
}

void ClientMachine::handle_open(TimePoint now, ConnId conn) {
    state_->out.begin();
    state_->handle_open(now, conn);
}

void ClientMachine::handle_frame(TimePoint now, ConnId conn, Opcode opcode, std::string_view data) {
    state_->out.begin();
    if (state_->is_open() && state_->is_current(conn)) state_->handle_frame(now, opcode, data);
}

void ClientMachine::handle_closed(TimePoint now, ConnId conn, CloseInfo info) {
    state_->out.begin();
    state_->handle_closed(now, conn, std::move(info));
}

void ClientMachine::handle_timeout(TimePoint now) {
    state_->out.begin();
    // First what the others may follow from: a join that waits for a connection fails with the connection.
    state_->handle_connection_timeout(now);
    state_->handle_push_timeouts(now);
    state_->handle_heartbeat_timeout(now);
    state_->handle_rejoins(now);
}

std::optional<TimePoint> ClientMachine::next_timeout() const {
    const State& s = *state_;
    TimePoint next = TimePoint::max();
    for (const auto& due :
         {s.deadline, s.heartbeat.next_timeout(), s.pushes.next_timeout(), s.rejoins.next()}) {
        next = std::min(next, due.value_or(next));
    }
    return next == TimePoint::max() ? std::nullopt : std::optional(next);
}

std::optional<Output> ClientMachine::poll() { return state_->out.poll(); }

SocketState ClientMachine::state() const noexcept { return state_->state; }

std::optional<TimePoint> ClientMachine::next_attempt() const noexcept {
    return state_->state == SocketState::waiting ? state_->deadline : std::nullopt;
}

ChannelState ClientMachine::channel_state(ChannelId id) const noexcept {
    const ChannelMachine* channel = state_->find(id);
    return channel ? channel->state() : ChannelState::closed;
}

std::string_view ClientMachine::topic(ChannelId id) const noexcept {
    const ChannelMachine* channel = state_->find(id);
    return channel ? std::string_view(channel->topic()) : std::string_view();
}

} // namespace phx::protocol
