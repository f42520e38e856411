#pragma once

#include "phx/export.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol {

/// A parsed ws:// or wss:// URL (http and https are taken as ws and wss, as realtime-js does).
struct Url {
    bool tls = false;
    std::string host = {};  ///< without the brackets of an IPv6 address
    std::uint16_t port = 0; ///< 80 and 443 by default
    std::string path = {};  ///< begins with '/'
    std::string query = {}; ///< without the '?'; may hold a token: keep it out of logs

    /// What the Host header says: "name", or "name:port" when the port is not the scheme's own; IPv6 in
    /// brackets.
    PHX_API std::string host_header() const;
};

/// Bytes outside ASCII in path and query are percent-encoded. A fragment, credentials, space or control
/// characters are refused.
///
/// Errors: invalid_argument, naming the part that is wrong. The text never repeats the URL: it may hold a
/// token.
PHX_API Result<Url> parse_url(std::string_view);

/// A query parameter; `value` is JSON text: strings, numbers, and nested objects and arrays, which become
/// `a[b]=c` and `a[0]=c` as in phoenix.js (ajax.js serialize). Null is left out.
struct Param {
    std::string name = {};
    std::string value = {};
};

/// How frames travel.
enum class Transport : std::uint8_t { websocket, long_poll };

/// The URL that is dialled for an endpoint as users know it: the path ends with `/websocket` or `/longpoll`,
/// which takes the place of the other, then come the endpoint's own query, the params, and `vsn` last
/// (phoenix.js socket.js endPointURL, longpoll.js normalizeEndpoint).
///
/// Errors: as parse_url; a param that is not JSON is invalid_argument.
PHX_API Result<Url> endpoint_url(std::string_view endpoint, const std::vector<Param>& params, Vsn,
                                 Transport = Transport::websocket);

/// Percent-encodes everything but unreserved characters (RFC 3986).
PHX_API std::string percent_encode(std::string_view);
/// Decodes %XX and '+'; a broken escape is kept as it is.
PHX_API std::string percent_decode(std::string_view);

/// The subprotocols that carry a token: "phoenix" and "base64url.bearer.phx.<token>". In spite of its name
/// phoenix.js sends the standard alphabet, unpadded.
PHX_API std::string token_subprotocols(std::string_view token);
/// The token in a Sec-WebSocket-Protocol header, either alphabet; empty if there is none.
PHX_API std::string token_from_subprotocols(std::string_view header);

} // namespace phx::protocol
