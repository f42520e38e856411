#include "protocol/time/backoff.hpp"

#include <algorithm>
#include <gtest/gtest.h>

#include <set>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, FollowsThePhoenixLadderWithoutJitter) {
    BackoffConfig config = BackoffConfig::first_connect();
    config.jitter = Jitter::none;
    Backoff backoff(config);
    Random random(1);
    std::vector<Duration> delays;
    for (int i = 0; i < 12; ++i) delays.push_back(backoff.next(random));
    EXPECT_EQ(delays,
              (std::vector<Duration>{10ms, 50ms, 100ms, 150ms, 200ms, 250ms, 500ms, 1s, 2s, 5s, 5s, 5s}));
    EXPECT_EQ(backoff.tries(), 12u);
}

TEST(Backoff, BeginsAnewAfterReset) {
    BackoffConfig config = BackoffConfig::rejoin();
    config.jitter = Jitter::none;
    Backoff backoff(config);
    Random random(1);
    EXPECT_EQ(backoff.next(random), 1s);
    EXPECT_EQ(backoff.next(random), 2s);
    backoff.reset();
    EXPECT_EQ(backoff.tries(), 0u);
    EXPECT_EQ(backoff.next(random), 1s);
}

TEST(Backoff, JumpsToTheLastStepForWhatIsRefused) {
    BackoffConfig config = BackoffConfig::rejoin();
    config.jitter = Jitter::none;
    Backoff backoff(config);
    Random random(1);
    EXPECT_EQ(backoff.slowest(random), 10s);
    EXPECT_EQ(backoff.next(random), 2s);
}

TEST(Backoff, SpreadsWithFullJitterOverTheWholeStep) {
    Random random(7);
    Duration least = 1h;
    Duration most{0};
    for (int i = 0; i < 2000; ++i) {
        Backoff backoff({{1s}, Jitter::full});
        const Duration d = backoff.next(random);
        least = std::min(least, d);
        most = std::max(most, d);
    }
    EXPECT_GE(least, 0ms);
    EXPECT_LT(least, 10ms);
    EXPECT_GT(most, 990ms);
    EXPECT_LT(most, 1s);
}

TEST(Backoff, StaysBetweenTheStepBeforeAndThisOne) {
    Random random(7);
    const Duration edges[] = {0s, 1s, 2s, 5s, 10s};
    Duration earliest[] = {1h, 1h, 1h, 1h};
    for (int i = 0; i < 2000; ++i) {
        Backoff backoff(BackoffConfig::reconnect());
        for (std::size_t step = 0; step < 5; ++step) {
            const std::size_t at = std::min<std::size_t>(step, 3); // the last repeats
            const Duration d = backoff.next(random);
            ASSERT_GE(d, edges[at]);
            ASSERT_LT(d, edges[at + 1]);
            earliest[at] = std::min(earliest[at], d);
        }
    }
    for (std::size_t at = 0; at < 4; ++at) EXPECT_LT(earliest[at], edges[at] + 20ms);
}

TEST(Backoff, KeepsHalfOfTheStepWithEqualJitter) {
    Random random(7);
    for (int i = 0; i < 2000; ++i) {
        Backoff backoff(BackoffConfig::rejoin());
        const Duration d = backoff.next(random);
        ASSERT_GE(d, 500ms);
        ASSERT_LT(d, 1s);
    }
}

TEST(Backoff, DoesNotWaitWithoutSteps) {
    Backoff backoff(BackoffConfig{});
    Random random(1);
    EXPECT_EQ(backoff.next(random), 0s);
    EXPECT_EQ(backoff.slowest(random), 0s);
}

TEST(Backoff, TakesANegativeStepAsNone) {
    Backoff backoff(BackoffConfig{{-1s}, Jitter::full});
    Random random(1);
    EXPECT_EQ(backoff.next(random), 0s);
}

TEST(Random, RepeatsItselfFromItsSeed) {
    Random a(42);
    Random b(42);
    Random c(43);
    const auto first = a.next();
    EXPECT_EQ(first, b.next());
    EXPECT_NE(first, c.next());
    EXPECT_EQ(Random(0).next(), 0xe220a8397b1dcdafu); // of the reference implementation of splitmix64
}

TEST(Random, StaysBelowItsBound) {
    Random random(3);
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 200; ++i) seen.insert(random.below(5));
    EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(random.below(0), 0u);
}

} // namespace
} // namespace phx::protocol
