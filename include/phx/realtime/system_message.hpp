#pragma once

#include "phx/export.hpp"
#include "phx/realtime/reason.hpp"
#include "phx/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace phx::realtime {

/// What the server says about a channel in a `system` event. It owns its texts; any thread.
struct SystemMessage {
    /// Reads the payload of such an event. Errors: invalid_payload of Origin::peer.
    PHX_API static Result<SystemMessage> parse(std::string_view payload);

    bool ok = false;            ///< the status: "ok" or "error"
    std::string extension = {}; ///< who speaks: "postgres_changes" or "system"
    std::string message = {};   ///< for people; `reason()` is for programs
    std::string channel = {};   ///< the topic without "realtime:"; may be missing
    std::string text = {};      ///< the whole payload, JSON text

    std::optional<Reason> reason() const noexcept { return reason_of_system(message); }
    /// From now on the changes that were asked for arrive. It comes up to some seconds after the join.
    bool is_subscribed_to_postgres() const noexcept {
        return ok && extension == "postgres_changes" && message == "Subscribed to PostgreSQL";
    }
    /// The server closes this channel now, and says why; the socket stays. After errors of postgres_changes
    /// the channel stays as well.
    bool ends_channel() const noexcept { return !ok && extension == "system"; }
};

} // namespace phx::realtime
