#pragma once

#include "phx/server/server.hpp"
#include "src/server/http_request.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace phx::shell {

/// An HTTP answer; `extra_headers` are whole lines with their CRLF.
struct HttpAnswer {
    int status = 200;
    std::string body = {};
    std::string_view content_type = "application/json";
    std::string extra_headers = {};

    static HttpAnswer error(int status, std::string_view text); ///< `{"error":text}`
    static HttpAnswer text(int status, std::string body);
    static HttpAnswer empty(int status);
};

enum class BodyPart : std::uint8_t { send, leave_out };
enum class AfterAnswer : std::uint8_t { keep_alive, close };

void append_http_answer(std::string& out, const HttpAnswer&, BodyPart, AfterAnswer);

/// A WebSocket handshake that is in order and whose version is spoken; nobody has judged the client yet.
struct UpgradeRequest {
    const phx::server::Endpoint* endpoint = nullptr;
    protocol::Vsn vsn = protocol::Vsn::v1;
    std::string params = {};     ///< a JSON object of strings
    std::string accept_key = {}; ///< for Sec-WebSocket-Accept
    bool phoenix_subprotocol = false;
};

using Routed = std::variant<HttpAnswer, UpgradeRequest>;

enum class Readiness : std::uint8_t { ready, draining };

/// What a request gets: pure but for the endpoints, which the result points to.
Routed route(const HttpRequest&, const std::vector<phx::server::Endpoint>&, Readiness);

/// How an upgrade is answered while the server drains.
HttpAnswer draining_refusal(phx::server::Dialect);

/// How a client that `authorize` refused is answered, in the manner of the endpoint's dialect.
HttpAnswer refusal(const phx::server::ConnectAnswer&, phx::server::Dialect);

void append_upgrade_answer(std::string& out, const UpgradeRequest&);

} // namespace phx::shell
