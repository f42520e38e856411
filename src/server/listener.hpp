#pragma once

#include "phx/function.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <uv.h>

namespace phx::shell {

/// A listening TCP socket, and who may reach it.
class ListeningSocket {
public:
    enum class Reach : std::uint8_t { loopback_only, network };

    /// Any thread; blocks while a name is resolved. Errors: invalid_argument (no such host, or one that is
    /// not loopback although `allowed` says so), system_failure (address in use).
    static Result<ListeningSocket> open(const std::string& host, std::uint16_t port, Reach allowed);
    /// What open() would say of the reach alone; nothing of a host that is not found. Blocks likewise.
    /// Errors: invalid_argument.
    static Result<void> check_reach(const std::string& host, std::uint16_t port, Reach allowed);

    ListeningSocket(ListeningSocket&&) noexcept;
    ListeningSocket& operator=(ListeningSocket&&) = delete;
    ~ListeningSocket();

    std::uint16_t port() const noexcept { return port_; }
    int descriptor() const noexcept { return descriptor_; }

private:
    ListeningSocket(int descriptor, std::uint16_t port) : descriptor_(descriptor), port_(port) {}
    int descriptor_;
    std::uint16_t port_;
};

/// A connected TCP socket on its way to who serves it; closed if it does not get there.
class AcceptedSocket {
public:
    explicit AcceptedSocket(int descriptor) noexcept : descriptor_(descriptor) {}
    AcceptedSocket(AcceptedSocket&&) noexcept;
    AcceptedSocket& operator=(AcceptedSocket&&) = delete;
    ~AcceptedSocket();

    int release() noexcept;

private:
    int descriptor_;
};

/// Accepts on a loop. (libwebsockets' own listener cannot say why a bind failed, and cannot share a port
/// between the contexts of several threads.) Loop thread only.
class Acceptor {
public:
    /// `accepted` gets each socket, non-blocking and without Nagle's delay, and the address of the peer.
    Acceptor(uv_loop_t*, ListeningSocket, Function<void(AcceptedSocket, std::string peer)> accepted);
    /// Stops listening.
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

private:
    void accept_some();
    void shed_one();

    ListeningSocket socket_;
    Function<void(AcceptedSocket, std::string)> accepted_;
    uv_poll_t* poll_; // closed by libuv, which frees it a turn later
    int spare_descriptor_;
};

} // namespace phx::shell
