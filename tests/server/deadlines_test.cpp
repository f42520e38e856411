#include "src/server/deadlines.hpp"

#include <gtest/gtest.h>
#include <memory>

namespace phx::shell {
namespace {

using namespace std::chrono_literals;
using protocol::TimePoint;

TEST(Deadlines, PassInTheOrderTheyWereSet) {
    Deadlines deadlines;
    deadlines.set_duration(DeadlineKind::request, 10s);
    deadlines.set_duration(DeadlineKind::close, 5s);
    Deadline a, b, c;
    const TimePoint t{};
    EXPECT_EQ(deadlines.next(), std::nullopt);
    deadlines.set(a, DeadlineKind::request, t);
    deadlines.set(b, DeadlineKind::request, t + 1s);
    deadlines.set(c, DeadlineKind::close, t + 2s);
    EXPECT_EQ(deadlines.next(), t + 7s);
    EXPECT_EQ(deadlines.pop(t + 6s), nullptr);
    EXPECT_EQ(deadlines.pop(t + 7s), &c);
    EXPECT_EQ(deadlines.pop(t + 11s), &a);
    EXPECT_EQ(deadlines.pop(t + 11s), &b);
    EXPECT_EQ(deadlines.pop(t + 11s), nullptr);
    EXPECT_EQ(deadlines.next(), std::nullopt);
}

TEST(Deadlines, AreReplacedClearedAndForgottenByTheirDestructor) {
    Deadlines deadlines;
    deadlines.set_duration(DeadlineKind::request, 10s);
    deadlines.set_duration(DeadlineKind::write, 1s);
    const TimePoint t{};
    Deadline first, last;
    auto middle = std::make_unique<Deadline>();
    deadlines.set(first, DeadlineKind::request, t);
    deadlines.set(*middle, DeadlineKind::request, t);
    deadlines.set(last, DeadlineKind::request, t);
    middle.reset();
    deadlines.set(first, DeadlineKind::write, t + 20s);
    EXPECT_TRUE(first.is_set(DeadlineKind::write));
    EXPECT_FALSE(first.is_set(DeadlineKind::request));
    EXPECT_EQ(deadlines.pop(t + 20s), &last);
    EXPECT_EQ(deadlines.next(), t + 21s);
    first.clear();
    first.clear();
    EXPECT_EQ(deadlines.next(), std::nullopt);
}

} // namespace
} // namespace phx::shell
