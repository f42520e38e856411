#include "bench/server/connections.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t buffer_bytes = 4u << 20;
constexpr std::size_t connections_per_address = 10'000;

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

sockaddr_in loopback(std::size_t host, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(INADDR_LOOPBACK + host));
    return address;
}

} // namespace

int connect_to(int port, std::size_t number) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const sockaddr_in from = loopback(number / connections_per_address, 0);
    const sockaddr_in to = loopback(0, port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) fail("bind");
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect");
    return fd;
}

Connections::Connections(int port)
    : port_(port), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(buffer_bytes) {
    if (epoll_ < 0) fail("epoll_create1");
}

Connections::~Connections() {
    for (const Connection& each : all_) close(each.fd);
    close(epoll_);
}

void Connections::start(std::string join) {
    Connection connection;
    connection.fd = connect_to(port_, all_.size());
    connection.join = std::move(join);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = all_.size();
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) fail("epoll_ctl");
    all_.push_back(std::move(connection));
    send(all_.size() - 1, upgrade_request);
}

void Connections::send(std::size_t number, std::string_view frames) {
    while (!frames.empty()) {
        const ssize_t n = ::send(all_[number].fd, frames.data(), frames.size(), MSG_NOSIGNAL);
        if (n <= 0) fail("send");
        frames.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string_view Connections::receive(std::size_t number) {
    Connection& connection = all_[number];
    const std::size_t kept = connection.partial.size();
    if (kept == buffer_.size()) throw std::runtime_error("a frame is larger than the buffer");
    std::memcpy(buffer_.data(), connection.partial.data(), kept);
    const ssize_t n = recv(connection.fd, buffer_.data() + kept, buffer_.size() - kept, MSG_DONTWAIT);
    if (n == 0) throw std::runtime_error("the server ended a connection");
    if (n < 0) fail("recv");
    std::string_view bytes(buffer_.data(), kept + static_cast<std::size_t>(n));
    if (connection.is_upgraded) return bytes;
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) throw std::runtime_error("the answer to the upgrade came in pieces");
    if (!bytes.starts_with("HTTP/1.1 101")) throw std::runtime_error("the upgrade was refused");
    connection.is_upgraded = true;
    send(number, std::exchange(connection.join, {}));
    return bytes.substr(end + 4);
}

bool Connections::is_reply(std::string_view text) {
    if (text.find("\"phx_reply\"") == text.npos) return false;
    if (text.find("\"status\":\"ok\"") == text.npos)
        throw std::runtime_error("refused: " + std::string(text.substr(0, 200)));
    return true;
}
