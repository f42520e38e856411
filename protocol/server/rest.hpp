#pragma once

#include "phx/result.hpp"
#include "phx/server/route.hpp"
#include "protocol/server/server_machine.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Bodies of the HTTP API. Views point into the body.
namespace phx::protocol::server {

/// A message of `POST /api/broadcast`.
struct RestBroadcast {
    std::string topic = {}; ///< with `realtime:`, which the body leaves out
    std::string event = {};
    std::string_view payload = {}; ///< a JSON object
    bool is_private = false;
};

/// Of one request.
inline constexpr std::size_t max_rest_broadcasts = 1000;

struct RestBatch {
    std::vector<RestBroadcast> messages = {};
    /// What is wrong, as Supabase words it: `{"errors":{"messages":...}}`. Empty: nothing.
    std::string errors = {};
    /// There are more than max_rest_broadcasts: nothing else is said about them.
    bool has_too_many = false;
    bool has_too_large = false; ///< a payload over the limit is among them
};

/// REQUIRES valid JSON. A payload of more than `max_payload_bytes` is an error of its message.
RestBatch read_batch(std::string_view json, std::size_t max_payload_bytes);

/// What is wrong with the body of `POST /api/broadcast/TOPIC/events/EVENT`, likewise:
/// `{"errors":{"payload":...}}`. Empty: nothing.
std::string payload_errors(std::string_view payload, std::size_t max_payload_bytes);

/// Why broadcasts are not admitted, as Supabase words it. REQUIRES that they are not.
std::string_view refusal_text(RateVerdict) noexcept;

/// The body of `POST /api/send`: `{"route":"user:7","event":"greeting","payload":{...}}`.
struct RestSend {
    phx::server::Route route = {};
    std::string event = {};
    std::string_view payload = "{}"; ///< JSON; `{}` if it is missing
};

/// Errors: invalid_payload, invalid_argument (the route); the message says what is expected.
Result<RestSend> read_send(std::string_view json);

/// The body of `POST /api/disconnect`: `{"route":"user:7"}`; only the route is looked at.
Result<phx::server::Route> read_route(std::string_view json);

} // namespace phx::protocol::server
