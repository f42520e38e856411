#pragma once

#include "phx/protocol/endpoint.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace phx::protocol {

/// An HTTP proxy that is asked to CONNECT.
struct Proxy {
    std::string host = {}; ///< without the brackets of an IPv6 address
    std::uint16_t port = 80;
    std::string credentials = {}; ///< "user:password", decoded; empty if there are none

    /// "host:port", for people: without the credentials.
    std::string place() const;
};

/// `http://[user:password@]host[:port]`, where the scheme may be missing and escapes (%40) are decoded.
///
/// Errors: invalid_argument. The text never repeats the URL: it may hold a password.
Result<Proxy> parse_proxy(std::string_view url);

/// What the environment says of proxies; an empty one is not set.
struct ProxyVariables {
    std::string http = {};  ///< http_proxy; never HTTP_PROXY, which a CGI program has from the header "Proxy"
    std::string https = {}; ///< https_proxy or HTTPS_PROXY
    std::string all = {};   ///< all_proxy or ALL_PROXY: for what has none of its own
    std::string no = {};    ///< no_proxy or NO_PROXY: a list of hosts that are dialled directly
};

/// The proxy's URL for what is dialled, empty if there is to be none: by scheme, as curl does. This machine
/// itself (localhost, 127.0.0.0/8, ::1) is always dialled directly.
std::string proxy_for(const Url&, const ProxyVariables&);

/// Whether `no_proxy` lists the host: separated by commas or spaces, "*" for all, a name (with or without a
/// leading dot) for itself and what is below it, an address, an IPv4 network (10.0.0.0/8); each but "*" and
/// networks may be limited to a port (name:443, [::1]:443).
bool is_listed_in_no_proxy(std::string_view list, std::string_view host, std::uint16_t port);

/// The request that opens a tunnel to the target of the URL (RFC 9110 section 9.3.6). It has a password in
/// it: not for logs.
std::string connect_request(const Url& target, const Proxy&);

} // namespace phx::protocol
