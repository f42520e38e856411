#include "protocol/time/backoff.hpp"

#include <algorithm>

namespace phx::protocol {

using std::chrono::milliseconds;
using std::chrono::seconds;

BackoffConfig BackoffConfig::first_connect() {
    return {{milliseconds(10), milliseconds(50), milliseconds(100), milliseconds(150), milliseconds(200),
             milliseconds(250), milliseconds(500), seconds(1), seconds(2), seconds(5)},
            Jitter::equal};
}

BackoffConfig BackoffConfig::reconnect() {
    return {{seconds(1), seconds(2), seconds(5), seconds(10)}, Jitter::between};
}

BackoffConfig BackoffConfig::rejoin() {
    return {{seconds(1), seconds(2), seconds(5), seconds(10)}, Jitter::equal};
}

std::uint64_t Random::next() noexcept {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The bias of the remainder is below 2^-40 for every delay up to ten seconds.
std::uint64_t Random::below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }

Duration Backoff::next(Random& random) { return jittered(tries_++, random); }

Duration Backoff::slowest(Random& random) {
    ++tries_;
    return jittered(config_.steps.size(), random);
}

Duration Backoff::jittered(std::size_t step, Random& random) const {
    if (config_.steps.empty()) return Duration{0};
    const std::size_t at = std::min(step, config_.steps.size() - 1);
    const Duration whole = std::max(config_.steps[at], Duration{0});
    Duration fixed{0};
    switch (config_.jitter) {
    case Jitter::none: fixed = whole; break;
    case Jitter::full: break;
    case Jitter::equal: fixed = whole / 2; break;
    case Jitter::between: fixed = at == 0 ? fixed : std::clamp(config_.steps[at - 1], fixed, whole); break;
    }
    const auto spread = static_cast<std::uint64_t>((whole - fixed).count());
    return fixed + Duration{static_cast<Duration::rep>(random.below(spread))};
}

} // namespace phx::protocol
