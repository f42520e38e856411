#pragma once

#include "phx/channel.hpp"
#include "src/client/driver.hpp"
#include "src/client/duration.hpp"
#include "src/client/push_state.hpp"
#include "src/client/socket_core.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace phx::shell {

/// The core takes zero for "none given"; who gives zero wants no waiting.
inline protocol::Duration in_core(std::optional<Millis> timeout) {
    if (!timeout) return protocol::Duration{0};
    return std::max(in_core(*timeout), protocol::Duration{1});
}

/// Posts `command(driver, channel, state)`; without a socket the push finishes at once.
template <class Command> Push post_push(const ChannelPtr& channel, Command command) {
    auto state = std::make_shared<PushState>(channel->shared_socket());
    channel->socket().post(
        [channel, pending = PendingPush(state), command = std::move(command)](Driver* driver) mutable {
            if (driver) command(*driver, *channel, pending.take());
        });
    return Push(std::move(state));
}

inline Push failed_push(std::shared_ptr<SocketCore> socket, Error error) {
    auto state = std::make_shared<PushState>(std::move(socket));
    state->finish(std::move(error));
    return Push(std::move(state));
}

/// Posts a slot to the list that `find` finds in the channel on the loop thread.
template <class Slots, class Handler, class Find>
HandlerId add_handler(const ChannelPtr& channel, Handler handler, Find find) {
    return channel->socket().add_handler<typename Slots::Slot>(
        std::move(handler), [channel, find = std::move(find)](const auto& slot) {
            if (!channel->is_removed) find(*channel).add(slot);
        });
}

} // namespace phx::shell
