#include "src/realtime/token_keeper.hpp"

#include "protocol/realtime/token.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace phx::shell {

TokenKeeper::TokenKeeper(std::shared_ptr<SocketCore> socket, Provider<std::string> provider,
                         Function<void()> changed)
    : socket_(std::move(socket)), provider_(std::move(provider)), changed_(std::move(changed)),
      expiring_(socket_->loop(), [this] { handle_expiring(); }) {}

void TokenKeeper::set(std::string token) { change(std::move(token)); }

void TokenKeeper::ask(Told told) {
    if (!provider_ || has_ended_) return told(current_);
    waiting_.push_back(std::move(told));
    if (std::exchange(is_asking_, true) && !is_doubtful_) return;
    is_doubtful_ = false;
    Answer<std::string> answer(
        [weak = weak_from_this(), socket = socket_, question = ++question_](Result<std::string> token) {
            socket->loop().post([weak, question, token = std::move(token)]() mutable {
                if (const auto self = weak.lock()) self->take(question, std::move(token));
            });
        });
    if (!socket_->is_closed()) socket_->guard([&] { provider_.ask(std::move(answer)); });
}

void TokenKeeper::refresh() {
    if (is_refreshing_ && !is_doubtful_) return;
    is_refreshing_ = true;
    ask([this](const Result<std::string>& token) { // kept by this, so it lives
        is_refreshing_ = false;
        if (!token) socket_->report(token.error());
    });
}

void TokenKeeper::end() {
    has_ended_ = true;
    waiting_.clear();
    expiring_.arm({});
}

void TokenKeeper::take(std::uint64_t question, Result<std::string> token) {
    if (has_ended_ || question != question_) return;
    is_asking_ = is_doubtful_ = false;
    if (token) change(*token);
    if (!is_watching_) watch_expiry(); // none came, or the old one again
    for (Told& told : std::exchange(waiting_, {})) told(token);
}

void TokenKeeper::change(std::string token) {
    if (has_ended_ || token == current_) return;
    current_ = std::move(token);
    watch_expiry();
    changed_();
}

/// A tenth of what is left of its life before the end, but not more than a minute; where that brings no new
/// one, again and again, ever closer to the end.
void TokenKeeper::watch_expiry() {
    using namespace std::chrono;
    expiring_.arm({});
    is_watching_ = false;
    const auto expiry = protocol::realtime::token_expiry(current_);
    if (!expiry) return;
    const auto now = duration_cast<seconds>(socket_->loop().wall_clock().time_since_epoch());
    constexpr seconds year = hours(24 * 365);
    // In seconds: the year 2286, which tokens of tests like, is beyond the range of the clock.
    const seconds left = std::min(seconds(*expiry) - now, year);
    if (left <= left.zero()) return; // the server will say so
    const Duration margin = std::min<Duration>(minutes(1), Duration(left) / 10);
    expiring_.arm(protocol::after(socket_->loop().now(), left - margin));
    is_watching_ = true;
}

void TokenKeeper::handle_expiring() {
    is_watching_ = false;
    if (provider_) return refresh();
    socket_->report(
        fail(Errc::bad_auth,
             "the token's time is nearly over, and there is no provider of tokens: call set_auth()")
            .error);
}

} // namespace phx::shell
