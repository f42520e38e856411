#include "tests/support/client_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

// ---- two channels of one topic

TEST(ClientChannels, LeavesExistingDuplicateTopicOnNewJoin) {
    ClientDriver d = open_driver();
    const ChannelId first = joined(d, "room:a", "1");
    d.push(first, "hello");
    const ChannelId second = d.add("room:a");
    d.topics[second] = "second";
    d.take();
    d.join(second);
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","3","room:a","phx_leave",{}])",
                               "room:a joined -> closed (channel closed)", "p2 channel closed",
                               "second closed -> joining", R"(send ["4","4","room:a","phx_join",{}])"}));
    d.reply("4", "4", "room:a");
    d.receive(R"(["1","1","room:a","phx_close",{}])"); // of the old join: not ours
    d.receive(R"([null,null,"room:a","shout",{}])");
    EXPECT_EQ(d.take(), (Lines{"second joining -> joined", "p3 ok {}", "unclaimed room:a phx_close {}",
                               "message second shout {}"}));
    d.expect_all_finished();
}

TEST(ClientChannels, ADuplicateThatIsErroredDoesNotRejoin) {
    ClientDriver d = open_driver();
    const ChannelId first = joined(d, "room:a", "1");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    const ChannelId second = d.add("room:a");
    d.topics[second] = "second";
    d.take();
    d.join(second);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> closed (channel closed)", "second closed -> joining",
                               R"(send ["2","2","room:a","phx_join",{}])"}));
    d.advance(5s);
    EXPECT_EQ(d.take(), Lines{});
    EXPECT_EQ(d.machine.channel_state(first), ChannelState::closed);
}

TEST(ClientChannels, ADuplicateThatIsLeavingHasLeft) {
    ClientDriver d = open_driver();
    const ChannelId first = joined(d, "room:a", "1");
    d.leave(first);
    const ChannelId second = d.add("room:a");
    d.topics[second] = "second";
    d.take();
    d.join(second);
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p2 ok {}", "second closed -> joining",
                               R"(send ["3","3","room:a","phx_join",{}])"}));
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
}

// ---- ends that the server makes

TEST(ClientChannels, RejoinsAfterAnError) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.take();
    d.receive(R"(["1","1","room:a","phx_error",{"reason":"channel_crash"}])");
    EXPECT_EQ(d.take(), (Lines{"room:a joined -> errored (channel closed)", "p2 channel closed"}));
    d.push(c, "later");
    EXPECT_EQ(d.take(), Lines{});
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["3","3","room:a","phx_join",{}])"}));
    d.advance(500ms);
    d.reply("3", "3", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "gap room:a 1500 ms",
                               R"(send ["3","4","room:a","later",{}])"}));
}

TEST(ClientChannels, ErrorsWhileJoining) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.take();
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (channel closed)", "p1 channel closed"}));
    EXPECT_EQ(d.next(), Duration(1s));
}

TEST(ClientChannels, DoesNotTriggerRedundantErrorsDuringBackoff) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.take();
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.receive(R"([null,null,"room:a","phx_error",{}])");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_error {}", "unclaimed room:a phx_error {}"}));
    EXPECT_EQ(d.next(), Duration(1s));
}

TEST(ClientChannels, DoesNotRejoinAfterClose) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.take();
    d.receive(R"(["1","1","room:a","phx_close",{}])");
    EXPECT_EQ(d.take(), (Lines{"room:a joined -> closed (channel closed)", "p2 channel closed"}));
    d.advance(29s);
    EXPECT_EQ(d.take(), Lines{});
    d.push(c, "hello");
    EXPECT_EQ(d.take(), (Lines{"p3 not joined"}));
    d.join(c); // but it can be joined again
    d.reply("3", "3", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a closed -> joining", R"(send ["3","3","room:a","phx_join",{}])",
                               "room:a joining -> joined", "gap room:a 29000 ms", "p4 ok {}"}));
}

TEST(ClientChannels, ClosesWhileJoining) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "buffered");
    d.take();
    d.receive(R"(["1","1","room:a","phx_close",{}])");
    EXPECT_EQ(d.take(),
              (Lines{"room:a joining -> closed (channel closed)", "p1 channel closed", "p2 channel closed"}));
    d.expect_all_finished();
}

TEST(ClientChannels, TellsStaleEndsByTheirRefOverV1) {
    ClientConfig config = exact_config();
    config.vsn = Vsn::v1;
    ClientDriver d = open_driver(config);
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.receive(R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"room:a"})");
    d.take();
    d.receive(R"({"event":"phx_close","payload":{},"ref":"99","topic":"room:a"})");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_close {}"}));
    d.receive(R"({"event":"phx_error","payload":{},"ref":"1","topic":"room:a"})");
    EXPECT_EQ(d.take(), (Lines{"room:a joined -> errored (channel closed)"}));
    d.advance(1s);
    d.receive(R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"2","topic":"room:a"})");
    d.take();
    d.receive(R"({"event":"phx_close","payload":{},"ref":null,"topic":"room:a"})"); // a server that was sent
                                                                                    // no join_ref
    EXPECT_EQ(d.take(), (Lines{"room:a joined -> closed (channel closed)"}));
}

// ---- the connection goes

TEST(ClientChannels, ConnectionLossErrorsWhatWasSentAndKeepsTheRest) {
    ClientDriver d = open_driver();
    const ChannelId a = joined(d, "a", "1");
    const ChannelId b = d.add("b");
    const ChannelId c = d.add_asking("c");
    const ChannelId e = joined(d, "e", "2");
    d.join(b);
    d.push(b, "buffered");
    d.join(c);
    d.push(a, "in flight");
    d.push(e, "in flight too");
    d.leave(e);
    d.take();
    CloseInfo info;
    info.code = 1012;
    d.closed(info);
    EXPECT_EQ(d.take(), (Lines{"socket open -> waiting (1012)", "a joined -> errored (closed by the server)",
                               "p6 disconnected", "b joining -> errored (closed by the server)",
                               "p3 disconnected", "e leaving -> closed", "p8 ok {}", "p7 disconnected"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::joining); // its params were not there yet
    d.advance(1s);
    d.take();
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> open", "a errored -> joining",
                               R"(send ["7","7","a","phx_join",{}])", "b errored -> joining",
                               R"(send ["8","8","b","phx_join",{}])"}));
    d.reply("7", "7", "a");
    d.reply("8", "8", "b");
    EXPECT_EQ(d.take(), (Lines{"a joining -> joined", "gap a 1000 ms", "b joining -> joined",
                               R"(send ["8","9","b","buffered",{}])"}));
}

TEST(ClientChannels, CancelsRejoinTimersWithTheConnectionAndRejoinsAtOnceOnOpen) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.closed();
    d.take();
    EXPECT_EQ(d.next(), Duration(1s)); // only the reconnect
    d.advance(1s);
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket waiting -> connecting", "open 2 ws://host/socket/websocket?vsn=2.0.0",
                               "socket connecting -> open", "room:a errored -> joining",
                               R"(send ["2","2","room:a","phx_join",{}])"}));
}

TEST(ClientChannels, ReportsABrokenConnectionAsSuch) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    d.closed();
    EXPECT_EQ(d.take(), (Lines{"socket open -> waiting (1006)", "room:a joined -> errored (disconnected)"}));
}

TEST(ClientChannels, DisconnectFinishesEveryPushAndKeepsTheChannels) {
    ClientDriver d = open_driver();
    const ChannelId a = joined(d, "a", "1");
    const ChannelId b = d.add("b");
    const ChannelId c = d.add_asking("c");
    const ChannelId e = joined(d, "e", "2");
    d.join(b);
    d.push(b, "buffered");
    d.join(c);
    d.push(a, "in flight");
    EXPECT_TRUE(d.send(b, "sent"));
    d.leave(e);
    d.ping();
    d.take();
    d.disconnect();
    EXPECT_EQ(d.take(),
              (Lines{"close 1 1000 ''", "socket open -> closing", "a joined -> errored (socket closed)",
                     "p6 socket closed", "b joining -> errored (socket closed)", "p3 socket closed",
                     "p4 socket closed", "dropped (socket closed)", "c joining -> errored (socket closed)",
                     "p5 socket closed", "e leaving -> closed", "p7 socket closed", "p8 socket closed"}));
    d.expect_all_finished();
    d.closed();
    EXPECT_EQ(d.next(), std::nullopt);
    d.connect();
    d.take();
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> open", "a errored -> joining",
                               R"(send ["7","7","a","phx_join",{}])", "b errored -> joining",
                               R"(send ["8","8","b","phx_join",{}])", "c errored -> joining",
                               "prepare_join c attempt 0"})); // the old answer counts for nothing
}

TEST(ClientChannels, AsksAnewForParamsAfterADisconnectAlsoWhoHadLeft) {
    ClientDriver d = open_driver();
    const ChannelId a = d.add_asking("a");
    d.join(a);
    d.leave(a);
    d.disconnect();
    d.closed();
    d.connect();
    d.opened();
    d.take();
    d.join(a);
    EXPECT_THAT(d.take(), ::testing::Contains("prepare_join a attempt 0"));
}

TEST(ClientChannels, ResetsTheRejoinLadderWhenAConnectionOpens) {
    ClientDriver d = open_driver();
    d.join(d.add("room:a"));
    d.reply("1", "1", "room:a", "error");
    d.advance(1s);
    d.reply("2", "2", "room:a", "error");
    EXPECT_EQ(d.next(), Duration(2s));
    d.closed();
    d.advance(1s);
    d.opened();
    d.reply("3", "3", "room:a", "error");
    EXPECT_EQ(d.next(), Duration(1s));
}

} // namespace
} // namespace phx::protocol::testing
