#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace phx::shell {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
    int family() const noexcept { return storage.ss_family; }
};

/// Of a numeric address, also with a scope ("fe80::1%eth0"); nothing if it is none.
std::optional<SocketAddress> parse_address(const std::string& numeric, std::uint16_t port);

/// Nothing if the path is too long for the system.
std::optional<SocketAddress> unix_address(const std::string& path);

/// Of this machine: the address itself if it is numeric, else those of the interface of that name, the best
/// of each family first. With port 0.
std::vector<SocketAddress> local_addresses(const std::string& address_or_interface);

/// The families take turns, the first one's begins (RFC 8305 section 4); the order within each stays.
std::vector<std::string> interleave_families(const std::vector<std::string>& numeric);

} // namespace phx::shell
