#pragma once

#include "phx/function.hpp"

#include <cstdint>
#include <string>

namespace phx::shell {

class LoopCore;

/// Finds out why a TCP connection to a numeric address fails, which libwebsockets does not tell: connects
/// once more and closes at once. Loop thread only, one use.
class ConnectProbe {
public:
    explicit ConnectProbe(LoopCore& loop) : loop_(loop) {}
    /// `done` is not called any more.
    ~ConnectProbe();
    ConnectProbe(const ConnectProbe&) = delete;
    ConnectProbe& operator=(const ConnectProbe&) = delete;

    /// `done` gets the system's words, or nothing when it can be connected to after all; called once, later.
    void start(const std::string& address, std::uint16_t port, Function<void(std::string)> done);

private:
    struct Request;
    LoopCore& loop_;
    Request* request_ = nullptr; // frees itself when libuv is done with it
};

} // namespace phx::shell
