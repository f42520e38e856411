#pragma once

#include "protocol/wire/websocket_frame.hpp"
#include "protocol/wire/websocket_parser.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::test {

/// A blocking TCP connection to 127.0.0.1. What takes longer than ten seconds throws.
class TcpClient {
public:
    enum class ReceiveBuffer : std::uint8_t { normal, tiny };
    explicit TcpClient(std::uint16_t port, ReceiveBuffer = ReceiveBuffer::normal);
    ~TcpClient();
    TcpClient(TcpClient&&) noexcept;
    TcpClient& operator=(TcpClient&&) = delete;

    void send(std::string_view bytes);
    /// One byte per segment.
    void send_slowly(std::string_view bytes);
    /// Some bytes; none when the peer has ended the connection, or reset it.
    std::string receive();
    std::string receive_to_end();
    /// Whether receive() would not wait, now or within the time.
    bool is_readable(std::chrono::milliseconds within = {}) const;
    /// Ends the connection with RST.
    void reset();

private:
    TcpClient(); ///< not connected

    int descriptor_;
};

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< names in lower case
    std::string body = {};

    std::string header(std::string_view name) const; ///< empty if there is none
};

/// Reads one response with a Content-Length; `rest` gets what came after it.
HttpResponse read_response(TcpClient&, std::string& rest, bool has_body = true);
/// One request on a connection of its own: `head` is the request line and headers without the last empty
/// line.
HttpResponse request(std::uint16_t port, std::string_view head, std::string_view body = {});
std::string upgrade_head(std::string_view path, std::string_view extra_headers = {});

/// What the server sent.
struct ServerFrame {
    protocol::FrameOpcode opcode = protocol::FrameOpcode::text;
    std::string payload = {};
    std::uint16_t code = 0; ///< of a close: 1005 if it had none

    bool is_close(std::uint16_t expected) const {
        return opcode == protocol::FrameOpcode::close && code == expected;
    }
};

/// A blocking WebSocket client on the framing of protocol/wire. Throws when the server does not do what is
/// waited for.
class WsClient {
public:
    static constexpr std::string_view v1 = "/socket/websocket?vsn=1.0.0";
    static constexpr std::string_view v2 = "/socket/websocket?vsn=2.0.0";
    static constexpr std::string_view supabase_v2 = "/realtime/v1/websocket?vsn=2.0.0";

    explicit WsClient(std::uint16_t port, std::string_view path = v2, std::string_view extra_headers = {},
                      TcpClient::ReceiveBuffer = TcpClient::ReceiveBuffer::normal);

    void send(std::string_view text) { send_frame(protocol::FrameOpcode::text, text); }
    void send_binary(std::string_view bytes) { send_frame(protocol::FrameOpcode::binary, bytes); }
    void send_frame(protocol::FrameOpcode, std::string_view payload);
    void ping(std::string_view payload = {}) { send_frame(protocol::FrameOpcode::ping, payload); }
    void close(std::uint16_t code, std::string_view reason = {});
    /// Anything, as it is.
    TcpClient& tcp() { return tcp_; }

    /// The next frame, control frames too.
    ServerFrame receive();
    /// The payload of the next frame, which is text.
    std::string receive_text();
    /// Sends and gives what comes next.
    std::string call(std::string_view text);
    /// The next frame that is a close; throws if the connection ends without one.
    ServerFrame receive_until_close();
    /// Whether the server ends the connection without another frame.
    bool ends();

    const HttpResponse& response() const { return response_; }

private:
    TcpClient tcp_;
    HttpResponse response_;
    protocol::WebSocketParser parser_;
    protocol::FrameWriter writer_;
    std::string chunk_;
};

/// A masked frame as a client sends it; `first_byte` is FIN, RSV and opcode.
std::string raw_frame(unsigned first_byte, std::string_view payload);

} // namespace phx::test
