#pragma once

#include "phx/result.hpp"
#include "phx/server/actions.hpp"
#include "phx/server/connection.hpp"

#include <chrono>
#include <functional>
#include <map>
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
    /// What the channels with this broker_key share; null: nothing yet, or no broker_key.
    const std::string* entity = nullptr;
    bool retried = false; ///< this call repeats one whose entity was changed by another channel meanwhile
};

/// Answers a push: its event, or the method that was called, and the payload.
using MessageHandler = std::function<Actions(const Context&, std::string_view event, PayloadView)>;
/// Makes a handler of the one that it wraps: it decides whether that is called, and sees what it wants.
/// ```
/// Middleware members_only = [](MessageHandler next) {
///     return [next](const Context& context, std::string_view event, PayloadView payload) {
///         if (context.connection.user_id.empty()) return Actions().error(R"({"reason":"members only"})");
///         return next(context, event, payload);
///     };
/// };
/// ```
using Middleware = std::function<MessageHandler(MessageHandler next)>;

/// The behaviour of a topic pattern. Handlers are pure: they get values and return actions; they run on the
/// server's thread and must not block. An exception from one is that channel's crash: the client gets
/// phx_error, the connection and the other channels live on, and Options::on_error is told.
///
/// With a broker_key a handler other than handle_out runs inside a compare-and-swap of the entity: it may run
/// several times, and what it returns happens only when the entity has been stored, the reply too. Meanwhile
/// further messages of that channel wait; other channels go on. If the broker fails, nothing of it happens
/// and the client gets phx_error `{"reason":"broker unavailable"}` (in a join: an error reply).
struct Handlers {
    /// Asked once, before the join: which entity this channel shares. None: it shares nothing.
    std::function<std::optional<std::string>(const Context&)> broker_key = {};
    /// Without one every join is accepted with `{}`.
    std::function<JoinAnswer(const Context&, PayloadView params)> join = {};
    /// Judges the first message of a joined channel, before which it is no member of its topic and nothing
    /// else is accepted. Accepted: the client gets the response, the actions of the join and of this answer
    /// follow. Refused: an error reply and phx_close.
    std::function<JoinAnswer(const Context&, std::string_view event, PayloadView)> initial_authorisation = {};
    /// Without one every event is a crash, as a missing handle_in clause in Phoenix.
    MessageHandler handle_in = {};
    /// By method: what clients call (`Channel::call`, a push whose event is the method). Such a push does not
    /// reach handle_in.
    std::map<std::string, MessageHandler, std::less<>> requests = {};
    /// Around handle_in and `requests`, the outermost first; called by Server::channel(), once.
    std::vector<Middleware> around = {};
    /// Called once per receiver for broadcasts of the events in `intercepts`; its actions say what that
    /// receiver gets. Unlike in Phoenix, presence_diff is not intercepted: the members of a topic get it
    /// whatever `intercepts` says.
    std::function<Actions(const Context&, std::string_view event, PayloadView)> handle_out = {};
    std::vector<std::string> intercepts = {};
    /// What Actions::after asked for.
    std::function<Actions(const Context&, std::string_view info)> handle_info = {};
    /// The client's answer to Actions::request, or why there is none: rejected (its error is in
    /// Error::detail), timeout, buffer_full, invalid_payload, field_too_long, invalid_argument.
    std::function<Actions(const Context&, std::string_view tag, const Result<Payload>& answer)>
        handle_response = {};
    /// What another channel's Actions::publish brought. Without one the client gets it as a push.
    std::function<Actions(const Context&, std::string_view event, PayloadView)> handle_broker = {};
    /// The channel ended: left, closed, crashed or disconnected. There is no client any more: broadcasts,
    /// sends, publishes, the entity, effects and disconnects are carried out, all else is ignored.
    std::function<Actions(const Context&)> on_close = {};
};

} // namespace phx::server
