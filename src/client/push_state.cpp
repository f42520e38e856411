#include "src/client/push_state.hpp"

#include "src/client/socket_core.hpp"

#include <utility>

namespace phx::shell {
namespace {

/// What `receive()` calls an end: phoenix.js knows "timeout"; every other failure without a reply is an
/// "error".
std::string status_of(const Reply& reply, const std::optional<Error>& error) {
    if (!reply.status().empty()) return std::string(reply.status());
    if (!error) return "ok";
    return error->code == Errc::timeout ? "timeout" : "error";
}

/// What the program did itself is no news to it.
bool is_worth_reporting(const Error& error) {
    return error.code != Errc::cancelled && error.code != Errc::socket_closed;
}

} // namespace

PushState::PushState(std::shared_ptr<SocketCore> socket) : socket_(std::move(socket)) {}

PushState::~PushState() {
    if (!is_finished() || is_seen_ || *result_ || !is_worth_reporting(result_->error())) return;
    socket_->report(std::move(*result_).error());
}

void PushState::finish(Reply reply, std::optional<Error> error) {
    std::vector<Observer> observers;
    if (error && explain) explain(*error);
    {
        const std::lock_guard lock(mutex_);
        if (is_finished_) return;
        status_ = status_of(reply, error);
        reply_ = std::move(reply);
        if (error) {
            result_.emplace(Failure{std::move(*error)});
        } else {
            result_.emplace(reply_);
        }
        observers.swap(observers_);
        is_finished_.store(true, std::memory_order_release);
    }
    for (Observer& observer : observers) run(std::move(observer));
}

void PushState::observe(Observer observer) {
    {
        const std::lock_guard lock(mutex_);
        if (!is_finished_) {
            observers_.push_back(std::move(observer));
            return;
        }
    }
    auto late = std::make_shared<Observer>(std::move(observer));
    // By way of the socket: it does not run after the Socket is gone.
    if (socket_->post([self = shared_from_this(), late](Driver*) { self->run(std::move(*late)); })) return;
    if (!socket_->is_refusing()) run(std::move(*late));
}

void PushState::run(Observer observer) {
    if (!observer.status.empty() && observer.status != status_) return;
    is_seen_ = true;
    LoopCore& loop = socket_->loop();
    // Off the loop thread the loop has ended, and where it dispatched to may have too.
    if (observer.where == Observer::Where::at_once || !loop.dispatches() || !loop.on_loop_thread())
        return call(observer);
    loop.dispatch(
        [self = shared_from_this(), observer = std::move(observer)]() mutable { self->call(observer); });
}

void PushState::call(Observer& observer) {
    socket_->run_handler([&] {
        if (observer.then) {
            observer.then(*result_);
        } else {
            observer.receive(reply_);
        }
    });
}

PendingPush::~PendingPush() {
    if (state_) state_->finish(SocketCore::closed_error());
}

const Result<Reply>& PushState::result() noexcept {
    is_seen_ = true;
    return *result_;
}

} // namespace phx::shell
