#include "src/server/router.hpp"

#include "phx/protocol/codec.hpp"
#include "phx/protocol/endpoint.hpp"
#include "protocol/wire/handshake.hpp"
#include "protocol/wire/http_fields.hpp"
#include "protocol/wire/utf8.hpp"
#include "src/server/origin.hpp"
#include "src/server/query.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace phx::shell {
namespace {

using phx::server::Dialect;
using phx::server::Endpoint;
using phx::server::Options;

using Params = std::vector<std::pair<std::string, std::string>>;

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
    // The last two: of realtime-js' HTTP requests, and of phoenix.js' long poll.
    for (const std::string_view header :
         {request.header("x-api-key"), bearer_token(request.header("authorization")),
          request.header("apikey"), request.header("x-phoenix-authtoken")}) {
        if (!header.empty()) return std::string(header);
    }
    if (!apikey.empty()) return apikey;
    if (!token.empty()) return token;
    return protocol::token_from_subprotocols(request.header("sec-websocket-protocol"));
}

/// "/socket/websocket" and "/socket/websocket/" for the endpoint "/socket"; likewise "/longpoll".
const Endpoint* find_endpoint(std::string_view path, std::string_view suffix,
                              const std::vector<Endpoint>& endpoints) {
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
    if (request.count("sec-websocket-key") > 1) { // RFC 6455 section 11.3.1
        return HttpAnswer::text(400, "'sec-websocket-key' header must appear once");
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

HttpAnswer wrong_method(std::string_view allowed) {
    HttpAnswer answer = HttpAnswer::error(405, "method not allowed");
    answer.extra_headers = "allow: " + std::string(allowed) + "\r\n";
    return answer;
}

/// What a browser asks before it lets a page of another origin send a request.
HttpAnswer preflight(std::string_view methods) {
    HttpAnswer answer = HttpAnswer::empty(204);
    answer.extra_headers =
        "access-control-allow-methods: " + std::string(methods) +
        "\r\naccess-control-allow-headers: authorization, apikey, content-type, x-api-key, "
        "x-client-info, x-phoenix-authtoken, x-phoenix-longpoll-token"
        "\r\naccess-control-max-age: 600\r\n";
    return answer;
}

/// What the query says of a client; or why it is refused.
std::optional<HttpAnswer> read_attempt(const HttpRequest& request, const Endpoint& endpoint,
                                       TokenUse token_use, ConnectAttempt& attempt) {
    auto params = parse_query(request.query);
    if (!params) return HttpAnswer::error(400, params.error().message);
    const auto version = std::ranges::find(*params, "vsn", &Params::value_type::first);
    if (version != params->end()) {
        const auto vsn = protocol::parse_vsn(version->second);
        if (!vsn) return HttpAnswer::empty(403); // both real servers: without a body
        attempt.vsn = *vsn;
    }
    attempt.endpoint = &endpoint;
    if (token_use == TokenUse::verified) attempt.token = take_token(request, *params);
    attempt.params = params_json(*params);
    return std::nullopt;
}

Routed route_long_poll(const HttpRequest& request, const Endpoint& endpoint, TokenUse token_use) {
    if (request.method == "OPTIONS") return preflight("GET, POST, OPTIONS");
    if (request.method != "GET" && request.method != "POST") return wrong_method("GET, POST, OPTIONS");
    ServiceRequest wanted{Service::long_poll};
    if (auto refused = read_attempt(request, endpoint, token_use, wanted.attempt)) return *std::move(refused);
    return wanted;
}

Routed route_websocket(const HttpRequest& request, const Endpoint& endpoint, TokenUse token_use) {
    if (auto refused = check_handshake(request)) return *std::move(refused);
    UpgradeRequest upgrade;
    if (auto refused = read_attempt(request, endpoint, token_use, upgrade)) return *std::move(refused);
    upgrade.accept_key = protocol::websocket_accept(request.header("sec-websocket-key"));
    // phoenix.js offers "phoenix" and, beside it, its token; strict clients fail unless one is chosen.
    upgrade.phoenix_subprotocol = request.header_has_token("sec-websocket-protocol", "phoenix");
    return upgrade;
}

/// What the server may take for its own address. A server that asks nobody who he is believes no name that
/// anybody may point at this machine: any web page could make itself its own (DNS rebinding).
std::string_view own_host(const HttpRequest& request, const Options& options, TokenUse token_use) {
    const std::string_view host = request.header("host");
    const bool asks = token_use == TokenUse::verified || options.authorize;
    return asks || is_local_host(host) ? host : std::string_view{};
}

/// An absent Origin is no browser's.
bool may_come_from(const HttpRequest& request, const Options& options, TokenUse token_use) {
    const auto is_origin = [](const auto& field) {
        return protocol::equals_ignoring_case(field.first, "origin");
    };
    const auto origins = std::count_if(request.headers.begin(), request.headers.end(), is_origin);
    if (origins == 0) return true;
    return origins == 1 && is_allowed_origin(request.header("origin"), own_host(request, options, token_use),
                                             options.allowed_origins);
}

/// But for what a page reads from its own address.
bool may_be_asked(const HttpRequest& request, const Options& options, TokenUse token_use) {
    if (!may_come_from(request, options, token_use)) return false;
    if (request.has_header("origin") || !own_host(request, options, token_use).empty()) return true;
    const std::string name = std::string("//").append(request.header("host"));
    return is_allowed_origin("http:" + name, {}, options.allowed_origins) ||
           is_allowed_origin("https:" + name, {}, options.allowed_origins);
}

HttpAnswer route_alive(const HttpRequest& request) {
    if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET, HEAD");
    return HttpAnswer::json(200,
                            request.path == "/health" ? R"({"status":"ok"})" : R"({"message":"Success"})");
}

struct FoundService {
    ServiceRequest request;
    bool is_post;
};

/// "/realtime/v1/api/..." is "/api/...": realtime-js makes the address of REST from that of its socket.
std::string_view api_path(std::string_view path, const std::vector<Endpoint>& endpoints) {
    for (const Endpoint& endpoint : endpoints) {
        std::string_view own = endpoint.path;
        if (own.ends_with('/')) own.remove_suffix(1);
        if (path.starts_with(own) && path.substr(own.size()).starts_with("/api/"))
            return path.substr(own.size());
    }
    return path;
}

/// "TOPIC/events/EVENT", each percent-encoded.
std::optional<FoundService> find_broadcast_one(std::string_view rest) {
    constexpr std::string_view middle = "/events/";
    const std::size_t end = rest.find('/');
    if (end == std::string_view::npos || !rest.substr(end).starts_with(middle)) return std::nullopt;
    const std::string_view event = rest.substr(end + middle.size());
    if (event.find('/') != std::string_view::npos) return std::nullopt;
    ServiceRequest request{Service::broadcast_one, protocol::percent_decode(rest.substr(0, end)),
                           protocol::percent_decode(event)};
    const bool is_named = !request.topic.empty() && !request.event.empty() &&
                          protocol::is_utf8(request.topic) && protocol::is_utf8(request.event);
    if (!is_named) return std::nullopt;
    return FoundService{std::move(request), true};
}

std::optional<FoundService> find_service(std::string_view path) {
    struct Known {
        std::string_view path;
        Service service;
        bool is_post;
    };
    static constexpr std::array known{
        Known{"/ready", Service::ready, false},
        Known{"/metrics", Service::metrics, false},
        Known{"/api/broadcast", Service::broadcast, true},
        Known{"/api/send", Service::send, true},
        Known{"/api/connections", Service::connections, false},
        Known{"/api/topics", Service::topics, false},
        Known{"/api/disconnect", Service::disconnect, true},
        Known{"/api/changes", Service::changes, true},
    };
    for (const Known& one : known) {
        if (path == one.path) return FoundService{ServiceRequest{one.service}, one.is_post};
    }
    constexpr std::string_view broadcast_prefix = "/api/broadcast/";
    if (path.starts_with(broadcast_prefix)) return find_broadcast_one(path.substr(broadcast_prefix.size()));
    return std::nullopt;
}

} // namespace

Routed route(const HttpRequest& request, const Options& options, TokenUse token_use) {
    if (const Endpoint* endpoint = find_endpoint(request.path, "/websocket", options.endpoints)) {
        if (!may_come_from(request, options, token_use)) return HttpAnswer::empty(403); // as Phoenix
        return route_websocket(request, *endpoint, token_use);
    }
    if (const Endpoint* endpoint = find_endpoint(request.path, "/longpoll", options.endpoints)) {
        if (!may_be_asked(request, options, token_use)) return HttpAnswer::empty(403);
        return route_long_poll(request, *endpoint, token_use);
    }
    if (request.path == "/" && options.status_page) {
        const bool is_read = request.method == "GET" || request.method == "HEAD";
        return is_read ? Routed(ServiceRequest{Service::status_page}) : wrong_method("GET, HEAD");
    }
    if (request.path == "/health" || request.path == "/api/ping") return route_alive(request);
    const auto found = find_service(api_path(request.path, options.endpoints));
    if (!found) return HttpAnswer::error(404, "not found");
    const bool may_ask = is_open(found->request.service) ? may_come_from(request, options, token_use)
                                                         : may_be_asked(request, options, token_use);
    if (!may_ask)
        return HttpAnswer::error(403, request.has_header("origin")
                                          ? "origin not allowed"
                                          : "host not allowed: without tokens only IP addresses, names "
                                            "without a dot and what allowed_origins names");
    if (request.method == "OPTIONS") return preflight(found->is_post ? "POST" : "GET");
    const bool is_get = request.method == "GET" || request.method == "HEAD";
    if (found->is_post ? request.method == "POST" : is_get) return found->request;
    return wrong_method(found->is_post ? "POST" : "GET, HEAD");
}

std::string find_token(const HttpRequest& request) {
    auto query = parse_query(request.query);
    Params params = query ? *std::move(query) : Params{};
    std::string token = take_token(request, params);
    return token.empty() ? std::string(request.header("apikey")) : token; // as Supabase's HTTP API
}

std::string cors_headers(const HttpRequest& request, const Options& options, TokenUse token_use) {
    if (!request.has_header("origin") || !may_come_from(request, options, token_use)) return {};
    return "access-control-allow-origin: " + std::string(request.header("origin")) + "\r\nvary: origin\r\n";
}

HttpAnswer draining_refusal(Dialect dialect) {
    HttpAnswer answer = refusal({.http_status = 503, .body = "server draining"}, dialect);
    answer.extra_headers =
        "retry-after: 1\r\n"; // whoever is behind the load balancer then is not this server
    return answer;
}

HttpAnswer crowded_refusal(Crowded crowded, Dialect dialect) {
    HttpAnswer answer =
        crowded == Crowded::address
            ? refusal({.http_status = 429, .body = "too many connections of your address"}, dialect)
            : refusal({.http_status = 503, .body = "too many connections"}, dialect);
    answer.extra_headers = "retry-after: 5\r\n"; // by then some have given up, or left
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
