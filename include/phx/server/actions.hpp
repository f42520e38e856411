#pragma once

#include "phx/server/payload.hpp"
#include "phx/server/route.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace phx::server {

/// Stands for the reply that a push still waits for; answered once, from any later handler of the same
/// channel. Zero: the call at hand is about no push. A late answer to a push whose ref is null crashes the
/// channel, as in Phoenix.
struct ReplyTo {
    std::uint64_t id = 0;
};

enum class StopReason : std::uint8_t {
    normal, ///< the client sees phx_close and does not rejoin
    crash,  ///< the client sees phx_error and rejoins
};

/// What an action is, for whoever carries it out. Users build them with Actions.
namespace action {
struct Reply {
    std::string status;
    Payload response;
};
struct LateReply {
    ReplyTo to;
    std::string status;
    Payload response;
};
struct Push {
    std::string event;
    Payload payload;
};
enum class Audience : std::uint8_t { everybody, others };
struct Broadcast {
    Audience audience;
    std::string event;
    Payload payload;
};
struct Send {
    Route route;
    std::string event;
    Payload payload;
};
struct Request {
    std::string tag;
    std::string method;
    Payload params;
    std::chrono::microseconds timeout;
};
struct Notify {
    std::string method;
    Payload params;
};
struct SetState {
    std::string json;
};
struct Track {
    std::string key;
    std::string meta;
};
struct Untrack {
    std::string key;
};
struct PushPresenceState {};
struct ReplyPresence {};
struct After {
    std::chrono::microseconds delay;
    std::string info;
};
struct Stop {
    StopReason reason;
};
struct CloseConnection {
    std::uint16_t code;
    std::string reason;
};
struct Disconnect {
    std::string socket_id;
};
struct DisconnectUser {
    std::string user_id;
};
struct Publish {
    Route route;
    std::string event;
    Payload payload;
};
struct UpdateEntity {
    std::string value;
};
struct EraseEntity {};
struct Effect {
    std::string name;
    std::string json;
};
struct NoReply {};
struct ReplyLater {
    std::chrono::microseconds timeout;
};
} // namespace action

using Action = std::variant<action::Reply, action::LateReply, action::Push, action::Broadcast,
                            action::SetState, action::Track, action::Untrack, action::PushPresenceState,
                            action::After, action::Stop, action::CloseConnection, action::Disconnect,
                            action::ReplyPresence, action::Send, action::Request, action::Notify,
                            action::DisconnectUser, action::Publish, action::UpdateEntity,
                            action::EraseEntity, action::Effect, action::NoReply, action::ReplyLater>;

/// What a handler wants to happen, in order. A value: nothing happens until the handler has returned.
class Actions {
public:
    /// Answers the push at hand; a second answer is ignored. Without one the client gets no reply.
    Actions& reply(std::string_view status, Payload response = {}) & {
        return add(action::Reply{std::string(status), std::move(response)});
    }
    Actions& ok(Payload response = {}) & { return reply("ok", std::move(response)); }
    Actions& error(Payload response = {}) & { return reply("error", std::move(response)); }
    /// Answers an earlier push, whose Context::reply_to was kept.
    Actions& reply_to(ReplyTo to, std::string_view status, Payload response = {}) & {
        return add(action::LateReply{to, std::string(status), std::move(response)});
    }
    /// The push at hand is never answered: nothing of it is kept.
    Actions& no_reply() & { return add(action::NoReply{}); }
    /// The push at hand will be answered by reply_to(); if it is not within `timeout`, with error
    /// `{"reason":"timeout"}`. Default 10 s, as long as phoenix.js waits.
    Actions& reply_later(std::chrono::microseconds timeout = std::chrono::seconds(10)) & {
        return add(action::ReplyLater{timeout});
    }
    /// To this client alone.
    Actions& push(std::string_view event, Payload payload = {}) & {
        return add(action::Push{std::string(event), std::move(payload)});
    }
    /// To every member of the topic, the sender included.
    Actions& broadcast(std::string_view event, Payload payload = {}) & {
        return add(action::Broadcast{action::Audience::everybody, std::string(event), std::move(payload)});
    }
    Actions& broadcast_from(std::string_view event, Payload payload = {}) & {
        return add(action::Broadcast{action::Audience::others, std::string(event), std::move(payload)});
    }
    /// To whom the route names, as Server::send(), but never to this connection; also at other servers of the
    /// broker. What cannot be sent (no event, or one of over 255 bytes with bytes) crashes the channel.
    Actions& send(Route route, std::string_view event, Payload payload = {}) & {
        return add(action::Send{std::move(route), std::string(event), std::move(payload)});
    }
    /// Asks this client, whose `Channel::serve` answers. Handlers::handle_response gets the answer, or why
    /// there is none, under this tag, unless the channel has ended. At most 256 requests of a channel wait.
    Actions& request(std::string tag, std::string_view method, Payload params = {},
                     std::chrono::microseconds timeout = std::chrono::seconds(10)) & {
        return add(action::Request{std::move(tag), std::string(method), std::move(params), timeout});
    }
    /// Asks this client without waiting for an answer. What cannot be sent (no method, no JSON, bytes over
    /// protocol version 1) crashes the channel.
    Actions& notify(std::string_view method, Payload params = {}) & {
        return add(action::Notify{std::string(method), std::move(params)});
    }
    /// To the channels of the same pattern that have the same Handlers::broker_key, on every server of the
    /// broker, and whose connection (or, by Route::topic, whose topic) the route names; never to this one.
    /// Without a key: to those of this server's thread that have none either. A receiver with a handle_broker
    /// is asked what its client gets, any other client gets a push.
    Actions& publish(Route route, std::string_view event, Payload payload = {}) & {
        return add(action::Publish{std::move(route), std::string(event), std::move(payload)});
    }
    /// The entity that all channels of the same pattern and broker_key share, from now on. The last of
    /// several counts. Without a broker_key it crashes the channel.
    Actions& update_entity(std::string value) & { return add(action::UpdateEntity{std::move(value)}); }
    Actions& erase_entity() & { return add(action::EraseEntity{}); }
    /// Calls what Server::effect() registered under `name`, after the entity was stored.
    Actions& effect(std::string name, std::string json = "{}") & {
        return add(action::Effect{std::move(name), std::move(json)});
    }
    /// This channel's own state from now on, as Context::state; JSON text by custom, any text by right.
    Actions& state(std::string json) & { return add(action::SetState{std::move(json)}); }
    /// Presence under `key`; again with the same key updates the meta (a JSON object). A meta of more than 64
    /// KiB, more than 16 keys of one channel, or a topic without room for it (100,000 metas, and
    /// Options::max_pending_bytes) crashes the channel.
    Actions& track(std::string key, std::string meta = "{}") & {
        return add(action::Track{std::move(key), std::move(meta)});
    }
    Actions& untrack(std::string key) & { return add(action::Untrack{std::move(key)}); }
    /// Pushes presence_state with everybody who is there.
    Actions& presence_state() & { return add(action::PushPresenceState{}); }
    /// Answers the push at hand with everybody who is there, in the shape of presence_state.
    Actions& reply_presence() & { return add(action::ReplyPresence{}); }
    /// Calls handle_info with `info` later, unless the channel has ended. A negative delay is none.
    Actions& after(std::chrono::microseconds delay, std::string info) & {
        return add(action::After{delay, std::move(info)});
    }
    /// Ends the channel. What stands behind it, or behind what crashed the channel, still happens as far as
    /// it needs no channel: broadcast, send, publish, effect, disconnect.
    Actions& stop(StopReason reason = StopReason::normal) & { return add(action::Stop{reason}); }
    Actions& close_connection(std::uint16_t code, std::string_view reason = {}) & {
        return add(action::CloseConnection{code, std::string(reason)});
    }
    /// Closes every connection whose socket id this is (Phoenix: a "disconnect" broadcast to the id).
    Actions& disconnect(std::string socket_id) & { return add(action::Disconnect{std::move(socket_id)}); }
    /// Closes every connection of this user.
    Actions& disconnect_user(std::string user_id) & {
        return add(action::DisconnectUser{std::move(user_id)});
    }

    // ---- the same of a temporary, so that `return Actions().ok()` moves
    Actions&& reply(std::string_view status, Payload response = {}) && {
        return std::move(reply(status, std::move(response)));
    }
    Actions&& ok(Payload response = {}) && { return std::move(ok(std::move(response))); }
    Actions&& error(Payload response = {}) && { return std::move(error(std::move(response))); }
    Actions&& reply_to(ReplyTo to, std::string_view status, Payload response = {}) && {
        return std::move(reply_to(to, status, std::move(response)));
    }
    Actions&& no_reply() && { return std::move(no_reply()); }
    Actions&& reply_later(std::chrono::microseconds timeout = std::chrono::seconds(10)) && {
        return std::move(reply_later(timeout));
    }
    Actions&& push(std::string_view event, Payload payload = {}) && {
        return std::move(push(event, std::move(payload)));
    }
    Actions&& broadcast(std::string_view event, Payload payload = {}) && {
        return std::move(broadcast(event, std::move(payload)));
    }
    Actions&& broadcast_from(std::string_view event, Payload payload = {}) && {
        return std::move(broadcast_from(event, std::move(payload)));
    }
    Actions&& send(Route route, std::string_view event, Payload payload = {}) && {
        return std::move(send(std::move(route), event, std::move(payload)));
    }
    Actions&& request(std::string tag, std::string_view method, Payload params = {},
                      std::chrono::microseconds timeout = std::chrono::seconds(10)) && {
        return std::move(request(std::move(tag), method, std::move(params), timeout));
    }
    Actions&& notify(std::string_view method, Payload params = {}) && {
        return std::move(notify(method, std::move(params)));
    }
    Actions&& publish(Route route, std::string_view event, Payload payload = {}) && {
        return std::move(publish(std::move(route), event, std::move(payload)));
    }
    Actions&& update_entity(std::string value) && { return std::move(update_entity(std::move(value))); }
    Actions&& erase_entity() && { return std::move(erase_entity()); }
    Actions&& effect(std::string name, std::string json = "{}") && {
        return std::move(effect(std::move(name), std::move(json)));
    }
    Actions&& state(std::string json) && { return std::move(state(std::move(json))); }
    Actions&& track(std::string key, std::string meta = "{}") && {
        return std::move(track(std::move(key), std::move(meta)));
    }
    Actions&& untrack(std::string key) && { return std::move(untrack(std::move(key))); }
    Actions&& presence_state() && { return std::move(presence_state()); }
    Actions&& reply_presence() && { return std::move(reply_presence()); }
    Actions&& after(std::chrono::microseconds delay, std::string info) && {
        return std::move(after(delay, std::move(info)));
    }
    Actions&& stop(StopReason reason = StopReason::normal) && { return std::move(stop(reason)); }
    Actions&& close_connection(std::uint16_t code, std::string_view reason = {}) && {
        return std::move(close_connection(code, reason));
    }
    Actions&& disconnect(std::string socket_id) && { return std::move(disconnect(std::move(socket_id))); }
    Actions&& disconnect_user(std::string user_id) && {
        return std::move(disconnect_user(std::move(user_id)));
    }

    std::vector<Action> list = {};

private:
    template <class A> Actions& add(A action) {
        list.emplace_back(std::move(action));
        return *this;
    }
};

/// How a join is answered.
struct JoinAnswer {
    enum class Verdict : std::uint8_t { accept, refuse } verdict = Verdict::accept;
    Payload response = {};              ///< of the reply: by custom `{"reason":...}` when refused
    Actions then = {};                  ///< carried out right after the reply of an accepted join
    std::chrono::microseconds delay{0}; ///< the answer takes effect this much later; others are not delayed

    static JoinAnswer ok(Payload response = {}) {
        JoinAnswer answer;
        answer.response = std::move(response);
        return answer;
    }
    static JoinAnswer refuse(Payload response) {
        JoinAnswer answer;
        answer.verdict = Verdict::refuse;
        answer.response = std::move(response);
        return answer;
    }
};

} // namespace phx::server
