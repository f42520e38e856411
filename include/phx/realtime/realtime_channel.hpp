#pragma once

#include "phx/channel.hpp"
#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/presence.hpp"
#include "phx/push.hpp"
#include "phx/realtime/broadcast.hpp"
#include "phx/realtime/postgres.hpp"
#include "phx/realtime/postgres_filter.hpp"
#include "phx/realtime/realtime_options.hpp"
#include "phx/realtime/system_message.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx {

namespace shell {
class RealtimeCore;
}

namespace realtime {

/// What becomes of a subscription, in realtime-js' words.
enum class SubscribeStatus : std::uint8_t {
    subscribed,    ///< joined, also again after a loss
    timed_out,     ///< the server did not answer; it is tried again
    channel_error, ///< refused, crashed, ended by the server, or the connection was lost; it is tried again
                   ///< unless `should_resubscribe` says no: then `closed` follows
    closed,        ///< left, or given up
};
constexpr std::string_view to_string(SubscribeStatus status) noexcept {
    constexpr std::string_view names[] = {"SUBSCRIBED", "TIMED_OUT", "CHANNEL_ERROR", "CLOSED"};
    return names[static_cast<std::size_t>(status)];
}

/// A key whose presence changed, as realtime-js tells it.
struct PresenceEvent {
    std::string key = {};
    std::vector<PresenceMeta> current = {}; ///< of the key: on a join those before it, on a leave those left
    std::vector<PresenceMeta> changed = {}; ///< that came, or went
};

/// A meta as realtime-js shows it: `presence_ref` for phx_ref, and no phx_ref_prev. Errors: invalid_payload.
inline Result<Json> presence_json(const PresenceMeta& meta) {
    auto json = meta_json(meta);
    if (!json) return json;
    json->erase("phx_ref_prev");
    if (const auto ref = json->find("phx_ref"); ref != json->end()) {
        Json value = std::move(*ref);
        json->erase("phx_ref");
        (*json)["presence_ref"] = std::move(value);
    }
    return json;
}

/// A channel of Supabase Realtime: broadcast, presence and changes of the database under one name. A handle
/// that may be copied, kept and shared by threads; it may outlive the client. The `on_...` functions return
/// the channel, so that they can be chained, and put the handler's id where they are told.
///
/// Threads, handlers and exceptions: as of `phx::Channel`.
class PHX_API RealtimeChannel {
public:
    /// "realtime:" and the name
    const std::string& topic() const noexcept;
    ChannelState state() const noexcept;

    /// Broadcasts of this event, whatever the case of its ASCII letters; "*": of every event.
    RealtimeChannel on_broadcast(std::string_view event, Function<void(const Broadcast&)>,
                                 HandlerId* = nullptr) const;
    /// The same, with the payload as a T that nlohmann::json can make (`from_json`). A payload that does not
    /// fit is reported to `Socket::on_error` as `Errc::invalid_payload`.
    template <class T, class Handler>
    RealtimeChannel on_broadcast(std::string_view event, Handler handler, HandlerId* id = nullptr) const {
        return on_broadcast(
            event,
            [handler = std::move(handler), channel = channel()](const Broadcast& broadcast) mutable {
                if (auto value = broadcast.as<T>()) {
                    handler(*value);
                } else {
                    channel.report(std::move(value).error());
                }
            },
            id);
    }
    /// Rows that are inserted, updated or deleted. Before `subscribe()`: later, the error is reported to
    /// `Socket::on_error` (invalid_argument). Throws std::invalid_argument for a filter that the server never
    /// takes.
    RealtimeChannel on_postgres_changes(const PostgresFilter&, Function<void(const PostgresChange&)>,
                                        HandlerId* = nullptr) const;
    /// Somebody came, or somebody's metas changed. Handlers of presence make the server send it: add the
    /// first before `subscribe()`, or set `RealtimeChannelOptions::presence`. Later it is reported to
    /// `Socket::on_error` (invalid_argument), and the handler hears of presence from the next join on.
    RealtimeChannel on_presence_join(Function<void(const PresenceEvent&)>, HandlerId* = nullptr) const;
    /// Somebody went, or somebody's metas changed.
    RealtimeChannel on_presence_leave(Function<void(const PresenceEvent&)>, HandlerId* = nullptr) const;
    /// After all joins and leaves of a message were told.
    RealtimeChannel on_presence_sync(Function<void()>, HandlerId* = nullptr) const;
    /// What the server says about the channel.
    RealtimeChannel on_system(Function<void(const SystemMessage&)>, HandlerId* = nullptr) const;
    /// Subscribed again after having been `offline`: what was sent meanwhile was missed, but for what a
    /// replay brings after this (`RealtimeChannelOptions::replay_missed`). Load again what must be complete.
    RealtimeChannel on_gap(Function<void(Millis offline)>, HandlerId* = nullptr) const;
    /// The handler is dead at once; only a call that is already running on another thread may finish.
    void off(HandlerId) const;

    /// Connects if that is still to be done, joins, and after every loss joins again. `status` is told each
    /// change; its error is valid during the call, and its code is a `Reason` where Supabase gave one. The
    /// push is about the first answer. Errors: a `Reason`, join_refused, timeout, binding_mismatch,
    /// channel_closed, socket_closed, those of the provider of tokens. While subscribed: ok.
    /// Each function given stays, until the channel is removed.
    Push subscribe(Function<void(SubscribeStatus, const Error*)> status = {},
                   std::optional<Millis> timeout = {}) const;
    /// Leaves; `subscribe()` may follow.
    Push unsubscribe(std::optional<Millis> timeout = {}) const;

    /// Sends to all who are subscribed. Without `broadcast_ack` it finishes when it is sent, else with the
    /// server's answer (none comes where the policies do not allow it: timeout). While joining it waits, and
    /// of more than 100 the oldest fail with buffer_full. Errors: a `Reason` (payload_size_exceeded), those
    /// of `Channel::push`.
    Push send(std::string_view event, const Json& payload = Json::object(),
              std::optional<Millis> timeout = {}) const {
        auto text = payload_text(payload);
        if (!text) return failed_push(std::move(text).error());
        return send_text(event, *text, timeout);
    }
    /// The same with ready JSON text. Errors: invalid_payload when it is none.
    Push send_text(std::string_view event, std::string_view json, std::optional<Millis> timeout = {}) const;
    /// The same with bytes. Those who speak protocol version 1 do not get it.
    Push send_binary(std::string_view event, Binary payload, std::optional<Millis> timeout = {}) const;

    /// Sends by HTTP, without a subscription: for a message now and then. Errors: bad_auth, rejected (with
    /// HTTP status and body in its detail), timeout, connect_failed, tls_failed, buffer_full.
    Push http_send(std::string_view event, const Json& payload = Json::object(),
                   std::optional<Millis> timeout = {}) const {
        auto text = payload_text(payload);
        if (!text) return failed_push(std::move(text).error());
        return http_send_text(event, *text, timeout);
    }
    Push http_send_text(std::string_view event, std::string_view json,
                        std::optional<Millis> timeout = {}) const;
    Push http_send_binary(std::string_view event, Binary payload, std::optional<Millis> timeout = {}) const;

    /// Shows this client to the others, with this meta; again after each loss, until `untrack()`. Errors: a
    /// `Reason` (track_payload_not_a_map), those of `Channel::push`; rejected where the policies do not allow
    /// it.
    Push track(const Json& meta, std::optional<Millis> timeout = {}) const {
        auto text = payload_text(meta);
        if (!text) return failed_push(std::move(text).error());
        return track_text(*text, timeout);
    }
    Push track_text(std::string_view json, std::optional<Millis> timeout = {}) const;
    Push untrack(std::optional<Millis> timeout = {}) const;
    /// Who is present, by key, each meta as realtime-js shows it. Nobody where presence is not wanted:
    /// without a handler of presence and without `RealtimeChannelOptions::presence`.
    std::map<std::string, std::vector<Json>> presence_state() const {
        std::map<std::string, std::vector<Json>> state;
        for (const PresenceEntry& entry : presences()) {
            for (const PresenceMeta& meta : entry.metas) {
                if (auto json = presence_json(meta)) state[entry.key].push_back(*std::move(json));
            }
        }
        return state;
    }
    /// The same without parsing; costs what `Presence::state()` costs.
    PresenceState presences() const;

    /// The channel below. Its `join()`, `leave()`, `set_params()` and `should_rejoin` are this one's.
    Channel channel() const;

    friend bool operator==(const RealtimeChannel& a, const RealtimeChannel& b) noexcept {
        return a.core_ == b.core_;
    }

    /// @internal
    explicit RealtimeChannel(std::shared_ptr<shell::RealtimeCore> core) noexcept : core_(std::move(core)) {}
    /// @internal
    const std::shared_ptr<shell::RealtimeCore>& core() const noexcept { return core_; }

private:
    Push failed_push(Error) const;

    std::shared_ptr<shell::RealtimeCore> core_;
};

} // namespace realtime
} // namespace phx
