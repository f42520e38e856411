#include "protocol/client/heartbeat.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;
using Due = Heartbeat::Due;

TimePoint at(Duration d) { return TimePoint{} + d; }

TEST(Heartbeat, RestsUntilItIsStarted) {
    const Heartbeat heartbeat(30s, 10s);
    EXPECT_EQ(heartbeat.next_timeout(), std::nullopt);
    EXPECT_EQ(heartbeat.due(TimePoint::max()), Due::nothing);
}

TEST(Heartbeat, IsDueOneIntervalAfterTheStart) {
    Heartbeat heartbeat(30s, 10s);
    heartbeat.start(at(5s));
    EXPECT_EQ(heartbeat.next_timeout(), at(35s));
    EXPECT_EQ(heartbeat.due(at(34s)), Due::nothing);
    EXPECT_EQ(heartbeat.due(at(35s)), Due::send);
}

TEST(Heartbeat, RestsOneIntervalAfterTheReply) {
    Heartbeat heartbeat(30s, 10s);
    heartbeat.start(at(0s));
    heartbeat.handle_sent(at(30s), 4);
    EXPECT_EQ(heartbeat.next_timeout(), at(40s));
    EXPECT_EQ(heartbeat.handle_reply(at(32s), 4), Duration(2s));
    EXPECT_EQ(heartbeat.next_timeout(), at(62s));
    EXPECT_EQ(heartbeat.due(at(62s)), Due::send);
}

TEST(Heartbeat, TakesOnlyTheReplyToTheOneThatIsOut) {
    Heartbeat heartbeat(30s, 10s);
    heartbeat.start(at(0s));
    EXPECT_EQ(heartbeat.handle_reply(at(1s), 0), std::nullopt);
    heartbeat.handle_sent(at(30s), 4);
    EXPECT_EQ(heartbeat.handle_reply(at(31s), 3), std::nullopt);
    EXPECT_TRUE(heartbeat.handle_reply(at(31s), 4));
    EXPECT_EQ(heartbeat.handle_reply(at(31s), 4), std::nullopt);
}

TEST(Heartbeat, IsLostWhenTheReplyDoesNotCome) {
    Heartbeat heartbeat(30s, 10s);
    heartbeat.start(at(0s));
    heartbeat.handle_sent(at(30s), 4);
    EXPECT_EQ(heartbeat.due(at(39s)), Due::nothing);
    EXPECT_EQ(heartbeat.due(at(40s)), Due::lost);
    heartbeat.stop();
    EXPECT_EQ(heartbeat.due(at(40s)), Due::nothing);
    EXPECT_EQ(heartbeat.handle_reply(at(40s), 4), std::nullopt);
}

TEST(Heartbeat, NeverBeatsWithAZeroInterval) {
    Heartbeat heartbeat(0s, 10s);
    heartbeat.start(at(0s));
    EXPECT_EQ(heartbeat.next_timeout(), std::nullopt);
}

} // namespace
} // namespace phx::protocol
