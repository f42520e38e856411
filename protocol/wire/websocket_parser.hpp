#pragma once

#include "phx/error.hpp"
#include "protocol/wire/utf8.hpp"
#include "protocol/wire/websocket_frame.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phx::protocol {

/// What the peer sent, or what was wrong with it.
struct WebSocketEvent {
    enum class Kind : std::uint8_t { text, binary, ping, pong, close, failure };

    Kind kind = Kind::failure;
    /// close: the code of the peer, 1005 if it gave none. failure: the code to close with (1002, 1007 or
    /// 1009).
    std::uint16_t code = 0;
    /// The message, the payload of the ping or pong, the reason of the close. failure: a fixed sentence about
    /// the fault.
    std::string_view payload = {};
};

/// The same as an error: 1007 is invalid_utf8, 1009 frame_too_large, 1002 malformed_frame; Origin::peer.
Error websocket_error(std::uint16_t code, std::string_view message);

/// RFC 6455 frames out of chunks of any size, in place: payloads are unmasked in the caller's chunk, and a
/// message that lies whole in one chunk and one frame is handed out as a view of it. Anything else is put
/// together in one buffer, which grows beyond kept_buffer_bytes only with what has arrived (never with what
/// was announced), to twice `max_message_bytes` at the most.
///
/// Calling order: feed() a chunk, next() until it gives nothing, and so on. A view lives until the next call
/// of feed() or next(). After `close` and after `failure` there are no more events, and everything fed is
/// ignored.
class WebSocketParser {
public:
    /// The buffer's capacity that is kept for the next message; more is given back after each message.
    static constexpr std::size_t kept_buffer_bytes = 256u << 10;

    WebSocketParser(WebSocketRole role, std::size_t max_message_bytes) noexcept
        : role_(role), max_message_bytes_(max_message_bytes) {}

    /// Borrows and changes the chunk. REQUIRES that next() has given nothing.
    void feed(std::span<char> chunk) noexcept;

    std::optional<WebSocketEvent> next();

    bool is_finished() const noexcept { return phase_ == Phase::finished; }

    /// What the parser holds in memory for unfinished messages.
    std::size_t buffer_bytes() const noexcept { return message_.capacity(); }

private:
    enum class Phase : std::uint8_t { header, payload, finished };
    enum class Progress : std::uint8_t { done, needs_more, refused };

    Progress take_header();
    Progress read_header(const char* bytes, std::size_t count);
    Progress check_first_byte(unsigned byte);
    Progress check_second_byte(unsigned byte);
    Progress check_length(std::uint64_t length, std::uint64_t shortest);
    std::optional<WebSocketEvent> take_payload();
    std::optional<WebSocketEvent> take_data(std::string_view part);
    std::optional<WebSocketEvent> take_control(std::string_view part);
    WebSocketEvent close_event(std::string_view payload);
    WebSocketEvent message_event(std::string_view payload);
    Progress refuse(std::uint16_t code, std::string_view message) noexcept;
    WebSocketEvent finish_with_failure() noexcept;
    void finish() noexcept;
    void release_message() noexcept;

    std::span<char> chunk_{}; // what is not yet taken of it

    // of the frame
    std::size_t remaining_ = 0; // of its payload
    MaskKey mask_ = 0;          // advances with the payload
    FrameOpcode opcode_ = FrameOpcode::continuation;
    bool is_final_ = false;
    std::uint8_t header_bytes_ = 0;         // in header_; not 0: the header spans chunks
    std::uint8_t control_bytes_ = 0;        // in control_
    std::uint8_t frame_header_bytes_ = 0;   // of the frame's header, once it is complete
    char header_[max_frame_header_bytes]{}; // of a header that spans chunks
    char control_[max_control_bytes]{};     // payload of a control frame that spans chunks

    // of the message
    FrameOpcode message_opcode_ = FrameOpcode::text;
    bool in_message_ = false; // its first frame came, its last did not
    bool is_message_lent_ = false;
    Utf8Validator utf8_;  // of text only, and so complete again when a message is
    std::string message_; // its bytes that came in earlier chunks and frames

    Phase phase_ = Phase::header;
    WebSocketRole role_;
    std::size_t max_message_bytes_;
    WebSocketEvent failure_{};
};

} // namespace phx::protocol
