#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"
#include "protocol/clock.hpp"
#include "protocol/wire/websocket_parser.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace phx::protocol {

struct WebSocketConfig {
    WebSocketRole role = WebSocketRole::client;
    std::size_t max_message_bytes = 16u << 20; ///< of the peer; a longer one fails the connection with 1009
    std::size_t max_output_bytes = 64u
                                   << 20; ///< not yet written; a send beyond it is refused with buffer_full
    std::size_t max_pending_pongs =
        128; ///< not yet written; beyond it only the latest ping is answered; at least 1
    Duration close_timeout = std::chrono::seconds{5}; ///< of the whole closing handshake, as libwebsockets
    MaskSeed mask_seed = {};                          ///< clients only: from the random device
};

/// What a WebSocketMachine reports. All views live until its next feed(), poll() or handle_*().
namespace websocket {

struct Message {
    Opcode kind = Opcode::text;
    std::string_view payload = {};
};

struct Pong {
    std::string_view payload = {};
};

/// The peer broke the protocol. Reported at most once; a close frame with the code lies in the output, and
/// `Closed` follows when the peer has ended the connection or the close timeout is over.
struct Failed {
    std::uint16_t code = 0;        ///< 1002, 1007 or 1009; websocket_error() makes an Error of both
    std::string_view message = {}; ///< fixed text, not the peer's
};

enum class Ending : std::uint8_t {
    clean,   ///< close frames went both ways: write the rest of the output, then drop the connection
    unclean, ///< drop the connection at once
};

/// The last report, exactly once: drop the connection.
struct Closed {
    std::uint16_t code = 0; ///< of the peer's close frame; 1005 if it had none, 1006 without a close frame
    std::string_view reason = {};
    Ending ending = Ending::unclean;
};

} // namespace websocket

using WebSocketReport =
    std::variant<websocket::Message, websocket::Pong, websocket::Failed, websocket::Closed>;

/// One WebSocket connection after its opening handshake: RFC 6455 without sockets and clocks.
///
///     open --close()--> closing --close frame--> closed --end of stream--> done
///     open --close frame, echoed--> closed
///     open, closing --broken frame--> failed --end of stream--> done
///     closing, closed, failed --close timeout--> done
///
/// A server is done as soon as it is closed: the server ends the TCP connection first (RFC 6455
/// section 7.1.1). Invariant: Closed is reported exactly once, when the state becomes done, and nothing is
/// reported after it.
///
/// Calling order: after every call that is not const, poll() until it gives nothing, write output(), tell
/// consume_output(), set the one timer to next_timeout().
class WebSocketMachine {
public:
    explicit WebSocketMachine(const WebSocketConfig& config);

    /// Bytes of the peer; the chunk is changed in place and must live until poll() has given nothing.
    void feed(TimePoint now, std::span<char> chunk);
    /// The peer has ended the connection.
    void handle_eof(TimePoint now);
    void handle_timeout(TimePoint now);
    std::optional<TimePoint> next_timeout() const noexcept { return deadline_; }

    /// Errors: socket_closed after close() or the end, buffer_full. Text REQUIRES UTF-8; it is not checked
    /// again.
    Result<void> send(Opcode kind, std::string_view payload);
    /// Errors: as send(), and invalid_argument for a payload over 125 bytes.
    Result<void> ping(std::string_view payload = {});
    /// Starts the closing handshake; messages and pings that still arrive are dropped, as WHATWG WebSockets
    /// say. No-op when closing already. A reason over 123 bytes is cut. Errors: invalid_argument for a code
    /// that nobody may send (1005 gives a frame without code) and a reason that is not UTF-8.
    Result<void> close(TimePoint now, std::uint16_t code = close_code::normal, std::string_view reason = {});

    /// send() without a copy: append the payload to the string, then end_send() or cancel_send(), no other
    /// call between. Null when send() would refuse.
    std::string* begin_send(std::size_t expected_bytes = 126);
    void end_send(Opcode kind);
    void cancel_send();

    std::optional<WebSocketReport> poll();

    /// What is to be written to the transport, in order. Valid until the next call that is not const.
    std::string_view output() const noexcept { return std::string_view(output_).substr(written_); }
    /// The first `bytes` of output() are written. Pongs are bounded by what is not: take only what the
    /// transport takes.
    void consume_output(std::size_t bytes);

private:
    enum class State : std::uint8_t { open, closing, closed, failed, done };

    Result<void> check_sendable(std::size_t payload_bytes) const;
    std::optional<WebSocketReport> report(const WebSocketEvent& event);
    void answer_ping(std::string_view payload);
    void append_pong(std::string_view payload);
    void handle_close_frame(std::uint16_t code, std::string_view reason);
    void start_timeout();
    void finish();

    WebSocketConfig config_;
    WebSocketParser parser_;
    FrameWriter writer_;
    State state_ = State::open;
    bool is_eof_ = false;
    bool is_closed_due_ = false; // poll() has yet to report Closed
    TimePoint now_{};
    std::optional<TimePoint> deadline_{};

    std::string output_;
    std::size_t written_ = 0; // of output_
    OpenFrame open_frame_{};

    std::size_t pending_pongs_ = 0;
    std::size_t pongs_end_ = 0;                // in output_: written up to there, no pong is pending
    std::optional<std::string> latest_ping_{}; // that waits for the pending pongs to be written

    std::uint16_t close_code_ = close_code::abnormal;
    std::string close_reason_{};
};

} // namespace phx::protocol
