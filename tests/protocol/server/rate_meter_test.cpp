#include "protocol/server/rate_meter.hpp"

#include <gtest/gtest.h>

#include <random>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using protocol::Duration;
using protocol::TimePoint;
using protocol::server::RateMeter;

TEST(RateMeter, LetsEverythingPassWithoutALimit) {
    RateMeter meter;
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(meter.take(TimePoint{}, 0, 1s));
}

TEST(RateMeter, GivesAllAtOnceAndNoMore) {
    RateMeter meter;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(meter.take(TimePoint{}, 5, 30s));
    EXPECT_FALSE(meter.take(TimePoint{}, 5, 30s));
    EXPECT_FALSE(meter.take(TimePoint{} + 6s - 1us, 5, 30s));
    EXPECT_TRUE(meter.take(TimePoint{} + 6s, 5, 30s));
}

TEST(RateMeter, GivesExactlyItsLimitInEachWindowUnderLoad) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        const auto limit = static_cast<std::uint32_t>(1 + random() % 500);
        const Duration window = 1ms * static_cast<int>(10 + random() % 40'000);
        const auto longest_gap = static_cast<std::uint64_t>(window.count() / limit + 1);
        RateMeter meter;
        TimePoint now{};
        while (meter.take(now, limit, window)) {
        }
        const TimePoint start = now;
        std::int64_t taken = 0;
        // Steps of at most the time that one costs, so that there is always somebody who wants one.
        while (now < start + 3 * window) {
            now = std::min(start + 3 * window, now + Duration(1 + random() % longest_gap));
            while (meter.take(now, limit, window)) ++taken;
        }
        EXPECT_NEAR(static_cast<double>(taken), 3.0 * limit, 1.0);
    }
}

TEST(RateMeter, KeepsNoMoreThanItsLimitHoweverLongNobodyAsked) {
    RateMeter meter;
    EXPECT_TRUE(meter.take(TimePoint{}, 3, 1s));
    int taken = 0;
    while (meter.take(TimePoint{} + 100h, 3, 1s)) ++taken;
    EXPECT_EQ(taken, 3);
}

TEST(RateMeter, TakesSeveralOrNone) {
    RateMeter meter;
    EXPECT_FALSE(meter.take(TimePoint{}, 5, 5s, 6));
    EXPECT_TRUE(meter.take(TimePoint{}, 5, 5s, 4));
    EXPECT_FALSE(meter.take(TimePoint{}, 5, 5s, 2));
    EXPECT_TRUE(meter.has(TimePoint{}, 5, 5s, 1));
    EXPECT_TRUE(meter.take(TimePoint{}, 5, 5s, 1));
    EXPECT_FALSE(meter.has(TimePoint{}, 5, 5s, 1));
    EXPECT_FALSE(meter.take(TimePoint{} + 3s - 1us, 5, 5s, 3));
    EXPECT_TRUE(meter.take(TimePoint{} + 3s, 5, 5s, 3));
    EXPECT_TRUE(meter.take(TimePoint{} + 3s, 0, 5s, 1'000'000)) << "without a limit";
}

TEST(RateMeter, DoesNotOverflow) {
    RateMeter meter;
    TimePoint now = TimePoint::max() - 2h;
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(meter.take(now += 1s, ~0u, Duration::max()));
    EXPECT_FALSE(meter.take(now, ~0u, Duration::max(), ~std::size_t{0}));
    EXPECT_FALSE(meter.take(now, ~0u, Duration::max(), 10'000'000));
    EXPECT_TRUE(meter.take(now, ~0u, Duration::max(), 9'999'000));
}

} // namespace
} // namespace phx::test
