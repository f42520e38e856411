#include "phx/protocol/topic.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

TEST(Topic, GetsTheRealtimePrefixOnce) {
    EXPECT_EQ(realtime_topic("lobby"), "realtime:lobby");
    EXPECT_EQ(realtime_topic(realtime_topic("lobby")), "realtime:lobby");
    EXPECT_EQ(realtime_topic("realtime"), "realtime:realtime");
    EXPECT_EQ(realtime_topic("Realtime:x"), "realtime:Realtime:x");
    EXPECT_EQ(realtime_topic(""), "realtime:");
}

TEST(Topic, MatchesExactlyOrByPrefixBeforeTheStar) {
    EXPECT_TRUE(topic_matches("exact", "exact"));
    EXPECT_FALSE(topic_matches("exact", "exactly"));
    EXPECT_FALSE(topic_matches("exact", "exac"));
    EXPECT_TRUE(topic_matches("room:*", "room:a"));
    EXPECT_TRUE(topic_matches("room:*", "room:"));
    EXPECT_TRUE(topic_matches("room:*", "room:*"));
    EXPECT_FALSE(topic_matches("room:*", "room"));
    EXPECT_FALSE(topic_matches("room:*", "rooms:a"));
    EXPECT_TRUE(topic_matches("*", ""));
    EXPECT_TRUE(topic_matches("*", "anything"));
    EXPECT_TRUE(topic_matches("", ""));
    EXPECT_FALSE(topic_matches("", "a"));
    EXPECT_FALSE(topic_matches("r*m", "room")); // only a star at the end is one
    EXPECT_TRUE(topic_matches("r*m", "r*m"));
}

} // namespace
} // namespace phx::protocol
