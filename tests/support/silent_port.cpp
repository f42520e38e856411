#include "tests/support/silent_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace phx::test {

SilentPort::SilentPort(const std::string& address, int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, address.c_str(), &at.sin_addr);
    auto* const generic = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    filler_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A backlog of 0 is room for one (Linux).
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 0) != 0 ||
        ::getsockname(listener_, generic, &size) != 0 || ::connect(filler_, generic, size) != 0) {
        throw std::runtime_error("no silent port at " + address);
    }
    port_ = ntohs(at.sin_port);
}

SilentPort::~SilentPort() {
    ::close(filler_);
    ::close(listener_);
}

} // namespace phx::test
