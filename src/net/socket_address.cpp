#include "src/net/socket_address.hpp"

#include <algorithm>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace phx::shell {
namespace {

bool is_link_local(const SocketAddress& address) {
    if (address.family() != AF_INET6) return false;
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, &address.storage, sizeof ipv6);
    return IN6_IS_ADDR_LINKLOCAL(&ipv6.sin6_addr);
}

} // namespace

std::optional<SocketAddress> parse_address(const std::string& numeric, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(numeric.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
    SocketAddress address;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.size = found->ai_addrlen;
    freeaddrinfo(found);
    return address;
}

std::optional<SocketAddress> unix_address(const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path) return {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    SocketAddress result;
    std::memcpy(&result.storage, &address, sizeof address);
    result.size = sizeof address;
    return result;
}

std::vector<SocketAddress> local_addresses(const std::string& address_or_interface) {
    if (const auto address = parse_address(address_or_interface, 0)) return {*address};
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> keep(list, &freeifaddrs);
    std::vector<SocketAddress> found;
    for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
        if (!entry->ifa_addr || entry->ifa_name != address_or_interface) continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        SocketAddress& address = found.emplace_back();
        address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        std::memcpy(&address.storage, entry->ifa_addr, address.size);
    }
    // Every interface has a link-local address of IPv6, which reaches nothing beyond its link.
    std::stable_partition(found.begin(), found.end(),
                          [](const SocketAddress& address) { return !is_link_local(address); });
    return found;
}

std::vector<std::string> interleave_families(const std::vector<std::string>& numeric) {
    auto is_ipv6 = [](const std::string& address) { return address.find(':') != address.npos; };
    std::vector<std::string> first, second, mixed;
    for (const std::string& address : numeric)
        (is_ipv6(address) == is_ipv6(numeric.front()) ? first : second).push_back(address);
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) mixed.push_back(first[i]);
        if (i < second.size()) mixed.push_back(second[i]);
    }
    return mixed;
}

} // namespace phx::shell
