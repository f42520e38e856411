#include "phx/presence.hpp"

#include "src/client/presence_core.hpp"
#include "src/loop/random.hpp"

#include <array>
#include <utility>

namespace phx {
namespace shell {

PresenceState PresenceCore::state() {
    const std::lock_guard lock(mutex_);
    if (!state_) state_ = sync_.store().state();
    return *state_;
}

PresencePtr PresenceCore::get(std::string_view key) {
    const std::lock_guard lock(mutex_);
    return sync_.store().find(key);
}

bool PresenceCore::is_pending() {
    const std::lock_guard lock(mutex_);
    return sync_.is_pending();
}

void PresenceCore::receive(const Message& message, Handle handle) {
    if (message.binary()) {
        return report(fail(Errc::invalid_payload, "the payload of a presence is binary", Origin::peer).error);
    }
    protocol::PresenceNews news;
    Handlers handlers;
    {
        const std::lock_guard lock(mutex_);
        news = (sync_.*handle)(message.text());
        if (news.is_synced) state_.reset();
        handlers = handlers_;
    }
    tell(handlers, news);
}

void PresenceCore::channel_changed(ChannelState to) {
    if (to != ChannelState::joining) return;
    const std::lock_guard lock(mutex_);
    sync_.handle_joining();
}

void PresenceCore::tell(Handlers& handlers, const protocol::PresenceNews& news) {
    using Kind = protocol::PresenceChange::Kind;
    for (const Error& error : news.errors) report(error);
    const auto guard = [this](auto&& code) {
        if (!is_ended_) socket().guard(code);
    };
    for (const protocol::PresenceChange& change : news.changes) {
        switch (change.kind) {
        case Kind::joined:
            handlers.joined.run(guard, static_cast<const PresenceEntry*>(change.before.get()),
                                *change.changed);
            break;
        case Kind::updated: handlers.updated.run(guard, *change.before, *change.now); break;
        case Kind::left: handlers.left.run(guard, *change.now, *change.changed); break;
        }
    }
    if (news.is_synced) handlers.synced.run(guard);
}

void PresenceCore::report(Error error) {
    error.message = channel_.topic() + ": " + error.message;
    socket().report(std::move(error));
}

void PresenceCore::sweep() {
    Handlers old; // dies without the lock: so may what it holds
    const std::lock_guard lock(mutex_);
    old = handlers_;
    handlers_.joined.sweep();
    handlers_.updated.sweep();
    handlers_.left.sweep();
    handlers_.synced.sweep();
}

} // namespace shell

namespace {

using protocol::PresenceSync;
using shell::Driver;
using shell::PresenceCore;

std::shared_ptr<PresenceCore> make_core(Channel channel, PresenceLimits limits) {
    std::array<std::uint64_t, 1> seed{};
    shell::fill_random(std::span(seed));
    return std::make_shared<PresenceCore>(std::move(channel), limits, seed[0]);
}

ScopedHandler receive(const std::shared_ptr<PresenceCore>& core, std::string_view event,
                      PresenceCore::Handle handle) {
    Channel channel = core->channel();
    const HandlerId id =
        channel.on(event, [core, handle](const Message& message) { core->receive(message, handle); });
    return ScopedHandler(std::move(channel), id);
}

ScopedHandler follow(const std::shared_ptr<PresenceCore>& core) {
    Channel channel = core->channel();
    const HandlerId id =
        channel.on_state([core](ChannelState, ChannelState to, const Error*) { core->channel_changed(to); });
    return ScopedHandler(std::move(channel), id);
}

template <class List, class Handler>
HandlerId add_handler(const std::shared_ptr<PresenceCore>& core, List PresenceCore::Handlers::*list,
                      Handler handler) {
    return core->socket().template add_handler<typename List::Slot>(std::move(handler),
                                                                    [core, list](const auto& slot) {
                                                                        if (!core->is_ended())
                                                                            core->add(list, slot);
                                                                    });
}

} // namespace

Presence::Presence(Channel channel, std::string_view state_event, std::string_view diff_event,
                   PresenceLimits limits)
    : core_(make_core(std::move(channel), limits)),
      state_handler_(receive(core_, state_event, &PresenceSync::handle_state)),
      diff_handler_(receive(core_, diff_event, &PresenceSync::handle_diff)), joining_handler_(follow(core_)) {
}

Presence::~Presence() { core_->end(); }

HandlerId Presence::on_join(Function<void(const PresenceEntry*, const PresenceEntry&)> handler) {
    return add_handler(core_, &PresenceCore::Handlers::joined, std::move(handler));
}
HandlerId Presence::on_update(Function<void(const PresenceEntry&, const PresenceEntry&)> handler) {
    return add_handler(core_, &PresenceCore::Handlers::updated, std::move(handler));
}
HandlerId Presence::on_leave(Function<void(const PresenceEntry&, const PresenceEntry&)> handler) {
    return add_handler(core_, &PresenceCore::Handlers::left, std::move(handler));
}
HandlerId Presence::on_sync(Function<void()> handler) {
    return add_handler(core_, &PresenceCore::Handlers::synced, std::move(handler));
}

void Presence::off(HandlerId id) {
    if (!core_->socket().handlers.kill(id)) return;
    core_->socket().post([core = core_](Driver*) { core->sweep(); });
}

PresenceState Presence::state() const { return core_->state(); }
PresencePtr Presence::get(std::string_view key) const { return core_->get(key); }
bool Presence::in_pending_sync_state() const { return core_->is_pending(); }
const Channel& Presence::channel() const noexcept { return core_->channel(); }

} // namespace phx
