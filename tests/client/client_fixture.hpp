#pragma once

#include "phx/phx.hpp"
#include "tests/support/scripted_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace phx::test {

using namespace std::chrono_literals;

constexpr auto generous = 60s;

/// What handlers saw, for a test that waits for it.
template <class T> class Inbox {
public:
    void add(T value) {
        const std::lock_guard lock(mutex_);
        values_.push_back(std::move(value));
        changed_.notify_all();
    }
    /// Waits until there are that many; fewer after the deadline.
    std::vector<T> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, generous, [&] { return values_.size() >= count; });
        return values_;
    }
    std::optional<T> first() {
        const auto values = wait_for(1);
        return values.empty() ? std::nullopt : std::optional<T>(values.front());
    }
    std::vector<T> all() {
        const std::lock_guard lock(mutex_);
        return values_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<T> values_;
};

/// Reconnects and rejoins at once, never beats.
inline SocketOptions quick() {
    SocketOptions options;
    options.heartbeat_interval = Millis(0);
    const Ladder at_once{{Millis(1)}, Jitter::none};
    options.retry = {.first_connect = at_once, .reconnect = at_once, .rejoin = at_once};
    return options;
}

template <class T> T get(std::future<T> future) {
    if (future.wait_for(generous) != std::future_status::ready)
        throw std::runtime_error("the future never came");
    return future.get();
}

/// The result of a push, with a deadline of its own.
inline Result<Reply> result_of(const Push& push) { return get(push.future()); }

} // namespace phx::test
