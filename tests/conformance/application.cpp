#include "tests/conformance/application.hpp"

#include "tests/conformance/events.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace phx::conformance {

using nlohmann::json;
using server::Actions;
using server::ConnectAnswer;
using server::ConnectRequest;
using server::Context;
using server::JoinAnswer;
using server::PayloadView;

namespace {

ConnectAnswer refuse(int status, std::string body = {}) {
    ConnectAnswer answer;
    answer.http_status = status;
    answer.body = std::move(body);
    return answer;
}

ConnectAnswer authorize(const ConnectRequest& request) {
    const json params = json::parse(request.params);
    // Where tokens are verified the parameter is one, and whom it names stands for what it says without.
    const std::string& user = request.identity.user_id;
    const std::string token = user.empty() ? params.value("token", "") : user;
    if (token == "boom") throw std::runtime_error("connect raises");
    if (token == "bad") return refuse(403);
    if (token == "limited") {
        // Only /limited has an error handler that turns {:error, reason} into a status of its own.
        return request.endpoint.path == "/limited" ? refuse(429, "Too many requests") : refuse(403);
    }
    ConnectAnswer answer;
    if (!token.empty()) answer.socket_id = "users:" + token;
    return answer;
}

Actions after_join(const json& params) {
    Actions actions;
    if (!params.is_object()) return actions;
    if (params.contains("presence")) {
        json meta = {{"online_at", 1700000000}};
        if (params.contains("meta")) meta.update(params["meta"]);
        actions.presence_state().track(params["presence"].get<std::string>(), meta.dump());
    }
    if (params.contains("push_on_join")) actions.push("hello", R"({"from":"join"})");
    return actions;
}

JoinAnswer join(const Context& context, PayloadView payload) {
    if (context.topic == "room:secret") return JoinAnswer::refuse(R"({"reason":"unauthorized"})");
    if (context.topic == "room:crashjoin") throw std::runtime_error("join raises");
    if (context.topic == "room:plain" || context.topic.starts_with("bench:")) return JoinAnswer::ok();
    const json params = json_of(payload);
    if (context.topic == "room:slowjoin") {
        JoinAnswer answer = JoinAnswer::ok(R"({"slow":true})");
        answer.delay = milliseconds_of(params);
        return answer;
    }
    if (params.is_object() && params.contains("deny"))
        return JoinAnswer::refuse(R"({"reason":"unauthorized"})");
    JoinAnswer answer =
        JoinAnswer::ok(json{{"motd", "welcome"}, {"topic", context.topic}, {"params", params}}.dump());
    answer.then = after_join(params);
    return answer;
}

} // namespace

server::Options application_options(std::string host, std::uint16_t port) {
    server::Options options;
    options.host = std::move(host);
    options.port = port;
    server::Endpoint limited;
    limited.path = "/limited";
    limited.max_message_bytes = 4096;
    limited.idle_timeout = std::chrono::milliseconds(2000);
    server::Endpoint compressed;
    compressed.path = "/compressed";
    options.endpoints = {server::Endpoint{}, limited, compressed};
    options.allowed_origins = {"*"};
    options.authorize = authorize;
    options.realtime = false;
    return options;
}

void add_channels(server::Server& server) {
    server::Handlers handlers;
    handlers.join = join;
    handlers.handle_in = handle_in;
    handlers.handle_out = handle_out;
    handlers.intercepts = {"intercepted"};
    handlers.handle_info = handle_info;
    for (const char* pattern : {"room:*", "bench:*", "exact"}) server.channel(pattern, handlers);
}

} // namespace phx::conformance
