#pragma once

#include "protocol/wire/websocket_mask.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace phx::protocol {

/// A client masks what it sends and refuses masked frames; a server the other way round.
enum class WebSocketRole : std::uint8_t { client, server };

/// RFC 6455 section 5.2, with the values of the wire.
enum class FrameOpcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
};

/// RFC 6455 section 7.4.1. Those marked are never sent, they only describe what happened.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t none_received = 1005; ///< never sent: a close frame without a code
inline constexpr std::uint16_t abnormal = 1006;      ///< never sent: no close frame at all
inline constexpr std::uint16_t invalid_text = 1007;
inline constexpr std::uint16_t message_too_big = 1009;
} // namespace close_code

/// Whether a close frame may carry the code: 1000-1003, 1007-1014 and 3000-4999.
constexpr bool is_close_code(std::uint16_t code) noexcept {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

inline constexpr std::size_t max_frame_header_bytes = 14;
inline constexpr std::size_t max_control_bytes = 125;
inline constexpr std::size_t max_close_reason_bytes = max_control_bytes - 2;

/// Appends one whole unmasked frame: what a server sends, and what a broadcast hands to every session.
/// REQUIRES a control payload of at most `max_control_bytes`.
void append_frame(std::string& out, FrameOpcode, std::string_view payload);

/// Appends one whole masked frame: what a client sends.
void append_masked_frame(std::string& out, FrameOpcode, std::string_view payload, MaskKey);

/// A frame whose payload is being appended to the buffer.
struct OpenFrame {
    std::size_t offset = 0;       ///< of its header in the buffer
    std::size_t header_bytes = 0; ///< room that was left for the header
};

/// Writes the frames of one role into buffers; many frames may follow each other in one buffer.
class FrameWriter {
public:
    /// A server needs no seed.
    explicit FrameWriter(WebSocketRole role, const MaskSeed& seed = {}) noexcept
        : role_(role), masks_(seed) {}

    void append(std::string& out, FrameOpcode, std::string_view payload);

    /// Appends a close frame; 1005 gives one without code and reason. A reason of more than 123 bytes is cut
    /// between two characters. REQUIRES a code that is_close_code() or 1005, and a reason in UTF-8.
    void append_close(std::string& out, std::uint16_t code, std::string_view reason);

    /// Between begin() and end() an encoder appends the payload to `out`, so that it is not copied; end()
    /// fills in the header and masks. The room for the header is that for `expected_bytes` of payload: a
    /// wrong guess costs one move of the payload (the default is right from 126 to 65535 bytes; below that
    /// the move is shorter than the call).
    OpenFrame begin(std::string& out, std::size_t expected_bytes = 126) const;
    void end(std::string& out, OpenFrame, FrameOpcode);
    /// Takes back what was appended since begin().
    static void cancel(std::string& out, OpenFrame frame) { out.resize(frame.offset); }

private:
    WebSocketRole role_;
    MaskSource masks_;
};

} // namespace phx::protocol
