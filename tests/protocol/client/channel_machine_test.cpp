#include "protocol/client/channel_machine.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) { return TimePoint{} + d; }

ChannelMachine make() {
    ChannelConfig config;
    config.rejoin.jitter = Jitter::none;
    return {ChannelId{1}, "room:a", JoinParams::given, config};
}

TEST(ChannelMachine, SetsDefaults) {
    const ChannelMachine c = make();
    EXPECT_EQ(c.state(), ChannelState::closed);
    EXPECT_EQ(c.topic(), "room:a");
    EXPECT_EQ(c.id(), ChannelId{1});
    EXPECT_EQ(c.params(), JoinParams::given);
    EXPECT_EQ(c.join_ref(), 0u);
    EXPECT_EQ(c.rejoin_at(), std::nullopt);
    EXPECT_TRUE(c.waiting.empty());
}

TEST(ChannelMachine, SetsStateToJoining) {
    ChannelMachine c = make();
    c.start_join(5s);
    EXPECT_EQ(c.state(), ChannelState::joining);
    EXPECT_EQ(c.join_timeout(), Duration(5s));
    EXPECT_EQ(c.join_ref(), 0u);
    c.handle_join_sent(4);
    EXPECT_EQ(c.join_ref(), 4u);
}

TEST(ChannelMachine, AcceptsFramesOfItsJoinAndThoseWithoutOne) {
    ChannelMachine c = make();
    c.start_join(5s);
    c.handle_join_sent(4);
    EXPECT_TRUE(c.is_current(4));
    EXPECT_TRUE(c.is_current(0));
    EXPECT_FALSE(c.is_current(3));
}

TEST(ChannelMachine, HasNoGapAtTheFirstJoin) {
    ChannelMachine c = make();
    c.start_join(5s);
    EXPECT_EQ(c.handle_joined(at(1s)), std::nullopt);
    EXPECT_EQ(c.state(), ChannelState::joined);
}

TEST(ChannelMachine, CountsTheGapFromTheFirstErrorOn) {
    ChannelMachine c = make();
    c.start_join(5s);
    c.handle_joined(at(1s));
    c.handle_error(at(3s));
    EXPECT_EQ(c.state(), ChannelState::errored);
    EXPECT_EQ(c.join_ref(), 0u);
    c.start_join(5s);
    c.handle_error(at(6s)); // refused
    c.start_join(5s);
    EXPECT_EQ(c.handle_joined(at(10s)), Duration(7s));
    c.handle_error(at(11s));
    c.start_join(5s);
    EXPECT_EQ(c.handle_joined(at(12s)), Duration(1s));
}

TEST(ChannelMachine, HasNoGapAfterALeave) {
    ChannelMachine c = make();
    c.start_join(5s);
    c.handle_joined(at(1s));
    c.start_leave();
    EXPECT_EQ(c.state(), ChannelState::leaving);
    c.close(at(2s), ChannelMachine::Gap::forget);
    EXPECT_EQ(c.state(), ChannelState::closed);
    c.start_join(5s);
    EXPECT_EQ(c.handle_joined(at(3s)), std::nullopt);
}

TEST(ChannelMachine, HasAGapWhenTheServerClosedIt) {
    ChannelMachine c = make();
    c.start_join(5s);
    c.handle_joined(at(1s));
    c.close(at(2s), ChannelMachine::Gap::keep);
    c.start_join(5s);
    EXPECT_EQ(c.handle_joined(at(5s)), Duration(3s));
}

TEST(ChannelMachine, SchedulesRejoinsOnARisingLadder) {
    ChannelMachine c = make();
    Random random(1);
    c.start_join(5s);
    c.handle_error(at(0s));
    EXPECT_EQ(c.schedule_rejoin(at(0s), random), at(1s));
    EXPECT_EQ(c.rejoin_at(), at(1s));
    c.start_join(5s);
    EXPECT_EQ(c.rejoin_at(), std::nullopt);
    c.handle_error(at(1s));
    EXPECT_EQ(c.schedule_rejoin(at(1s), random), at(3s));
    EXPECT_EQ(c.rejoin_tries(), 2u);
    c.cancel_rejoin();
    EXPECT_EQ(c.rejoin_at(), std::nullopt);
}

TEST(ChannelMachine, ResetsTheRejoinLadderWhenJoinedOrClosed) {
    ChannelMachine c = make();
    Random random(1);
    c.start_join(5s);
    c.handle_error(at(0s));
    c.schedule_rejoin(at(0s), random);
    c.start_join(5s);
    c.handle_joined(at(1s));
    EXPECT_EQ(c.rejoin_tries(), 0u);
    c.handle_error(at(2s));
    c.schedule_rejoin(at(2s), random);
    c.close(at(2s), ChannelMachine::Gap::forget);
    EXPECT_EQ(c.rejoin_tries(), 0u);
    EXPECT_EQ(c.rejoin_at(), std::nullopt);
}

} // namespace
} // namespace phx::protocol
