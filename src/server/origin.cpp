#include "src/server/origin.hpp"

#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <optional>

namespace phx::shell {
namespace {

using protocol::equals_ignoring_case;

constexpr std::string_view any_subdomain = "*.";

struct Origin {
    std::string_view scheme; ///< empty: any
    std::string_view host;
    std::string_view port; ///< empty: the scheme's own
};

bool is_host_char(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

bool is_ipv6_char(char c) noexcept { return is_host_char(c) || c == ':'; }

std::optional<Origin> split_authority(std::string_view scheme, std::string_view authority) noexcept {
    Origin origin{scheme, authority, {}};
    const bool is_v6 = authority.starts_with('[');
    const std::size_t bracket = is_v6 ? authority.find(']') : 0;
    if (bracket == std::string_view::npos) return std::nullopt;
    const std::size_t colon = authority.find(':', bracket);
    if (colon != std::string_view::npos) {
        origin.host = authority.substr(0, colon);
        origin.port = authority.substr(colon + 1);
        if (origin.port.empty() || origin.port.size() > 5 ||
            origin.port.find_first_not_of("0123456789") != std::string_view::npos)
            return std::nullopt;
    }
    const std::string_view name = is_v6 ? origin.host.substr(1, bracket - 1) : origin.host;
    if (is_v6 && bracket + 1 != origin.host.size()) return std::nullopt;
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_v6 ? is_ipv6_char : is_host_char))
        return std::nullopt;
    const std::string_view own = scheme == "http" ? "80" : scheme == "https" ? "443" : "";
    if (origin.port == own) origin.port = {};
    return origin;
}

/// `null`, user information, paths and anything else that is no origin: none.
std::optional<Origin> split_origin(std::string_view text) noexcept {
    const std::size_t slashes = text.find("//");
    if (slashes == std::string_view::npos || slashes == 1) return std::nullopt;
    std::string_view scheme = text.substr(0, slashes);
    if (!scheme.empty() && !scheme.ends_with(':')) return std::nullopt;
    if (!scheme.empty()) scheme.remove_suffix(1);
    if (equals_ignoring_case(scheme, "http")) scheme = "http";
    if (equals_ignoring_case(scheme, "https")) scheme = "https";
    return split_authority(scheme, text.substr(slashes + 2));
}

/// A pattern without its wildcard.
struct Pattern {
    Origin origin;
    bool is_any_subdomain;
};

std::optional<Pattern> split_pattern(std::string_view text, std::string& buffer) {
    buffer = text;
    const std::size_t star = buffer.find("//*.");
    if (star != std::string::npos) buffer.erase(star + 2, any_subdomain.size());
    const auto origin = split_origin(buffer);
    if (!origin) return std::nullopt;
    return Pattern{*origin, star != std::string::npos};
}

bool host_matches(const Pattern& pattern, std::string_view host) noexcept {
    if (!pattern.is_any_subdomain) return equals_ignoring_case(pattern.origin.host, host);
    const std::size_t tail = pattern.origin.host.size() + 1;
    return host.size() > tail && host[host.size() - tail] == '.' &&
           equals_ignoring_case(host.substr(host.size() - pattern.origin.host.size()), pattern.origin.host);
}

bool matches(std::string_view pattern_text, const Origin& origin) {
    std::string buffer;
    const auto pattern = split_pattern(pattern_text, buffer);
    if (!pattern || !host_matches(*pattern, origin.host)) return false;
    if (pattern->origin.scheme.empty())
        return pattern->origin.port.empty() || pattern->origin.port == origin.port;
    return equals_ignoring_case(pattern->origin.scheme, origin.scheme) && pattern->origin.port == origin.port;
}

} // namespace

bool is_origin_pattern(std::string_view pattern) noexcept {
    std::string buffer;
    return pattern == "*" || split_pattern(pattern, buffer).has_value();
}

bool is_local_host(std::string_view host) noexcept {
    const auto own = split_authority({}, host);
    if (!own) return false;
    if (own->host.starts_with('[') || own->host.find('.') == std::string_view::npos) return true;
    constexpr std::string_view below_localhost = ".localhost";
    if (own->host.size() > below_localhost.size() &&
        equals_ignoring_case(own->host.substr(own->host.size() - below_localhost.size()), below_localhost))
        return true;
    in_addr address{};
    return ::inet_pton(AF_INET, std::string(own->host).c_str(), &address) == 1;
}

bool is_allowed_origin(std::string_view text, std::string_view host,
                       const std::vector<std::string>& allowed) noexcept {
    const auto is_any = [](const std::string& pattern) { return pattern == "*"; };
    if (std::any_of(allowed.begin(), allowed.end(), is_any)) return true;
    const auto origin = split_origin(text);
    if (!origin || origin->scheme.empty()) return false;
    // The Host header names no scheme: a proxy may have ended the TLS.
    const auto own = split_authority(origin->scheme, host);
    if (own && equals_ignoring_case(own->host, origin->host) && own->port == origin->port) return true;
    return std::any_of(allowed.begin(), allowed.end(),
                       [&](const std::string& pattern) { return matches(pattern, *origin); });
}

} // namespace phx::shell
