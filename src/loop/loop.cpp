#include "phx/loop.hpp"

#include "src/loop/loop_core.hpp"

namespace phx {

Loop::Loop(LoopOptions options) : core_(shell::LoopCore::start(std::move(options))) {}
Loop::~Loop() { core_->shut_down(); }

void Loop::run() { core_->run(); }
std::size_t Loop::poll() { return core_->poll(); }
int Loop::fd() const noexcept { return core_->fd(); }
std::optional<Millis> Loop::next_timeout() const { return core_->next_timeout(); }
void Loop::stop() noexcept { core_->stop(); }

void Loop::post(Function<void()> task) {
    core_->post([core = core_.get(), task = std::move(task)]() mutable {
        core->count_handler();
        task();
    });
}

bool Loop::on_loop_thread() const noexcept { return core_->on_loop_thread(); }

} // namespace phx
