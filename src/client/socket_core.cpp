#include "src/client/socket_core.hpp"

#include "src/client/driver.hpp"

#include <string>
#include <utility>

namespace phx::shell {

void ChannelCore::sweep() {
    for (auto& [event, list] : by_event) list.sweep();
    std::erase_if(by_event, [](const auto& entry) { return entry.second.empty(); });
    any.sweep();
    changed.sweep();
    joined.sweep();
    gap.sweep();
    rpc.sweep();
}

void ChannelCore::clear_handlers() {
    by_event.clear();
    any.clear();
    changed.clear();
    joined.clear();
    gap.clear();
    if (const auto last = std::exchange(observer, nullptr)) last->channel_ended();
    rpc.clear();
    params_provider = nullptr;
    options.should_rejoin = nullptr;
}

std::shared_ptr<ChannelCore> SocketCore::channel(std::string topic, std::string params,
                                                 ChannelOptions options) {
    const std::lock_guard lock(mutex_);
    auto& channel = channels_[topic];
    if (!channel) {
        channel = std::make_shared<ChannelCore>(shared_from_this(), std::move(topic), std::move(params),
                                                std::move(options));
    }
    return channel;
}

void SocketCore::forget(const ChannelCore& channel) {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(channel.topic());
    if (found != channels_.end() && found->second.get() == &channel) channels_.erase(found);
}

bool SocketCore::run_commands() {
    if (commands_.empty()) return false;
    auto commands = std::exchange(commands_, {});
    for (Function<void()>& command : commands) command();
    if (commands_.empty()) {
        commands.clear();
        commands_ = std::move(commands); // keeps the room
    }
    return true;
}

void SocketCore::schedule_commands() {
    if (is_in_round || is_scheduled_ || commands_.empty()) return;
    is_scheduled_ = loop_->post([self = shared_from_this()] {
        self->is_scheduled_ = false;
        // One round for all of them: what a handler posts comes behind what was posted before it.
        self->is_in_round = true;
        self->run_commands();
        self->is_in_round = false;
        if (self->driver) self->driver->pump();
    });
}

void SocketCore::end_last_commands() {
    constexpr int max_rounds = 16; // a handler that tries again for ever is not followed for ever
    for (int round = 0; round < max_rounds && !commands_.empty(); ++round) run_commands();
    is_refusing_ = true;
    run_commands();
    is_refusing_ = false;
    is_in_last_commands_ = false;
}

Error SocketCore::closed_error() {
    return fail(Errc::socket_closed, "the socket was closed by this program").error;
}

void SocketCore::report(Error error) {
    post([self = shared_from_this(), error = std::move(error)](Driver*) { self->deliver(error); });
}

void SocketCore::report_exception(const char* what) noexcept {
    try {
        report(fail(Errc::handler_failed, std::string("an exception left a handler: ") + what).error);
    } catch (...) { // out of memory: there is nothing left to report with
    }
}

void SocketCore::deliver(const Error& error) noexcept {
    if (failed.empty() || is_delivering_error_) return;
    is_delivering_error_ = true;
    auto swallow = [loop = loop_](auto&& call) {
        if (loop->on_loop_thread()) loop->count_handler();
        try {
            call();
        } catch (...) { // a handler of errors that fails has nobody to tell
        }
    };
    if (loop_->dispatches()) {
        loop_->dispatch(failed.bind(swallow, error));
    } else {
        failed.run(swallow, error);
    }
    is_delivering_error_ = false;
}

void SocketCore::sweep() {
    opened.sweep();
    closed.sweep();
    failed.sweep();
    message.sweep();
    changed.sweep();
    heartbeat.sweep();
    drained.sweep();
}

void SocketCore::detach() {
    close_handles();
    opened.clear();
    closed.clear();
    failed.clear();
    message.clear();
    changed.clear();
    heartbeat.clear();
    drained.clear();
    decltype(channels_) channels;
    {
        const std::lock_guard lock(mutex_);
        channels.swap(channels_);
    }
    for (const auto& [topic, channel] : channels) {
        channel->clear_handlers();
        channel->state = ChannelState::closed;
    }
    state = SocketState::idle;
}

} // namespace phx::shell
