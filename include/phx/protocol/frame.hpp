#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phx::protocol {

/// How a payload travels: as JSON text, or as raw bytes.
enum class Opcode : std::uint8_t { text, binary };

/// Serializer version: v1 ("1.0.0", JSON objects, no binary) and v2 ("2.0.0", JSON arrays and binary frames).
enum class Vsn : std::uint8_t { v1, v2 };

/// Which way a frame travels. Binary kind 0 has a ref only on its way to the server; kinds 1, 2 and 4 never
/// go there, kind 3 only goes there.
enum class Direction : std::uint8_t { to_server, to_client };

/// A JSON value as it was written: `"1"` (with its quotes), `1`, `null`, even `{"a":1}`. Real servers echo
/// refs of any type.
struct JsonToken {
    std::string_view text;

    bool is_null() const noexcept { return text == "null"; }
    friend bool operator==(JsonToken, JsonToken) = default;
};

/// One message of the protocol, whatever its encoding. It owns nothing: its views point into the data and the
/// scratch string that were given to `decode()`, or wherever the caller of `encode()` keeps them.
///
/// | frame                         | status | user_event | payload                                       |
/// |-------------------------------|--------|------------|-----------------------------------------------|
/// | push, broadcast (text)        | none   | empty      | the payload's JSON text                       |
/// | push, broadcast (kinds 0, 2)  | none   | empty      | raw bytes                                     |
/// | phx_reply (text)              | set    | empty      | the response's JSON text; empty if it has none |
/// | phx_reply (kind 1)            | set    | empty      | raw bytes                                     |
/// | user broadcast (kinds 3, 4)   | none   | set        | JSON text or raw bytes, by `kind`             |
///
/// Replies are only split on their way to a client. A text phx_reply whose payload is no object with a string
/// "status" keeps its whole payload and has no status.
struct FrameView {
    std::optional<JsonToken> join_ref = {}; ///< absent and null are different
    std::optional<JsonToken> ref = {};
    std::string_view topic = {}; ///< unescaped UTF-8
    std::string_view event = {};
    std::optional<JsonToken> topic_token = {}; ///< set instead of `topic` when the topic is not a string
    std::optional<JsonToken> event_token = {}; ///< likewise; real servers answer such frames
    /// Supabase kinds 3 and 4: the event inside the broadcast; `event` is then "broadcast".
    std::optional<std::string_view> user_event = {};
    std::string_view metadata = {}; ///< of kinds 3 and 4: JSON text, or empty
    std::optional<std::string_view> status = {};
    Opcode kind = Opcode::text;
    std::string_view payload = {};
};

/// What `decode()` refuses. All of it is checked before anything is allocated.
struct Limits {
    std::size_t max_frame_bytes = 16u << 20; ///< Errc::frame_too_large
    /// Of nested arrays and objects, the envelope not counted; more than 8192 counts as 8192.
    /// Errc::invalid_payload
    std::size_t max_depth = 128;
};

/// What a frame means to a client. `unknown` is every application event: deliver or ignore it, never fail.
enum class EventKind : std::uint8_t {
    phx_reply,
    phx_close,
    phx_error,
    postgres_changes,
    broadcast,
    presence_state,
    presence_diff,
    system,
    heartbeat_reply,
    unknown,
};

} // namespace phx::protocol
