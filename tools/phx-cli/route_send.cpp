#include "route_send.hpp"

#include "output.hpp"
#include "phx/protocol/codec.hpp"
#include "phx/protocol/endpoint.hpp"
#include "phx/server/route.hpp"
#include "session.hpp"
#include "src/net/http_post.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <future>
#include <iostream>
#include <memory>
#include <utility>

namespace phx::cli {
namespace {

/// From that of the socket, as realtime-js does: "/socket" and "/realtime/v1" give "/api/send" and
/// "/realtime/v1/api/send".
std::string api_path(std::string path) {
    while (path.ends_with('/')) path.pop_back();
    for (const std::string_view end : {"/websocket", "/socket"})
        if (path.ends_with(end)) path.resize(path.size() - end.size());
    return path + "/api/send";
}

shell::ConnectionTarget target_of(const ConnectArgs& args, const SocketOptions& options) {
    shell::ConnectionTarget target;
    target.url = *protocol::parse_url(args.url); // take_url() has read it
    target.url.path = api_path(std::move(target.url.path));
    for (const std::string& param : args.params) {
        const std::size_t equals = param.find('=');
        std::string& query = target.url.query;
        if (!query.empty()) query += '&';
        query += protocol::percent_encode(param.substr(0, equals)) + '=' +
                 protocol::percent_encode(param.substr(equals + 1));
    }
    target.headers = options.headers;
    if (const std::string token = token_of(args); !token.empty())
        target.headers.emplace_back("Authorization", "Bearer " + token);
    target.tls = options.tls;
    target.network = options.network;
    return target;
}

std::string body_of(const std::string& route, const std::string& event, const std::string& payload) {
    std::string body = "{\"route\":";
    protocol::append_json_string(body, route);
    body += ",\"event\":";
    protocol::append_json_string(body, event);
    return body + ",\"payload\":" + payload + "}";
}

/// What the server says of a refusal.
std::string reason_in(const Json& answer) {
    for (const char* const name : {"message", "error"})
        if (answer.is_object() && answer.contains(name) && answer[name].is_string())
            return ": " + printable_frame(protocol::Opcode::text, answer[name].get<std::string>());
    return {};
}

ExitCode print(Format format, const std::string& body, const Json& answer) {
    const std::string line =
        (format == Format::json ? body : std::to_string(answer["delivered"].get<std::uint64_t>())) + "\n";
    if (std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return ExitCode::ok;
    std::cerr << std::string("phx-cli: cannot write to stdout: ") + std::strerror(errno) + "\n";
    return ExitCode::failure;
}

void finish_with(Finish& finish, Format format, const shell::HttpReply& reply) {
    const Json answer = Json::parse(reply.body, nullptr, false);
    const bool is_taken = reply.status == 202 && answer.is_object() && answer.contains("delivered") &&
                          answer["delivered"].is_number_unsigned();
    if (is_taken) return finish.now(print(format, reply.body, answer));
    const std::string why =
        "the server answered with HTTP " + std::to_string(reply.status) + reason_in(answer);
    if (reply.status == 401 || reply.status == 403) return finish.now(ExitCode::refused, why);
    if (reply.status / 100 == 4 && reply.status != 404) return finish.now(ExitCode::error_reply, why);
    finish.now(ExitCode::network, why + "; is there a phx-server at this URL?");
}

} // namespace

ExitCode send_to_route(ConnectArgs& args, const std::string& route, std::vector<std::string> all_words) {
    const auto words = take_url(args, std::move(all_words), {"EVENT"});
    if (!server::parse_route(route))
        usage_error("--to takes all, user:ID, role:NAME, connection:ID or topic:NAME");
    const std::string body = body_of(route, words[0], payload_or_exit(words, 1));
    if (!protocol::validate_json(body)) usage_error("ROUTE and EVENT must be UTF-8");
    const SocketOptions options = socket_options(args);
    const auto target = target_of(args, options);
    if (args.verbose > 0)
        std::cerr << "> POST " + target.url.path + " " + printable_frame(protocol::Opcode::text, body) + "\n";

    Finish finish;
    Loop loop;
    const auto promise = std::make_shared<std::promise<Result<shell::HttpReply>>>();
    auto answer = promise->get_future();
    shell::http_post(loop, target, body, options.timeout, [promise, &finish](Result<shell::HttpReply> reply) {
        promise->set_value(std::move(reply));
        finish.wake();
    });
    while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        if (finish.wait({}) == Finish::Wake::finished) return finish.code();
    const Result<shell::HttpReply> reply = answer.get();
    if (!reply) {
        finish.now(reply.error(), "not sent");
        return finish.code();
    }
    if (args.verbose > 0)
        std::cerr << "< " + std::to_string(reply->status) + " " +
                         printable_frame(protocol::Opcode::text, reply->body) + "\n";
    finish_with(finish, args.format(), *reply);
    return finish.code();
}

} // namespace phx::cli
