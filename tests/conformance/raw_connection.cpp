#include "tests/conformance/raw_connection.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace phx::conformance {

using protocol::FrameOpcode;
using protocol::WebSocketEvent;

namespace {

constexpr std::chrono::seconds patience{10};

Received received(const WebSocketEvent& event) {
    using From = WebSocketEvent::Kind;
    using To = Received::Kind;
    To kind = To::broken;
    switch (event.kind) {
    case From::text: kind = To::text; break;
    case From::binary: kind = To::binary; break;
    case From::ping: kind = To::ping; break;
    case From::pong: kind = To::pong; break;
    case From::close: kind = To::close; break;
    case From::failure: break;
    }
    return Received{kind, std::string(event.payload), event.code};
}

bool has(const HttpHeaders& headers, std::string_view name) {
    return std::any_of(headers.begin(), headers.end(), [name](const auto& header) {
        return protocol::equals_ignoring_case(header.first, name);
    });
}

} // namespace

RawConnection::RawConnection(std::uint16_t port)
    : tcp_(port), parser_(protocol::WebSocketRole::client, 64u << 20) {}

void RawConnection::write(std::string_view bytes) {
    try {
        tcp_.send(bytes);
    } catch (const std::system_error& error) {
        // A server that refuses a message need not read the rest; what it said is still to be read.
        if (error.code().value() != EPIPE && error.code().value() != ECONNRESET) throw;
    }
}

test::HttpResponse RawConnection::request(std::string_view method, std::string_view target,
                                          const HttpHeaders& headers, std::string_view body) {
    std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n";
    if (!has(headers, "host")) text += "Host: 127.0.0.1\r\n";
    if (!body.empty() && !has(headers, "content-length"))
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
    write(text + "\r\n" + std::string(body));
    test::HttpResponse response = test::read_response(tcp_, chunk_);
    if (response.status == 101) parser_.feed(chunk_);
    return response;
}

test::HttpResponse RawConnection::upgrade(std::string_view target, HttpHeaders headers) {
    headers.insert(headers.end(),
                   {{"Upgrade", "websocket"},
                    {"Connection", "Upgrade"},
                    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                    {"Sec-WebSocket-Version", "13"},
                    {"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"}});
    return request("GET", target, headers);
}

void RawConnection::send_frame(FrameOpcode opcode, std::string_view payload, Fin fin) {
    constexpr unsigned fin_bit = 0x80;
    write(test::raw_frame(static_cast<unsigned>(opcode) | (fin == Fin::last ? fin_bit : 0u), payload));
}

void RawConnection::send_close(std::optional<std::uint16_t> code, std::string_view reason) {
    std::string payload;
    if (code) {
        payload += static_cast<char>(*code >> 8);
        payload += static_cast<char>(*code & 0xff);
        payload += reason;
    }
    send_frame(FrameOpcode::close, payload);
}

Received RawConnection::receive() {
    for (;;) {
        if (const auto event = parser_.next()) return received(*event);
        if (!tcp_.is_readable(patience)) return Received{};
        chunk_ = tcp_.receive();
        if (chunk_.empty()) return Received{Received::Kind::ended};
        parser_.feed(chunk_);
    }
}

} // namespace phx::conformance
