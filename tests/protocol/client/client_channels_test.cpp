#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

// ---- join

TEST(ClientChannels, TriggersSocketPushWithChannelParams) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a", R"({"user":"ada"})");
    EXPECT_EQ(d.machine.topic(c), "room:a");
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::closed);
    d.join(c);
    EXPECT_EQ(d.take(),
              (Lines{"room:a closed -> joining", R"(send ["1","1","room:a","phx_join",{"user":"ada"}])"}));
    d.pass(4ms);
    d.reply("1", "1", "room:a", "ok", R"({"n":1})");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", R"(p1 ok {"n":1} after 4 ms)"}));
    d.expect_all_finished();
}

TEST(ClientChannels, CarriesTheJoinRefOverV1) {
    ClientConfig config = exact_config();
    config.vsn = Vsn::v1;
    ClientDriver d = open_driver(config);
    const ChannelId c = d.add("room:a");
    d.join(c);
    const Lines sent = d.take();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_NE(sent[1].find(R"("join_ref":"1")"), std::string::npos) << sent[1];
    d.receive(R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"room:a"})");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "p1 ok {}"}));
    d.push(c, "hello");
    const Lines pushed = d.take();
    ASSERT_EQ(pushed.size(), 1u);
    EXPECT_NE(pushed[0].find(R"("join_ref":"1")"), std::string::npos) << pushed[0];
}

TEST(ClientChannels, JoinWaitsForTheConnection) {
    ClientDriver d(exact_config());
    const ChannelId c = d.add("room:a");
    d.join(c);
    EXPECT_EQ(d.take(), (Lines{"room:a closed -> joining"}));
    d.connect();
    d.closed_with(Errc::connect_failed); // a failed attempt takes nothing with it
    d.take();
    d.advance(10ms);
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket waiting -> connecting", "open 2 ws://host/socket/websocket?vsn=2.0.0",
                               "socket connecting -> open", R"(send ["1","1","room:a","phx_join",{}])"}));
}

TEST(ClientChannels, JoinsInTheOrderInWhichChannelsWereAdded) {
    ClientDriver d(exact_config());
    const ChannelId a = d.add("a");
    const ChannelId b = d.add("b");
    const ChannelId c = d.add("c");
    d.join(c);
    d.join(a);
    d.join(b);
    d.push(a, "early");
    d.connect();
    d.take();
    d.opened();
    EXPECT_EQ(d.take(),
              (Lines{"socket connecting -> open", R"(send ["1","1","a","phx_join",{}])",
                     R"(send ["2","2","b","phx_join",{}])", R"(send ["3","3","c","phx_join",{}])"}));
    d.reply("1", "1", "a");
    EXPECT_EQ(d.take(), (Lines{"a joining -> joined", "p2 ok {}", R"(send ["1","4","a","early",{}])"}));
}

TEST(ClientChannels, JoinTimesOutWhileThereIsNoConnection) {
    ClientDriver d(exact_config());
    const ChannelId c = d.add("room:a");
    d.join(c, 3s);
    d.take();
    d.advance(3s);
    // Never sent: nothing to leave. It is tried again when there is a connection.
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (timeout)", "p1 timeout"}));
    EXPECT_EQ(d.next(), std::nullopt);
    d.connect();
    d.take();
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> open", "room:a errored -> joining",
                               R"(send ["1","1","room:a","phx_join",{}])"}));
}

TEST(ClientChannels, RetriesWithBackoffAfterTimeout) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c, 2s);
    d.take();
    d.advance(2s);
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","phx_leave",{}])",
                               "room:a joining -> errored (timeout)", "p1 timeout"}));
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["3","3","room:a","phx_join",{}])"}));
    d.advance(2s); // rejoins keep the timeout of the join
    EXPECT_EQ(d.take(),
              (Lines{R"(send ["3","4","room:a","phx_leave",{}])", "room:a joining -> errored (timeout)"}));
    EXPECT_EQ(d.next(), Duration(2s)); // the next step
    d.reply("1", "1", "room:a");       // of the first join, far too late
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
    d.advance(2s);
    d.reply("5", "5", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["5","5","room:a","phx_join",{}])",
                               "room:a joining -> joined"}));
    EXPECT_EQ(d.next(), Duration(30s - 7s));
}

TEST(ClientChannels, DoesNotSetChannelStateToJoinedWhenRefused) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "waits");
    d.take();
    d.reply("1", "1", "room:a", "error", R"({"reason":"unauthorized"})");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (join refused)",
                               R"(p1 join refused error {"reason":"unauthorized"})"})); // p2 keeps waiting
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["2","2","room:a","phx_join",{}])"}));
    d.reply("2", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", R"(send ["2","3","room:a","waits",{}])"}));
}

TEST(ClientChannels, ReportsTheReplyOfARefusedJoinInItsError) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    const PushId join = d.join(c);
    d.machine.handle_frame(d.now, d.conn, Opcode::text,
                           R"(["1","1","room:a","phx_reply",{"status":"error","response":{"reason":"no"}}])");
    int seen = 0;
    while (auto out = d.machine.poll()) {
        const auto* finished = std::get_if<event::PushFinished>(&*out);
        if (finished == nullptr) continue;
        ++seen;
        EXPECT_EQ(finished->push, join);
        ASSERT_TRUE(finished->outcome.error);
        EXPECT_EQ(finished->outcome.error->code, Errc::join_refused);
        EXPECT_EQ(finished->outcome.error->origin, Origin::peer);
        ASSERT_TRUE(finished->outcome.error->detail);
        EXPECT_EQ(finished->outcome.error->detail->status, "error");
        EXPECT_EQ(finished->outcome.error->detail->reply, R"({"reason":"no"})");
    }
    EXPECT_EQ(seen, 1);
}

TEST(ClientChannels, FailsAJoinWhoseReplyHasNoStatus) {
    ClientDriver d = open_driver();
    d.join(d.add("room:a"));
    d.take();
    d.receive(R"(["1","1","room:a","phx_reply",[1]])");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (join refused)", "p1 join refused [1]"}));
}

TEST(ClientChannels, JoinWhileJoiningFinishesWithTheJoinUnderWay) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.take();
    d.join(c);
    d.join(c, 1s);
    EXPECT_EQ(d.take(), Lines{});
    d.advance(1s); // gives up waiting, the join goes on
    EXPECT_EQ(d.take(), (Lines{"p3 timeout"}));
    d.reply("1", "1", "room:a");
    EXPECT_EQ(d.take(),
              (Lines{"room:a joining -> joined", "p1 ok {} after 1000 ms", "p2 ok {} after 1000 ms"}));
    d.join(c);
    EXPECT_EQ(d.take(), (Lines{"p4 ok {}"}));
    d.expect_all_finished();
}

TEST(ClientChannels, JoinWhileErroredReplacesTheWaitingRejoin) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.reply("1", "1", "room:a", "error");
    d.take();
    d.join(c);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["2","2","room:a","phx_join",{}])"}));
    d.advance(1s);
    EXPECT_EQ(d.take(), Lines{});
    d.reply("2", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "p2 ok {} after 1000 ms"}));
}

TEST(ClientChannels, CanUpdateTheJoinParams) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.machine.set_join_payload(c, R"({"token":2})");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.take();
    d.advance(1s);
    EXPECT_EQ(d.take(),
              (Lines{"room:a errored -> joining", R"(send ["2","2","room:a","phx_join",{"token":2}])"}));
}

TEST(ClientChannels, RefusesParamsAndTopicsThatCannotBeSent) {
    ClientDriver d = open_driver();
    const ChannelId bad_json = d.add("room:a", "{");
    const ChannelId bad_topic = d.add("room:\xff");
    d.join(bad_json);
    d.join(bad_topic);
    EXPECT_EQ(d.take(), (Lines{"p1 invalid payload", "p2 invalid UTF-8"}));
    EXPECT_EQ(d.machine.channel_state(bad_json), ChannelState::closed);
    d.machine.set_join_payload(bad_json, "{}");
    d.join(bad_json);
    EXPECT_EQ(d.take(), (Lines{"room:a closed -> joining", R"(send ["1","1","room:a","phx_join",{}])"}));
}

TEST(ClientChannels, DoesNotSendParamsThatWereSetToNoJson) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.machine.set_join_payload(c, "nonsense");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.take();
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", "room:a joining -> errored (invalid payload)"}));
    d.machine.set_join_payload(c, ""); // stands for {}
    d.advance(2s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["2","2","room:a","phx_join",{}])"}));
}

TEST(ClientChannels, DoesNotSpinWhenARejoinFailsAtOnceAndIsDueAtOnce) {
    ClientConfig config = exact_config();
    config.rejoin.steps = {};
    ClientDriver d = open_driver(config);
    const ChannelId c = joined(d, "room:a", "1");
    d.machine.set_join_payload(c, "nonsense");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.take();
    d.timeout();
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", "room:a joining -> errored (invalid payload)"}));
}

// ---- params that are asked for

TEST(ClientChannels, AsksForTheParamsOfEachJoin) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add_asking("room:a");
    d.join(c);
    EXPECT_EQ(d.take(), (Lines{"room:a closed -> joining", "prepare_join room:a attempt 0"}));
    d.join_payload(c, std::string(R"({"token":1})"));
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","1","room:a","phx_join",{"token":1}])"}));
    d.join_payload(c, std::string("{}")); // nobody asked
    EXPECT_EQ(d.take(), Lines{});
    d.reply("1", "1", "room:a");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.take();
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", "prepare_join room:a attempt 1"}));
    d.join_payload(c, std::string(R"({"token":2})"));
    EXPECT_EQ(d.take(), (Lines{R"(send ["2","2","room:a","phx_join",{"token":2}])"}));
}

TEST(ClientChannels, FailsTheJoinWhenItsParamsCannotBeHad) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add_asking("room:a");
    d.join(c);
    d.take();
    d.join_payload(c, phx::fail(Errc::bad_auth, "no token"));
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (bad credentials)", "p1 bad credentials"}));
    d.advance(1s);
    d.take();
    d.join_payload(c, std::string("no json"));
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (invalid payload)"}));
    d.join(c); // asks again all the same
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", "prepare_join room:a attempt 2"}));
}

TEST(ClientChannels, AsksOnceAtATime) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add_asking("room:a");
    d.join(c, 2s);
    d.take();
    d.advance(2s); // no answer: the join times out, the question stays
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> errored (timeout)", "p1 timeout"}));
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining"}));
    d.join_payload(c, std::string("{}"));
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","1","room:a","phx_join",{}])"}));
}

TEST(ClientChannels, AsksAgainWhenTheAnswerCameWithoutAConnection) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add_asking("room:a");
    d.join(c);
    d.closed();
    d.take();
    d.join_payload(c, std::string("{}"));
    EXPECT_EQ(d.take(), Lines{});
    d.advance(1s);
    d.take();
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> open", "prepare_join room:a attempt 0"}));
}

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
                               R"(send ["8","8","b","phx_join",{}])", "c errored -> joining"}));
}

} // namespace
} // namespace phx::protocol::testing
