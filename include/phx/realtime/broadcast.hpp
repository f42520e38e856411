#pragma once

#include "phx/export.hpp"
#include "phx/json.hpp"
#include "phx/message.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace phx::realtime {

/// What somebody sent to the channel: another client, the REST endpoint, or the database. One given to a
/// handler borrows from the receive buffer, as a `Message` does: keep it with `own()`.
class PHX_API Broadcast {
public:
    /// Reads a message whose event is "broadcast", text or binary. It borrows from the message, and from
    /// `scratch` when the event has escapes. Errors: invalid_payload of Origin::peer (no JSON object).
    static Result<Broadcast> read(const Message&, std::string& scratch);

    /// The name that the sender gave it; empty if it gave none.
    std::string_view event() const noexcept { return event_; }
    bool binary() const noexcept { return kind_ == protocol::Opcode::binary; }
    /// The payload's JSON text; `{}` if there was none, empty when `binary()`.
    std::string_view text() const noexcept { return binary() ? std::string_view{} : payload_; }
    Binary bytes() const noexcept { return as_binary(payload_); }
    /// Parses the payload, at each call anew. Never throws. Errors: invalid_payload.
    Result<Json> json() const {
        if (binary()) return fail(Errc::invalid_payload, "the payload is binary; use bytes()");
        return parse_json(payload_);
    }
    /// The payload as a T that nlohmann::json can make (`from_json`). Errors: invalid_payload.
    template <class T> Result<T> as() const { return json_as<T>(json()); }

    /// What the server says beside it, JSON text, or empty: `{"id":"<uuid>"}` of messages that come from the
    /// database, with `"replayed":true` when they are sent again.
    std::string_view meta() const noexcept { return meta_; }
    /// The id in it; empty if there is none.
    std::string id() const;
    bool is_replayed() const;

    /// One that owns its bytes and may go to any thread.
    Broadcast own() const;

private:
    std::string_view event_ = {};
    std::string_view payload_ = "{}";
    std::string_view meta_ = {};
    protocol::Opcode kind_ = protocol::Opcode::text;
    std::shared_ptr<const std::string> storage_ = {}; ///< set when owned
};

} // namespace phx::realtime
