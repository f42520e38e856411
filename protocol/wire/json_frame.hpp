#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"
#include "protocol/wire/json_text.hpp"

#include <string>
#include <string_view>

/// What the two text serializers share.
namespace phx::protocol::wire {

/// The strings of a text frame as they were written; escapes are resolved when all of the frame is known to
/// be good.
struct TextFrame {
    FrameView& view;
    RawString topic = {};
    RawString event = {};
    RawString status = {};
    bool split = false; ///< the payload has been read as a reply's
};

bool read_v1(JsonReader&, Direction, TextFrame&) noexcept;
bool read_v2(JsonReader&, Direction, TextFrame&) noexcept;

/// A string into `raw`, anything else into `token`: real servers answer topics and events of any type.
bool read_text(JsonReader&, RawString& raw, std::optional<JsonToken>& token) noexcept;
bool read_ref(JsonReader&, std::optional<JsonToken>& ref) noexcept;
/// The payload; of a phx_reply to a client its status and response.
bool read_payload(JsonReader&, Direction, TextFrame&) noexcept;

/// Fills topic, event and status of the view; escaped ones go to `scratch`.
void finish_text(TextFrame&, Direction, std::string& scratch);

Result<FrameView> decode_text(Vsn, Direction, std::string_view data, std::string& scratch, const Limits&);
Result<FrameView> decode_binary(Direction, std::string_view data, std::string& scratch, const Limits&);

void encode_v1(const FrameView&, std::string& out);
void encode_v2(const FrameView&, std::string& out);
Result<Opcode> encode_binary(Direction, const FrameView&, std::string& out);

} // namespace phx::protocol::wire
