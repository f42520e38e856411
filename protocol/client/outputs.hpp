#pragma once

#include "phx/error.hpp"
#include "phx/protocol/endpoint.hpp"
#include "phx/protocol/frame.hpp"
#include "protocol/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace phx::protocol {

/// A generation of the connection: a report that carries an old one is ignored (phoenix.js connectClock).
enum class ConnId : std::uint64_t {};
enum class ChannelId : std::uint32_t {};
/// Never reused.
enum class PushId : std::uint64_t {};

enum class SocketState : std::uint8_t {
    idle,       ///< connect() was not called, or disconnect() finished
    connecting, ///< preparing, dialling or upgrading
    open,
    closing, ///< our close frame is out
    waiting, ///< for the next attempt
};

enum class ChannelState : std::uint8_t { closed, joining, joined, leaving, errored };

enum class HeartbeatStatus : std::uint8_t {
    sent,
    ok,
    timeout, ///< the connection counts as lost
};

/// How a connection, or an attempt at one, ended.
struct CloseInfo {
    std::uint16_t code =
        1006; ///< of the peer's close frame; 1005 if that had none, 1006 if there was no frame
    std::string reason = {};
    std::optional<Error> error = {};          ///< why a connection never opened, or broke
    std::optional<Duration> retry_after = {}; ///< the server's Retry-After
};

/// The end of a connection, or of an attempt, as an error: what broke it, or server_closed or disconnected
/// with the close code in its detail.
Error connection_error(const CloseInfo&);

/// What is dialled.
struct Target {
    std::string url = {};          ///< complete: with /websocket or /longpoll, params and vsn
    std::string subprotocols = {}; ///< Sec-WebSocket-Protocol, or empty: what carries a token
    Transport transport = Transport::websocket;
};

/// The end of a push. On success `error` is empty and status is "ok"; on Errc::rejected or join_refused the
/// reply is there too. Views live as all views in outputs do.
struct PushOutcome {
    std::optional<Error> error = {};
    std::string_view status = {};
    Opcode kind = Opcode::text;
    std::string_view response = {}; ///< JSON text, or bytes
    Duration elapsed{0};            ///< from sending to the reply; zero if it was never sent
};

/// What a push carries.
struct PushContent {
    std::string_view event = {};
    Opcode kind = Opcode::text;
    std::string_view payload = {};
    /// Set: a Supabase broadcast of this event, as binary kind 3, or over v1 as JSON; `event` is "broadcast".
    std::optional<std::string_view> user_event = {};

    std::size_t bytes() const noexcept {
        return event.size() + payload.size() + user_event.value_or(std::string_view()).size();
    }
};

/// Whether a push waits for an answer. One that expects none finishes well as soon as it is sent.
enum class Expects : std::uint8_t { reply, nothing };

/// Orders: the shell carries them out in this order.
namespace act {
/// Find out what to dial (tokens, params), then call handle_prepared(). Only when ClientConfig::ask_target is
/// set.
struct Prepare {
    ConnId conn;
    unsigned attempt; ///< from 0, counted since the last stable connection
};
/// Dial; then handle_open() at most once and handle_closed() exactly once.
struct Open {
    ConnId conn;
    Target target;
};
struct Send {
    ConnId conn;
    Opcode opcode;
    std::string_view data; ///< one frame of the protocol
};
/// Start the close handshake (or stop dialling); handle_closed() follows.
struct Close {
    ConnId conn;
    std::uint16_t code;
    std::string reason;
};
/// Find out the params of a join, then call handle_join_payload(). Only for channels added with ask_payload.
struct PrepareJoin {
    ChannelId channel;
    unsigned attempt;
};
} // namespace act

/// News for the user.
namespace event {
struct SocketChanged {
    SocketState from;
    SocketState to;
    std::optional<CloseInfo> why = {}; ///< when a connection, or an attempt, ended
};
struct ChannelChanged {
    ChannelId channel;
    ChannelState from;
    ChannelState to;
    std::optional<Error> why = {}; ///< when to == errored, or closed by the server
};
/// A join, or a rejoin, was answered with ok; after its ChannelChanged and Gap.
struct Joined {
    ChannelId channel;
    PushOutcome reply;
};
struct MessageArrived {
    ChannelId channel;
    FrameView frame;
    EventKind kind;
};
/// A frame for no channel of ours, or whose event is no string, or a reply that nobody waits for (any more).
struct Unclaimed {
    FrameView frame;
    EventKind kind;
};
/// Exactly once for each PushId.
struct PushFinished {
    PushId push;
    PushOutcome outcome;
};
struct HeartbeatChanged {
    HeartbeatStatus status;
    Duration round_trip; ///< when it was answered
};
/// A frame of the peer that could not be read (Origin::peer), or what send() had accepted and what was then
/// not sent (Origin::local: buffer_full, timeout, or why its channel ended). The connection lives on.
struct FrameDropped {
    Error error;
};
/// The channel is joined again; what was sent to it while it was not has not been received.
struct Gap {
    ChannelId channel;
    Duration offline;
};
} // namespace event

using Output =
    std::variant<act::Prepare, act::Open, act::Send, act::Close, act::PrepareJoin, event::SocketChanged,
                 event::ChannelChanged, event::Joined, event::MessageArrived, event::Unclaimed,
                 event::PushFinished, event::HeartbeatChanged, event::FrameDropped, event::Gap>;

} // namespace phx::protocol
