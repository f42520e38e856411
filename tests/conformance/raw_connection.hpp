#pragma once

#include "protocol/wire/websocket_parser.hpp"
#include "tests/support/ws_client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::conformance {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// What a server sent on an upgraded connection; `ended` when it closed the TCP connection, `late` when
/// nothing came.
struct Received {
    enum class Kind : std::uint8_t { text, binary, ping, pong, close, broken, ended, late } kind = Kind::late;
    std::string payload = {}; ///< of a close: the reason; of broken: what was wrong with the frame
    std::uint16_t code = 0;   ///< of a close; 1005 if it had none
};

/// A blocking WebSocket client that takes whatever answer comes to its request, and can send what no proper
/// client would: fragments, close frames without a code.
class RawConnection {
public:
    explicit RawConnection(std::uint16_t port);

    /// Sends a request and reads the whole answer, except the frames after a 101.
    /// Host and Content-Length are added where they are missing and needed.
    test::HttpResponse request(std::string_view method, std::string_view target, const HttpHeaders& headers,
                               std::string_view body = {});
    /// A request with the headers of RFC 6455; it offers permessage-deflate, as the recorder's client did.
    test::HttpResponse upgrade(std::string_view target, HttpHeaders headers = {});

    enum class Fin : std::uint8_t { more, last };
    void send_frame(protocol::FrameOpcode opcode, std::string_view payload, Fin fin = Fin::last);
    /// Without a code: an empty close frame.
    void send_close(std::optional<std::uint16_t> code, std::string_view reason);
    /// Ends the TCP connection without a word.
    void drop() { tcp_.reset(); }

    /// The next message, control frame or end; waits for 10 s.
    Received receive();

private:
    void write(std::string_view bytes);

    test::TcpClient tcp_;
    std::string chunk_ = {}; // the parser works in it
    protocol::WebSocketParser parser_;
};

} // namespace phx::conformance
