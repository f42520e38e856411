#include "tests/support/scripted_server.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace phx::test {
namespace {

constexpr int deadline_ms = 60'000;

[[noreturn]] void give_up(const std::string& what) { throw std::runtime_error("scripted server: " + what); }

void wait_readable(int fd, const char* what) {
    pollfd entry{fd, POLLIN, 0};
    if (poll(&entry, 1, deadline_ms) <= 0) give_up(std::string("nothing came while waiting for ") + what);
}

template <class Address> int listen_on_free_port(Address address, int& port) {
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const int fd = socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) give_up("socket");
    socklen_t size = sizeof address;
    if (bind(fd, generic, size) != 0 || listen(fd, 64) != 0 || getsockname(fd, generic, &size) != 0) {
        const std::string why = std::strerror(errno);
        ::close(fd);
        give_up(why);
    }
    if constexpr (std::is_same_v<Address, sockaddr_in6>) {
        port = ntohs(address.sin6_port);
    } else {
        port = ntohs(address.sin_port);
    }
    return fd;
}

int listen_on_free_port(int& port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return listen_on_free_port(address, port);
}

int listen_on_free_port_of_ipv6(int& port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    return listen_on_free_port(address, port);
}

} // namespace

// ---- Peer

Peer::Peer(Peer&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ssl_(std::exchange(other.ssl_, nullptr)),
      buffer_(std::move(other.buffer_)), reads_(other.reads_) {}

Peer::~Peer() { close(); }

void Peer::close() {
    if (ssl_) SSL_free(std::exchange(ssl_, nullptr));
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Peer::reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
}

void Peer::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n =
            ssl_ ? static_cast<ssize_t>(SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())))
                 : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) give_up("the client takes no bytes");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

bool Peer::fill() {
    if (!ssl_ || SSL_pending(ssl_) == 0) wait_readable(fd_, "bytes");
    std::array<char, 65536> chunk;
    const auto n = ssl_ ? static_cast<ssize_t>(SSL_read(ssl_, chunk.data(), static_cast<int>(chunk.size())))
                        : ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (n <= 0) return false;
    ++reads_;
    buffer_.append(chunk.data(), static_cast<std::size_t>(n));
    return true;
}

std::string Peer::address() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    std::array<char, NI_MAXHOST> text{};
    if (getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
        give_up("the client has no address");
    }
    return text.data();
}

void Peer::wait_for_bytes() { wait_readable(fd_, "bytes"); }

std::string Peer::read_some() {
    if (buffer_.empty()) fill();
    return std::exchange(buffer_, {});
}

bool Peer::wait_for_end() {
    while (fill()) buffer_.clear();
    return true;
}

std::optional<std::string> Peer::try_read_request() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == buffer_.npos) {
        if (!fill()) return std::nullopt;
    }
    return read_exactly(end + 4);
}

std::string Peer::read_request() {
    auto head = try_read_request();
    if (!head) give_up("the client closed before its request was complete");
    return *std::move(head);
}

std::string Peer::read_exactly(std::size_t bytes) {
    while (buffer_.size() < bytes) {
        if (!fill()) give_up("the client closed too early");
    }
    std::string result = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return result;
}

std::string Peer::header_of(std::string_view request, std::string_view name) {
    const std::string start = "\r\n" + std::string(name) + ": ";
    const std::size_t at = request.find(start);
    if (at == request.npos) return {};
    const std::size_t begin = at + start.size();
    return std::string(request.substr(begin, request.find("\r\n", begin) - begin));
}

std::string Peer::accept_of(std::string_view request) {
    const std::string text = header_of(request, "Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    std::array<unsigned char, 64> encoded{};
    const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
    return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::string Peer::upgrade(std::string_view extra_headers) {
    std::string request = read_request();
    write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
          "Upgrade\r\nSec-WebSocket-Accept: " +
          accept_of(request) + "\r\n" + std::string(extra_headers) + "\r\n");
    return request;
}

WsFrame Peer::receive() {
    auto need = [this](std::size_t bytes) {
        while (buffer_.size() < bytes) {
            if (!fill()) give_up("the client closed inside or before a frame");
        }
    };
    auto byte = [this](std::size_t at) { return static_cast<unsigned char>(buffer_[at]); };
    need(2);
    if ((byte(1) & 0x80) == 0) give_up("the client sent an unmasked frame");
    std::size_t size = byte(1) & 0x7f;
    std::size_t header = 2;
    const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
    need(header + extra + 4);
    if (extra != 0) {
        size = 0;
        for (std::size_t i = 0; i < extra; ++i) size = size << 8 | byte(header + i);
        header += extra;
    }
    need(header + 4 + size);
    WsFrame frame;
    frame.opcode = byte(0) & 0x0f;
    frame.payload = buffer_.substr(header + 4, size);
    for (std::size_t i = 0; i < size; ++i) {
        frame.payload[i] =
            static_cast<char>(static_cast<unsigned char>(frame.payload[i]) ^ byte(header + i % 4));
    }
    buffer_.erase(0, header + 4 + size);
    return frame;
}

std::string Peer::frame(int opcode, std::string_view payload) {
    std::string bytes;
    bytes += static_cast<char>(0x80 | opcode);
    const std::size_t extra = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
    bytes += static_cast<char>(extra == 0 ? payload.size() : extra == 2 ? 126u : 127u);
    for (std::size_t i = extra; i > 0; --i)
        bytes += static_cast<char>(payload.size() >> (8 * (i - 1)) & 0xff);
    return bytes += payload;
}

void Peer::send(int opcode, std::string_view payload) { write(frame(opcode, payload)); }

void Peer::send_close(std::uint16_t code, std::string_view reason) {
    std::string payload;
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xff);
    send(8, payload += reason);
}

PhxFrame Peer::receive_phx() {
    const WsFrame message = receive();
    if (message.opcode != 1) give_up("expected a text frame, got opcode " + std::to_string(message.opcode));
    const json array = json::parse(message.payload);
    return {array.at(0), array.at(1), array.at(2), array.at(3), array.at(4)};
}

PhxFrame Peer::expect(std::string_view event) {
    PhxFrame frame = receive_phx();
    if (frame.event != event) give_up("expected " + std::string(event) + ", got " + frame.event);
    return frame;
}

void Peer::send_phx(const json& join_ref, const json& ref, std::string_view topic, std::string_view event,
                    const json& payload) {
    send(1, json::array({join_ref, ref, topic, event, payload}).dump());
}

void Peer::reply(const PhxFrame& to, std::string_view status, const json& response) {
    send_phx(to.join_ref, to.ref, to.topic, "phx_reply", {{"status", status}, {"response", response}});
}

PhxFrame Peer::accept_join(const json& response) {
    PhxFrame join = expect("phx_join");
    reply(join, "ok", response);
    return join;
}

// ---- ScriptedServer

ScriptedServer::ScriptedServer(const std::string& cert_file, const std::string& key_file, Family family) {
    listener_ = family == Family::v6 ? listen_on_free_port_of_ipv6(port_) : listen_on_free_port(port_);
    use_tls(cert_file, key_file);
}

ScriptedServer::ScriptedServer(const UnixSocket& at, const std::string& cert_file,
                               const std::string& key_file) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    at.path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 64) != 0) {
        give_up(std::strerror(errno));
    }
    use_tls(cert_file, key_file);
}

void ScriptedServer::use_tls(const std::string& cert_file, const std::string& key_file) {
    if (cert_file.empty()) return;
    tls_ = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(tls_, cert_file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        give_up("cannot use the certificate");
    }
}

ScriptedServer::~ScriptedServer() {
    if (tls_) SSL_CTX_free(tls_);
    ::close(listener_);
}

std::string ScriptedServer::url(std::string_view host) const {
    return std::string(tls_ ? "wss://" : "ws://") + std::string(host) + ':' + std::to_string(port_) +
           "/socket";
}

Peer ScriptedServer::accept(const std::function<void()>& before_answer) {
    wait_readable(listener_, "a connection");
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) give_up(std::strerror(errno));
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval limit{deadline_ms / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (before_answer) {
        wait_readable(fd, "the first words of the client");
        before_answer();
    }
    if (!tls_) return Peer(fd, nullptr);
    SSL* const ssl = SSL_new(tls_);
    SSL_set_fd(ssl, fd);
    Peer peer(fd, ssl);
    if (SSL_accept(ssl) != 1) {
        ERR_clear_error();
        give_up("the TLS handshake failed");
    }
    return peer;
}

Peer ScriptedServer::accept_upgraded() {
    Peer peer = accept();
    peer.upgrade();
    return peer;
}

int unused_port() {
    int port = 0;
    ::close(listen_on_free_port(port));
    return port;
}

} // namespace phx::test
