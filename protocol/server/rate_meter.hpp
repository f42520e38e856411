#pragma once

#include "protocol/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace phx::protocol::server {

/// A token bucket in integers: `limit` at once, then exactly `limit` in each window.
class RateMeter {
public:
    /// False: there are not that many, and none is taken. A limit of 0 lets everything pass.
    bool take(TimePoint now, std::uint32_t limit, Duration window, std::size_t count = 1) {
        if (!has(now, limit, window, count)) return false;
        if (limit != 0) credit_ -= price_of(window) * static_cast<std::int64_t>(count);
        return true;
    }
    /// Whether take() would do.
    bool has(TimePoint now, std::uint32_t limit, Duration window, std::size_t count) {
        if (limit == 0) return true;
        limit = std::min(limit, max_limit);
        const std::int64_t price = price_of(window);
        const std::int64_t full = price * limit;
        const std::int64_t passed =
            last_ ? std::clamp<std::int64_t>((now - *last_).count(), 0, price) : price;
        credit_ = std::min(full, credit_ + passed * limit);
        last_ = now;
        return count <= limit && price * static_cast<std::int64_t>(count) <= credit_;
    }

private:
    // So that the products fit.
    static constexpr std::uint32_t max_limit = 10'000'000;
    static constexpr std::chrono::hours max_window{24};

    static std::int64_t price_of(Duration window) {
        return std::clamp<std::int64_t>(window.count(), 1, Duration(max_window).count());
    }

    std::optional<TimePoint> last_ = {};
    std::int64_t credit_ = 0; ///< microseconds of the window, times the limit
};

} // namespace phx::protocol::server
