#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

// ---- leave

TEST(ClientChannels, ClosesChannelOnOkFromServer) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.leave(c);
    EXPECT_EQ(d.take(), (Lines{"room:a joined -> leaving", R"(send ["1","2","room:a","phx_leave",{}])"}));
    d.pass(5ms);
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p2 ok {} after 5 ms"}));
    d.receive(R"(["1","1","room:a","phx_close",{}])");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_close {}"}));
    d.leave(c);
    EXPECT_EQ(d.take(), (Lines{"p3 ok {}"}));
    d.expect_all_finished();
}

TEST(ClientChannels, ClosesChannelOnTimeout) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.leave(c, 2s);
    d.leave(c, 1s); // waits for the same leave
    d.leave(c);
    d.take();
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"p3 timeout"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::leaving);
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p2 timeout", "p4 timeout"}));
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
    d.expect_all_finished();
}

TEST(ClientChannels, ReportsALeaveThatIsRefusedAndClosesAnyway) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.leave(c);
    d.take();
    d.reply("1", "2", "room:a", "error");
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p2 rejected error {}"}));
}

TEST(ClientChannels, UnsubscribesFromServerEventsWhileLeaving) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "before");
    d.leave(c);
    d.take();
    d.receive(R"([null,null,"room:a","shout",{}])");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a shout {}"}));
    d.reply("1", "2", "room:a"); // what was pushed before the leave is still answered
    EXPECT_EQ(d.take(), (Lines{"p2 ok {}"}));
    d.push(c, "after");
    EXPECT_EQ(d.take(), (Lines{"p4 not joined"}));
}

TEST(ClientChannels, APushThatIsNotAnsweredBeforeTheLeaveFails) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "before");
    d.leave(c);
    d.take();
    d.reply("1", "3", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p3 ok {}", "p2 channel closed"}));
}

TEST(ClientChannels, TakesACloseOrAnErrorForTheReplyToALeave) {
    for (const std::string event : {"phx_close", "phx_error"}) {
        ClientDriver d = open_driver();
        const ChannelId c = joined(d, "room:a", "1");
        d.leave(c);
        d.take();
        d.receive(R"(["1","1","room:a",")" + event + R"(",{}])");
        EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p2 ok {}"})) << event;
    }
}

TEST(ClientChannels, LeavesLocallyWhenNotJoined) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.leave(c);
    EXPECT_EQ(d.take(), (Lines{"p1 ok {}"}));
    d.join(c);
    d.push(c, "buffered");
    d.take();
    d.leave(c); // the join is out: the server is told
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","phx_leave",{}])", "room:a joining -> closed",
                               "p2 channel closed", "p3 channel closed", "p4 ok {}"}));
    d.reply("1", "1", "room:a");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
    d.expect_all_finished();
}

TEST(ClientChannels, DoesNotRejoinIfLeaving) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.take();
    d.leave(c);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> closed", "p2 ok {}"}));
    d.advance(29s);
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientChannels, LeaveWithoutAConnectionIsLocal) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.closed();
    d.take();
    d.leave(c);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> closed", "p2 ok {}"}));
    d.advance(1s);
    d.opened();
    d.take();
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::closed);
}

TEST(ClientChannels, CanBeJoinedAgainAfterLeave) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.leave(c);
    d.take();
    d.join(c); // while it still leaves
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p2 ok {}", "room:a closed -> joining",
                               R"(send ["3","3","room:a","phx_join",{}])"}));
    d.reply("3", "3", "room:a"); // no gap: what was missed was not wanted
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "p3 ok {}"}));
    d.receive(R"(["1","1","room:a","phx_close",{}])");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_close {}"}));
}

TEST(ClientChannels, RemoveForgetsTheChannel) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.take();
    d.remove(c);
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","3","room:a","phx_leave",{}])", "room:a joined -> closed",
                               "p2 channel closed"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::closed);
    EXPECT_EQ(d.machine.topic(c), "");
    d.join(c);
    d.push(c, "hello");
    d.leave(c);
    d.remove(c);
    d.join_payload(c, std::string("{}"));
    d.machine.set_join_payload(c, "{}");
    EXPECT_EQ(d.take(), (Lines{"p3 channel closed", "p4 channel closed", "p5 channel closed"}));
    const auto sent = d.send(c, "hello");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::channel_closed);
    d.expect_all_finished();
}

TEST(ClientChannels, RemoveWorksInEveryState) {
    ClientDriver d = open_driver();
    d.remove(d.add("closed"));
    EXPECT_EQ(d.take(), Lines{});
    const ChannelId leaving = joined(d, "leaving", "1");
    d.leave(leaving);
    d.take();
    d.remove(leaving); // phx_leave is out already
    EXPECT_EQ(d.take(), (Lines{"leaving leaving -> closed", "p2 channel closed"}));
    const ChannelId errored = joined(d, "errored", "3");
    d.receive(R"(["3","3","errored","phx_error",{}])");
    d.take();
    d.remove(errored);
    EXPECT_EQ(d.take(), (Lines{"errored errored -> closed"}));
    d.advance(20s); // no rejoin
    EXPECT_EQ(d.take(), Lines{});
    d.expect_all_finished();
}

} // namespace
} // namespace phx::protocol::testing
