#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace phx {

namespace shell {
class LoopCore;
}

struct LoopOptions {
    enum class Run {
        own_thread, ///< the loop starts a thread of its own
        caller,     ///< nothing happens outside `run()`, `poll()` and `Push::wait()`
    };
    Run run = Run::own_thread;
    /// Where handlers run, if not on the loop thread: takes a call, from the loop thread, and runs it soon,
    /// one at a time and in order (the post() of a GUI or of an executor). Handlers, callbacks of pushes and
    /// coroutines go this way and own what they are given; providers, predicates, the logger and the frame
    /// tap stay on the loop thread. `Push::wait()` and `future()` do not need it and may be used there.
    /// Handlers that have not run when their Socket is destroyed never do; callbacks of pushes do, each once.
    /// What it throws is ignored, and the call is lost. Nothing bounds what waits there: it must keep up.
    Function<void(Function<void()>)> dispatch = {};
};

/// Where sockets and servers live: one libuv loop and one libwebsockets context, one thread. Handlers of
/// everything on a loop run on its thread, one at a time. One loop carries thousands of sockets.
class PHX_API Loop {
public:
    /// Errors: throws std::system_error when the system has no descriptors or threads left.
    explicit Loop(LoopOptions = {});
    /// Closes every socket (pushes that wait finish with `Errc::socket_closed`) and joins the thread. It
    /// waits for a look-up of a host name that is under way, which the system cannot abandon: up to its
    /// resolver's timeout, usually a few seconds. A task that posts itself again and again is dropped after a
    /// while. Handles and sockets may outlive it; their calls then do nothing or fail. Must not run inside a
    /// handler: that is an assertion in debug builds; in release builds the loop ends by itself after the
    /// handler.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// `Run::caller`: handles events until `stop()`; may be called again afterwards. Handlers run on this
    /// thread.
    void run();
    /// `Run::caller`: handles what is due now and never blocks. Returns how many handlers and posted calls it
    /// ran.
    std::size_t poll();
    /// `Run::caller` inside a loop of another library: a descriptor that is readable when `poll()` is due,
    /// ...
    int fd() const noexcept;
    /// ... which it also is after this time, if there is one. Ask again after each `poll()`.
    std::optional<Millis> next_timeout() const;
    /// Any thread, and signal handlers: `run()` returns after the current callback; a `stop()` before `run()`
    /// is not lost. Without effect on `Run::own_thread`, which ends with its destructor.
    void stop() noexcept;

    /// Any thread: calls `task` on the loop thread, after what this thread posted before. A task posted after
    /// the loop ended is destroyed uncalled. It must not throw: that ends the program, as in a std::thread.
    void post(Function<void()> task);
    /// Whether the caller is inside a handler, `run()` or `poll()` of this loop.
    bool on_loop_thread() const noexcept;

    /// @internal
    explicit Loop(std::shared_ptr<shell::LoopCore> core) : core_(std::move(core)) {}
    /// @internal
    const std::shared_ptr<shell::LoopCore>& core() const noexcept { return core_; }

private:
    std::shared_ptr<shell::LoopCore> core_;
};

} // namespace phx
