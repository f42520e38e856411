#include "protocol/wire/proxy.hpp"

#include "phx/protocol/base64.hpp"
#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace phx::protocol {
namespace {

Failure refuse(const char* what) {
    return fail(Errc::invalid_argument, std::string("proxy URL: ") + what + "; expected http://host:port");
}

/// percent_decode() takes '+' for a space, as in queries.
std::string decode_credentials(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '+') {
            escaped += "%2B";
        } else {
            escaped += c;
        }
    }
    return percent_decode(escaped);
}

std::string authority(std::string_view host, std::uint16_t port) {
    const bool is_ipv6 = host.find(':') != std::string_view::npos;
    std::string text = is_ipv6 ? '[' + std::string(host) + ']' : std::string(host);
    return text += ':' + std::to_string(port);
}

/// The whole text as a decimal number up to `most`.
std::optional<std::uint32_t> number(std::string_view text, std::uint32_t most) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > most) return {};
    return value;
}

std::optional<std::uint32_t> ipv4(std::string_view text) {
    std::uint32_t address = 0;
    for (int part = 0; part < 4; ++part) {
        const std::size_t dot = part < 3 ? text.find('.') : text.size();
        const auto byte = dot == std::string_view::npos ? std::nullopt : number(text.substr(0, dot), 255);
        if (!byte) return {};
        address = address << 8 | *byte;
        text.remove_prefix(part < 3 ? dot + 1 : dot);
    }
    return address;
}

bool is_in_network(std::string_view network, std::string_view host) {
    const std::size_t slash = network.find('/');
    const auto base = ipv4(network.substr(0, slash));
    const auto bits = number(network.substr(slash + 1), 32);
    const auto address = ipv4(host);
    if (!base || !bits || !address) return false;
    return *bits == 0 || ((*base ^ *address) >> (32 - *bits)) == 0;
}

std::string_view without_final_dot(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    return name;
}

using Address = std::array<std::uint16_t, 8>; // of IPv6; IPv4 as ::ffff:a.b.c.d

void set_ipv4(Address& address, std::size_t at, std::uint32_t ipv4) {
    address[at] = static_cast<std::uint16_t>(ipv4 >> 16);
    address[at + 1] = static_cast<std::uint16_t>(ipv4 & 0xffff);
}

/// "2001:db8::1", "::ffff:10.1.2.3" (RFC 4291 section 2.2)
std::optional<Address> ipv6(std::string_view text) {
    Address groups{};
    std::size_t count = 0;
    std::optional<std::size_t> gap;
    if (text.substr(0, 2) == "::") {
        gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(':'), text.size());
        const std::string_view group = text.substr(0, end);
        if (const auto last = end == text.size() ? ipv4(group) : std::nullopt; last && count <= 6) {
            set_ipv4(groups, count, *last);
            count += 2;
            break;
        }
        constexpr std::size_t most_digits = 4;
        if (count == groups.size() || group.size() > most_digits) return {};
        const auto [stop, error] =
            std::from_chars(group.data(), group.data() + group.size(), groups[count++], 16);
        if (error != std::errc{} || stop != group.data() + group.size()) return {};
        text.remove_prefix(end);
        if (text.empty()) break;
        text.remove_prefix(1);
        if (text.empty() || (text[0] == ':' && gap)) return {};
        if (text[0] == ':') {
            gap = count;
            text.remove_prefix(1);
        }
    }
    if (gap ? count == groups.size() : count != groups.size()) return {};
    if (gap) {
        const auto at = groups.begin();
        std::rotate(at + static_cast<int>(*gap), at + static_cast<int>(count), groups.end());
    }
    return groups;
}

std::optional<Address> numeric(std::string_view host) {
    const auto address = ipv4(host);
    if (!address) return ipv6(host);
    Address mapped{};
    mapped[5] = 0xffff;
    set_ipv4(mapped, 6, *address);
    return mapped;
}

bool is_loopback(std::string_view host) {
    host = without_final_dot(host);
    const auto address = numeric(host);
    if (!address) return equals_ignoring_case(host, "localhost");
    if (*address == Address{0, 0, 0, 0, 0, 0, 0, 1}) return true;
    return std::equal(address->begin(), address->begin() + 6, Address{0, 0, 0, 0, 0, 0xffff}.begin()) &&
           (*address)[6] >> 8 == 127;
}

/// Takes ":443" off an entry. False if it names another port than this one.
bool take_port(std::string_view& entry, std::uint16_t port) {
    std::string_view text;
    const std::size_t colon = entry.find(':');
    if (!entry.empty() && entry[0] == '[') {
        const std::size_t close = entry.find(']');
        if (close == std::string_view::npos) return false;
        text = entry.substr(close + 1);
        entry = entry.substr(1, close - 1);
    } else if (colon != std::string_view::npos && colon == entry.rfind(':')) { // more than one: IPv6
        text = entry.substr(colon);
        entry = entry.substr(0, colon);
    }
    if (text.empty()) return true;
    return text[0] == ':' && number(text.substr(1), 65535) == port;
}

bool matches(std::string_view entry, std::string_view host, std::uint16_t port) {
    if (entry == "*") return true;
    if (entry.find('/') != std::string_view::npos) return is_in_network(entry, host);
    if (!take_port(entry, port)) return false;
    if (!entry.empty() && entry[0] == '.') entry.remove_prefix(1);
    entry = without_final_dot(entry);
    if (const auto address = numeric(host)) return numeric(entry) == address;
    if (entry.empty() || host.size() < entry.size()) return false;
    const std::size_t rest = host.size() - entry.size();
    return equals_ignoring_case(host.substr(rest), entry) && (rest == 0 || host[rest - 1] == '.');
}

} // namespace

std::string Proxy::place() const { return authority(host, port); }

Result<Proxy> parse_proxy(std::string_view url) {
    if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
        if (!equals_ignoring_case(url.substr(0, scheme), "http"))
            return refuse("only HTTP proxies are spoken to");
        url.remove_prefix(scheme + 3);
    }
    Proxy proxy;
    if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
        const std::string_view credentials = url.substr(0, at);
        proxy.credentials = decode_credentials(credentials);
        // RFC 7617: the colon is there without a password, too
        if (at != 0 && credentials.find(':') == std::string_view::npos) proxy.credentials += ':';
        url.remove_prefix(at + 1);
    }
    const auto target = parse_url("http://" + std::string(url));
    if (!target) return refuse("host or port is malformed");
    if (target->path != "/" || !target->query.empty()) return refuse("it has a path");
    proxy.host = target->host;
    proxy.port = target->port;
    return proxy;
}

std::string proxy_for(const Url& url, const ProxyVariables& variables) {
    if (is_loopback(url.host) || is_listed_in_no_proxy(variables.no, url.host, url.port)) return {};
    const std::string& own = url.tls ? variables.https : variables.http;
    return own.empty() ? variables.all : own;
}

bool is_listed_in_no_proxy(std::string_view list, std::string_view host, std::uint16_t port) {
    constexpr std::string_view separators = ", \t";
    host = without_final_dot(host);
    while (!list.empty()) {
        const std::size_t end = std::min(list.find_first_of(separators), list.size());
        if (end != 0 && matches(list.substr(0, end), host, port)) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

std::string connect_request(const Url& target, const Proxy& proxy) {
    const std::string where = authority(target.host, target.port);
    std::string request = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
    if (!proxy.credentials.empty()) {
        request += "Proxy-Authorization: Basic " + base64_encode(proxy.credentials) + "\r\n"; // RFC 7617
    }
    return request += "\r\n";
}

} // namespace phx::protocol
