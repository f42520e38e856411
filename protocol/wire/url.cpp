#include "phx/protocol/endpoint.hpp"

#include <algorithm>
#include <charconv>

namespace phx::protocol {
namespace {

constexpr std::uint16_t ws_port = 80, wss_port = 443;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
bool is_alnum(char c) noexcept { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'); }
bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); }

Failure refuse(const char* what) { return fail(Errc::invalid_argument, std::string("URL: ") + what); }

/// Control characters would end the request line; a space is a typing mistake.
bool is_printable(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; });
}

std::string encode_non_ascii(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (static_cast<signed char>(c) < 0) {
            out.append(percent_encode({&c, 1}));
        } else {
            out.push_back(c);
        }
    }
    return out;
}

bool is_name(std::string_view host) noexcept {
    return std::all_of(host.begin(), host.end(),
                       [](char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_'; });
}

bool is_ipv6(std::string_view host) noexcept {
    return host.find(':') != std::string_view::npos &&
           std::all_of(host.begin(), host.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

bool same_name(std::string_view text, std::string_view name) noexcept {
    return std::equal(text.begin(), text.end(), name.begin(), name.end(),
                      [](char a, char b) { return lower(a) == b; });
}

/// Takes the scheme off the front.
bool take_scheme(std::string_view& rest, bool& tls) noexcept {
    const std::size_t end = rest.find("://");
    if (end == std::string_view::npos) return false;
    const std::string_view scheme = rest.substr(0, end);
    tls = same_name(scheme, "wss") || same_name(scheme, "https");
    if (!tls && !same_name(scheme, "ws") && !same_name(scheme, "http")) return false;
    rest.remove_prefix(end + 3);
    return true;
}

/// "host", "host:port", "[v6]", "[v6]:port"; a null text means good.
const char* read_authority(std::string_view text, Url& url) {
    if (text.find('@') != std::string_view::npos)
        return "credentials do not belong in it, use params or a token";
    std::string_view port;
    if (!text.empty() && text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return "bad IPv6 address";
        url.host = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
        if (!text.empty() && text.front() != ':') return "expected ':' or '/' after the IPv6 address";
        port = text;
    } else {
        const std::size_t colon = std::min(text.find(':'), text.size());
        if (colon == 0) return "the host is missing";
        url.host = text.substr(0, colon);
        if (url.host.front() == '.') return "the host starts with a dot";
        if (!is_name(url.host)) return "bad character in the host (write names of other scripts as xn--...)";
        port = text.substr(colon);
    }
    url.port = url.tls ? wss_port : ws_port;
    if (port.size() <= 1) return nullptr; // RFC 3986: an empty port is the default
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    const bool good = error == std::errc() && end == port.data() + port.size() && url.port != 0;
    return good ? nullptr : "the port is not a number from 1 to 65535";
}

} // namespace

Result<Url> parse_url(std::string_view text) {
    Url url;
    std::string_view rest = text;
    if (!take_scheme(rest, url.tls)) return refuse("expected ws://, wss://, http:// or https://");
    if (!is_printable(rest)) return refuse("it has a space or a control character");
    if (rest.find('#') != std::string_view::npos) return refuse("WebSocket URLs have no fragment (#)");
    const std::size_t authority = std::min(rest.find_first_of("/?"), rest.size());
    if (const char* const what = read_authority(rest.substr(0, authority), url)) return refuse(what);
    rest.remove_prefix(authority);
    const std::size_t query = rest.find('?');
    if (query != std::string_view::npos) url.query = encode_non_ascii(rest.substr(query + 1));
    url.path = encode_non_ascii(rest.substr(0, query));
    if (url.path.empty()) url.path = "/";
    return url;
}

std::string Url::host_header() const {
    std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (tls ? wss_port : ws_port)) out.append(":").append(std::to_string(port));
    return out;
}

} // namespace phx::protocol
