#include "tests/support/ws_client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <system_error>
#include <unistd.h>

namespace phx::test {
namespace {

using protocol::FrameOpcode;
using protocol::WebSocketEvent;

constexpr std::size_t max_message_bytes = 64u << 20;
constexpr protocol::MaskKey some_mask = 0x04030201;

[[noreturn]] void fail_with(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

FrameOpcode opcode_of(WebSocketEvent::Kind kind) {
    switch (kind) {
    case WebSocketEvent::Kind::text: return FrameOpcode::text;
    case WebSocketEvent::Kind::binary: return FrameOpcode::binary;
    case WebSocketEvent::Kind::ping: return FrameOpcode::ping;
    case WebSocketEvent::Kind::pong: return FrameOpcode::pong;
    case WebSocketEvent::Kind::close: return FrameOpcode::close;
    case WebSocketEvent::Kind::failure: break;
    }
    throw std::runtime_error("the server broke the WebSocket protocol");
}

} // namespace

// ---- TcpClient

TcpClient::TcpClient() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (descriptor_ < 0) fail_with("socket");
    const timeval patience{10, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// What throws here still ends the socket.
TcpClient::TcpClient(std::uint16_t port, ReceiveBuffer buffer) : TcpClient() {
    if (buffer == ReceiveBuffer::tiny) {
        const int bytes = 4096;
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail_with("connect");
}

TcpClient::TcpClient(TcpClient&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

TcpClient::~TcpClient() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void TcpClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) fail_with("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void TcpClient::send_slowly(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) send(bytes.substr(i, 1));
}

std::string TcpClient::receive() {
    std::string bytes(64u << 10, '\0');
    const ssize_t received = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    if (received < 0 && errno != ECONNRESET) fail_with("recv");
    bytes.resize(received < 0 ? 0 : static_cast<std::size_t>(received));
    return bytes;
}

std::string TcpClient::receive_to_end() {
    std::string all;
    for (std::string some = receive(); !some.empty(); some = receive()) all += some;
    return all;
}

bool TcpClient::is_readable(std::chrono::milliseconds within) const {
    pollfd entry{descriptor_, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(within.count())) == 1;
}

void TcpClient::reset() {
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(std::exchange(descriptor_, -1));
}

// ---- HTTP

std::string HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return {};
}

HttpResponse read_response(TcpClient& tcp, std::string& rest, bool has_body) {
    const auto receive_more = [&] {
        const std::string some = tcp.receive();
        if (some.empty()) throw std::runtime_error("the connection ended inside of an HTTP response");
        rest += some;
    };
    while (rest.find("\r\n\r\n") == std::string::npos) receive_more();
    HttpResponse response;
    if (!rest.starts_with("HTTP/1.1 ")) throw std::runtime_error("no HTTP response");
    response.status = std::stoi(rest.substr(9, 3));
    std::size_t at = rest.find("\r\n") + 2;
    for (std::size_t end = rest.find("\r\n", at); end != at; at = end + 2, end = rest.find("\r\n", at)) {
        const std::string line = rest.substr(at, end - at);
        const std::size_t colon = line.find(": ");
        std::string name = line.substr(0, colon);
        std::transform(name.begin(), name.end(), name.begin(),
                       [](char c) { return static_cast<char>(::tolower(c)); });
        response.headers.emplace_back(std::move(name), line.substr(colon + 2));
    }
    rest.erase(0, at + 2);
    const std::string length = response.header("content-length");
    const std::size_t bytes = has_body && !length.empty() ? std::stoul(length) : 0;
    while (rest.size() < bytes) receive_more();
    response.body = rest.substr(0, bytes);
    rest.erase(0, bytes);
    return response;
}

HttpResponse request(std::uint16_t port, std::string_view head, std::string_view body) {
    TcpClient tcp(port);
    tcp.send(std::string(head) + "\r\nhost: test\r\n\r\n" + std::string(body));
    std::string rest;
    return read_response(tcp, rest, !head.starts_with("HEAD"));
}

std::string upgrade_head(std::string_view path, std::string_view extra_headers) {
    return "GET " + std::string(path) +
           " HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: "
           "13\r\n"
           "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           std::string(extra_headers) + "\r\n";
}

// ---- WsClient

WsClient::WsClient(std::uint16_t port, std::string_view path, std::string_view extra_headers,
                   TcpClient::ReceiveBuffer buffer)
    : tcp_(port, buffer), parser_(protocol::WebSocketRole::client, max_message_bytes),
      writer_(protocol::WebSocketRole::client) {
    tcp_.send(upgrade_head(path, extra_headers));
    response_ = read_response(tcp_, chunk_);
    if (response_.status != 101) {
        throw std::runtime_error("upgrade refused: " + std::to_string(response_.status) + " " +
                                 response_.body);
    }
    if (response_.header("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") { // RFC 6455 section 1.3
        throw std::runtime_error("wrong Sec-WebSocket-Accept");
    }
    parser_.feed(chunk_);
}

void WsClient::send_frame(FrameOpcode opcode, std::string_view payload) {
    std::string bytes;
    writer_.append(bytes, opcode, payload);
    tcp_.send(bytes);
}

void WsClient::close(std::uint16_t code, std::string_view reason) {
    std::string bytes;
    writer_.append_close(bytes, code, reason);
    tcp_.send(bytes);
}

ServerFrame WsClient::receive() {
    for (;;) {
        if (const auto event = parser_.next()) {
            return {opcode_of(event->kind), std::string(event->payload), event->code};
        }
        chunk_ = tcp_.receive();
        if (chunk_.empty()) throw std::runtime_error("the server ended the connection");
        parser_.feed(chunk_);
    }
}

std::string WsClient::receive_text() {
    ServerFrame frame = receive();
    if (frame.opcode != FrameOpcode::text) {
        throw std::runtime_error("no text frame but opcode " +
                                 std::to_string(static_cast<int>(frame.opcode)) + ", close code " +
                                 std::to_string(frame.code));
    }
    return std::move(frame.payload);
}

std::string WsClient::call(std::string_view text) {
    send(text);
    return receive_text();
}

ServerFrame WsClient::receive_until_close() {
    for (;;) {
        ServerFrame frame = receive();
        if (frame.opcode == FrameOpcode::close) return frame;
    }
}

bool WsClient::ends() { return !parser_.next() && tcp_.receive().empty(); }

std::string raw_frame(unsigned first_byte, std::string_view payload) {
    std::string bytes;
    protocol::append_masked_frame(bytes, FrameOpcode::text, payload, some_mask);
    bytes[0] = static_cast<char>(first_byte);
    return bytes;
}

} // namespace phx::test
