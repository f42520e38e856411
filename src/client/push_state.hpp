#pragma once

#include "phx/error.hpp"
#include "phx/function.hpp"
#include "phx/message.hpp"
#include "phx/result.hpp"
#include "protocol/client/outputs.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phx::shell {

class SocketCore;

/// One push as its handles, the driver and its observers share it. Any thread.
class PushState : public std::enable_shared_from_this<PushState> {
public:
    struct Observer {
        std::string status = {}; // empty: `then` sees every end; else `receive` sees this one
        Function<void(const Result<Reply>&)> then = {};
        Function<void(const Reply&)> receive = {};
        enum class Where { handlers, at_once } where = Where::handlers; // at_once: it only wakes who waits
    };

    explicit PushState(std::shared_ptr<SocketCore> socket);
    /// Reports a failure that nobody has seen.
    ~PushState();
    PushState(const PushState&) = delete;
    PushState& operator=(const PushState&) = delete;

    /// The end, on the loop thread, or on any after the loop's end. A second one is ignored.
    void finish(Reply reply, std::optional<Error> error);
    void finish(Error error) { finish(Reply{}, std::move(error)); }
    /// Called on the loop thread once it has finished, however long ago.
    void observe(Observer);
    bool is_finished() const noexcept { return is_finished_.load(std::memory_order_acquire); }
    /// REQUIRES is_finished(). Counts as having seen it.
    const Result<Reply>& result() noexcept;
    SocketCore& socket() const noexcept { return *socket_; }
    /// Of the machine, once it has the push; loop thread only.
    protocol::PushId id{};
    bool is_cancelled = false; // loop thread
    /// Told of an error before all others, to say more of it. Set before the driver has the push.
    void (*explain)(Error&) = nullptr;

private:
    void run(Observer);
    void call(Observer&);

    const std::shared_ptr<SocketCore> socket_;
    std::mutex mutex_; // of observers_, and of the moment of finishing
    std::vector<Observer> observers_;
    std::atomic<bool> is_finished_{false};
    std::atomic<bool> is_seen_{false};
    // Written once, before is_finished_:
    std::optional<Result<Reply>> result_;
    Reply reply_; // also of a rejection
    std::string status_;
};

/// A push on its way to the driver: one that does not get there has failed with socket_closed.
class PendingPush {
public:
    explicit PendingPush(std::shared_ptr<PushState> state) noexcept : state_(std::move(state)) {}
    PendingPush(PendingPush&&) noexcept = default;
    PendingPush& operator=(PendingPush&&) = delete;
    ~PendingPush();
    std::shared_ptr<PushState> take() noexcept { return std::move(state_); }

private:
    std::shared_ptr<PushState> state_;
};

} // namespace phx::shell
