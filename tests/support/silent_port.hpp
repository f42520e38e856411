#pragma once

#include <string>

namespace phx::test {

/// A port that does not answer: its queue of connections is full, so that the system drops what comes. What a
/// blackhole in the network looks like.
class SilentPort {
public:
    /// On this IPv4 address of the machine (all of 127.0.0.0/8 are); port 0: a free one.
    explicit SilentPort(const std::string& address, int port = 0);
    ~SilentPort();
    SilentPort(const SilentPort&) = delete;
    SilentPort& operator=(const SilentPort&) = delete;

    int port() const noexcept { return port_; }

private:
    int listener_ = -1;
    int filler_ = -1;
    int port_ = 0;
};

} // namespace phx::test
