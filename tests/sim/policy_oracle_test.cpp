#include "tests/sim/policy_oracle.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

/// As in oracle_test.cpp: each oracle is shown a history that is wrong.
namespace phx::sim {
namespace {

using namespace std::chrono_literals;
using namespace protocol;
using enum ChannelState;

using Lines = std::vector<std::string>;

constexpr ChannelId room{1};
constexpr ChannelId other{2};

class PolicyOracleTest : public ::testing::Test {
protected:
    PolicyOracleTest() {
        ChannelConfig config;
        config.max_rejoins = 1;
        oracle.add(room, "room", config);
        config.after_close = AfterClose::rejoin;
        oracle.add(other, "room", config);
    }
    bool socket(SocketState to) {
        const bool gave_up = oracle.changed(event::SocketChanged{state, to, {}});
        state = to;
        return gave_up;
    }
    bool change(ChannelState from, ChannelState to, ChannelId id = room) {
        return oracle.changed(event::ChannelChanged{id, from, to, {}});
    }
    void connect() {
        oracle.connect();
        socket(SocketState::connecting);
        socket(SocketState::open);
        oracle.rest();
    }
    void join() {
        oracle.join(room);
        change(closed, joining);
        oracle.rest();
    }
    SocketState state = SocketState::idle;
    Findings findings;
    PolicyOracle oracle{findings, 2};
};

TEST_F(PolicyOracleTest, AcceptsAChannelWhoseRejoinsAreUsedUpAndThatIsJoinedAgain) {
    connect();
    join();
    EXPECT_TRUE(oracle.wants(room));
    change(joining, errored);
    oracle.rest();
    change(errored, joining);
    change(joining, errored);
    EXPECT_TRUE(change(errored, closed));
    oracle.rest();
    EXPECT_FALSE(oracle.wants(room));
    join();
    EXPECT_TRUE(oracle.wants(room));
    EXPECT_TRUE(findings.empty());
}

TEST_F(PolicyOracleTest, SeesARejoinTooManyAndOneTooFew) {
    connect();
    join();
    change(joining, errored);
    change(errored, closed);
    EXPECT_EQ(findings.all(), Lines{"gave up room by itself"});
    join();
    for (int i = 0; i < 2; ++i) change(joining, errored);
    oracle.rest();
    EXPECT_EQ(findings.all().at(1), "goes on joining room after the last rejoin");
}

TEST_F(PolicyOracleTest, CountsRejoinsAnewOnEachConnection) {
    connect();
    join();
    change(joining, errored);
    socket(SocketState::waiting);
    change(errored, joining);
    change(joining, errored); // without a connection
    connect();
    change(errored, joining);
    change(joining, errored);
    oracle.rest();
    EXPECT_TRUE(findings.empty());
}

TEST_F(PolicyOracleTest, SeesAJoinThatNobodyAskedFor) {
    change(closed, joining);
    EXPECT_EQ(findings.all(), Lines{"joins room though nobody asked for it"});
}

TEST_F(PolicyOracleTest, SeesAnEndThatNobodyAskedFor) {
    join();
    change(joining, joined);
    oracle.close(room);
    change(joined, leaving);
    oracle.rest();
    change(leaving, closed);
    join();
    oracle.join(other); // takes the topic
    change(joining, closed);
    EXPECT_TRUE(findings.empty());
    oracle.rest();
    join();
    change(joining, leaving);
    EXPECT_EQ(findings.all(), Lines{"gave up room by itself"});
}

TEST_F(PolicyOracleTest, SeesWhetherACloseOfTheServerIsTakenAsConfigured) {
    join();
    oracle.closed_by_server("room");
    change(joining, closed);
    oracle.rest();
    EXPECT_TRUE(findings.empty());
    join();
    oracle.closed_by_server("room");
    change(joining, errored);
    oracle.rest();
    EXPECT_EQ(findings.all(), Lines{"keeps room, which the server closed"});
}

TEST_F(PolicyOracleTest, SeesAChannelStayClosedThatShouldComeBack) {
    oracle.join(other);
    change(closed, joining, other);
    oracle.rest();
    oracle.closed_by_server("room");
    change(joining, closed, other);
    EXPECT_EQ(findings.all(), Lines{"gave up room by itself"});
}

TEST_F(PolicyOracleTest, AcceptsTheLastAttemptAndAConnectAfterIt) {
    oracle.connect();
    for (const auto to : {SocketState::connecting, SocketState::waiting, SocketState::connecting})
        EXPECT_FALSE(socket(to));
    EXPECT_TRUE(socket(SocketState::idle));
    EXPECT_FALSE(oracle.wants_connection());
    connect();
    EXPECT_TRUE(oracle.wants_connection());
    oracle.stop();
    EXPECT_FALSE(socket(SocketState::idle));
    EXPECT_TRUE(findings.empty());
}

TEST_F(PolicyOracleTest, SeesAnAttemptTooManyAndOneTooFew) {
    oracle.connect();
    socket(SocketState::connecting);
    socket(SocketState::idle);
    oracle.connect();
    for (int i = 0; i < 2; ++i) socket(SocketState::connecting), socket(SocketState::waiting);
    EXPECT_EQ(findings.all(), (Lines{"gave up connecting by itself", "goes on after the last attempt"}));
}

TEST_F(PolicyOracleTest, SeesAConnectThatNobodyAskedFor) {
    socket(SocketState::connecting);
    EXPECT_EQ(findings.all(), Lines{"connects though nobody asked for it"});
}

class InFlightTest : public ::testing::Test {
protected:
    InFlightTest() {
        oracle.changed({room, closed, joining, {}});
        oracle.made(PushId{1}, TimePoint{} + 10s, 7, room);
        oracle.sent(7);
    }
    void fail_with(Errc code) {
        event::PushFinished end{PushId{1}, {}};
        end.outcome.error = fail(code, "no").error;
        oracle.finished(TimePoint{}, end);
    }
    Findings findings;
    PushOracle oracle{findings, InFlight::wait};
};

TEST_F(InFlightTest, AcceptsAPushThatOutlivesItsConnectionAndTimesOut) {
    oracle.lose_connection();
    oracle.changed({room, joined, errored, {}});
    oracle.rest();
    fail_with(Errc::timeout);
    EXPECT_TRUE(findings.empty());
}

TEST_F(InFlightTest, SeesAPushThatDoesNotWait) {
    oracle.changed({room, joined, errored, {}});
    fail_with(Errc::channel_closed);
    EXPECT_EQ(findings.all(), Lines{"push 1 did not wait for its timeout"});
}

TEST_F(InFlightTest, SeesAPushThatOutlivesAClosedChannel) {
    oracle.changed({room, joined, closed, {}});
    oracle.rest();
    EXPECT_EQ(findings.all(), Lines{"push 1 outlived its channel"});
}

TEST_F(InFlightTest, SeesAPushThatDoesNotSayWhyItWasGivenUp) {
    oracle.give_up(Errc::bad_auth);
    fail_with(Errc::timeout);
    EXPECT_EQ(findings.all(), Lines{"push 1 does not say why it was given up"});
}

} // namespace
} // namespace phx::sim
