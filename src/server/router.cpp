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

using Params = std::vector<std::pair<std::string, std::string>>;

/// The last of equal names wins, as in Plug. None if a value is not UTF-8.
std::optional<Params> parse_params(std::string_view query) {
    Params params;
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
        const auto same = std::ranges::find(params, name, &Params::value_type::first);
        if (same != params.end()) {
            same->second = std::move(value);
        } else {
            params.emplace_back(std::move(name), std::move(value));
        }
    }
    return params;
}

std::string params_json(const Params& params) {
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

/// Takes it out; empty if there is none.
std::string take_param(Params& params, std::string_view name) {
    const auto found = std::ranges::find(params, name, &Params::value_type::first);
    if (found == params.end()) return {};
    std::string value = std::move(found->second);
    params.erase(found);
    return value;
}

/// Of an Authorization header with the scheme Bearer, in any case; empty for others.
std::string_view bearer_token(std::string_view header) {
    constexpr std::string_view scheme = "bearer ";
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
    if (!std::ranges::equal(header.substr(0, scheme.size()), scheme, same)) return {};
    header.remove_prefix(scheme.size());
    header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
    return header;
}

/// The first that is there, in the order of Options::tokens. The params lose theirs in any case.
std::string take_token(const HttpRequest& request, Params& params) {
    std::string apikey = take_param(params, "apikey");
    std::string token = take_param(params, "token");
    for (const std::string_view header :
         {request.header("x-api-key"), bearer_token(request.header("authorization"))}) {
        if (!header.empty()) return std::string(header);
    }
    if (!apikey.empty()) return apikey;
    if (!token.empty()) return token;
    return protocol::token_from_subprotocols(request.header("sec-websocket-protocol"));
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

Routed route_websocket(const HttpRequest& request, const Endpoint& endpoint, TokenUse token_use) {
    if (auto refused = check_handshake(request)) return *std::move(refused);
    UpgradeRequest upgrade;
    auto params = parse_params(request.query);
    if (!params) return HttpAnswer::error(400, "the query is not UTF-8");
    const auto version = std::ranges::find(*params, "vsn", &Params::value_type::first);
    if (version != params->end()) {
        const auto vsn = protocol::parse_vsn(version->second);
        if (!vsn) return HttpAnswer::empty(403); // both real servers: without a body
        upgrade.vsn = *vsn;
    }
    upgrade.endpoint = &endpoint;
    if (token_use == TokenUse::verified) upgrade.token = take_token(request, *params);
    upgrade.params = params_json(*params);
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

Routed route(const HttpRequest& request, const std::vector<Endpoint>& endpoints, TokenUse token_use) {
    if (const Endpoint* endpoint = find_endpoint(request.path, endpoints))
        return route_websocket(request, *endpoint, token_use);
    if (request.path != "/health") return HttpAnswer::error(404, "not found");
    if (request.method != "GET" && request.method != "HEAD") {
        HttpAnswer answer = HttpAnswer::error(405, "method not allowed");
        answer.extra_headers = "allow: GET, HEAD\r\n";
        return answer;
    }
    HttpAnswer answer;
    answer.body = R"({"status":"ok"})";
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
