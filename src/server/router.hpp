#pragma once

#include "phx/server/server.hpp"
#include "src/server/http_answer.hpp"
#include "src/server/http_request.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace phx::shell {

/// A WebSocket handshake that is in order and whose version is spoken; nobody has judged the client yet.
struct UpgradeRequest {
    const phx::server::Endpoint* endpoint = nullptr;
    protocol::Vsn vsn = protocol::Vsn::v1;
    std::string params = {};     ///< a JSON object of strings
    std::string accept_key = {}; ///< for Sec-WebSocket-Accept
    bool phoenix_subprotocol = false;
    std::string token = {}; ///< empty: none, or nobody verifies it
};

/// Whether the server verifies tokens itself; otherwise `apikey` and `token` are params like others.
enum class TokenUse : std::uint8_t { none, verified };

/// What the server answers itself, beside WebSockets.
enum class Service : std::uint8_t {
    ready,
    metrics,
    broadcast,     ///< Supabase's batch
    broadcast_one, ///< Supabase's single message
    send,
    connections,
    topics,
    disconnect,
    changes,
};

/// A request for a service, in order as far as its head says.
struct ServiceRequest {
    Service service;
    std::string topic = {}; ///< broadcast_one
    std::string event = {}; ///< likewise
};

using Routed = std::variant<HttpAnswer, UpgradeRequest, ServiceRequest>;

/// What a request gets: pure but for the options' endpoints, which the result points to.
Routed route(const HttpRequest&, const phx::server::Options&, TokenUse);

/// What is added to any answer to a page of another origin, so that its browser lets it see the answer.
std::string cors_headers(const HttpRequest&, const phx::server::Options&);

/// How a client that `authorize` refused is answered, in the manner of the endpoint's dialect.
HttpAnswer refusal(const phx::server::ConnectAnswer&, phx::server::Dialect);

void append_upgrade_answer(std::string& out, const UpgradeRequest&);

} // namespace phx::shell
