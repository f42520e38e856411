#pragma once

#include "phx/server/server.hpp"
#include "src/server/connection_limits.hpp"
#include "src/server/http_answer.hpp"
#include "src/server/http_request.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace phx::shell {

/// A client that wants a session; nobody has judged it yet.
struct ConnectAttempt {
    const phx::server::Endpoint* endpoint = nullptr;
    protocol::Vsn vsn = protocol::Vsn::v1;
    std::string params = {}; ///< a JSON object of strings
    std::string token = {};  ///< empty: none, or nobody verifies it
};

/// A WebSocket handshake that is in order, and whose version is spoken.
struct UpgradeRequest : ConnectAttempt {
    std::string accept_key = {}; ///< for Sec-WebSocket-Accept
    bool phoenix_subprotocol = false;
};

/// What the server answers itself, beside WebSockets.
enum class Service : std::uint8_t {
    status_page,
    ready,
    metrics,
    broadcast,     ///< Supabase's batch
    broadcast_one, ///< Supabase's single message
    send,
    connections,
    topics,
    disconnect,
    changes,
    long_poll,
};

/// Answers everybody: load balancers and Prometheus call the server as they like, and the page says nothing
/// itself; what it shows comes over its channel.
constexpr bool is_open(Service service) noexcept {
    return service == Service::status_page || service == Service::ready || service == Service::metrics;
}

/// A request for a service, in order as far as its head says.
struct ServiceRequest {
    Service service = Service::ready;
    std::string topic = {};      ///< broadcast_one
    std::string event = {};      ///< likewise
    ConnectAttempt attempt = {}; ///< long_poll: what a new session would be
};

using Routed = std::variant<HttpAnswer, UpgradeRequest, ServiceRequest>;

/// Whether the server verifies tokens itself; otherwise `apikey` and `token` are params like others.
enum class TokenUse : std::uint8_t { none, verified };

/// What a request gets: pure but for the options' endpoints, which the result points to.
Routed route(const HttpRequest&, const phx::server::Options&, TokenUse);

/// Of a request to the HTTP API: the first token that is there, in the order of Options::tokens and then the
/// header `apikey`; empty if there is none.
std::string find_token(const HttpRequest&);

/// What is added to any answer to a page of another origin, so that its browser lets it see the answer.
std::string cors_headers(const HttpRequest&, const phx::server::Options&, TokenUse);

/// How an upgrade is answered while the server drains.
HttpAnswer draining_refusal(phx::server::Dialect);

/// How an upgrade is answered for which there is no room.
HttpAnswer crowded_refusal(Crowded, phx::server::Dialect);

/// How a client that `authorize` refused is answered, in the manner of the endpoint's dialect.
HttpAnswer refusal(const phx::server::ConnectAnswer&, phx::server::Dialect);

void append_upgrade_answer(std::string& out, const UpgradeRequest&);

} // namespace phx::shell
