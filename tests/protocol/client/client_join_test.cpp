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

TEST(ClientChannels, SucceedsBeforeTimeout) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c, 2s);
    d.advance(1999ms);
    d.reply("1", "1", "room:a");
    d.take();
    d.advance(10s); // nothing is left to time out
    EXPECT_EQ(d.take(), Lines{});
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::joined);
}

TEST(ClientChannels, JoinsAgainAfterSocketAndJoinDelayTogetherTookTooLong) {
    ClientDriver d(exact_config());
    d.connect();
    const ChannelId c = d.add("room:a");
    d.join(c, 2s);
    d.advance(1s);
    d.opened();
    d.take();
    d.advance(1s); // the answer would have come a moment later
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","phx_leave",{}])",
                               "room:a joining -> errored (timeout)", "p1 timeout"}));
    d.reply("1", "1", "room:a");
    d.advance(1s);
    d.take();
    d.reply("3", "3", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined"}));
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
    config.channel.rejoin.steps = {};
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

TEST(ClientJoin, TellsWhatEachJoinAndRejoinWasAnsweredWith) {
    ClientDriver d = open_driver();
    d.prints_joined = true;
    const ChannelId c = d.add("t");
    d.join(c);
    d.take();
    d.reply("1", "1", "t", "ok", R"({"n":1})");
    EXPECT_EQ(d.take(), (Lines{"t joining -> joined", R"(joined t {"n":1})", R"(p1 ok {"n":1})"}));
    d.receive(R"(["1","1","t","phx_error",{}])");
    d.advance(1s);
    d.take();
    d.reply("2", "2", "t", "ok", R"({"n":2})");
    EXPECT_EQ(d.take(), (Lines{"t joining -> joined", "gap t 1000 ms", R"(joined t {"n":2})"}));
}

} // namespace
} // namespace phx::protocol::testing
