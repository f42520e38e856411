#pragma once

#include "phx/protocol/frame.hpp"
#include "protocol/wire/websocket_machine.hpp"
#include "src/testing/virtual_network.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phx::sim {

/// How a WebSocket travels: as whole messages, which is fast, or as the bytes of RFC 6455.
enum class Framing : std::uint8_t { messages, bytes };

/// One end of a WebSocket over an open link. With Framing::messages it goes on reporting messages after
/// close(), which the contract allows and the machines have to ignore.
class VirtualSocket {
public:
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void socket_message(LinkId, protocol::Opcode, std::string_view) = 0;
        /// Exactly once, unless the owner destroys the socket before. It may be destroyed in this call.
        virtual void socket_closed(LinkId, std::uint16_t code, std::string reason) = 0;
    };

    VirtualSocket(VirtualClock&, VirtualNetwork&, LinkId, Side, Framing, Listener&);

    void send(protocol::Opcode, std::string_view);
    /// Starts the closing handshake; socket_closed() follows, at the latest after five seconds.
    void close(std::uint16_t code, std::string_view reason);

    // ---- reports of the link
    void handle_packet(Packet&);
    void handle_ended();

private:
    void handle_close_frame(Packet&);
    void handle_timeout();
    void poll();
    void flush();
    void finish(std::uint16_t code, std::string reason);

    VirtualClock& clock_;
    VirtualNetwork& network_;
    LinkId link_;
    Side side_;
    Listener& listener_;
    std::optional<protocol::WebSocketMachine> machine_; ///< Framing::bytes
    VirtualTimer timer_;
    bool is_closing_ = false; ///< Framing::messages: our close frame is out
    bool is_held_ = true;     ///< our end of the link
};

} // namespace phx::sim
