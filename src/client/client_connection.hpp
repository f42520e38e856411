#pragma once

#include "protocol/wire/websocket_machine.hpp"
#include "src/client/socket_connection.hpp"
#include "src/net/client_tunnel.hpp"

#include <optional>
#include <span>

namespace phx::shell {

/// One WebSocket connection: a tunnel of bytes with our framing on top.
class ClientConnection final : public SocketConnection, private ClientTunnel::Listener {
public:
    ClientConnection(LoopCore&, SocketConnection::Listener&, protocol::ConnId, Limits);

    void open(ConnectionTarget target) override { tunnel_.open(std::move(target)); }
    void send(Opcode, std::string_view message) override;
    void close(std::uint16_t code, std::string_view reason) override;
    void fail(Error why) override;
    std::size_t buffered_bytes() const override { return websocket_.output().size(); }
    void flush_now() override { tunnel_.flush_now(); }

private:
    void link_opened() override;
    void link_received(std::span<char> bytes) override;
    std::string_view link_output() override { return websocket_.output(); }
    void link_wrote(std::size_t bytes) override {
        websocket_.consume_output(bytes);
        listener_.connection_wrote(buffered_bytes());
    }
    void link_ended(LinkEnd) override;
    void handle_reports();
    void settle();

    protocol::WebSocketMachine websocket_;
    ClientTunnel tunnel_;
    LoopTimer timer_;
    bool is_open_ = false;
    std::optional<protocol::CloseInfo> closed_; // how, once the WebSocket is done
    std::optional<Error> failure_;              // why, if one side broke it
};

} // namespace phx::shell
