#include "phx/channel.hpp"

#include "phx/scoped_handler.hpp"
#include "src/client/driver.hpp"
#include "src/client/duration.hpp"
#include "src/client/socket_core.hpp"

#include <algorithm>
#include <utility>

namespace phx {
namespace {

using shell::ChannelCore;
using shell::ChannelPtr;
using shell::Driver;
using shell::PushPtr;
using shell::PushState;
using shell::SocketCore;

/// The core takes zero for "none given"; who gives zero wants no waiting.
protocol::Duration in_core(std::optional<Millis> timeout) {
    if (!timeout) return protocol::Duration{0};
    return std::max(shell::in_core(*timeout), protocol::Duration{1});
}

/// Posts `command(driver, state)`; without a socket the push finishes at once.
template <class Command> Push post_push(const ChannelPtr& channel, Command command) {
    auto state = std::make_shared<PushState>(channel->shared_socket());
    channel->socket().post(
        [channel, pending = shell::PendingPush(state), command = std::move(command)](Driver* driver) mutable {
            if (driver) command(*driver, *channel, pending.take());
        });
    return Push(std::move(state));
}

/// Registers with what `list` finds in the channel on the loop thread.
template <class Slots, class Handler, class Find>
HandlerId add_handler(const ChannelPtr& channel, Handler handler, Find find) {
    auto slot = std::make_shared<typename Slots::Slot>(std::move(handler));
    const HandlerId id = channel->socket().handlers.add(slot);
    channel->socket().post([channel, slot = std::move(slot), find = std::move(find)](Driver* driver) {
        const bool is_wanted = driver && slot->is_alive && !channel->is_removed;
        if (is_wanted && !channel->socket().is_closed()) find(*channel).add(slot);
    });
    return id;
}

} // namespace

const std::string& Channel::topic() const noexcept { return core_->topic(); }
ChannelState Channel::state() const noexcept { return core_->state; }

Push Channel::join(std::optional<Millis> timeout) {
    return post_push(core_,
                     [wait = in_core(timeout)](Driver& driver, ChannelCore& channel, const PushPtr& state) {
                         driver.join(channel, state, wait);
                     });
}

Push Channel::leave(std::optional<Millis> timeout) {
    return post_push(core_,
                     [wait = in_core(timeout)](Driver& driver, ChannelCore& channel, const PushPtr& state) {
                         driver.leave(channel, state, wait);
                     });
}

Push Channel::push_ready(std::string_view event, std::string json, std::optional<Millis> timeout) {
    return post_push(core_, [event = std::string(event), json = std::move(json), wait = in_core(timeout)](
                                Driver& driver, ChannelCore& channel, const PushPtr& state) {
        driver.push(channel, state, event, protocol::Opcode::text, json, wait);
    });
}

Push Channel::push_text(std::string_view event, std::string_view json, std::optional<Millis> timeout) {
    return push_ready(event, std::string(json), timeout);
}

Push Channel::push_binary(std::string_view event, Binary payload, std::optional<Millis> timeout) {
    return post_push(core_,
                     [event = std::string(event), bytes = std::string(as_text(payload)),
                      wait = in_core(timeout)](Driver& driver, ChannelCore& channel, const PushPtr& state) {
                         driver.push(channel, state, event, protocol::Opcode::binary, bytes, wait);
                     });
}

Push Channel::failed_push(Error error) {
    auto state = std::make_shared<PushState>(core_->shared_socket());
    state->finish(std::move(error));
    return Push(std::move(state));
}

Result<void> Channel::send_ready(std::string_view event, protocol::Opcode kind, std::string_view payload) {
    if (core_->socket().is_closed()) return Failure{SocketCore::closed_error()};
    const bool is_posted = core_->socket().post(
        [channel = core_, event = std::string(event), kind, payload = std::string(payload)](Driver* driver) {
            if (driver) driver->send(*channel, event, kind, payload);
        });
    if (!is_posted) return Failure{SocketCore::closed_error()};
    return {};
}

Result<void> Channel::send(std::string_view event, std::string_view json) {
    return send_ready(event, protocol::Opcode::text, json);
}

Result<void> Channel::send_binary(std::string_view event, Binary payload) {
    return send_ready(event, protocol::Opcode::binary, as_text(payload));
}

void Channel::report(Error error) const { core_->socket().report(std::move(error)); }

HandlerId Channel::on(std::string_view event, Function<void(const Message&)> handler) {
    return add_handler<ChannelCore::MessageHandlers>(
        core_, std::move(handler), [event = std::string(event)](ChannelCore & channel) -> auto& {
            return channel.by_event[event];
        });
}

HandlerId Channel::on_any(Function<void(const Message&)> handler) {
    return add_handler<ChannelCore::MessageHandlers>(
        core_, std::move(handler), [](ChannelCore & channel) -> auto& { return channel.any; });
}

HandlerId Channel::on_state(Function<void(ChannelState, ChannelState, const Error*)> handler) {
    return add_handler<decltype(ChannelCore::changed)>(
        core_, std::move(handler), [](ChannelCore & channel) -> auto& { return channel.changed; });
}

HandlerId Channel::on_gap(Function<void(Millis)> handler) {
    return add_handler<decltype(ChannelCore::gap)>(
        core_, std::move(handler), [](ChannelCore & channel) -> auto& { return channel.gap; });
}

void Channel::off(HandlerId id) {
    if (!core_->socket().handlers.kill(id)) return;
    core_->socket().post([channel = core_](Driver*) { channel->sweep(); });
}

void Channel::off(std::string_view event) {
    core_->socket().post([channel = core_, event = std::string(event)](Driver*) {
        if (const auto found = channel->by_event.find(event); found != channel->by_event.end()) {
            found->second.kill();
            channel->sweep();
        }
    });
}

void Channel::set_params_text(std::string json) {
    set_params_provider([json = std::move(json)] { return json; });
}

void Channel::set_params_provider(Provider<std::string> provider) {
    core_->socket().post([channel = core_, provider = std::move(provider)](Driver* driver) mutable {
        if (driver) driver->set_params(*channel, std::move(provider));
    });
}

ScopedHandler::~ScopedHandler() {
    shell::SocketCore& socket = channel_.core()->socket();
    const auto slot = socket.handlers.kill(id_);
    if (!slot) return;
    socket.post([channel = channel_.core()](Driver*) { channel->sweep(); });
    if (!socket.loop().on_loop_thread()) slot->wait();
}

} // namespace phx
