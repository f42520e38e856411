#include "tests/sim/oracles.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

/// An oracle that never finds anything proves nothing: each is shown a history that is wrong.
namespace phx::sim {
namespace {

using namespace std::chrono_literals;
using namespace protocol;

using Lines = std::vector<std::string>;

TimePoint at(Duration d) { return TimePoint{} + d; }

class PushOracleTest : public ::testing::Test {
protected:
    void finish(Duration when, PushId id, std::string_view response = {}) {
        event::PushFinished end{id, {}};
        end.outcome.status = "ok";
        end.outcome.response = response;
        oracle.finished(at(when), end);
    }
    void fail_with(Errc code, PushId id) {
        event::PushFinished end{id, {}};
        end.outcome.error = fail(code, "no").error;
        oracle.finished(at(0s), end);
    }
    Findings findings;
    PushOracle oracle{findings};
};

TEST_F(PushOracleTest, AcceptsPushesThatFinishOnceAndInTime) {
    oracle.made(PushId{1}, at(10s), 7);
    oracle.made(PushId{3}, at(10s), 8);
    finish(10s, PushId{1}, R"({"tag":7})");
    fail_with(Errc::disconnected, PushId{3});
    oracle.expect_none_outstanding();
    EXPECT_TRUE(findings.empty());
}

TEST_F(PushOracleTest, SeesAPushThatFinishesTwice) {
    oracle.made(PushId{1}, at(10s));
    finish(1s, PushId{1});
    finish(2s, PushId{1});
    EXPECT_EQ(findings.all(), Lines{"push 1 finished twice"});
}

TEST_F(PushOracleTest, SeesAPushThatNeverFinishes) {
    oracle.made(PushId{1}, at(10s));
    oracle.made(PushId{2}, at(10s));
    finish(1s, PushId{1});
    oracle.expect_none_outstanding();
    EXPECT_EQ(findings.all(), Lines{"push 2 never finished"});
}

TEST_F(PushOracleTest, SeesAnEndOfWhatNobodyMade) {
    finish(1s, PushId{5});
    EXPECT_EQ(findings.all(), Lines{"push 5 finished, but nobody made it"});
}

TEST_F(PushOracleTest, SeesAnIdThatIsUsedAgain) {
    oracle.made(PushId{1}, at(10s));
    oracle.made(PushId{1}, at(10s));
    EXPECT_EQ(findings.all(), Lines{"push 1 is used again"});
}

TEST_F(PushOracleTest, SeesATimeoutThatComesLateUnlessTheClientWasSuspended) {
    oracle.made(PushId{1}, at(10s));
    oracle.made(PushId{2}, at(10s));
    finish(11s, PushId{1});
    EXPECT_EQ(findings.all(), Lines{"push 1 finished after its timeout"});
    oracle.woke(at(1h));
    finish(1h, PushId{2});
    EXPECT_EQ(findings.all().size(), 1u);
}

TEST_F(PushOracleTest, SeesTheAnswerOfAnotherPush) {
    oracle.made(PushId{1}, at(10s), 7);
    finish(1s, PushId{1}, R"({"tag":8})");
    EXPECT_EQ(findings.all(), Lines{R"(push 1 got the answer of another: {"tag":8})"});
}

TEST_F(PushOracleTest, SeesMorePushesWaitForAJoinThanMay) {
    for (const std::uint64_t n : {1u, 2u, 3u}) oracle.made(PushId{n}, at(10s), n, ChannelId{4});
    oracle.sent(1);
    oracle.expect_bounded(ChannelId{4}, 2);
    EXPECT_TRUE(findings.empty());
    oracle.made(PushId{4}, at(10s), 4, ChannelId{4});
    oracle.expect_bounded(ChannelId{4}, 2);
    EXPECT_EQ(findings.all(), Lines{"3 pushes wait for the join of channel 4"});
}

TEST_F(PushOracleTest, SeesAPushThatOutlivesItsConnection) {
    oracle.made(PushId{1}, at(10s), 7);
    oracle.made(PushId{2}, at(10s), 8);
    oracle.made(PushId{3}, at(10s), 9); // waits for its join
    oracle.sent(7);
    oracle.sent(8);
    fail_with(Errc::disconnected, PushId{1});
    oracle.lose_connection();
    oracle.rest();
    EXPECT_EQ(findings.all(), Lines{"push 2 outlived its connection"});
}

class WireOracleTest : public ::testing::Test {
protected:
    WireOracleTest() { open(1); }

    void open(std::uint64_t conn) {
        oracle.opening(ConnId{conn});
        oracle.changed({state, SocketState::open, {}});
        state = SocketState::open;
    }
    void lose() {
        oracle.changed({state, SocketState::waiting, {}});
        state = SocketState::waiting;
    }
    static FrameView frame(std::string_view join_ref, std::string_view ref, std::string_view event) {
        FrameView f;
        f.join_ref = JsonToken{join_ref};
        f.ref = JsonToken{ref};
        f.topic = "a";
        f.event = event;
        return f;
    }
    void send(std::string_view join_ref, std::string_view ref, std::string_view event,
              std::uint64_t conn = 1) {
        oracle.sent(ConnId{conn}, frame(join_ref, ref, event));
    }
    WireOracle::Heard reply(std::string_view join_ref, std::string_view status, std::uint64_t conn = 1) {
        FrameView f = frame(join_ref, join_ref, "phx_reply");
        f.status = status;
        return oracle.received(ConnId{conn}, f);
    }
    SocketState state = SocketState::idle;
    Findings findings;
    WireOracle oracle{findings};
};

TEST_F(WireOracleTest, AcceptsJoinPushLeaveAndJoinAgain) {
    send(R"("1")", R"("1")", "phx_join");
    EXPECT_EQ(reply(R"("1")", "ok"), WireOracle::Heard::joined);
    send(R"("1")", R"("2")", "event");
    send(R"("1")", R"("3")", "phx_leave");
    send(R"("4")", R"("4")", "phx_join");
    EXPECT_EQ(reply(R"("4")", "error"), WireOracle::Heard::nothing);
    send(R"("5")", R"("5")", "phx_join");
    lose();
    open(2);
    send(R"("6")", R"("6")", "phx_join", 2);
    EXPECT_TRUE(findings.empty());
}

TEST_F(WireOracleTest, SeesAPushBeforeItsJoin) {
    send(R"("1")", R"("1")", "event");
    EXPECT_EQ(findings.all().at(0), "event to a before its join was acknowledged");
}

TEST_F(WireOracleTest, SeesAPushBeforeItsJoinIsAcknowledgedOnThisConnection) {
    send(R"("1")", R"("1")", "phx_join");
    reply(R"("1")", "ok");
    lose();
    open(2);
    send(R"("2")", R"("2")", "phx_join", 2);
    send(R"("2")", R"("3")", "event", 2);
    EXPECT_EQ(findings.all(), Lines{"event to a before its join was acknowledged"});
}

TEST_F(WireOracleTest, SeesAPushAfterItsChannelCrashed) {
    send(R"("1")", R"("1")", "phx_join");
    reply(R"("1")", "ok");
    oracle.received(ConnId{1}, frame(R"("1")", R"("1")", "phx_error"));
    send(R"("1")", R"("2")", "event");
    EXPECT_EQ(findings.all(), Lines{"event to a before its join was acknowledged"});
}

TEST_F(WireOracleTest, SeesASecondJoinOnOneConnection) {
    send(R"("1")", R"("1")", "phx_join");
    send(R"("2")", R"("2")", "phx_join");
    EXPECT_EQ(findings.all(), Lines{"phx_join to a, which this connection has joined already"});
}

TEST_F(WireOracleTest, SeesAnotherJoinRef) {
    send(R"("1")", R"("1")", "phx_join");
    reply(R"("1")", "ok");
    send(R"("9")", R"("2")", "event");
    EXPECT_EQ(findings.all(), Lines{"event to a under another join_ref"});
}

TEST_F(WireOracleTest, SeesARefThatDoesNotRise) {
    send(R"("2")", R"("2")", "phx_join");
    reply(R"("2")", "ok");
    send(R"("2")", R"("2")", "event");
    EXPECT_EQ(findings.all(), Lines{R"(a ref does not rise: "2")"});
}

TEST_F(WireOracleTest, SeesWhatIsSentOverAnOldConnection) {
    lose();
    open(2);
    send(R"("1")", R"("1")", "phx_join", 1);
    EXPECT_EQ(findings.all(), Lines{"sent without an open connection"});
}

TEST_F(WireOracleTest, SeesWhatIsDeliveredWithoutAConnection) {
    lose();
    oracle.delivered();
    EXPECT_EQ(findings.all(), Lines{"delivered what came over no current connection"});
}

TEST_F(WireOracleTest, SeesAnIdOfAConnectionUsedAgain) {
    oracle.opening(ConnId{1});
    EXPECT_EQ(findings.all(), Lines{"the id of a connection was used before"});
}

TEST_F(WireOracleTest, SeesAChangeOfTheSocketThatWasNotReported) {
    oracle.changed({SocketState::connecting, SocketState::open, {}});
    EXPECT_EQ(findings.all(), Lines{"a change of the socket was not reported"});
}

class DeliveryOracleTest : public ::testing::Test {
protected:
    void change(Duration when, ChannelState from, ChannelState to, std::optional<Error> why = {}) {
        oracle.changed(at(when), "a", {channel, from, to, std::move(why)});
    }
    void join(std::uint64_t number, DeliveryOracle::Start start = DeliveryOracle::Start::exact) {
        oracle.joined("a", "news", {1, number}, start);
    }
    void message(std::uint64_t number, std::uint64_t stream = 1) {
        oracle.message("a", "news", {stream, number});
    }

    const ChannelId channel{1};
    Findings findings;
    DeliveryOracle oracle{findings};
};

TEST_F(DeliveryOracleTest, AcceptsMessagesInTheirOrderAndAGapThatIsReported) {
    join(4);
    change(0s, ChannelState::joining, ChannelState::joined);
    message(5);
    message(6);
    change(1s, ChannelState::joined, ChannelState::errored);
    oracle.connected();
    join(9);
    change(3s, ChannelState::joining, ChannelState::joined);
    oracle.gap(at(3s), {channel, 2s});
    message(10);
    oracle.expect_no_gap_owed();
    oracle.expect_at("a", "news", {1, 10});
    EXPECT_TRUE(findings.empty());
}

TEST_F(DeliveryOracleTest, AcceptsTheLastOfAJoinWhileTheNextIsUnderWay) {
    join(0);
    change(0s, ChannelState::joining, ChannelState::joined);
    change(1s, ChannelState::joined, ChannelState::closed);
    message(1);
    join(1);
    EXPECT_TRUE(findings.empty());
}

TEST_F(DeliveryOracleTest, SeesADuplicate) {
    join(0);
    message(1);
    message(1);
    EXPECT_EQ(findings.all(), Lines{"news 1 of a twice or out of order, after 1"});
}

TEST_F(DeliveryOracleTest, SeesMessagesOutOfOrder) {
    join(0, DeliveryOracle::Start::at_least);
    message(2);
    message(1);
    EXPECT_EQ(findings.all(), Lines{"news 1 of a twice or out of order, after 2"});
}

TEST_F(DeliveryOracleTest, SeesALossBetweenTwoMessages) {
    join(0);
    message(1);
    message(3);
    EXPECT_EQ(findings.all(), Lines{"news 3 of a after 1: lost without a gap"});
}

TEST_F(DeliveryOracleTest, SeesALossOfTheFirstAndOfTheLast) {
    join(0);
    message(2);
    oracle.expect_at("a", "news", {1, 3});
    EXPECT_EQ(findings.all(),
              (Lines{"news 2 of a after 0: lost without a gap", "the last of news of a never came: 2 of 3"}));
}

TEST_F(DeliveryOracleTest, SeesAMessageWithoutAJoinAndOneOfAnotherServer) {
    message(1);
    join(0);
    message(1, 2);
    EXPECT_EQ(findings.all(),
              (Lines{"news 1 of a without a join", "news 1 of a of a server that was not joined"}));
}

TEST_F(DeliveryOracleTest, SeesAMessageOfAnOldConnection) {
    join(0);
    change(0s, ChannelState::joining, ChannelState::joined);
    change(1s, ChannelState::joined, ChannelState::errored);
    oracle.connected();
    message(1);
    EXPECT_EQ(findings.all(), Lines{"news 1 of a without a join"});
}

TEST_F(DeliveryOracleTest, SeesAGapThatIsNotReported) {
    change(1s, ChannelState::joined, ChannelState::errored);
    change(3s, ChannelState::joining, ChannelState::joined);
    oracle.expect_no_gap_owed();
    EXPECT_EQ(findings.all(), Lines{"a gap of channel 1 was not reported"});
}

TEST_F(DeliveryOracleTest, SeesAGapThatIsNoneAndOneOfTheWrongLength) {
    change(0s, ChannelState::joined, ChannelState::leaving);
    change(1s, ChannelState::leaving, ChannelState::closed);
    change(2s, ChannelState::joining, ChannelState::joined);
    oracle.gap(at(2s), {channel, 2s});
    change(3s, ChannelState::joined, ChannelState::errored);
    change(4s, ChannelState::joining, ChannelState::joined);
    oracle.gap(at(4s), {channel, 2s});
    EXPECT_EQ(findings.all(), (Lines{"a gap of channel 1 that was none", "a gap of the wrong length"}));
}

TEST(ServerOracle, SeesTwoLiveJoinsOfOneTopic) {
    Findings findings;
    ServerOracle oracle(findings);
    const ServerOracle::SessionId session{1};
    oracle.accepted(session, "a");
    oracle.ended(session, "a");
    oracle.accepted(session, "a");
    oracle.accepted(session, "b");
    EXPECT_TRUE(findings.empty());
    oracle.accepted(session, "a");
    EXPECT_EQ(findings.all(), Lines{"two live joins of a on one connection"});
}

TEST(ServerOracle, SeesPushesTwiceOrOutOfOrder) {
    Findings findings;
    ServerOracle oracle(findings);
    for (const std::uint64_t tag : {1u, 3u, 3u, 2u}) oracle.handled(ServerOracle::SessionId{1}, "a", tag);
    EXPECT_EQ(findings.all(), (Lines{"push 3 of a twice or out of order, after 3",
                                     "push 2 of a twice or out of order, after 3"}));
}

TEST(ServerOracle, SeesABroadcastTwiceToOneConnectionAndWhatIsSentToNobody) {
    Findings findings;
    ServerOracle oracle(findings);
    const std::vector<ServerOracle::SessionId> twice(2, ServerOracle::SessionId{4});
    oracle.fanned_out({twice, Opcode::text, "{}"});
    oracle.sent(ServerOracle::SessionId{4}, false);
    EXPECT_EQ(findings.all(),
              (Lines{"one broadcast twice to one connection", "sent to the session 4, which is gone"}));
}

TEST(Spread, TellsThePeakFromTheMean) {
    const TimePoint from = at(10s);
    EXPECT_EQ(spread({}, from, 100ms).peak, 0u);
    const Spread even = spread({from, from + 100ms, from + 299ms}, from, 100ms);
    EXPECT_EQ(even.peak, 1u);
    EXPECT_EQ(even.mean, 1.0);
    const Spread uneven = spread({from, from + 99ms, from, from + 250ms}, from, 100ms);
    EXPECT_EQ(uneven.peak, 3u);
    EXPECT_EQ(uneven.mean, 4.0 / 3);
}

} // namespace
} // namespace phx::sim
