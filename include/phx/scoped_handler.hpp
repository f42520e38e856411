#pragma once

#include "phx/channel.hpp"
#include "phx/export.hpp"

#include <utility>

namespace phx {

/// Removes a handler at the end of a scope. Its destructor waits for a call of the handler that is running on
/// the loop thread, so what the handler captured by reference may be destroyed afterwards. On the loop thread
/// itself it does not wait: there only this very handler, or one that called it, can be running; with
/// LoopOptions::dispatch it may run elsewhere, so do not destroy it on the loop thread then.
class PHX_API ScopedHandler {
public:
    [[nodiscard]] ScopedHandler(Channel channel, HandlerId id) noexcept
        : channel_(std::move(channel)), id_(id) {}
    ~ScopedHandler();
    ScopedHandler(const ScopedHandler&) = delete;
    ScopedHandler& operator=(const ScopedHandler&) = delete;

private:
    Channel channel_;
    HandlerId id_;
};

} // namespace phx
