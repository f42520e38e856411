#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace phx {

/// What the server asks of this program (`Channel::serve`). It owns its bytes and never changes: copies share
/// them and may go to any thread.
class Request {
public:
    enum class Expects : std::uint8_t { response, nothing };

    /// `params` is JSON text, or bytes. For handlers that ask other handlers, and for their tests.
    explicit Request(std::string method, std::string params = "{}",
                     protocol::Opcode kind = protocol::Opcode::text, Expects expects = Expects::response)
        : content_(
              std::make_shared<const Content>(Content{std::move(method), std::move(params), kind, expects})) {
    }

    std::string_view method() const noexcept { return content_->method; }
    bool binary() const noexcept { return content_->kind == protocol::Opcode::binary; }
    /// The params' JSON text. Empty when `binary()`.
    std::string_view text() const noexcept {
        return binary() ? std::string_view{} : std::string_view(content_->params);
    }
    /// The params' bytes, whichever kind they are.
    Binary bytes() const noexcept { return as_binary(content_->params); }
    /// Parses the params, at each call anew. Never throws. Errors: invalid_payload.
    Result<Json> json() const {
        if (binary()) return fail(Errc::invalid_payload, "the params are binary; use bytes()");
        return parse_json(content_->params);
    }
    /// The params as a T that nlohmann::json can make (`from_json`). Errors: invalid_payload.
    template <class T> Result<T> as() const { return json_as<T>(json()); }
    /// Nobody waits for the response: it goes nowhere.
    bool is_one_way() const noexcept { return content_->expects == Expects::nothing; }

private:
    struct Content {
        std::string method;
        std::string params;
        protocol::Opcode kind;
        Expects expects;
    };
    std::shared_ptr<const Content> content_;
};

/// The answer to a `Request`: "ok" or an error, with JSON or bytes, whichever the request had (bytes need
/// protocol version 2). As in all payloads, a JSON `null` becomes `{}`; `ok_text("null")` is null.
class Response {
public:
    /// "ok". Throws std::invalid_argument when a string of it is not UTF-8.
    Response(const Json& result) : Response(Status::ok, payload_argument(result)) {}
    /// A failure answers as `refuse(error.message)`: the server gets to see the message, and nothing else.
    Response(const Result<Json>& result) : Response(result ? Response(*result) : Response(result.error())) {}
    Response(const Failure& failure) : Response(failure.error) {}

    static Response ok_text(std::string json) { return {Status::ok, std::move(json)}; }
    static Response ok_binary(Binary bytes) {
        return {Status::ok, std::string(as_text(bytes)), protocol::Opcode::binary};
    }
    /// By custom an object with a "reason". Throws std::invalid_argument when a string of it is not UTF-8.
    static Response error(const Json& error) { return {Status::error, payload_argument(error)}; }
    static Response error_binary(Binary bytes) {
        return {Status::error, std::string(as_text(bytes)), protocol::Opcode::binary};
    }
    /// The error `{"reason":REASON}`. What is not UTF-8 in it becomes U+FFFD.
    PHX_API static Response refuse(std::string_view reason);

    bool is_ok() const noexcept { return status_ == Status::ok; }
    bool binary() const noexcept { return kind_ == protocol::Opcode::binary; }
    /// The body's JSON text. Empty when `binary()`.
    std::string_view text() const noexcept { return binary() ? std::string_view{} : std::string_view(body_); }
    Binary bytes() const noexcept { return as_binary(body_); }

private:
    enum class Status : std::uint8_t { ok, error };

    Response(Status status, std::string body, protocol::Opcode kind = protocol::Opcode::text)
        : body_(std::move(body)), status_(status), kind_(kind) {}
    explicit Response(const Error& why) : Response(refuse(why.message)) {}

    std::string body_;
    Status status_;
    protocol::Opcode kind_;
};

/// Where the response to a request goes: once, from any thread, at once or later. One that is destroyed
/// without having been given a response answers `refuse("no answer")`, or `refuse("handler failed")` while an
/// exception unwinds its handler, so that a request cannot get lost.
///
/// A response goes out over the join that its request came with, or not at all: after the channel has ended,
/// or the connection, it is dropped and reported to `Socket::on_error` as channel_closed or disconnected.
class Responder {
public:
    /// `done` must not throw.
    explicit Responder(Function<void(Response)> done) noexcept : done_(std::move(done)) {}
    Responder(Responder&&) noexcept = default;
    Responder& operator=(Responder&&) = delete;
    ~Responder() {
        if (!done_) return;
        const bool is_unwinding = std::uncaught_exceptions() > exceptions_;
        done_(Response::refuse(is_unwinding ? "handler failed" : "no answer"));
    }

    /// A second call does nothing.
    void operator()(Response response) {
        if (auto done = std::exchange(done_, nullptr)) done(std::move(response));
    }

private:
    Function<void(Response)> done_;
    int exceptions_ = std::uncaught_exceptions();
};

/// What answers requests, either of
/// - `Json(const Request&)`, `Result<Json>(const Request&)` or `Response(const Request&)`: answers at once;
/// - `void(const Request&, Responder)`: answers when it can, from any thread.
///
/// Handlers compose: one that is given another decides whether it is asked, and sees what it answers.
/// ```
/// RequestHandler for_admins(RequestHandler next, std::function<bool()> is_admin) {
///     return [next = std::move(next), is_admin](const Request& request, Responder responder) mutable {
///         if (!is_admin()) return responder(Response::refuse("forbidden"));
///         next(request, std::move(responder));
///     };
/// }
/// RequestHandler logged(RequestHandler next) {
///     return [next = std::move(next)](const Request& request, Responder responder) mutable {
///         auto done = [method = std::string(request.method()),
///                      responder = std::move(responder)](Response response) mutable {
///             std::clog << method << (response.is_ok() ? " ok\n" : " failed\n");
///             responder(std::move(response));
///         };
///         next(request, Responder(std::move(done)));
///     };
/// }
/// room.serve("restart", logged(for_admins(restart, is_admin)));
/// ```
class RequestHandler {
    template <class F>
    static constexpr bool answers_later =
        !std::is_same_v<F, RequestHandler> && std::is_invocable_v<F&, const Request&, Responder>;
    template <class F> static constexpr bool answers_now() {
        if constexpr (answers_later<F> || !std::is_invocable_v<F&, const Request&>) {
            return false;
        } else {
            return std::is_convertible_v<std::invoke_result_t<F&, const Request&>, Response>;
        }
    }

public:
    template <class F>
    requires answers_later<F> RequestHandler(F function) : handle_(std::move(function)) {}
    template <class F>
    requires(answers_now<F>()) RequestHandler(F function)
        : handle_([function = std::move(function)](const Request& request, Responder responder) mutable {
              responder(function(request));
          }) {}

    void operator()(const Request& request, Responder responder) { handle_(request, std::move(responder)); }

private:
    Function<void(const Request&, Responder)> handle_;
};

} // namespace phx
