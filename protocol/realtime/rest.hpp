#pragma once

#include "phx/protocol/endpoint.hpp"
#include "phx/result.hpp"
#include "protocol/wire/http_response.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Broadcasts that travel as HTTP requests instead of frames.
namespace phx::protocol::realtime {

enum class BroadcastEndpoint : std::uint8_t {
    single, ///< one message, its payload is the body; of Realtime 2.97.0 and later
    batch,  ///< many, in an envelope of JSON
};

struct HttpBroadcastView {
    std::string_view topic = {}; ///< without `realtime:`
    std::string_view event = {};
    std::string_view payload = "{}"; ///< JSON text
    bool is_private = false;
};

/// Where the REST endpoints of a socket's endpoint are: its path without `/socket/websocket`, `/socket` or
/// `/websocket`, and without a slash at the end; empty for the root. Unlike realtime-js we drop the query:
/// the headers carry the key, and a URL ends up in the logs of proxies.
///
/// Errors: as parse_url.
Result<Url> rest_base(std::string_view endpoint);

/// What follows the path of rest_base().
inline constexpr std::string_view batch_target = "/api/broadcast";
/// The same of the single endpoint; the payload is not looked at.
///
/// Errors: invalid_argument (an empty topic or event, or one of dots, which proxies take for a way up).
Result<std::string> single_target(const HttpBroadcastView&);

/// The body for the batch endpoint.
///
/// Errors: invalid_utf8 (topic, event), invalid_payload (no JSON), each with the number of the message.
Result<std::string> batch_body(std::span<const HttpBroadcastView>);

/// What an answer means: 2xx is success, 401 and 403 are bad_auth, everything else is rejected. The message
/// has the server's own words where the body is JSON of a known shape; `Error::detail` has status, headers
/// and up to 16 KiB of the body. `body` may be cut off.
Result<void> outcome_of_broadcast(BroadcastEndpoint, HttpResponse, std::string_view body);

} // namespace phx::protocol::realtime
