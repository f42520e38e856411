#include "protocol/realtime/endpoint.hpp"

#include "phx/protocol/endpoint.hpp"

#include <algorithm>

namespace phx::protocol::realtime {

Result<std::string> socket_endpoint(std::string_view url) {
    const auto parsed = parse_url(url);
    if (!parsed) return Failure{parsed.error()};
    std::string endpoint(url);
    if (parsed->path != "/") return endpoint;
    const std::size_t host = std::min(endpoint.find("://") + 3, endpoint.size());
    const std::size_t end = std::min(endpoint.find_first_of("/?", host), endpoint.size());
    const std::size_t query = std::min(endpoint.find('?', host), endpoint.size());
    endpoint.replace(end, query - end, "/realtime/v1");
    return endpoint;
}

} // namespace phx::protocol::realtime
