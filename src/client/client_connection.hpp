#pragma once

#include "phx/options.hpp"
#include "protocol/client/outputs.hpp"
#include "protocol/wire/websocket_machine.hpp"
#include "src/net/client_tunnel.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace phx::shell {

/// One WebSocket connection: a tunnel of bytes with our framing on top. Loop thread only, one use.
class ClientConnection final : private ClientTunnel::Listener {
public:
    class Listener {
    public:
        virtual void connection_opened(protocol::ConnId) = 0;
        /// A whole message; it lives until this returns.
        virtual void connection_message(protocol::ConnId, Opcode, std::string_view) = 0;
        /// Bytes have left; `waiting` ones have not.
        virtual void connection_wrote(std::size_t waiting) = 0;
        /// Once, last, and never inside a call of the connection. It may destroy the connection.
        virtual void connection_closed(protocol::ConnId, protocol::CloseInfo) = 0;

    protected:
        ~Listener() = default;
    };

    struct Limits {
        std::size_t max_message_bytes = 0;
        std::size_t max_output_bytes = 0;
    };

    ClientConnection(LoopCore&, Listener&, protocol::ConnId, Limits);

    protocol::ConnId id() const noexcept { return id_; }
    void open(ConnectionTarget target) { tunnel_.open(std::move(target)); }
    /// A message; it leaves before the loop blocks. A peer that takes nothing until the output is full has
    /// lost us.
    void send(Opcode, std::string_view message);
    /// The closing handshake, or the end of an attempt.
    void close(std::uint16_t code, std::string_view reason);
    std::size_t buffered_bytes() const { return websocket_.output().size(); }
    /// Writes now what the kernel takes: for the last words before the loop ends.
    void flush_now() { tunnel_.flush_now(); }

private:
    void tunnel_opened() override;
    void tunnel_received(std::span<char> bytes) override;
    std::string_view tunnel_output() override { return websocket_.output(); }
    void tunnel_wrote(std::size_t bytes) override {
        websocket_.consume_output(bytes);
        listener_.connection_wrote(buffered_bytes());
    }
    void tunnel_ended(LinkEnd) override;
    void handle_reports();
    void settle();

    LoopCore& loop_;
    Listener& listener_;
    const protocol::ConnId id_;
    protocol::WebSocketMachine websocket_;
    ClientTunnel tunnel_;
    LoopTimer timer_;
    bool is_open_ = false;
    std::optional<protocol::CloseInfo> closed_; // how, once the WebSocket is done
    std::optional<Error> failure_;              // why, if one side broke it
};

} // namespace phx::shell
