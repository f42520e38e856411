#include "phx/push.hpp"

#include "src/client/driver.hpp"
#include "src/client/push_state.hpp"

#include <utility>

namespace phx {

Push& Push::receive(std::string_view status, Function<void(const Reply&)> handler) & {
    state_->observe({.status = std::string(status), .receive = std::move(handler)});
    return *this;
}

Push Push::receive(std::string_view status, Function<void(const Reply&)> handler) && {
    receive(status, std::move(handler));
    return std::move(*this);
}

Push& Push::then(Function<void(const Result<Reply>&)> handler) & {
    state_->observe({.then = std::move(handler)});
    return *this;
}

Push Push::then(Function<void(const Result<Reply>&)> handler) && {
    then(std::move(handler));
    return std::move(*this);
}

std::future<Result<Reply>> Push::future() const {
    std::promise<Result<Reply>> promise;
    auto future = promise.get_future();
    state_->observe({.then = [promise = std::move(promise)](
                                 const Result<Reply>& result) mutable { promise.set_value(result); },
                     .where = shell::PushState::Observer::Where::at_once});
    return future;
}

Result<Reply> Push::wait() const {
    if (!finished()) {
        shell::LoopCore& loop = state_->socket().loop();
        if (loop.on_loop_thread()) {
            return fail(Errc::would_deadlock,
                        "Push::wait() on the loop thread would never end; use then() or co_await");
        }
        if (loop.must_drive() && !loop.drive_until([this] { return finished(); })) {
            return fail(Errc::would_deadlock,
                        "Push::wait() in virtual time: nothing that is under way finishes the push within a "
                        "day; is the socket connected?");
        }
        if (!finished()) return future().get();
    }
    return state_->result();
}

void Push::cancel() const {
    state_->socket().post([state = state_](shell::Driver* driver) {
        if (driver) driver->cancel(*state);
    });
}

bool Push::finished() const noexcept { return state_->is_finished(); }

bool Push::Awaiter::await_ready() const noexcept {
    // A coroutine that tries again for ever must not do so inside ~Socket.
    const shell::SocketCore& socket = state_->socket();
    return state_->is_finished() && socket.loop().on_loop_thread() && !socket.loop().dispatches() &&
           !socket.is_refusing();
}

void Push::Awaiter::await_suspend(std::coroutine_handle<> waiting) {
    const auto state = state_; // the coroutine may go on, and end, before observe() returns
    state->observe({.then = [waiting](const Result<Reply>&) { waiting.resume(); }});
}

Result<Reply> Push::Awaiter::await_resume() { return state_->result(); }

} // namespace phx
