// phx-server with the little of Supabase's authorization that the suites need: a private channel of a topic
// `secret...` is refused, and a topic `tokens...` broadcasts each token that it is given. Who joins the topic
// `bell` or `bell_bytes` gets messages at its inbox.
#include "tests/support/token_file.hpp"

#include <phx/json.hpp>
#include <phx/server/server.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using phx::Json;
using phx::server::Actions;
using phx::server::Context;
using phx::server::Handlers;
using phx::server::JoinAnswer;
using phx::server::PayloadView;

constexpr std::string_view prefix = "realtime:";

std::string broadcast_text(const char* event, const Json& payload) {
    return Json{{"type", "broadcast"}, {"event", event}, {"payload", payload}}.dump();
}

Handlers secret() {
    Handlers handlers;
    handlers.join = [](const Context& context, PayloadView params) {
        const Json config = phx::parse_json(params.data).value().value("config", Json::object());
        if (!config.value("private", false)) return JoinAnswer::ok();
        // supabase/realtime realtime_channel.ex, recorded in tests/vectors/supabase
        const std::string reason =
            "Unauthorized: You do not have permissions to read from this Channel topic: ";
        return JoinAnswer::refuse(
            Json{{"reason", reason + std::string(context.topic.substr(prefix.size()))}}.dump());
    };
    return handlers;
}

Handlers tokens() {
    Handlers handlers;
    handlers.join = [](const Context&, PayloadView params) {
        const Json given = phx::parse_json(params.data).value().value("access_token", Json());
        auto answer = JoinAnswer::ok(R"({"postgres_changes":[]})");
        answer.then.push("broadcast", broadcast_text("joined", {{"token", given}}));
        return answer;
    };
    handlers.handle_in = [](const Context&, std::string_view event, PayloadView payload) {
        Actions actions;
        if (event != "access_token") return actions.ok();
        const Json given = phx::parse_json(payload.data).value().value("access_token", Json());
        return actions.push("broadcast", broadcast_text("refreshed", {{"token", given}}));
    };
    return handlers;
}

Handlers bell(phx::server::Server& server) {
    Handlers handlers;
    handlers.join = [&server](const Context& context, PayloadView) {
        using phx::server::Payload;
        using phx::server::Route;
        const bool has_bytes = context.topic.ends_with("bytes");
        server.send(Route::connection(context.connection.id), "ring",
                    has_bytes ? Payload::binary("\x01\xff") : Payload(R"({"n":1})"));
        server.send(Route::all(), "ring", "[2]");
        return JoinAnswer::ok(R"({"postgres_changes":[]})");
    };
    return handlers;
}

} // namespace

int main(int argc, char** argv) {
    const bool has_tokens = argc == 5 && std::string_view(argv[3]) == "--jwt-secret-file";
    if ((argc != 3 && !has_tokens) || std::string_view(argv[1]) != "--listen") {
        std::fputs("usage: realtime_server --listen 127.0.0.1:PORT [--jwt-secret-file FILE]\n", stderr);
        return 2;
    }
    const std::string_view address = argv[2];
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // the server's thread inherits it

    phx::server::Options options;
    options.port = static_cast<std::uint16_t>(std::atoi(argv[2] + address.rfind(':') + 1));
    const phx::server::Requirement nothing;
    options.policies = {{.topic = "realtime:*", .join = nothing, .write = nothing, .presence = nothing}};
    if (has_tokens) options.tokens = phx::test::tokens_by_secret_file(argv[4]).value();
    phx::server::Server server(std::move(options));
    server.channel("realtime:secret*", secret());
    server.channel("realtime:tokens*", tokens());
    server.channel("realtime:bell*", bell(server));
    const auto port = server.start();
    if (!port) {
        std::fprintf(stderr, "realtime_server: %s\n", port.error().message.c_str());
        return 1;
    }
    std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(*port));
    std::fflush(stdout);
    int received = 0;
    sigwait(&signals, &received);
    server.stop();
    return 0;
}
