#include "tools/phx-server/listen_address.hpp"

#include <charconv>

namespace phx::tools {
namespace {

Failure bad_address(std::string_view text, const char* what) {
    return fail(Errc::invalid_argument, "\"" + std::string(text) + "\" is no address to listen on: " + what +
                                            "; give HOST:PORT, such as 127.0.0.1:4000 or [::1]:4000");
}

} // namespace

std::string ListenAddress::text() const {
    const bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad_address(text, "it has no port");
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return bad_address(text, "an IPv6 address needs brackets");
    }
    if (host.empty()) return bad_address(text, "it has no host");
    ListenAddress address;
    address.host = std::string(host);
    const char* const end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, address.port);
    if (port.empty() || error != std::errc{} || stop != end)
        return bad_address(text, "the port must be 0 to 65535");
    return address;
}

} // namespace phx::tools
