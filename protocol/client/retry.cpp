#include "protocol/client/retry.hpp"

#include <algorithm>

namespace phx::protocol {
namespace {

// Retry-After comes from the peer: it must not silence a client for days.
constexpr Duration longest_retry_after = std::chrono::hours(1);

/// Refused for a reason that soon trying again does not cure. An upgrade that was refused with a 5xx is a
/// server in trouble, perhaps for a moment, as one that does not answer.
bool is_refusal(const CloseInfo& info) {
    if (!info.error) return false;
    if (info.error->code == Errc::bad_auth) return true;
    return info.error->code == Errc::upgrade_refused &&
           !(info.error->detail && info.error->detail->http_status >= 500);
}

} // namespace

Retry::Retry(const ClientConfig& config)
    : first_connect_(config.first_connect), reconnect_(config.reconnect), stable_after_(config.stable_after),
      max_attempts_(config.max_attempts) {}

void Retry::handle_open(TimePoint now) {
    opened_once_ = true;
    opened_at_ = now;
    failures_ = 0;
}

Duration Retry::handle_lost(TimePoint now, const CloseInfo& info, Random& random) {
    if (now - opened_at_ >= stable_after_) {
        reset();
    } else {
        ++attempt_;
    }
    return wait(info, random);
}

std::optional<Duration> Retry::handle_failed(const CloseInfo& info, Random& random) {
    ++attempt_;
    ++failures_;
    if (max_attempts_ != 0 && failures_ >= max_attempts_) return std::nullopt;
    return wait(info, random);
}

void Retry::reset() noexcept {
    first_connect_.reset();
    reconnect_.reset();
    attempt_ = 0;
    failures_ = 0;
}

Duration Retry::wait(const CloseInfo& info, Random& random) {
    Backoff& backoff = opened_once_ ? reconnect_ : first_connect_;
    const Duration ours = is_refusal(info) ? backoff.slowest(random) : backoff.next(random);
    return std::max(ours, std::min(info.retry_after.value_or(Duration{0}), longest_retry_after));
}

} // namespace phx::protocol
