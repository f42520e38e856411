#include "phx/realtime/realtime_channel.hpp"

#include "phx/protocol/topic.hpp"
#include "protocol/client/text.hpp"
#include "protocol/realtime/rest.hpp"
#include "src/client/channel_calls.hpp"
#include "src/realtime/realtime_core.hpp"
#include "src/realtime/realtime_hub.hpp"

#include <utility>

namespace phx::realtime {
namespace {

using protocol::Expects;
using shell::Driver;
using shell::PushPtr;
using shell::RealtimeCore;
using RealtimePtr = std::shared_ptr<RealtimeCore>;

/// Registers with the list that `find` finds on the loop thread; a null list: too late, and reported.
template <class Slots, class Handler, class Find>
HandlerId add_handler(const RealtimePtr& core, Handler handler, Find find) {
    return core->socket().add_handler<typename Slots::Slot>(std::move(handler),
                                                            [core, find = std::move(find)](const auto& slot) {
                                                                if (Slots* const list = find(*core))
                                                                    list->add(slot);
                                                            });
}

void put(HandlerId* where, HandlerId id) {
    if (where) *where = id;
}

/// Of a push.
void explain_refusal(Error& error) {
    if (error.code != Errc::rejected) return;
    const auto text = shell::refusal_text(error);
    const auto reason = text ? reason_of_refusal(*text) : std::nullopt;
    if (!reason) return;
    error.code = *reason;
    error.message = *text;
}

Push send_broadcast(const RealtimePtr& core, std::string_view event, Opcode kind, std::string_view payload,
                    std::optional<Millis> timeout) {
    const Expects expects = core->options().broadcast_ack ? Expects::reply : Expects::nothing;
    return shell::post_push(
        core->channel().core(),
        [event = std::string(event), kind, payload = std::string(payload), expects,
         wait = shell::in_core(timeout)](Driver& driver, shell::ChannelCore& channel, const PushPtr& push) {
            push->explain = explain_refusal;
            driver.push(channel, push, {"broadcast", kind, payload, event}, expects, wait);
        });
}

Push send_presence(const RealtimePtr& core, std::string payload, std::optional<std::string> tracked,
                   std::optional<Millis> timeout) {
    return shell::post_push(
        core->channel().core(),
        [core, payload = std::move(payload), tracked = std::move(tracked), wait = shell::in_core(timeout)](
            Driver& driver, shell::ChannelCore& channel, const PushPtr& push) mutable {
            push->explain = explain_refusal;
            if (!push->is_cancelled) core->set_tracked(std::move(tracked), push);
            driver.push(channel, push, {"presence", Opcode::text, payload}, Expects::reply, wait);
        });
}

Push send_by_http(const RealtimePtr& core, std::string_view event, const char* content_type,
                  std::string_view body, std::optional<Millis> timeout) {
    const std::string_view topic = core->channel().topic();
    const bool is_private = core->options().is_private;
    auto target = protocol::realtime::single_target(
        {topic.substr(protocol::realtime_prefix.size()), event, {}, is_private});
    if (!target) return shell::failed_push(core->channel().core()->shared_socket(), target.error());
    shell::HttpSender::Request request;
    request.target = *std::move(target);
    request.content_type = content_type;
    request.body = body;
    return shell::post_push(
        core->channel().core(), [core, request = std::move(request), timeout](Driver&, shell::ChannelCore&,
                                                                              const PushPtr& push) mutable {
            shell::RealtimeDriver* const driver = core->hub().driver;
            if (!driver) return push->finish(shell::SocketCore::closed_error());
            driver->http_send(std::move(request), timeout.value_or(core->hub().timeout()), push);
        });
}

using PresenceHandler = Function<void(const PresenceEvent&)>;

void tell(const std::weak_ptr<PresenceHandler>& weak, const PresenceEvent& event) {
    if (const auto call = weak.lock()) (*call)(event);
}

/// The metas of `a` that `b` does not have.
std::vector<PresenceMeta> difference(const PresenceEntry& a, const PresenceEntry& b) {
    std::vector<PresenceMeta> rest;
    for (const PresenceMeta& meta : a.metas) {
        bool is_there = false;
        for (const PresenceMeta& other : b.metas) is_there = is_there || meta.ref() == other.ref();
        if (!is_there) rest.push_back(meta);
    }
    return rest;
}

} // namespace

const std::string& RealtimeChannel::topic() const noexcept { return core_->channel().topic(); }
ChannelState RealtimeChannel::state() const noexcept { return core_->channel().state(); }
Channel RealtimeChannel::channel() const { return core_->channel(); }

// ---- handlers

RealtimeChannel RealtimeChannel::on_broadcast(std::string_view event,
                                              Function<void(const Broadcast&)> handler, HandlerId* id) const {
    put(id, add_handler<RealtimeCore::BroadcastHandlers>(core_, std::move(handler),
                                                         [event = std::string(event)](RealtimeCore& core) {
                                                             return &core.broadcast_handlers(event);
                                                         }));
    return *this;
}

RealtimeChannel RealtimeChannel::on_postgres_changes(const PostgresFilter& filter,
                                                     Function<void(const PostgresChange&)> handler,
                                                     HandlerId* id) const {
    using Handlers = decltype(RealtimeCore::Binding::handlers);
    (void)to_binding(filter); // throws here, not on the loop thread
    put(id, add_handler<Handlers>(core_, std::move(handler), [filter](RealtimeCore& core) -> Handlers* {
            if (RealtimeCore::Binding* const binding = core.binding(filter)) return &binding->handlers;
            core.channel().report(
                fail(Errc::invalid_argument, core.channel().topic() +
                                                 ": handlers of postgres_changes are to be added before "
                                                 "subscribe()")
                    .error);
            return nullptr;
        }));
    return *this;
}

RealtimeChannel RealtimeChannel::on_presence_join(Function<void(const PresenceEvent&)> handler,
                                                  HandlerId* id) const {
    Presence& presence = core_->want_presence();
    const auto kept = std::make_shared<PresenceHandler>(std::move(handler));
    const std::weak_ptr<PresenceHandler> weak = kept;
    const HandlerId joined = presence.on_join([weak](const PresenceEntry* before, const PresenceEntry& come) {
        tell(weak, {come.key, before ? before->metas : std::vector<PresenceMeta>(), come.metas});
    });
    const HandlerId updated =
        presence.on_update([weak](const PresenceEntry& before, const PresenceEntry& now) {
            tell(weak, {now.key, before.metas, difference(now, before)});
        });
    core_->keep(joined, kept, updated);
    put(id, joined);
    return *this;
}

RealtimeChannel RealtimeChannel::on_presence_leave(Function<void(const PresenceEvent&)> handler,
                                                   HandlerId* id) const {
    Presence& presence = core_->want_presence();
    const auto kept = std::make_shared<PresenceHandler>(std::move(handler));
    const std::weak_ptr<PresenceHandler> weak = kept;
    const HandlerId left = presence.on_leave([weak](const PresenceEntry& now, const PresenceEntry& gone) {
        tell(weak, {gone.key, now.metas, gone.metas});
    });
    const HandlerId updated =
        presence.on_update([weak](const PresenceEntry& before, const PresenceEntry& now) {
            tell(weak, {now.key, now.metas, difference(before, now)});
        });
    core_->keep(left, kept, updated);
    put(id, left);
    return *this;
}

RealtimeChannel RealtimeChannel::on_presence_sync(Function<void()> handler, HandlerId* id) const {
    Presence& presence = core_->want_presence();
    const auto kept = std::make_shared<Function<void()>>(std::move(handler));
    const HandlerId synced = presence.on_sync([weak = std::weak_ptr(kept)] {
        if (const auto call = weak.lock()) (*call)();
    });
    core_->keep(synced, kept);
    put(id, synced);
    return *this;
}

RealtimeChannel RealtimeChannel::on_system(Function<void(const SystemMessage&)> handler,
                                           HandlerId* id) const {
    put(id, add_handler<decltype(RealtimeCore::systems)>(core_, std::move(handler),
                                                         [](RealtimeCore& core) { return &core.systems; }));
    return *this;
}

RealtimeChannel RealtimeChannel::on_gap(Function<void(Millis)> handler, HandlerId* id) const {
    put(id, add_handler<decltype(RealtimeCore::gaps)>(core_, std::move(handler),
                                                      [](RealtimeCore& core) { return &core.gaps; }));
    return *this;
}

void RealtimeChannel::off(HandlerId id) const {
    if (Presence* const presence = core_->presence()) {
        presence->off(id);
        presence->off(core_->let_go(id));
    }
    core_->socket().handlers.kill(id);
    core_->socket().post([core = core_](Driver*) { core->sweep(); });
}

// ---- subscribing

Push RealtimeChannel::subscribe(Function<void(SubscribeStatus, const Error*)> status,
                                std::optional<Millis> timeout) const {
    const bool is_seen = static_cast<bool>(status);
    if (status) {
        add_handler<decltype(RealtimeCore::statuses)>(core_, std::move(status),
                                                      [](RealtimeCore& core) { return &core.statuses; });
    }
    Push push = shell::post_push(core_->channel().core(),
                                 [core = core_, wait = shell::in_core(timeout)](
                                     Driver& driver, shell::ChannelCore&, const PushPtr& state) {
                                     core->subscribe(driver, state, wait);
                                 });
    if (is_seen) push.then([](const Result<Reply>&) {}); // its error is told to `status`
    return push;
}

Push RealtimeChannel::unsubscribe(std::optional<Millis> timeout) const { return channel().leave(timeout); }

// ---- sending

Push RealtimeChannel::send_text(std::string_view event, std::string_view json,
                                std::optional<Millis> timeout) const {
    return send_broadcast(core_, event, Opcode::text, json, timeout);
}

Push RealtimeChannel::send_binary(std::string_view event, Binary payload,
                                  std::optional<Millis> timeout) const {
    return send_broadcast(core_, event, Opcode::binary, as_text(payload), timeout);
}

Push RealtimeChannel::http_send_text(std::string_view event, std::string_view json,
                                     std::optional<Millis> timeout) const {
    if (auto valid = protocol::check_json(json, protocol::Limits{}.max_depth); !valid)
        return failed_push(valid.error());
    return send_by_http(core_, event, "application/json", json, timeout);
}

Push RealtimeChannel::http_send_binary(std::string_view event, Binary payload,
                                       std::optional<Millis> timeout) const {
    return send_by_http(core_, event, "application/octet-stream", as_text(payload), timeout);
}

Push RealtimeChannel::track_text(std::string_view json, std::optional<Millis> timeout) const {
    if (auto valid = protocol::check_json(json, protocol::Limits{}.max_depth); !valid)
        return failed_push(valid.error());
    return send_presence(core_, protocol::presence_track_payload(json), std::string(json), timeout);
}

Push RealtimeChannel::untrack(std::optional<Millis> timeout) const {
    return send_presence(core_, protocol::presence_untrack_payload(), {}, timeout);
}

PresenceState RealtimeChannel::presences() const {
    const Presence* const presence = core_->presence();
    return presence ? presence->state() : PresenceState();
}

Push RealtimeChannel::failed_push(Error error) const {
    return shell::failed_push(core_->channel().core()->shared_socket(), std::move(error));
}

} // namespace phx::realtime
