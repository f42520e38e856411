#pragma once

#include "phx/export.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <string>
#include <string_view>

namespace phx::protocol {

/// Reads one WebSocket message as a frame, validating all of it in one pass: grammar, UTF-8, depth, shape.
///
/// The views of the result point into `data` and `scratch` and live as long as both are left alone. `scratch`
/// is cleared first; it is written only for text with escapes and for the refs of binary frames, so a reused
/// string costs no allocation. v1 ignores the opcode, as Phoenix does. More than five elements of a v2 array
/// and unknown keys of a v1 object are accepted and dropped; a v1 object that names a key of the envelope
/// twice is refused.
///
/// Errors: malformed_frame (with the byte), invalid_utf8, invalid_payload (too deep), unknown_kind,
/// frame_too_large; all of Origin::peer. A text frame that is not UTF-8 is invalid_utf8 whatever else is
/// wrong with it.
PHX_API Result<FrameView> decode(Vsn, Direction, Opcode, std::string_view data, std::string& scratch,
                                 const Limits& = {});

/// Appends the frame to `out` and says which opcode it needs. On an error `out` is as before.
///
/// The payload of a text frame is copied as it is: it must be JSON (decode() returns nothing else). An empty
/// payload of a text frame that is no reply becomes `{}`, that of a reply leaves "response" out. With
/// `user_event` a v2 frame is kind 3 or 4, a v1 frame the JSON broadcast
/// `{"type":"broadcast","event":E,"payload":P}` with the metadata as "meta". A binary frame to a client is
/// kind 0 with a join_ref, null included, and kind 2 without; what a binary kind has no field for is left
/// out. A ref in a binary frame is a string's text, nothing for null, or the token.
///
/// Errors: field_too_long (topic, event, ref, status, user event, metadata over 255 bytes in a binary frame),
/// invalid_payload (binary over v1), unknown_kind (a frame that cannot travel in this direction).
PHX_API Result<Opcode> encode(Vsn, Direction, const FrameView&, std::string& out);

PHX_API EventKind event_kind(const FrameView&) noexcept;
PHX_API std::string_view to_string(EventKind) noexcept;

/// The text of a string token without quotes and escapes, or the token as written when it is no string. Uses
/// `scratch` only for escapes.
PHX_API std::string_view unquote(JsonToken, std::string& scratch);

/// Appends `text` as a JSON string, with quotes and escapes. REQUIRES valid UTF-8.
PHX_API void append_json_string(std::string& out, std::string_view text);

/// Whether `text` is one complete JSON value: grammar, UTF-8, surrogate pairs, depth.
///
/// Errors: invalid_payload and invalid_utf8, both of Origin::local; the message names the byte.
PHX_API Result<void> validate_json(std::string_view text, std::size_t max_depth = Limits{}.max_depth);

/// The serializer version that a `vsn` query parameter asks for: "1.x.y" of 1.0 and "2.x.y" of 2.0, patch
/// versions accepted ("~> 1.0.0", "~> 2.0.0"). Phoenix answers anything else with HTTP 403.
PHX_API Result<Vsn> parse_vsn(std::string_view text);
PHX_API std::string_view to_string(Vsn) noexcept;

} // namespace phx::protocol
