#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/message.hpp"
#include "phx/provider.hpp"
#include "phx/push.hpp"
#include "phx/rpc.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace phx {

namespace shell {
class ChannelCore;
}

/// Names a registered handler, for `off()`. Never reused; the default value names none.
struct HandlerId {
    std::uint64_t value = 0;
    friend bool operator==(HandlerId, HandlerId) = default;
};

enum class ChannelState : std::uint8_t {
    closed,  ///< never joined, left, or closed by the server
    joining, ///< the join is on its way, or waits for the connection
    joined,
    leaving,
    errored, ///< crashed, refused or disconnected; the channel joins again by itself
};

/// A topic of a socket: a handle that may be copied, kept and shared by threads; the socket owns the state.
/// It may outlive the socket: its calls then finish with `Errc::socket_closed`.
///
/// Every member may be called from any thread. Calls only post: they take effect on the loop thread, in the
/// order of the calling thread. Handlers run on the loop thread, one at a time, in the order things happened,
/// and may call anything but `Push::wait()`; handlers added or removed inside a handler are safe. An
/// exception that leaves a handler is reported to `Socket::on_error`.
class PHX_API Channel {
public:
    const std::string& topic() const noexcept;
    ChannelState state() const noexcept;

    /// Joins, and after every reconnect joins again by itself; the push is about this first join, the others
    /// are seen by `on_state`. While joining or joined: finishes with the join under way. A missing timeout
    /// means `SocketOptions::timeout`, here and below. Errors: join_refused (the channel tries again),
    /// timeout (likewise), socket_closed, channel_closed.
    Push join(std::optional<Millis> timeout = {});
    /// Ends the channel and its rejoins; its waiting pushes finish with `Errc::channel_closed`.
    Push leave(std::optional<Millis> timeout = {});

    /// Asks; the reply finishes the push. Before the channel is joined it waits
    /// (`SocketOptions::max_buffered_messages`). Errors: rejected, timeout, not_joined, disconnected,
    /// channel_closed, socket_closed, buffer_full, field_too_long, invalid_utf8.
    Push push(std::string_view event, const Json& payload = Json::object(),
              std::optional<Millis> timeout = {}) {
        auto text = payload_text(payload);
        if (!text) return failed_push(std::move(text).error());
        return push_ready(event, std::move(*text), timeout);
    }
    /// The same with ready JSON text. Errors: invalid_payload when it is none.
    Push push_text(std::string_view event, std::string_view json, std::optional<Millis> timeout = {});
    /// The same with bytes; protocol version 2 only. Errors: invalid_payload over version 1.
    Push push_binary(std::string_view event, Binary payload, std::optional<Millis> timeout = {});

    /// Calls a procedure of the server: `push()`, by the name that goes with `serve()`. A reply that comes
    /// after the timeout is for nobody; `Socket::on_message` sees it.
    Push call(std::string_view event, const Json& payload = Json::object(),
              std::optional<Millis> timeout = {}) {
        return push(event, payload, timeout);
    }
    Push call_binary(std::string_view event, Binary payload, std::optional<Millis> timeout = {}) {
        return push_binary(event, payload, timeout);
    }

    /// Tells, with ready JSON text: no reply is expected and nothing waits for one. Returns socket_closed
    /// when the loop has ended; what fails later (not_joined, buffer_full, field_too_long, invalid_payload)
    /// goes to `Socket::on_error`.
    Result<void> send(std::string_view event, std::string_view json);
    Result<void> send_binary(std::string_view event, Binary payload);

    /// Messages of this event. Replies go to their pushes and are not seen here.
    HandlerId on(std::string_view event, Function<void(const Message&)>);
    /// The same, with the payload as a T that nlohmann::json can make (`from_json`). A payload that does not
    /// fit is reported to `Socket::on_error` as `Errc::invalid_payload`, and the handler is not called.
    template <class T, class Handler> HandlerId on(std::string_view event, Handler handler) {
        return on(event, [handler = std::move(handler), channel = *this](const Message& message) mutable {
            if (auto value = message.as<T>()) {
                handler(*value);
            } else {
                channel.report(std::move(value).error());
            }
        });
    }
    /// Messages of every event, after the handlers of the event itself.
    HandlerId on_any(Function<void(const Message&)>);
    /// `why` is set when the channel failed or was closed by the server; it is valid during the call.
    HandlerId on_state(Function<void(ChannelState from, ChannelState to, const Error* why)>);
    /// Each join was answered with ok, also the rejoins, which have no push (phoenix.js:
    /// `join().receive("ok")`); after `on_state`.
    HandlerId on_joined(Function<void(const Reply&)>);
    /// The channel is joined again after having been `offline`: messages of that time were missed.
    HandlerId on_gap(Function<void(Millis offline)>);
    /// Answers the requests of the server for this method ("rpc:request", protocol/README.md). A handler for
    /// a method that is served already takes its place. Serve before `join()`: requests may come right behind
    /// its reply.
    ///
    /// Once something has been served, the channel answers all requests: "unknown method" to those that
    /// nobody serves, "handler failed" when an exception leaves the handler (reported to `Socket::on_error`,
    /// not told to the server), "malformed request" to what cannot be read (reported likewise). A response
    /// that cannot be sent (no JSON, bytes over protocol version 1) is reported, and "handler failed" goes
    /// out instead. Handlers of `on("rpc:request")` still see the messages.
    HandlerId serve(std::string method, RequestHandler);
    /// The handler is dead at once; only a call that is already running on another thread may finish.
    void off(HandlerId);
    /// All handlers of the event, as phoenix.js `off(event)`: those that were added by calls before this one.
    void off(std::string_view event);

    /// The payload of later joins. Throws std::invalid_argument when a string in it is not UTF-8.
    void set_params(const Json& params) { set_params_text(payload_argument(params)); }
    /// Asked before each join and rejoin, which waits for a late answer until its timeout.
    void set_params(Provider<Json> provider) {
        set_params_provider(
            std::move(provider).mapped<std::string>([](const Json& v) { return payload_text(v); }));
    }

    friend bool operator==(const Channel& a, const Channel& b) noexcept { return a.core_ == b.core_; }

    /// @internal For `Socket::on_error`.
    void report(Error) const;
    /// @internal
    explicit Channel(std::shared_ptr<shell::ChannelCore> core) noexcept : core_(std::move(core)) {}
    /// @internal
    const std::shared_ptr<shell::ChannelCore>& core() const noexcept { return core_; }

private:
    Push push_ready(std::string_view event, std::string json, std::optional<Millis>);
    Push failed_push(Error);
    Result<void> send_ready(std::string_view event, protocol::Opcode, std::string_view payload);
    void set_params_text(std::string json);
    void set_params_provider(Provider<std::string>);

    std::shared_ptr<shell::ChannelCore> core_;
};

} // namespace phx
