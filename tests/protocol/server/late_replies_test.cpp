#include "protocol/server/late_replies.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace phx::protocol::server {
namespace {

TEST(LateReplies, GivesEachRefOnce) {
    LateReplies waiting;
    waiting.add(1, JsonToken{"\"a\""}, 10);
    waiting.add(5, JsonToken{"null"}, 10);
    EXPECT_EQ(waiting.ref({5}), "null");
    EXPECT_EQ(waiting.take({5}), "null");
    EXPECT_EQ(waiting.take({5}), std::nullopt);
    EXPECT_EQ(waiting.ref({5}), "");
    EXPECT_EQ(waiting.take({1}), "\"a\"");
    EXPECT_EQ(waiting.take({1}), std::nullopt);
    EXPECT_EQ(waiting.take({0}), std::nullopt);
    EXPECT_EQ(waiting.take({3}), std::nullopt);
}

TEST(LateReplies, AgreesWithASimpleListWhateverIsTaken) {
    std::mt19937 random(7);
    for (std::size_t limit = 1; limit < 40; limit += 3) {
        LateReplies waiting;
        std::deque<std::uint64_t> expected;
        for (std::uint64_t id = 1; id < 2000; ++id) {
            waiting.add(id, JsonToken{"7"}, limit);
            expected.push_back(id);
            // The limit spans from the oldest that waits to the newest: it may forget early, never too late.
            if (waiting.ref({expected.front()}).empty()) expected.pop_front();
            ASSERT_LE(expected.size(), limit);
            if (random() % 3 == 0) {
                const std::size_t at = random() % expected.size();
                ASSERT_TRUE(waiting.take({expected[at]}).has_value());
                expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(at));
            }
            for (const std::uint64_t known : expected) ASSERT_EQ(waiting.ref({known}), "7");
        }
    }
}

} // namespace
} // namespace phx::protocol::server
