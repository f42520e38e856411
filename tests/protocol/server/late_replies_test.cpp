#include "protocol/server/late_replies.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace phx::protocol::server {
namespace {

using Added = LateReplies::Added;

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

TEST(LateReplies, KeepsTheOldestHoweverManyAreAnsweredAfterIt) {
    LateReplies waiting;
    waiting.add(1, JsonToken{"1"}, 3);
    for (std::uint64_t id = 2; id < 10'000; ++id) {
        ASSERT_EQ(waiting.add(id, JsonToken{"7"}, 3), Added::kept_all);
        if (id > 2) {
            ASSERT_EQ(waiting.take({id - 1}), "7"); // leaves one after it: it is a hole in the middle
        }
    }
    EXPECT_EQ(waiting.take({1}), "1");
}

TEST(LateReplies, KeepsTheLatestWhateverTheLimit) {
    LateReplies waiting;
    EXPECT_EQ(waiting.add(1, JsonToken{"1"}, 0), Added::kept_all);
    EXPECT_EQ(waiting.add(2, JsonToken{"2"}, 0), Added::forgot_oldest);
    EXPECT_EQ(waiting.take({1}), std::nullopt);
    EXPECT_EQ(waiting.take({2}), "2");
}

TEST(LateReplies, AgreesWithASimpleListWhateverIsTaken) {
    std::mt19937 random(7);
    for (std::size_t limit = 1; limit < 40; limit += 3) {
        const unsigned answered_in = 2 + static_cast<unsigned>(limit % 5); // often full, and often not
        LateReplies waiting;
        std::deque<std::uint64_t> expected;
        for (std::uint64_t id = 1; id < 2000; ++id) {
            const bool is_full = expected.size() == limit;
            const std::uint64_t oldest = is_full ? expected.front() : 0;
            if (is_full) expected.pop_front();
            ASSERT_EQ(waiting.add(id, JsonToken{"7"}, limit),
                      is_full ? Added::forgot_oldest : Added::kept_all);
            ASSERT_EQ(waiting.ref({oldest}), "");
            expected.push_back(id);
            if (random() % answered_in != 0) {
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
