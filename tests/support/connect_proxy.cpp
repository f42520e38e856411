#include "tests/support/connect_proxy.hpp"

#include <array>
#include <chrono>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace phx::test {
namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

int tcp_socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// False at the end.
bool pass_on(int from, int to) {
    std::array<char, 65536> chunk;
    const auto count = ::recv(from, chunk.data(), chunk.size(), 0);
    return count > 0 && send_all(to, {chunk.data(), static_cast<std::size_t>(count)});
}

} // namespace

ConnectProxy::ConnectProxy(int target_port) : target_port_(target_port) {
    sockaddr_in address = loopback(0);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    listener_ = tcp_socket();
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
        throw std::runtime_error("the proxy cannot listen");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
}

ConnectProxy::~ConnectProxy() {
    ::shutdown(listener_, SHUT_RDWR); // ends accept()
    thread_.join();
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    for (std::thread& relay : relays_) relay.join();
    for (const int socket : sockets_) ::close(socket);
    ::close(listener_);
}

std::string ConnectProxy::url(std::string_view credentials) const {
    const std::string user = credentials.empty() ? std::string() : std::string(credentials) + '@';
    return "http://" + user + "127.0.0.1:" + std::to_string(port_);
}

std::vector<std::string> ConnectProxy::requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return requests_.size() >= count; });
    return requests_;
}

void ConnectProxy::serve() {
    for (;;) {
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        const std::lock_guard lock(mutex_);
        sockets_.push_back(client);
        relays_.emplace_back([this, client] { relay(client); });
    }
}

void ConnectProxy::relay(int client) {
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && ::recv(client, &byte, 1, 0) == 1) head += byte;
    const sockaddr_in address = loopback(target_port_);
    const int server = tcp_socket();
    {
        const std::lock_guard lock(mutex_);
        sockets_.push_back(server);
        requests_.push_back(head);
    }
    changed_.notify_all();
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        send_all(client, "HTTP/1.1 200 Connection established\r\n\r\n")) {
        std::array<pollfd, 2> ends{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
        while (::poll(ends.data(), ends.size(), -1) > 0) {
            if (ends[0].revents != 0 && !pass_on(client, server)) break;
            if (ends[1].revents != 0 && !pass_on(server, client)) break;
        }
    }
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server, SHUT_RDWR);
}

} // namespace phx::test
