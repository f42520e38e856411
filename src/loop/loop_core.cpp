#include "src/loop/loop_core.hpp"

#include "src/lws/context.hpp"

#include <cassert>
#include <chrono>
#include <system_error>
#include <utility>

namespace phx::shell {
namespace {

template <class Handle> uv_handle_t* as_handle(Handle& handle) {
    return reinterpret_cast<uv_handle_t*>(&handle);
}

void check(int error, const char* what) {
    if (error < 0) throw std::system_error(-error, std::generic_category(), what);
}

/// Descriptors that the next turn begins to watch, which uv_backend_timeout() forgets before libuv 1.45.
bool has_unwatched(const uv_loop_t& loop) noexcept {
    const void* const head = &loop.watcher_queue;
    return *static_cast<const void* const*>(head) != head; // a ring that begins with the pointer to the next
}

/// Tasks have no one to report to: what leaves one ends the program, as with a std::thread.
void run_task(Function<void()>& task) noexcept { task(); }

} // namespace

LoopCore::LoopCore(LoopOptions options, std::unique_ptr<VirtualSystem> system)
    : mode_(options.run), dispatch_(std::move(options.dispatch)), system_(std::move(system)) {
    home_thread_ = std::this_thread::get_id();
    check(uv_loop_init(&uv_), "uv_loop_init");
    try {
        if (!system_) context_ = std::make_unique<LwsContext>(&uv_);
        open_handles();
    } catch (...) {
        if (context_) context_->destroy();
        uv_run(&uv_, UV_RUN_DEFAULT);
        uv_loop_close(&uv_);
        throw;
    }
}

std::shared_ptr<LoopCore> LoopCore::start(LoopOptions options, std::unique_ptr<VirtualSystem> system) {
    const LoopOptions::Run mode = options.run;
    std::shared_ptr<LoopCore> core(new LoopCore(std::move(options), std::move(system)));
    core->self_ = core;
    if (mode == LoopOptions::Run::own_thread) {
        // The thread keeps the core alive: it may have to outlive a Loop that was destroyed in a handler.
        try {
            core->thread_ = std::thread([core] { core->thread_main(); });
        } catch (...) {
            core->shut_down_here();
            throw;
        }
    }
    return core;
}

LoopCore::~LoopCore() { assert(phase_ == Phase::ended); }

void LoopCore::open_handles() {
    // The first of these can fail for want of descriptors, the others cannot.
    check(uv_async_init(&uv_, &wake_,
                        [](uv_async_t* handle) { static_cast<LoopCore*>(handle->data)->drain_inbox(); }),
          "uv_async_init");
    wake_.data = this;
    uv_prepare_init(&uv_, &prepare_);
    prepare_.data = this;
    uv_prepare_start(&prepare_,
                     [](uv_prepare_t* handle) { static_cast<LoopCore*>(handle->data)->before_block(); });
    uv_idle_init(&uv_, &keep_turning_);
}

lws_context* LoopCore::lws() const noexcept { return context_->get(); }

TimePoint LoopCore::now() const noexcept {
    if (system_) return system_->now();
    return TimePoint(Duration(static_cast<Duration::rep>(uv_hrtime() / 1000)));
}

std::chrono::system_clock::time_point LoopCore::wall_clock() const noexcept {
    using std::chrono::system_clock;
    constexpr std::chrono::sys_days virtual_start = std::chrono::year(2026) / 1 / 1;
    if (!system_) return system_clock::now();
    return virtual_start + std::chrono::duration_cast<system_clock::duration>(now().time_since_epoch());
}

bool LoopCore::post(Function<void()> task) {
    if (on_loop_thread()) {
        if (refuses_local_) return false;
        local_.push_back(std::move(task));
        return true;
    }
    std::lock_guard lock(mutex_);
    if (!accepting_) return false;
    inbox_.push_back(std::move(task));
    // Under the lock: finish() takes it before it closes the handle.
    if (inbox_.size() == 1) uv_async_send(&wake_);
    return true;
}

bool LoopCore::call(Function<void()> task) {
    if (on_loop_thread()) {
        if (phase_ == Phase::ended) return false;
        task();
        return true;
    }
    bool done = false; // guarded by mutex_
    if (!post([this, &done, &task] {
            task();
            std::lock_guard lock(mutex_);
            done = true;
            changed_.notify_all();
        })) {
        return false;
    }
    std::unique_lock lock(mutex_);
    while (!done) {
        if (mode_ == LoopOptions::Run::caller && !running_ && take_loop(Home::stays)) {
            lock.unlock();
            drain_inbox();
            end_turn();
            end_run();
            lock.lock();
        } else {
            changed_.wait(lock);
        }
    }
    return true;
}

void LoopCore::stop() noexcept {
    if (mode_ == LoopOptions::Run::own_thread) return;
    stop_requested_.store(true);
    uv_async_send(&wake_);
}

bool LoopCore::begin_run(Home home) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !running_; });
    return take_loop(home);
}

bool LoopCore::take_loop(Home home) {
    if (phase_ == Phase::ended) return false;
    running_ = true;
    if (home == Home::moves_here) home_thread_ = std::this_thread::get_id();
    loop_thread_.store(std::this_thread::get_id(), std::memory_order_release);
    return true;
}

void LoopCore::end_run() {
    std::lock_guard lock(mutex_);
    running_ = false;
    loop_thread_.store(std::thread::id{}, std::memory_order_release);
    changed_.notify_all();
}

void LoopCore::thread_main() {
    if (!begin_run(Home::stays)) return;
    while (phase_ == Phase::running) uv_run(&uv_, UV_RUN_DEFAULT);
    finish();
    end_run();
}

void LoopCore::run() {
    assert(mode_ == LoopOptions::Run::caller && "Loop::run() needs LoopOptions::Run::caller");
    assert(!on_loop_thread() && "Loop::run() inside a handler");
    if (mode_ != LoopOptions::Run::caller || on_loop_thread() || !begin_run(Home::moves_here)) return;
    const std::shared_ptr<LoopCore> keep = self_.lock(); // the Loop may be destroyed in a handler
    drain_inbox();
    while (!stop_requested_.exchange(false) && phase_ == Phase::running && turn(UV_RUN_DEFAULT)) {
    }
    if (phase_ == Phase::ending) {
        finish();
    } else {
        end_turn();
    }
    end_run();
}

std::size_t LoopCore::poll() {
    assert(mode_ == LoopOptions::Run::caller && "Loop::poll() needs LoopOptions::Run::caller");
    assert(!on_loop_thread() && "Loop::poll() inside a handler");
    if (mode_ != LoopOptions::Run::caller || on_loop_thread() || !begin_run(Home::moves_here)) return 0;
    const std::shared_ptr<LoopCore> keep = self_.lock();
    handlers_run_ = 0;
    drain_inbox(); // what was asked for between two polls comes before what their handlers ask for
    turn(UV_RUN_NOWAIT);
    if (phase_ == Phase::ending) {
        finish();
    } else {
        end_turn(); // what the turn produced must not wait for the next poll()
    }
    const std::size_t count = handlers_run_;
    end_run();
    return count;
}

std::optional<Millis> LoopCore::next_timeout() {
    if (system_) {
        if (has_work()) return Millis(0);
        const auto next = system_->next();
        return next ? std::optional(std::chrono::ceil<Millis>(*next - now())) : std::nullopt;
    }
    if (!local_.empty() || has_unwatched(uv_)) return Millis(0);
    uv_update_time(&uv_);
    const int timeout = uv_backend_timeout(&uv_);
    return timeout < 0 ? std::nullopt : std::optional(Millis(timeout));
}

bool LoopCore::must_drive() const noexcept {
    if (mode_ != LoopOptions::Run::caller) return false;
    std::lock_guard lock(mutex_);
    return home_thread_ == std::this_thread::get_id();
}

bool LoopCore::drive_until(Function<bool()> done, std::optional<TimePoint> until) {
    {
        // Not a plain wait for the loop: who runs it may do so for ever.
        std::unique_lock lock(mutex_);
        ++watchers_;
        changed_.wait(lock, [&] { return !running_ || done(); });
        --watchers_;
        if (running_ || !take_loop(Home::stays)) return true;
    }
    const std::shared_ptr<LoopCore> keep = self_.lock();
    const TimePoint end = until.value_or(protocol::after(now(), std::chrono::hours(24)));
    bool can_go_on = true;
    while (can_go_on && !done() && phase_ == Phase::running) can_go_on = turn(UV_RUN_ONCE, end);
    if (phase_ == Phase::ending) {
        finish();
    } else {
        end_turn();
    }
    end_run();
    return can_go_on;
}

bool LoopCore::turn(uv_run_mode mode, TimePoint until) {
    if (system_) return virtual_turn(mode, until);
    uv_run(&uv_, mode);
    return true;
}

/// Time passes only when nothing is left to do, or when that never ends: a task that posts itself.
bool LoopCore::virtual_turn(uv_run_mode mode, TimePoint until) {
    constexpr unsigned max_turns = 10'000;
    if (has_work()) {
        drain_inbox();
        end_turn();
        if (mode != UV_RUN_NOWAIT && ++turns_without_time_ < max_turns) return true;
    }
    turns_without_time_ = 0;
    return system_->run_next(mode == UV_RUN_NOWAIT ? now() : until);
}

bool LoopCore::has_work() const {
    if (!local_.empty() || !dirty_.empty()) return true;
    const std::lock_guard lock(mutex_);
    return !inbox_.empty();
}

void LoopCore::shut_down() {
    assert(!on_loop_thread() && "~Loop inside a handler of this loop");
    if (on_loop_thread()) {
        phase_ = Phase::ending;
        uv_stop(&uv_);
        if (thread_.joinable()) thread_.detach(); // it holds the core and ends after this handler
        return;
    }
    if (mode_ == LoopOptions::Run::own_thread) {
        post([this] {
            phase_ = Phase::ending;
            uv_stop(&uv_);
        });
        if (thread_.joinable()) thread_.join();
        return;
    }
    shut_down_here();
}

void LoopCore::shut_down_here() {
    if (!begin_run(Home::stays)) return;
    phase_ = Phase::ending;
    finish();
    end_run();
}

void LoopCore::drain_inbox() {
    if (destroying_context_) {
        if (context_) context_->destroy();
        uv_close(as_handle(wake_), nullptr);
        return;
    }
    {
        std::lock_guard lock(mutex_);
        draining_.swap(inbox_);
    }
    for (Function<void()>& task : draining_) run_task(task);
    draining_.clear();
    if (stop_requested_) uv_stop(&uv_);
}

void LoopCore::run_local_tasks() {
    // Tasks posted by these tasks wait for the next turn, so that I/O is never starved.
    local_running_.swap(local_);
    for (Function<void()>& task : local_running_) run_task(task);
    local_running_.clear();
}

void LoopCore::flush_dirty() {
    flushing_.swap(dirty_);
    for (Flushable*& entry : flushing_) {
        if (!entry) continue; // destroyed meanwhile
        Flushable& item = *std::exchange(entry, nullptr);
        item.listed_in_ = nullptr;
        item.flush();
    }
    flushing_.clear();
}

void LoopCore::end_turn() {
    run_local_tasks();
    flush_dirty();
}

void LoopCore::before_block() {
    end_turn();
    // A change of the counter itself, so that either it is seen here or what the turn did is seen there.
    if (mode_ == LoopOptions::Run::caller && watchers_.fetch_add(0) > 0) {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
    }
    const bool buffered = context_ && context_->service_buffered();
    if (buffered || !local_.empty() || !dirty_.empty()) {
        uv_idle_start(&keep_turning_, [](uv_idle_t*) {});
    } else {
        uv_idle_stop(&keep_turning_);
    }
}

void LoopCore::flush_later(Flushable& item) {
    if (item.listed_in_) return;
    item.listed_in_ = this;
    item.position_ = dirty_.size();
    dirty_.push_back(&item);
}

Flushable::~Flushable() {
    if (!listed_in_) return;
    auto forget = [this](std::vector<Flushable*>& list) {
        if (position_ < list.size() && list[position_] == this) list[position_] = nullptr;
    };
    forget(listed_in_->dirty_);
    forget(listed_in_->flushing_);
}

void LoopCore::add_member(std::shared_ptr<LoopMember> member) {
    LoopMember& added = *member; // which the list keeps until the turn ends, whatever it does
    members_.push_back(std::move(member));
    if (phase_ != Phase::running) added.loop_stopping(); // finish() has told the others
}

void LoopCore::remove_member(const LoopMember& member) {
    for (auto& entry : members_) {
        if (entry.get() != &member) continue;
        local_.push_back([keep = std::move(entry)] {});
        entry = std::move(members_.back());
        members_.pop_back();
        return;
    }
}

/// Order: members (they close their connections), tasks that were accepted, the context, our handles, the
/// loop.
void LoopCore::finish() {
    // A copy, for a member may remove itself; gone before the loop is, for members own timers of it.
    for (const auto& member : std::vector(members_)) member->loop_stopping();
    for (bool accepted_more = true; accepted_more;) {
        while (!members_.empty() && turn(UV_RUN_ONCE)) {
        }
        drain_inbox();
        constexpr int max_rounds = 1000; // a task that posts itself for ever is dropped
        for (int round = 0; !local_.empty() && round < max_rounds; ++round) end_turn();
        refuses_local_ = !local_.empty();
        local_.clear();
        std::lock_guard lock(mutex_);
        accepted_more = !inbox_.empty() || !local_.empty() || !members_.empty();
        if (!accepted_more) accepting_ = false;
    }
    refuses_local_ = true;
    destroying_context_ = true;
    uv_async_send(&wake_);
    uv_close(as_handle(prepare_), nullptr);
    uv_close(as_handle(keep_turning_), nullptr);
    while (uv_run(&uv_, UV_RUN_DEFAULT) != 0) {
    } // a stop() that came last ends the first of these early
    [[maybe_unused]] const int open_handles_left = uv_loop_close(&uv_);
    assert(open_handles_left == 0);
    phase_ = Phase::ended;
}

} // namespace phx::shell
