#include "tests/sim/virtual_socket.hpp"

#include <chrono>
#include <utility>
#include <variant>

namespace phx::sim {

using protocol::Opcode;
using protocol::WebSocketConfig;
using protocol::WebSocketRole;

namespace {

constexpr Duration close_timeout = std::chrono::seconds(5);

WebSocketConfig config_of(LinkId link, Side side) {
    WebSocketConfig config;
    config.role = side == Side::client ? WebSocketRole::client : WebSocketRole::server;
    config.close_timeout = close_timeout;
    config.mask_seed[0] = static_cast<std::uint32_t>(link);
    return config;
}

} // namespace

VirtualSocket::VirtualSocket(VirtualClock& clock, VirtualNetwork& network, LinkId link, Side side,
                             Framing framing, Listener& listener)
    : clock_(clock), network_(network), link_(link), side_(side), listener_(listener),
      timer_(clock, [this] { handle_timeout(); }) {
    if (framing == Framing::bytes) machine_.emplace(config_of(link, side));
}

void VirtualSocket::send(Opcode opcode, std::string_view message) {
    if (machine_) {
        (void)machine_->send(opcode, message);
        return flush();
    }
    const auto kind = opcode == Opcode::text ? Packet::Kind::text : Packet::Kind::binary;
    if (!is_closing_) network_.send(link_, side_, {kind, 0, std::string(message)});
}

void VirtualSocket::close(std::uint16_t code, std::string_view reason) {
    if (machine_) {
        (void)machine_->close(clock_.now(), code, reason);
        return flush();
    }
    if (std::exchange(is_closing_, true)) return;
    network_.send(link_, side_, {Packet::Kind::close, code, std::string(reason)});
    timer_.arm(protocol::after(clock_.now(), close_timeout));
}

void VirtualSocket::handle_packet(Packet& packet) {
    if (machine_) {
        machine_->feed(clock_.now(), packet.bytes);
        return poll();
    }
    if (packet.kind == Packet::Kind::close) return handle_close_frame(packet);
    const Opcode opcode = packet.kind == Packet::Kind::text ? Opcode::text : Opcode::binary;
    listener_.socket_message(link_, opcode, packet.bytes);
}

void VirtualSocket::handle_close_frame(Packet& packet) {
    if (!is_closing_) network_.send(link_, side_, {Packet::Kind::close, packet.code, {}});
    finish(packet.code, std::move(packet.bytes));
}

void VirtualSocket::handle_ended() {
    is_held_ = false;
    if (!machine_) return finish(1006, {});
    machine_->handle_eof(clock_.now());
    poll();
}

void VirtualSocket::handle_timeout() {
    if (!machine_) return finish(1006, {});
    machine_->handle_timeout(clock_.now());
    poll();
}

void VirtualSocket::poll() {
    while (const auto report = machine_->poll()) {
        if (const auto* message = std::get_if<protocol::websocket::Message>(&*report)) {
            listener_.socket_message(link_, message->kind, message->payload);
        } else if (const auto* closed = std::get_if<protocol::websocket::Closed>(&*report)) {
            flush();
            return finish(closed->code, std::string(closed->reason));
        }
    }
    flush();
}

void VirtualSocket::flush() {
    const std::string_view output = machine_->output();
    if (!output.empty()) {
        if (is_held_) network_.send(link_, side_, {Packet::Kind::bytes, 0, std::string(output)});
        machine_->consume_output(output.size());
    }
    timer_.arm(machine_->next_timeout());
}

void VirtualSocket::finish(std::uint16_t code, std::string reason) {
    timer_.arm({});
    if (std::exchange(is_held_, false)) network_.close(link_, side_);
    listener_.socket_closed(link_, code, std::move(reason));
}

} // namespace phx::sim
