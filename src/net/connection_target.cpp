#include "src/net/connection_target.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>

namespace phx::shell {

std::string ConnectionTarget::place() const {
    const bool is_ipv6 = url.host.find(':') != std::string::npos;
    const std::string& path = network.unix_socket;
    return (is_ipv6 ? '[' + url.host + ']' : url.host) + ':' + std::to_string(url.port) +
           (path.empty() ? std::string() : " at " + path);
}

bool ConnectionTarget::has_header(std::string_view name) const noexcept {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& entry) { return protocol::equals_ignoring_case(entry.first, name); });
}

} // namespace phx::shell
