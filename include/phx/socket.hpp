#pragma once

#include "phx/channel.hpp"
#include "phx/export.hpp"
#include "phx/loop.hpp"
#include "phx/options.hpp"
#include "phx/stats.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace phx {

namespace realtime {
class RealtimeClient;
}
namespace shell {
class SocketCore;
}

enum class SocketState : std::uint8_t {
    idle, ///< `connect()` was not called, or `disconnect()` finished, or `RetryOptions::max_attempts` failed
    connecting, ///< resolving, dialling or upgrading
    open,
    closing,
    waiting, ///< for the next attempt
};

enum class HeartbeatStatus : std::uint8_t {
    sent,
    ok,
    timeout, ///< the connection counts as lost and is opened again
};

/// A connection to a Phoenix or Supabase endpoint that keeps itself open: it reconnects with backoff after
/// every end that this program did not ask for, sends heartbeats and joins its channels again.
///
/// Thread rules:
/// - Every member may be called from any thread. Calls only post: they take effect on the loop thread, in the
/// order of
///   the calling thread.
/// - Handlers run on the loop thread, one at a time, in the order things happened, never inside a call that
/// the user
///   makes. They may call anything but `Push::wait()` and `future().get()`.
/// - `off(id)` marks a handler dead at once; only a call already running on another thread may finish.
/// - An exception that leaves a handler is caught and reported to `on_error` as `Errc::handler_failed`.
/// - `~Socket` may run inside a handler: no other handler is called after it, and the socket closes when the
///   handler has returned.
class PHX_API Socket {
public:
    /// `url`: ws:// or wss:// of the endpoint, as phoenix.js takes it; `/websocket`, the params and `vsn` are
    /// added. Errors: throws std::invalid_argument for a URL, header or option that cannot be used.
    Socket(Loop& loop, std::string url, SocketOptions options = {})
        : Socket(loop, std::move(url), SocketSetup(std::move(options))) {}
    /// Closes. Pushes that wait finish with `Errc::socket_closed` before it returns; after that no handler
    /// runs.
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// Dials, now and after every loss. Without effect while connecting, open or waiting.
    void connect();
    /// Closes with this code and does not come back until `connect()`. Waiting pushes finish with
    /// `Errc::socket_closed`. REQUIRES a code that may be sent: 1000, or 3000 to 4999; others become 1000.
    void disconnect(std::uint16_t code = 1000, std::string reason = {});
    /// "The network is back": dials now instead of waiting for the backoff, whose ladder starts anew.
    void reconnect_now();
    SocketState state() const noexcept;

    /// The channel of that topic: the existing one, whose params and options stay as they are, or a new one.
    /// `params` is the payload of its joins. Throws std::invalid_argument for an empty topic, for params that
    /// are not UTF-8 and for options that cannot be used; the join of a topic that is not UTF-8 fails.
    Channel channel(std::string topic, const Json& params = Json::object(), ChannelOptions options = {}) {
        return channel_text(std::move(topic), payload_argument(params), std::move(options));
    }
    /// Leaves it, if joined, and forgets it.
    void remove(const Channel&);

    HandlerId on_open(Function<void()>);
    /// A connection that had been open ended: the code of the server's close frame (1005: it had none), or
    /// 1006.
    HandlerId on_close(Function<void(std::uint16_t code, std::string_view reason)>);
    /// Failed attempts to connect, lost heartbeats, frames that could not be read, exceptions of handlers,
    /// failed pushes that nobody observes. The socket goes on.
    HandlerId on_error(Function<void(const Error&)>);
    /// Every message of every channel, and those that belong to none (also late replies), after the channel's
    /// handlers.
    HandlerId on_message(Function<void(const Message&)>);
    HandlerId on_state(Function<void(SocketState from, SocketState to)>);
    /// A heartbeat was sent, was answered (`round_trip` is set then), or was not answered in time.
    HandlerId on_heartbeat(Function<void(HeartbeatStatus, Micros round_trip)>);
    /// More than 64 KiB had been waiting for the network, and now nothing is: a good moment to send more.
    HandlerId on_drain(Function<void()>);
    void off(HandlerId);

    SocketStats stats() const noexcept;
    /// Waiting for the network at the moment, without what its library holds (up to 256 KiB).
    std::size_t buffered_bytes() const noexcept;

    /// A heartbeat of one's own; the reply's `elapsed()` is the round trip. Errors: disconnected, timeout.
    Push ping();

    /// @internal
    const std::shared_ptr<shell::SocketCore>& core() const noexcept { return core_; }

private:
    friend class realtime::RealtimeClient;
    Socket(Loop&, std::string url, SocketSetup);
    Channel channel_text(std::string topic, std::string params, ChannelOptions);

    std::shared_ptr<shell::SocketCore> core_;
};

} // namespace phx
