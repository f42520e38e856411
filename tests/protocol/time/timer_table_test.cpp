#include "protocol/time/timer_table.hpp"

#include "protocol/time/backoff.hpp"

#include <gtest/gtest.h>

#include <map>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) { return TimePoint{} + d; }

TEST(TimerTable, HasNoDeadlineWhenEmpty) {
    const TimerTable<int> timers;
    EXPECT_EQ(timers.next(), std::nullopt);
    EXPECT_EQ(timers.due(TimePoint::max()), std::nullopt);
}

TEST(TimerTable, GivesTheEarliestDeadlineFirst) {
    TimerTable<int> timers;
    timers.add(at(3s), 3);
    timers.add(at(1s), 1);
    timers.add(at(2s), 2);
    EXPECT_EQ(timers.next(), at(1s));
    EXPECT_EQ(timers.due(at(999ms)), std::nullopt);
    EXPECT_EQ(timers.due(at(1s)), 1);
    timers.settle(3, [](int key, TimePoint) { return key != 1; });
    EXPECT_EQ(timers.next(), at(2s));
}

TEST(TimerTable, GivesEqualDeadlinesInTheOrderOfTheirKeys) {
    TimerTable<int> timers;
    for (const int key : {4, 1, 3, 2}) timers.add(at(1s), key);
    for (int key = 1; key <= 4; ++key) {
        EXPECT_EQ(timers.due(at(1s)), key);
        timers.settle(4, [key](int k, TimePoint) { return k > key; });
    }
    EXPECT_EQ(timers.size(), 0u);
}

TEST(TimerTable, DoesNotKeepWhatNeverComes) {
    TimerTable<int> timers;
    timers.add(TimePoint::max(), 1);
    EXPECT_EQ(timers.next(), std::nullopt);
    EXPECT_EQ(timers.size(), 0u);
}

TEST(TimerTable, ForgetsAKeyWhoseDeadlineHasChanged) {
    TimerTable<int> timers;
    timers.add(at(1s), 7);
    timers.add(at(5s), 7);
    timers.settle(1, [](int, TimePoint due) { return due == at(5s); });
    EXPECT_EQ(timers.next(), at(5s));
}

TEST(TimerTable, StaysWithinTwiceTheLivingWhenTheFirstOutlivesAllOthers) {
    TimerTable<int> timers;
    timers.add(at(0s), 0);
    for (int key = 1; key <= 10'000; ++key) {
        timers.add(at(1s * key), key);
        timers.settle(1, [](int k, TimePoint) { return k == 0; });
        ASSERT_LE(timers.size(), 2u + 64u);
    }
    EXPECT_EQ(timers.next(), at(0s));
}

TEST(TimerTable, AgreesWithASortedMapInRandomOrder) {
    Random random(11);
    TimerTable<int> timers;
    std::map<int, TimePoint> alive;
    for (int key = 0; key < 5000; ++key) {
        const TimePoint due = at(Duration(static_cast<int>(random.below(1000))));
        timers.add(due, key);
        alive[key] = due;
        if (random.below(2) == 0) alive.erase(static_cast<int>(random.below(5000)));
        timers.settle(alive.size(), [&](int k, TimePoint) { return alive.count(k) != 0; });
        std::optional<TimePoint> earliest;
        if (random.below(50) == 0 || key == 4999) {
            for (const auto& [k, d] : alive) earliest = std::min(earliest.value_or(d), d);
            ASSERT_EQ(timers.next(), earliest);
        }
    }
}

TEST(After, NeverOverflows) {
    EXPECT_EQ(after(at(5s), 2s), at(7s));
    EXPECT_EQ(after(at(5s), -2s), at(3s));
    EXPECT_EQ(after(at(5s), Duration::max()), TimePoint::max());
    EXPECT_EQ(after(TimePoint::min(), Duration::max()), TimePoint::min() + Duration::max());
}

} // namespace
} // namespace phx::protocol
