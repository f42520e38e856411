#pragma once

#include "src/client/push_state.hpp"
#include "src/client/socket_core.hpp"
#include "src/realtime/http_sender.hpp"
#include "tests/client/client_fixture.hpp"
#include "tests/support/long_poll_server.hpp"

namespace phx::test {

using shell::ConnectionTarget;
using shell::HttpSender;
using shell::PushState;

constexpr const char* secret_key = "secret-key";
constexpr const char* secret_token = "secret-token";

inline ConnectionTarget target_of(const std::string& endpoint) {
    ConnectionTarget target;
    target.url = protocol::realtime::rest_base(endpoint).value();
    return target;
}

inline HttpSender::Request request_of(std::string body = "{}") {
    return {.target = "/api/broadcast/t/events/e",
            .content_type = "application/json",
            .headers = {{"apikey", secret_key}, {"Authorization", std::string("Bearer ") + secret_token}},
            .body = std::move(body)};
}

inline std::string answer_of(int status, std::string_view body = {}, std::string_view headers = {}) {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\ncontent-length: " + std::to_string(body.size()) +
           "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

/// A sender on a loop of its own, and a server that does what the test says.
struct Sending {
    explicit Sending(HttpSender::Limits limits = patient()) : Sending(nullptr, {}, limits) {}
    Sending(ScriptedServer* other, const std::optional<ConnectionTarget>& target,
            HttpSender::Limits limits = patient())
        : server(other ? *other : own) {
        on_loop([&] { sender.emplace(*loop.core(), target ? *target : target_of(server.url()), limits); });
    }
    /// The sender ends before its server does.
    ~Sending() { end(); }
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;

    /// How many connections are made does not depend on how fast the machine is.
    static HttpSender::Limits patient() { return {.max_idle = generous}; }
    void end() {
        on_loop([this] { sender.reset(); });
    }
    template <class Task> void on_loop(Task task) { loop.core()->call(std::move(task)); }
    Push send(HttpSender::Request request = request_of(), Millis timeout = generous) {
        last = std::make_shared<PushState>(socket);
        on_loop([&] { sender->send(std::move(request), timeout, last); });
        return Push(last);
    }
    /// Sends, and lets the server answer the request.
    Result<Reply> exchange(std::string_view answer, HttpSender::Request request = request_of()) {
        const Push push = send(std::move(request));
        peers.next("POST").peer->write(answer);
        return result_of(push);
    }
    Error failure(std::string_view answer) {
        const auto result = exchange(answer);
        return result ? Error{} : result.error();
    }

    ScriptedServer own;
    ScriptedServer& server;
    LongPollServer peers{server};
    Loop loop;
    std::shared_ptr<shell::SocketCore> socket = std::make_shared<shell::SocketCore>(loop.core());
    std::optional<HttpSender> sender; // belongs to the loop thread
    std::shared_ptr<PushState> last;
};

inline Error error_of(const Push& push) {
    const auto result = result_of(push);
    return result ? Error{} : result.error();
}

} // namespace phx::test
