#include "src/client/client_connection.hpp"

#include "src/loop/random.hpp"

#include <type_traits>
#include <utility>
#include <variant>

namespace phx::shell {
namespace {

protocol::WebSocketConfig config_of(LoopCore& loop, ClientConnection::Limits limits) {
    protocol::WebSocketConfig config;
    config.role = protocol::WebSocketRole::client;
    config.max_message_bytes = limits.max_message_bytes;
    config.max_output_bytes = limits.max_output_bytes;
    fill_random(loop, std::span(config.mask_seed));
    return config;
}

} // namespace

ClientConnection::ClientConnection(LoopCore& loop, SocketConnection::Listener& listener, protocol::ConnId id,
                                   Limits limits)
    : SocketConnection(loop, listener, id), websocket_(config_of(loop, limits)), tunnel_(loop, *this),
      timer_(loop, [this] {
          websocket_.handle_timeout(loop_.now());
          handle_reports();
      }) {}

void ClientConnection::send(Opcode opcode, std::string_view message) {
    const auto sent = websocket_.send(opcode, message);
    if (sent) return tunnel_.write_later();
    if (sent.error().code != Errc::buffer_full || failure_) return; // after close() there is nothing to send
    fail(output_full_error());
}

void ClientConnection::fail(Error why) {
    failure_ = std::move(why);
    tunnel_.abort();
}

void ClientConnection::close(std::uint16_t code, std::string_view reason) {
    if (!is_open_) return tunnel_.abort();
    // A code or a reason that may not be sent must not keep the connection open.
    if (!websocket_.close(loop_.now(), code, reason)) (void)websocket_.close(loop_.now());
    handle_reports();
}

void ClientConnection::link_opened() {
    is_open_ = true;
    listener_.connection_opened(id());
    settle();
}

void ClientConnection::link_received(std::span<char> bytes) {
    websocket_.feed(loop_.now(), bytes);
    handle_reports();
}

void ClientConnection::handle_reports() {
    while (auto report = websocket_.poll()) {
        std::visit(
            [this](auto& what) {
                using What = std::decay_t<decltype(what)>;
                if constexpr (std::is_same_v<What, protocol::websocket::Message>) {
                    listener_.connection_message(id(), what.kind, what.payload);
                } else if constexpr (std::is_same_v<What, protocol::websocket::Failed>) {
                    failure_ = protocol::websocket_error(what.code, what.message);
                } else if constexpr (std::is_same_v<What, protocol::websocket::Closed>) {
                    closed_ = protocol::CloseInfo{.code = what.code, .reason = std::string(what.reason)};
                    if (what.ending == protocol::websocket::Ending::clean) {
                        tunnel_.close_after_output();
                    } else {
                        tunnel_.abort();
                    }
                }
            },
            *report);
    }
    settle();
}

void ClientConnection::settle() {
    if (!websocket_.output().empty()) tunnel_.write_later();
    timer_.arm(websocket_.next_timeout());
}

void ClientConnection::link_ended(LinkEnd end) {
    timer_.arm({});
    if (is_open_ && !closed_) {
        websocket_.handle_eof(loop_.now());
        handle_reports();
    }
    protocol::CloseInfo info = closed_.value_or(protocol::CloseInfo{});
    info.error = end.error ? std::move(end.error) : std::move(failure_);
    info.retry_after = end.retry_after;
    listener_.connection_closed(id(), std::move(info));
}

} // namespace phx::shell
