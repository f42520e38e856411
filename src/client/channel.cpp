#include "phx/channel.hpp"

#include "phx/scoped_handler.hpp"
#include "src/client/channel_calls.hpp"

#include <utility>

namespace phx {

using shell::ChannelCore;
using shell::Driver;
using shell::in_core;
using shell::post_push;
using shell::PushPtr;
using shell::SocketCore;

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
        driver.push(channel, state, {event, protocol::Opcode::text, json}, protocol::Expects::reply, wait);
    });
}

Push Channel::push_text(std::string_view event, std::string_view json, std::optional<Millis> timeout) {
    return push_ready(event, std::string(json), timeout);
}

Push Channel::push_binary(std::string_view event, Binary payload, std::optional<Millis> timeout) {
    return post_push(core_, [event = std::string(event), bytes = std::string(as_text(payload)),
                             wait = in_core(timeout)](Driver& driver, ChannelCore& channel,
                                                      const PushPtr& state) {
        driver.push(channel, state, {event, protocol::Opcode::binary, bytes}, protocol::Expects::reply, wait);
    });
}

Push Channel::failed_push(Error error) {
    return shell::failed_push(core_->shared_socket(), std::move(error));
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
    return shell::add_handler<ChannelCore::MessageHandlers>(
        core_, std::move(handler), [event = std::string(event)](ChannelCore & channel) -> auto& {
            return channel.by_event[event];
        });
}

HandlerId Channel::on_any(Function<void(const Message&)> handler) {
    return shell::add_handler<ChannelCore::MessageHandlers>(
        core_, std::move(handler), [](ChannelCore & channel) -> auto& { return channel.any; });
}

HandlerId Channel::on_state(Function<void(ChannelState, ChannelState, const Error*)> handler) {
    return shell::add_handler<decltype(ChannelCore::changed)>(
        core_, std::move(handler), [](ChannelCore & channel) -> auto& { return channel.changed; });
}

HandlerId Channel::on_joined(Function<void(const Reply&)> handler) {
    return shell::add_handler<decltype(ChannelCore::joined)>(
        core_, std::move(handler), [](ChannelCore & channel) -> auto& { return channel.joined; });
}

HandlerId Channel::on_gap(Function<void(Millis)> handler) {
    return shell::add_handler<decltype(ChannelCore::gap)>(
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
