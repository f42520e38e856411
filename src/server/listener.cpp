#include "src/server/listener.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace phx::shell {
namespace {

constexpr int backlog = 4096;
constexpr int accepts_per_turn = 64; // then it is the turn of those who are connected

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

bool is_loopback(const sockaddr* address) noexcept {
    if (address->sa_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    }
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

std::string place(const std::string& host, std::uint16_t port) {
    const bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Failure cannot_listen(const std::string& where, int error) {
    const char* remedy = "";
    if (error == EADDRINUSE)
        remedy = "; end the program that uses the port, or take another (0: any free one)";
    if (error == EACCES) remedy = "; ports below 1024 need privileges, take a higher one";
    if (error == EADDRNOTAVAIL) remedy = "; this machine has no such address, take one of its own";
    return fail(Errc::system_failure, "cannot listen on " + where + ": " + std::strerror(error) + remedy);
}

/// None, with the `error` of getaddrinfo().
Addresses find_addresses(const std::string& host, std::uint16_t port, int& error) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    return Addresses(error == 0 ? list : nullptr);
}

Failure open_to_the_network(const std::string& where) {
    return fail(Errc::invalid_argument,
                "listening on " + where +
                    " would let everybody on the network in, for nobody judges connections "
                    "(Options::tokens or Options::authorize): listen on a loopback address such as "
                    "127.0.0.1");
}

/// The descriptor, or -1 with errno.
int listen_on(const addrinfo& address) {
    const int descriptor =
        ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
    if (descriptor < 0) return -1;
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 && ::listen(descriptor, backlog) == 0) {
        return descriptor;
    }
    const int error = errno;
    ::close(descriptor);
    errno = error;
    return -1;
}

std::uint16_t bound_port(int descriptor) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string address_text(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
        return text;
    }
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        ::inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text);
    } else {
        ::inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
    return text;
}

} // namespace

// ---- ListeningSocket

Result<ListeningSocket> ListeningSocket::open(const std::string& host, std::uint16_t port, Reach allowed) {
    int not_found = 0;
    const Addresses addresses = find_addresses(host, port, not_found);
    if (not_found != 0)
        return fail(Errc::invalid_argument, "cannot listen on \"" + host +
                                                "\": " + ::gai_strerror(not_found) +
                                                "; give an address of this machine, such as 127.0.0.1");
    int error = EADDRNOTAVAIL;
    for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
        if (allowed == Reach::loopback_only && !is_loopback(address->ai_addr))
            return open_to_the_network(place(host, port));
        const int descriptor = listen_on(*address);
        if (descriptor >= 0) return ListeningSocket(descriptor, bound_port(descriptor));
        error = errno;
    }
    return cannot_listen(place(host, port), error);
}

Result<void> ListeningSocket::check_reach(const std::string& host, std::uint16_t port, Reach allowed) {
    int not_found = 0;
    const Addresses addresses = find_addresses(host, port, not_found);
    // The first is the one that open() takes, if it can.
    if (addresses && allowed == Reach::loopback_only && !is_loopback(addresses->ai_addr))
        return open_to_the_network(place(host, port));
    return {};
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), port_(other.port_) {}

ListeningSocket::~ListeningSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

// ---- AcceptedSocket

AcceptedSocket::AcceptedSocket(AcceptedSocket&& other) noexcept : descriptor_(other.release()) {}

AcceptedSocket::~AcceptedSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

int AcceptedSocket::release() noexcept { return std::exchange(descriptor_, -1); }

// ---- Acceptor

Acceptor::Acceptor(uv_loop_t* loop, ListeningSocket socket,
                   Function<void(AcceptedSocket, std::string)> accepted)
    : socket_(std::move(socket)), accepted_(std::move(accepted)), poll_(new uv_poll_t),
      spare_descriptor_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    uv_poll_init(loop, poll_, socket_.descriptor());
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int /*status*/, int /*events*/) {
        static_cast<Acceptor*>(handle->data)->accept_some();
    });
}

Acceptor::~Acceptor() {
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    if (spare_descriptor_ >= 0) ::close(spare_descriptor_);
}

void Acceptor::accept_some() {
    for (int i = 0; i < accepts_per_turn; ++i) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int descriptor = ::accept4(socket_.descriptor(), reinterpret_cast<sockaddr*>(&address), &length,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EMFILE || errno == ENFILE) shed_one();
            return;
        }
        const int on = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        accepted_(AcceptedSocket(descriptor), address_text(address));
    }
}

void Acceptor::shed_one() {
    // Out of descriptors: one that waits would wake the loop for ever, so it is let in and dropped.
    if (spare_descriptor_ < 0) return;
    ::close(spare_descriptor_);
    const int descriptor = ::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor >= 0) ::close(descriptor);
    spare_descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

} // namespace phx::shell
