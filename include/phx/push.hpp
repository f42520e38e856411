#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/message.hpp"
#include "phx/result.hpp"

#include <coroutine>
#include <future>
#include <memory>
#include <string_view>

namespace phx {

namespace shell {
class PushState;
}

/// One request and its answer: a handle that may be copied, kept and shared by threads. It finishes **exactly
/// once**, with a reply of status "ok" or with an error; a reply of another status is `Errc::rejected` (of a
/// join: `Errc::join_refused`) with the reply in `error().detail`.
///
/// Callbacks run on the loop thread, in the order they were added; one that is added after the end runs soon.
/// A failure that nobody looks at (no `then`, `future`, `wait`, `co_await`, and no `receive` for its status)
/// is reported to `Socket::on_error` when the last handle is gone.
///
/// g++ up to 12 rejects a braced JSON value inside a co_await expression ("array used as initializer"): give
/// the push a statement of its own, or the JSON a name.
/// ```
/// auto push = room.push("shout", {{"body", "hi"}});
/// auto reply = co_await push;
/// ```
class PHX_API Push {
public:
    /// phoenix.js' words: `status` is that of the reply; "timeout" also stands for `Errc::timeout` and
    /// "error" for every other failure without a reply; the reply is empty then.
    Push& receive(std::string_view status, Function<void(const Reply&)>) &;
    Push receive(std::string_view status, Function<void(const Reply&)>) &&;
    Push& then(Function<void(const Result<Reply>&)>) &;
    Push then(Function<void(const Result<Reply>&)>) &&;

    /// Never `get()` it on the loop thread.
    std::future<Result<Reply>> future() const;
    /// Blocks until it finishes. On the loop thread that would be for ever: `Errc::would_deadlock` at once,
    /// and the push goes on. With `LoopOptions::Run::caller`, on the thread that made the loop or ran it
    /// last, this runs the loop; on that of a `testing::World` it lets virtual time pass.
    Result<Reply> wait() const;
    /// Gives up: finishes with `Errc::cancelled` unless it has finished. The server may still act.
    void cancel() const;
    bool finished() const noexcept;

    class PHX_API Awaiter {
    public:
        explicit Awaiter(std::shared_ptr<shell::PushState> state) noexcept : state_(std::move(state)) {}
        bool await_ready() const noexcept;
        void await_suspend(std::coroutine_handle<>);
        Result<Reply> await_resume();

    private:
        std::shared_ptr<shell::PushState> state_;
    };
    /// Resumes on the loop thread.
    Awaiter operator co_await() const { return Awaiter(state_); }

    /// @internal
    explicit Push(std::shared_ptr<shell::PushState> state) noexcept : state_(std::move(state)) {}

private:
    std::shared_ptr<shell::PushState> state_;
};

} // namespace phx
