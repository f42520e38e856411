#include "protocol/client/client_state.hpp"

#include <utility>

namespace phx::protocol {
namespace {

std::string in_milliseconds(Duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

} // namespace

Error connection_error(const CloseInfo& info) {
    if (info.error) return *info.error;
    Error error = make_error(Errc::server_closed, "the server closed the connection", Origin::peer);
    if (info.code == 1006) error = make_error(Errc::disconnected, "the connection broke", Origin::transport);
    auto detail = std::make_shared<ErrorDetail>();
    detail->close_code = info.code;
    detail->close_reason = info.reason;
    error.detail = std::move(detail);
    return error;
}

ClientMachine::State::State(ClientConfig c)
    : config(std::move(c)), random(config.seed), retry(config),
      heartbeat(config.heartbeat_interval, config.heartbeat_timeout) {}

void ClientMachine::State::change_socket(SocketState to, std::optional<CloseInfo> why) {
    out.add(event::SocketChanged{std::exchange(state, to), to, std::move(why)});
}

void ClientMachine::State::connect(TimePoint now) {
    // phoenix.js 1.8.16 socket.js connect: while the old connection closes, the new one is opened at once.
    if (state == SocketState::idle || state == SocketState::closing) start_attempt(now);
}

void ClientMachine::State::start_attempt(TimePoint now) {
    ++conn;
    dialled = false;
    deadline = after(now, config.connect_timeout);
    change_socket(SocketState::connecting);
    if (config.ask_target) {
        out.add(act::Prepare{conn_id(), retry.attempt()});
    } else {
        dial(config.target);
    }
}

void ClientMachine::State::dial(Target target) {
    dialled = true;
    out.add(act::Open{conn_id(), std::move(target)});
}

void ClientMachine::State::handle_prepared(TimePoint now, ConnId id, Result<Target> target) {
    if (!is_current(id) || state != SocketState::connecting || dialled) return;
    if (target) return dial(*std::move(target));
    CloseInfo info;
    info.error = target.error();
    handle_failed(now, std::move(info));
}

void ClientMachine::State::handle_open(TimePoint now, ConnId id) {
    if (!is_current(id) || state != SocketState::connecting || !dialled) return;
    deadline.reset();
    retry.handle_open(now);
    heartbeat.start(now);
    change_socket(SocketState::open);
    for (ChannelMachine* channel : in_order()) {
        channel->reset_rejoin();
        if (channel->state() == ChannelState::errored) begin_join(now, *channel, channel->join_timeout());
        if (channel->state() == ChannelState::joining) go_on_joining(now, *channel);
    }
}

void ClientMachine::State::handle_closed(TimePoint now, ConnId id, CloseInfo info) {
    if (!is_current(id) || !dialled) return;
    switch (state) {
    case SocketState::connecting: return handle_failed(now, std::move(info));
    case SocketState::open: return handle_lost(now, std::move(info));
    default: deadline.reset(); return change_socket(SocketState::idle, std::move(info)); // closing
    }
}

// phoenix.js 1.8.16 reconnects after every close that this side did not start, whatever the code.
void ClientMachine::State::handle_lost(TimePoint now, CloseInfo info) {
    heartbeat.stop();
    deadline = after(now, retry.handle_lost(now, info, random));
    const Error why = connection_error(info);
    Error push =
        make_error(Errc::disconnected, "the connection was lost before the answer came", Origin::transport);
    push.detail = why.detail;
    change_socket(SocketState::waiting, std::move(info));
    end_channels(now, {why, push, Scope::sent});
}

void ClientMachine::State::handle_failed(TimePoint now, CloseInfo info) {
    if (const auto wait = retry.handle_failed(info, random)) {
        deadline = after(now, *wait);
        return change_socket(SocketState::waiting, std::move(info));
    }
    Error why = make_error(Errc::connect_failed, "no connection, and no attempt is left", Origin::transport);
    if (info.error) why.detail = info.error->detail;
    give_up(now, why, std::move(info));
}

void ClientMachine::State::give_up(TimePoint now, const Error& why, std::optional<CloseInfo> info) {
    retry.reset();
    deadline.reset();
    change_socket(SocketState::idle, std::move(info));
    end_channels(now, {why, why, Scope::everything});
}

void ClientMachine::State::disconnect(TimePoint now, std::uint16_t code, std::string_view reason) {
    heartbeat.stop();
    retry.reset();
    if (state == SocketState::open || (state == SocketState::connecting && dialled)) {
        out.add(act::Close{conn_id(), code, std::string(reason)});
        deadline = after(now, config.close_timeout);
        change_socket(SocketState::closing);
    } else if (state == SocketState::connecting || state == SocketState::waiting) {
        deadline.reset();
        change_socket(SocketState::idle);
    }
    const Error why = make_error(Errc::socket_closed, "the socket was disconnected by this program");
    end_channels(now, {why, why, Scope::everything});
}

void ClientMachine::State::reconnect_now(TimePoint now) {
    retry.reset();
    if (state == SocketState::waiting) start_attempt(now);
}

void ClientMachine::State::handle_connection_timeout(TimePoint now) {
    if (!deadline || *deadline > now) return;
    CloseInfo info;
    switch (state) {
    case SocketState::connecting:
        if (dialled) out.add(act::Close{conn_id(), 1000, "connect timeout"});
        info.error =
            make_error(Errc::connect_failed,
                       "no connection within " + in_milliseconds(config.connect_timeout), Origin::transport);
        return handle_failed(now, std::move(info));
    case SocketState::closing:
        deadline.reset();
        info.error = make_error(Errc::timeout, "the close was not answered", Origin::peer);
        return change_socket(SocketState::idle, std::move(info));
    default: return start_attempt(now); // waiting
    }
}

void ClientMachine::State::handle_heartbeat_timeout(TimePoint now) {
    switch (heartbeat.due(now)) {
    case Heartbeat::Due::nothing: return;
    case Heartbeat::Due::send:
        heartbeat.handle_sent(now, send_heartbeat());
        return out.add(event::HeartbeatChanged{HeartbeatStatus::sent, Duration{0}});
    case Heartbeat::Due::lost: break;
    }
    out.add(event::HeartbeatChanged{HeartbeatStatus::timeout, Duration{0}});
    // phoenix.js 1.8.16 socket.js heartbeatTimeout: does not wait until a peer that is gone has closed too.
    out.add(act::Close{conn_id(), 1000, "heartbeat timeout"});
    CloseInfo info;
    info.error = make_error(Errc::heartbeat_lost,
                            "no answer to a heartbeat within " + in_milliseconds(config.heartbeat_timeout),
                            Origin::transport);
    handle_lost(now, std::move(info));
}

} // namespace phx::protocol
