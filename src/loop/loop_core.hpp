#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/loop.hpp"
#include "protocol/clock.hpp"
#include "src/loop/virtual_system.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <uv.h>
#include <vector>

struct lws_context;

namespace phx::shell {

using protocol::Duration;
using protocol::TimePoint;

class LoopCore;
class LwsContext;

/// What lives on a loop and must end before it: a socket's driver, a server. Loop thread only.
class PHX_API LoopMember {
public:
    virtual ~LoopMember() = default;
    /// The loop ends: close at once whatever is open. Then, now or from a later callback,
    /// LoopCore::remove_member(); the loop waits for it.
    virtual void loop_stopping() = 0;
};

/// What has output that waits for the end of the turn, when one write carries all of it. Loop thread only.
class PHX_API Flushable {
public:
    Flushable() = default;
    Flushable(const Flushable&) = delete;
    Flushable& operator=(const Flushable&) = delete;
    virtual ~Flushable();
    /// Called once, before the loop blocks; flush_later() inside asks for another call in the next turn.
    virtual void flush() = 0;

private:
    friend class LoopCore;
    LoopCore* listed_in_ = nullptr;
    std::size_t position_ = 0;
};

/// The one timer of an owner. Loop thread only; `fired` is never called after the destructor.
class PHX_API LoopTimer {
public:
    LoopTimer(LoopCore&, Function<void()> fired);
    ~LoopTimer();
    LoopTimer(const LoopTimer&) = delete;
    LoopTimer& operator=(const LoopTimer&) = delete;

    /// Replaces what was armed. Fires at most a turn early and never for nothing asked: a deadline that moves
    /// later is noticed only when the earlier one has fired, so that re-arming after every frame costs
    /// nothing.
    void arm(std::optional<TimePoint> deadline);

private:
    struct Handle;
    Handle* handle_; // closed by libuv, which frees it a turn later
};

/// One libuv loop and one libwebsockets context on it (as a foreign loop), with an inbox for calls of other
/// threads.
///
/// A turn: timers and I/O of libuv, tasks of the inbox; then, before the loop blocks, the tasks that the
/// loop's own thread posted, then the flushes. Everything but the members under "any thread" belongs to the
/// loop thread.
class PHX_API LoopCore {
public:
    /// Throws std::system_error.
    static std::shared_ptr<LoopCore> start(LoopOptions, std::unique_ptr<VirtualSystem> = {});
    ~LoopCore();
    LoopCore(const LoopCore&) = delete;
    LoopCore& operator=(const LoopCore&) = delete;

    // ---- any thread
    /// Tasks of one thread run in order. False, and the task is destroyed uncalled, after the loop has ended.
    /// A task must not throw.
    bool post(Function<void()> task);
    /// Runs the task on the loop thread and returns when it has run: at once when called there; on this
    /// thread when nobody runs a Run::caller loop at the moment. False after the loop has ended.
    bool call(Function<void()> task);
    bool on_loop_thread() const noexcept {
        return loop_thread_.load(std::memory_order_acquire) == std::this_thread::get_id();
    }
    void stop() noexcept;

    // ---- whoever runs the loop
    void run();
    std::size_t poll();
    int fd() const noexcept { return uv_backend_fd(&uv_); }
    std::optional<Millis> next_timeout();
    /// Whether a wait of this thread would be for ever unless it runs the loop itself.
    bool must_drive() const noexcept;
    /// Run::caller: runs the loop until `done`, which is asked after every turn. While another thread runs
    /// it, that one does the work; `done` must then be safe to ask from here. False, in a virtual system
    /// only: it is not done, and nothing happens up to and including `until`, by default a day later.
    bool drive_until(Function<bool()> done, std::optional<TimePoint> until = {});
    /// Ends the loop: its members, its context, its thread. Idempotent; not in a handler (there: after it).
    void shut_down();

    // ---- loop thread
    /// Null on the real system. On a virtual one there is no context().
    VirtualSystem* system() noexcept { return system_.get(); }
    uv_loop_t* uv() noexcept { return &uv_; }
    lws_context* lws() const noexcept;
    LwsContext& context() noexcept { return *context_; }
    /// Microseconds of the monotonic clock.
    TimePoint now() const noexcept;
    /// What a calendar says; in virtual time it starts at a fixed date and passes as now() does.
    std::chrono::system_clock::time_point wall_clock() const noexcept;
    void flush_later(Flushable&);
    void add_member(std::shared_ptr<LoopMember>);
    /// Lets go of it at the end of the turn, so it may be called from the member's own methods.
    void remove_member(const LoopMember&);
    /// Where handlers run, if not here.
    bool dispatches() const noexcept { return static_cast<bool>(dispatch_); }
    void dispatch(Function<void()> call) noexcept {
        try {
            dispatch_(std::move(call));
        } catch (...) { // an executor that has ended: there is nowhere left to run it
        }
    }
    /// For what poll() returns.
    void count_handler() noexcept { ++handlers_run_; }

private:
    friend class Flushable;
    friend class LoopTimer;
    enum class Phase { running, ending, ended };

    LoopCore(LoopOptions, std::unique_ptr<VirtualSystem>);
    void open_handles();
    /// Whether the thread that takes the loop is the one whose waits run it from now on.
    enum class Home { stays, moves_here };
    /// Waits until nobody runs the loop. False after its end.
    bool begin_run(Home);
    /// REQUIRES mutex_ held and nobody running. False after the end.
    bool take_loop(Home);
    void end_run();
    void thread_main();
    void shut_down_here();
    /// False if nothing will happen: in a virtual system only.
    bool turn(uv_run_mode mode, TimePoint until = TimePoint::max());
    bool virtual_turn(uv_run_mode, TimePoint until);
    bool has_work() const;
    void drain_inbox();
    void run_local_tasks();
    void flush_dirty();
    void end_turn();
    void before_block();
    void finish();

    const LoopOptions::Run mode_;
    Function<void(Function<void()>)> dispatch_;
    const std::unique_ptr<VirtualSystem> system_;
    uv_loop_t uv_{};
    uv_async_t wake_{};
    uv_prepare_t prepare_{};
    uv_idle_t keep_turning_{}; // active while something waits that libuv does not know of
    std::unique_ptr<LwsContext> context_;

    // The one mutex: inbox and who runs the loop.
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Function<void()>> inbox_;
    bool running_ = false;
    std::atomic<int> watchers_{0}; // wait on changed_ for what a turn of another thread may bring
    bool accepting_ = true;
    std::thread::id home_thread_;

    std::atomic<std::thread::id> loop_thread_{};
    std::atomic<bool> stop_requested_{false};
    std::atomic<Phase> phase_{Phase::running};
    bool destroying_context_ = false;
    bool refuses_local_ = false;

    std::vector<Function<void()>> draining_;
    std::vector<Function<void()>> local_; // posted by the loop thread
    std::vector<Function<void()>> local_running_;
    std::vector<Flushable*> dirty_;
    std::vector<Flushable*> flushing_;
    std::vector<std::shared_ptr<LoopMember>> members_;
    std::size_t handlers_run_ = 0;
    unsigned turns_without_time_ = 0; // in a virtual system
    std::weak_ptr<LoopCore> self_;
    std::thread thread_;
};

} // namespace phx::shell
