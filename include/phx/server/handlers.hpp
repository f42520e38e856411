#pragma once

#include "phx/server/actions.hpp"
#include "phx/server/connection.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::server {

/// What a handler knows. Views are valid during the call.
struct Context {
    const Connection& connection;
    std::string_view topic;
    std::string_view params; ///< the payload of the join, as JSON text
    std::string_view state;  ///< what Actions::state set; empty at first
    ReplyTo reply_to = {};   ///< of the push at hand
    /// Of the join, as the JSON text that the client sent: `"1"` with its quotes, or `null` (v1 clients send
    /// none).
    std::string_view join_ref = "null";
    /// Of a broadcast that realtime-js sent in binary form to a `realtime:*` topic: the event inside. The
    /// event itself is "broadcast", as when it comes as text; JSON comes in the envelope that it has there,
    /// bytes as they are.
    std::string_view user_event = {};
};

/// The behaviour of a topic pattern. Handlers are pure: they get values and return actions; they run on the
/// server's thread and must not block. An exception from one is that channel's crash: the client gets
/// phx_error, the connection and the other channels live on, and Options::on_error is told.
struct Handlers {
    /// Without one every join is accepted with `{}`.
    std::function<JoinAnswer(const Context&, PayloadView params)> join = {};
    /// Without one every event is a crash, as a missing handle_in clause in Phoenix.
    std::function<Actions(const Context&, std::string_view event, PayloadView)> handle_in = {};
    /// Called once per receiver for broadcasts of the events in `intercepts`; its actions say what that
    /// receiver gets. Unlike in Phoenix, presence_diff is not intercepted: the members of a topic get it
    /// whatever `intercepts` says.
    std::function<Actions(const Context&, std::string_view event, PayloadView)> handle_out = {};
    std::vector<std::string> intercepts = {};
    /// What Actions::after asked for.
    std::function<Actions(const Context&, std::string_view info)> handle_info = {};
    /// The channel ended: left, closed, crashed or disconnected.
    std::function<void(const Context&)> on_close = {};
};

} // namespace phx::server
