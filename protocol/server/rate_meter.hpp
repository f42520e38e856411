#pragma once

#include "protocol/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace phx::protocol::server {

/// A token bucket in integers: `limit` at once, then exactly `limit` in each window.
class RateMeter {
public:
    /// False: one too many. A limit of 0 lets everything pass.
    bool take(TimePoint now, std::uint32_t limit, Duration window) {
        if (limit == 0) return true;
        limit = std::min(limit, max_limit);
        const std::int64_t price = std::clamp<std::int64_t>(window.count(), 1, Duration(max_window).count());
        const std::int64_t full = price * limit;
        const std::int64_t passed =
            last_ ? std::clamp<std::int64_t>((now - *last_).count(), 0, price) : price;
        credit_ = std::min(full, credit_ + passed * limit);
        last_ = now;
        if (credit_ < price) return false;
        credit_ -= price;
        return true;
    }

private:
    // So that the products fit.
    static constexpr std::uint32_t max_limit = 10'000'000;
    static constexpr std::chrono::hours max_window{24};

    std::optional<TimePoint> last_ = {};
    std::int64_t credit_ = 0; ///< microseconds of the window, times the limit
};

} // namespace phx::protocol::server
