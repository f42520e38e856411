#pragma once

#include "phx/export.hpp"
#include "phx/json.hpp"
#include "phx/protocol/frame.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace phx {

using protocol::EventKind;

/// What a channel received. A message given to a handler borrows from the receive buffer: it and all its
/// views are valid until the handler returns. Keep it with `own()`; a copy of a borrowed message is as
/// short-lived as the original.
class PHX_API Message {
public:
    /// Borrows from `frame` (and from what that borrows from).
    Message(const protocol::FrameView& frame, EventKind kind) noexcept : frame_(frame), kind_(kind) {}

    std::string_view topic() const noexcept { return frame_.topic; }
    std::string_view event() const noexcept { return frame_.event; }
    EventKind kind() const noexcept { return kind_; }
    /// The event inside a binary Supabase broadcast (kinds 3 and 4), whose `event()` is "broadcast"; else
    /// empty.
    std::string_view user_event() const noexcept { return frame_.user_event.value_or(std::string_view{}); }
    /// The metadata of such a broadcast: JSON text, or empty.
    std::string_view metadata() const noexcept { return frame_.metadata; }

    bool binary() const noexcept { return frame_.kind == protocol::Opcode::binary; }
    /// The payload's JSON text: validated (grammar, UTF-8, depth), not parsed. Empty when `binary()`.
    std::string_view text() const noexcept { return binary() ? std::string_view{} : frame_.payload; }
    /// The payload's bytes, whichever kind it is.
    Binary bytes() const noexcept { return as_binary(frame_.payload); }
    /// Parses the payload, at each call anew: keep what it returns. Never throws; the depth was limited when
    /// the frame was received. Errors: invalid_payload (binary, or a number that no double holds).
    Result<Json> json() const {
        if (binary()) return fail(Errc::invalid_payload, "the payload is binary; use bytes()");
        return parse_json(frame_.payload);
    }

    /// The payload as a T that nlohmann::json can make (`from_json`). Errors: invalid_payload.
    template <class T> Result<T> as() const { return json_as<T>(json()); }

    /// A message that owns its bytes and may go to any thread.
    Message own() const;

    const protocol::FrameView& frame() const noexcept { return frame_; }

private:
    protocol::FrameView frame_;
    EventKind kind_;
    std::shared_ptr<const std::string> storage_ = {}; ///< set when owned
};

/// The answer to a push; it owns its bytes.
class Reply {
public:
    Reply() = default;
    Reply(std::string status, protocol::Opcode kind, std::string response, Micros elapsed)
        : status_(std::move(status)), response_(std::move(response)), kind_(kind), elapsed_(elapsed) {}

    /// "ok", "error", or an application's own. Empty for a failure that never saw a reply.
    std::string_view status() const noexcept { return status_; }
    bool binary() const noexcept { return kind_ == protocol::Opcode::binary; }
    /// The response's JSON text. Empty when `binary()`, or when there is none.
    std::string_view text() const noexcept { return binary() ? std::string_view{} : response_; }
    Binary bytes() const noexcept { return as_binary(response_); }
    /// Parses the response, at each call anew. Never throws. Errors: invalid_payload.
    Result<Json> json() const {
        if (binary()) return fail(Errc::invalid_payload, "the response is binary; use bytes()");
        if (response_.empty()) return Json(Json::object());
        return parse_json(response_);
    }
    /// The response as a T that nlohmann::json can make (`from_json`). Errors: invalid_payload.
    template <class T> Result<T> as() const { return json_as<T>(json()); }
    /// From sending to the reply.
    Micros elapsed() const noexcept { return elapsed_; }

private:
    std::string status_;
    std::string response_;
    protocol::Opcode kind_ = protocol::Opcode::text;
    Micros elapsed_{0};
};

} // namespace phx
