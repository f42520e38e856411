#include "src/server/router.hpp"

#include "phx/protocol/codec.hpp"
#include "phx/protocol/endpoint.hpp"
#include "protocol/wire/handshake.hpp"
#include "protocol/wire/utf8.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace phx::shell {
namespace {

using phx::server::Dialect;
using phx::server::Endpoint;

std::string_view reason_phrase(int status) noexcept {
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

/// The query as `{"name":"value",...}`: the last of equal names wins, as in Plug. None if a value is not
/// UTF-8.
std::optional<std::string> params_json(std::string_view query, std::string& vsn, bool& has_vsn) {
    std::vector<std::pair<std::string, std::string>> params;
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        std::string name = protocol::percent_decode(pair.substr(0, equals));
        std::string value = equals == std::string_view::npos
                                ? std::string{}
                                : protocol::percent_decode(pair.substr(equals + 1));
        if (!protocol::is_utf8(name) || !protocol::is_utf8(value)) return std::nullopt;
        if (name == "vsn") {
            vsn = value;
            has_vsn = true;
        }
        const auto same =
            std::find_if(params.begin(), params.end(), [&](const auto& p) { return p.first == name; });
        if (same != params.end()) {
            same->second = std::move(value);
        } else {
            params.emplace_back(std::move(name), std::move(value));
        }
    }
    std::string json = "{";
    for (const auto& [name, value] : params) {
        if (json.size() > 1) json += ',';
        protocol::append_json_string(json, name);
        json += ':';
        protocol::append_json_string(json, value);
    }
    json += '}';
    return json;
}

/// "/socket/websocket" and "/socket/websocket/" for the endpoint "/socket".
const Endpoint* find_endpoint(std::string_view path, const std::vector<Endpoint>& endpoints) {
    constexpr std::string_view suffix = "/websocket";
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!path.ends_with(suffix)) return nullptr;
    path.remove_suffix(suffix.size());
    for (const Endpoint& endpoint : endpoints) {
        std::string_view own = endpoint.path;
        if (own.ends_with('/')) own.remove_suffix(1);
        if (own == path) return &endpoint;
    }
    return nullptr;
}

std::string quoted(std::string_view value) {
    std::string out;
    protocol::append_json_string(out, protocol::is_utf8(value) ? value : "?");
    return out;
}

/// The texts are Bandit's, with which Phoenix answers.
std::optional<HttpAnswer> check_handshake(const HttpRequest& request) {
    const auto must_contain = [&](std::string_view name, std::string_view token) {
        const std::string got = request.has_header(name) ? quoted(request.header(name)) : std::string{};
        return HttpAnswer::text(400, "'" + std::string(name) + "' header must contain '" +
                                         std::string(token) + "', got [" + got + "]");
    };
    if (request.method != "GET") return HttpAnswer::empty(400);
    if (!request.header_has_token("connection", "upgrade")) return must_contain("connection", "upgrade");
    if (!request.header_has_token("upgrade", "websocket")) return must_contain("upgrade", "websocket");
    if (!request.has_header("sec-websocket-key")) {
        return HttpAnswer::text(400, "'sec-websocket-key' header is absent");
    }
    if (!protocol::is_websocket_key(request.header("sec-websocket-key"))) {
        return HttpAnswer::text(400, "'sec-websocket-key' header must be the base64 of 16 bytes");
    }
    const std::string_view version = request.header("sec-websocket-version");
    if (version != "13") {
        const std::string got = request.has_header("sec-websocket-version") ? quoted(version) : std::string{};
        HttpAnswer answer =
            HttpAnswer::text(400, "'sec-websocket-version' header must equal '13', got [" + got + "]");
        answer.extra_headers = "sec-websocket-version: 13\r\n"; // RFC 6455 section 4.2.2
        return answer;
    }
    return std::nullopt;
}

Routed route_websocket(const HttpRequest& request, const Endpoint& endpoint) {
    if (auto refused = check_handshake(request)) return *std::move(refused);
    UpgradeRequest upgrade;
    std::string vsn_text;
    bool has_vsn = false;
    auto params = params_json(request.query, vsn_text, has_vsn);
    if (!params) return HttpAnswer::error(400, "the query is not UTF-8");
    if (has_vsn) {
        const auto vsn = protocol::parse_vsn(vsn_text);
        if (!vsn) return HttpAnswer::empty(403); // both real servers: without a body
        upgrade.vsn = *vsn;
    }
    upgrade.endpoint = &endpoint;
    upgrade.params = *std::move(params);
    upgrade.accept_key = protocol::websocket_accept(request.header("sec-websocket-key"));
    // phoenix.js offers "phoenix" and, beside it, its token; strict clients fail unless one is chosen.
    upgrade.phoenix_subprotocol = request.header_has_token("sec-websocket-protocol", "phoenix");
    return upgrade;
}

} // namespace

HttpAnswer HttpAnswer::error(int status, std::string_view text) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = "{\"error\":";
    protocol::append_json_string(answer.body, text);
    answer.body += '}';
    return answer;
}

HttpAnswer HttpAnswer::text(int status, std::string body) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    answer.content_type = "text/plain; charset=utf-8";
    return answer;
}

HttpAnswer HttpAnswer::empty(int status) {
    HttpAnswer answer;
    answer.status = status;
    return answer;
}

void append_http_answer(std::string& out, const HttpAnswer& answer, BodyPart part, AfterAnswer after) {
    out += "HTTP/1.1 ";
    out += std::to_string(answer.status);
    out += ' ';
    out += reason_phrase(answer.status);
    out += "\r\ncontent-length: ";
    out += std::to_string(answer.body.size());
    if (!answer.body.empty()) {
        out += "\r\ncontent-type: ";
        out += answer.content_type;
    }
    out += "\r\ncache-control: no-store\r\n";
    out += answer.extra_headers;
    if (after == AfterAnswer::close) out += "connection: close\r\n";
    out += "\r\n";
    if (part == BodyPart::send) out += answer.body;
}

Routed route(const HttpRequest& request, const std::vector<Endpoint>& endpoints, Readiness readiness) {
    if (const Endpoint* endpoint = find_endpoint(request.path, endpoints))
        return route_websocket(request, *endpoint);
    if (request.path != "/health" && request.path != "/ready") return HttpAnswer::error(404, "not found");
    if (request.method != "GET" && request.method != "HEAD") {
        HttpAnswer answer = HttpAnswer::error(405, "method not allowed");
        answer.extra_headers = "allow: GET, HEAD\r\n";
        return answer;
    }
    HttpAnswer answer;
    answer.body = R"({"status":"ok"})";
    if (request.path == "/ready" && readiness == Readiness::draining) {
        answer.status = 503;
        answer.body = R"({"status":"draining"})";
    }
    return answer;
}

HttpAnswer draining_refusal(Dialect dialect) {
    HttpAnswer answer = refusal({.http_status = 503, .body = "server draining"}, dialect);
    answer.extra_headers =
        "retry-after: 1\r\n"; // whoever is behind the load balancer then is not this server
    return answer;
}

HttpAnswer refusal(const phx::server::ConnectAnswer& refused, Dialect dialect) {
    const bool is_json = protocol::validate_json(refused.body).has_value();
    if (dialect == Dialect::supabase && !is_json) {
        return HttpAnswer::error(refused.http_status, refused.body.empty() || !protocol::is_utf8(refused.body)
                                                          ? reason_phrase(refused.http_status)
                                                          : std::string_view(refused.body));
    }
    HttpAnswer answer = HttpAnswer::text(refused.http_status, refused.body);
    if (is_json) answer.content_type = "application/json";
    return answer;
}

void append_upgrade_answer(std::string& out, const UpgradeRequest& request) {
    out += "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: "
           "Upgrade\r\nsec-websocket-accept: ";
    out += request.accept_key;
    out += request.phoenix_subprotocol ? "\r\nsec-websocket-protocol: phoenix\r\n\r\n" : "\r\n\r\n";
}

} // namespace phx::shell
