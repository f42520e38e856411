#include "src/loop/loop_core.hpp"

#include <chrono>
#include <utility>

namespace phx::shell {

struct LoopTimer::Handle {
    uv_timer_t timer{};
    LoopCore* loop = nullptr;
    Function<void()> fired;
    std::optional<TimePoint> wanted{}; // what the owner asked for
    std::optional<TimePoint> armed{};  // what libuv knows: never later than `wanted`
    std::shared_ptr<Handle> self{};    // in a virtual system, where libuv knows nothing

    void start() {
        if (VirtualSystem* const system = loop->system()) {
            armed = wanted;
            if (*wanted == TimePoint::max()) return;
            return system->at(*wanted, [weak = std::weak_ptr(self), when = *wanted] {
                const auto handle = weak.lock();
                if (handle && handle->armed == when) handle->expire();
            });
        }
        const TimePoint now = loop->now();
        const auto left = *wanted > now ? *wanted - now : Duration{0};
        const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        armed = wanted;
        uv_update_time(loop->uv());
        uv_timer_start(
            &timer, [](uv_timer_t* handle) { static_cast<Handle*>(handle->data)->expire(); },
            static_cast<std::uint64_t>(rounded_up), 0);
    }
    void expire() {
        armed.reset();
        if (!wanted) return;
        if (*wanted > loop->now()) return start();
        wanted.reset();
        fired();
    }
};

LoopTimer::LoopTimer(LoopCore& loop, Function<void()> fired) : handle_(new Handle) {
    handle_->loop = &loop;
    handle_->fired = std::move(fired);
    if (loop.system()) {
        handle_->self.reset(handle_);
        return;
    }
    uv_timer_init(loop.uv(), &handle_->timer);
    handle_->timer.data = handle_;
}

LoopTimer::~LoopTimer() {
    handle_->wanted.reset();
    if (const auto last_here = std::move(handle_->self)) return;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer),
             [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void LoopTimer::arm(std::optional<TimePoint> deadline) {
    handle_->wanted = deadline;
    if (deadline && (!handle_->armed || *deadline < *handle_->armed)) handle_->start();
}

} // namespace phx::shell
