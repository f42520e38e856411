#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

TEST(ClientConnection, EstablishesAConnectionWithTheEndpoint) {
    ClientDriver d(exact_config());
    EXPECT_EQ(d.machine.state(), SocketState::idle);
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
    d.connect();
    EXPECT_EQ(d.take(), (Lines{"socket idle -> connecting", "open 1 ws://host/socket/websocket?vsn=2.0.0"}));
    EXPECT_EQ(d.next(), Duration(10s)); // the connect timeout
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> open"}));
    EXPECT_EQ(d.machine.state(), SocketState::open);
    EXPECT_EQ(d.next(), Duration(30s)); // the heartbeat
}

TEST(ClientConnection, ConnectIsIdempotent) {
    ClientDriver d(exact_config());
    d.connect();
    d.take();
    d.connect();
    EXPECT_EQ(d.take(), Lines{});
    d.opened();
    d.take();
    d.connect();
    EXPECT_EQ(d.take(), Lines{});
    d.closed();
    d.take();
    d.connect(); // waiting: reconnect_now() is what skips the wait
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientConnection, AsksForTheTargetOfEachAttempt) {
    ClientConfig config = exact_config();
    config.ask_target = true;
    ClientDriver d(config);
    d.connect();
    EXPECT_EQ(d.take(), (Lines{"socket idle -> connecting", "prepare 1 attempt 0"}));
    d.opened(); // nothing was dialled
    d.closed();
    EXPECT_EQ(d.take(), Lines{});
    d.prepared(Target{"ws://other/websocket", "phoenix, token"});
    EXPECT_EQ(d.take(), (Lines{"open 1 ws://other/websocket [phoenix, token]"}));
    d.prepared(Target{"ws://twice", ""});
    EXPECT_EQ(d.take(), Lines{});
    d.opened();
    d.closed();
    d.take();
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"socket waiting -> connecting", "prepare 2 attempt 1"}));
}

TEST(ClientConnection, RetriesWhenTheTargetCannotBePrepared) {
    ClientConfig config = exact_config();
    config.ask_target = true;
    ClientDriver d(config);
    d.connect();
    d.take();
    d.prepared(phx::fail(Errc::bad_auth, "no token"));
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> waiting (1006, bad credentials)"}));
    EXPECT_EQ(d.next(), Duration(5s)); // refused: the slowest step
    d.prepared(Target{"ws://late", ""});
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientConnection, GivesUpPreparingAtTheConnectTimeout) {
    ClientConfig config = exact_config();
    config.ask_target = true;
    ClientDriver d(config);
    d.connect();
    d.take();
    d.pass(9s);
    d.timeout();
    EXPECT_EQ(d.take(), Lines{});
    d.advance(1s); // nothing was dialled, so nothing is closed
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> waiting (1006, connect failed)"}));
}

TEST(ClientConnection, FailsJoinsWithTheConnectionIfBothEndAtOnce) {
    ClientConfig config = exact_config();
    config.max_attempts = 1;
    ClientDriver d(config);
    d.join(d.add("room:a"), 10s);
    d.connect();
    d.take();
    d.advance(10s); // the connect timeout, and that of the join
    EXPECT_EQ(d.take(),
              (Lines{"close 1 1000 'connect timeout'", "socket connecting -> idle (1006, connect failed)",
                     "room:a joining -> errored (connect failed)", "p1 connect failed"}));
}

TEST(ClientConnection, GivesUpDiallingAtTheConnectTimeout) {
    ClientDriver d(exact_config());
    d.connect();
    d.take();
    d.advance(10s);
    EXPECT_EQ(d.take(), (Lines{"close 1 1000 'connect timeout'",
                               "socket connecting -> waiting (1006, connect failed)"}));
    d.closed(); // of the attempt that was given up
    EXPECT_EQ(d.take(), Lines{});
    d.advance(10ms);
    EXPECT_EQ(d.take(),
              (Lines{"socket waiting -> connecting", "open 2 ws://host/socket/websocket?vsn=2.0.0"}));
}

TEST(ClientConnection, ClimbsTheLadderWhileNothingAnswers) {
    ClientDriver d(exact_config());
    d.connect();
    std::vector<Duration> waits;
    for (int i = 0; i < 11; ++i) {
        d.closed_with(Errc::connect_failed);
        EXPECT_EQ(d.machine.state(), SocketState::waiting);
        waits.push_back(*d.next());
        d.advance(waits.back());
    }
    EXPECT_EQ(waits, (std::vector<Duration>{10ms, 50ms, 100ms, 150ms, 200ms, 250ms, 500ms, 1s, 2s, 5s, 5s}));
}

TEST(ClientConnection, ReconnectsAfterEveryCloseThatItDidNotStart) {
    for (const std::uint16_t code :
         std::initializer_list<std::uint16_t>{1000, 1001, 1005, 1006, 1011, 1012, 4000}) {
        ClientDriver d = open_driver();
        CloseInfo info;
        info.code = code;
        info.reason = "bye";
        d.closed(info);
        EXPECT_EQ(d.take(), (Lines{"socket open -> waiting (" + std::to_string(code) + " 'bye')"}));
        EXPECT_EQ(d.next(), Duration(1s));
        d.advance(1s);
        EXPECT_EQ(d.take(),
                  (Lines{"socket waiting -> connecting", "open 2 ws://host/socket/websocket?vsn=2.0.0"}));
    }
}

TEST(ClientConnection, HonoursRetryAfter) {
    ClientDriver d(exact_config());
    d.connect();
    CloseInfo info;
    info.retry_after = 17s;
    d.closed(info);
    EXPECT_EQ(d.next(), Duration(17s));
}

TEST(ClientConnection, DoesNotHammerAServerThatAcceptsAndCloses) {
    ClientDriver d = open_driver();
    std::vector<Duration> waits;
    for (int i = 0; i < 6; ++i) {
        d.closed();
        waits.push_back(*d.next());
        d.advance(waits.back());
        d.opened();
    }
    EXPECT_EQ(waits, (std::vector<Duration>{1s, 2s, 5s, 10s, 10s, 10s}));
    d.pass(10s); // stable
    d.closed();
    EXPECT_EQ(d.next(), Duration(1s));
}

TEST(ClientConnection, GivesUpAfterMaxAttempts) {
    ClientConfig config = exact_config();
    config.max_attempts = 2;
    ClientDriver d(config);
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "hello");
    d.connect();
    d.closed_with(Errc::connect_failed);
    d.advance(10ms);
    d.take();
    d.closed_with(Errc::connect_failed);
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> idle (1006, connect failed)",
                               "room:a joining -> errored (connect failed)", "p1 connect failed",
                               "p2 connect failed"}));
    d.expect_all_finished();
    EXPECT_EQ(d.next(), std::nullopt);
    d.connect(); // the count begins anew
    d.closed();
    EXPECT_EQ(d.machine.state(), SocketState::waiting);
}

TEST(ClientConnection, ReconnectNowSkipsTheWait) {
    ClientDriver d = open_driver();
    d.closed();
    d.advance(1s);
    d.closed();
    d.take();
    d.reconnect_now();
    EXPECT_EQ(d.take(),
              (Lines{"socket waiting -> connecting", "open 3 ws://host/socket/websocket?vsn=2.0.0"}));
    d.opened();
    d.take();
    d.reconnect_now();
    EXPECT_EQ(d.take(), Lines{}); // closes nothing that is open
    d.closed();
    EXPECT_EQ(d.next(), Duration(1s)); // the ladder began anew
}

TEST(ClientConnection, ReconnectNowDoesNotConnectASocketThatWasNeverConnected) {
    ClientDriver d(exact_config());
    d.reconnect_now();
    EXPECT_EQ(d.take(), Lines{});
    EXPECT_EQ(d.machine.state(), SocketState::idle);
}

TEST(ClientConnection, SkippingTheWaitLeavesTheLadderAsItIs) {
    ClientDriver d = open_driver();
    d.skip_wait();
    EXPECT_EQ(d.take(), Lines{}); // there is none
    for (const Duration wait : {1s, 2s, 5s, 10s}) {
        d.closed();
        EXPECT_EQ(d.next(), wait);
        d.take();
        d.skip_wait();
        EXPECT_EQ(d.take().front(), "socket waiting -> connecting");
    }
}

TEST(ClientConnection, DisconnectClosesAndDoesNotReconnect) {
    ClientDriver d = open_driver();
    d.disconnect(4321, "bye");
    EXPECT_EQ(d.take(), (Lines{"close 1 4321 'bye'", "socket open -> closing"}));
    EXPECT_EQ(d.next(), Duration(5s));
    CloseInfo info;
    info.code = 4321;
    d.closed(info);
    EXPECT_EQ(d.take(), (Lines{"socket closing -> idle (4321)"}));
    EXPECT_EQ(d.next(), std::nullopt);
}

TEST(ClientConnection, ReconnectsIfNoConnectionCanBeMadeAfterACleanDisconnect) {
    ClientDriver d = open_driver();
    d.disconnect();
    d.closed();
    d.connect();
    d.closed_with(Errc::connect_failed);
    EXPECT_EQ(d.machine.state(), SocketState::waiting);
    EXPECT_TRUE(d.next());
}

TEST(ClientConnection, DisconnectDoesNotWaitForEverForTheClose) {
    ClientDriver d = open_driver();
    d.disconnect();
    d.take();
    d.advance(5s);
    EXPECT_EQ(d.take(), (Lines{"socket closing -> idle (1006, timeout)"}));
    d.closed();
    EXPECT_EQ(d.take(), Lines{});
    EXPECT_EQ(d.next(), std::nullopt);
}

TEST(ClientConnection, DisconnectWorksInEveryState) {
    ClientDriver idle(exact_config());
    idle.disconnect();
    EXPECT_EQ(idle.take(), Lines{});

    ClientDriver dialling(exact_config());
    dialling.connect();
    dialling.take();
    dialling.disconnect();
    EXPECT_EQ(dialling.take(), (Lines{"close 1 1000 ''", "socket connecting -> closing"}));
    dialling.opened(); // too late
    EXPECT_EQ(dialling.take(), Lines{});
    dialling.disconnect();
    EXPECT_EQ(dialling.take(), Lines{});
    dialling.closed();
    EXPECT_EQ(dialling.take(), (Lines{"socket closing -> idle (1006)"}));

    ClientConfig config = exact_config();
    config.ask_target = true;
    ClientDriver preparing(config);
    preparing.connect();
    preparing.take();
    preparing.disconnect();
    EXPECT_EQ(preparing.take(), (Lines{"socket connecting -> idle"}));
    preparing.prepared(Target{"ws://late", ""});
    EXPECT_EQ(preparing.take(), Lines{});

    ClientDriver waiting = open_driver();
    waiting.closed();
    waiting.take();
    waiting.disconnect();
    EXPECT_EQ(waiting.take(), (Lines{"socket waiting -> idle"}));
    EXPECT_EQ(waiting.next(), std::nullopt);
}

TEST(ClientConnection, TearsDownTheOldConnectionWhenImmediatelyReconnecting) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    const ConnId old = d.conn;
    d.disconnect();
    d.connect();
    EXPECT_EQ(d.take(),
              (Lines{"close 1 1000 ''", "socket open -> closing", "room:a joined -> errored (socket closed)",
                     "socket closing -> connecting", "open 2 ws://host/socket/websocket?vsn=2.0.0"}));
    d.machine.handle_closed(d.now, old, {});
    d.machine.handle_open(d.now, old);
    d.machine.handle_frame(d.now, old, Opcode::text, R"([null,null,"room:a","shout",{}])");
    d.drain();
    EXPECT_EQ(d.take(), Lines{});
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket connecting -> open", "room:a errored -> joining",
                               R"(send ["2","2","room:a","phx_join",{}])"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::joining);
}

TEST(ClientConnection, IgnoresReportsOfAnOldConnection) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    const ConnId old = d.conn;
    d.closed();
    d.take();
    const auto report_old = [&] {
        d.machine.handle_closed(d.now, old, {});
        d.machine.handle_open(d.now, old);
        d.machine.handle_prepared(d.now, old, Target{"ws://x", ""});
        d.machine.handle_frame(d.now, old, Opcode::text, R"([null,null,"room:a","shout",{}])");
        d.drain();
        EXPECT_EQ(d.take(), Lines{});
    };
    report_old(); // waiting
    d.advance(1s);
    d.take();
    report_old(); // connecting
    d.opened();
    d.take();
    report_old(); // open
}

TEST(ClientConnection, IgnoresReportsThatComeTwice) {
    ClientDriver d = open_driver();
    d.opened();
    EXPECT_EQ(d.take(), Lines{});
    d.closed();
    d.take();
    d.closed();
    d.opened();
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientConnection, IgnoresFramesBeforeTheConnectionIsOpen) {
    ClientDriver d(exact_config());
    d.connect();
    d.take();
    d.receive("garbage");
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientConnection, HandlesATimeoutEarlyLateOrTwice) {
    ClientDriver d = open_driver();
    d.timeout();
    d.pass(29s);
    d.timeout();
    EXPECT_EQ(d.take(), Lines{});
    d.pass(100s);
    d.timeout();
    d.timeout();
    EXPECT_EQ(d.take(), (Lines{R"(send [null,"1","phoenix","heartbeat",{}])", "heartbeat sent"}));
    EXPECT_EQ(d.next(), Duration(10s));
}

TEST(ClientConnection, SpreadsReconnectsByItsSeed) {
    ClientConfig config;
    config.seed = 1;
    ClientDriver a = open_driver(config);
    ClientDriver same = open_driver(config);
    config.seed = 2;
    ClientDriver other = open_driver(config);
    a.closed();
    same.closed();
    other.closed();
    EXPECT_EQ(a.next(), same.next());
    EXPECT_NE(a.next(), other.next());
    EXPECT_LT(*a.next(), Duration(1s));
}

TEST(ClientConnection, CanBeMoved) {
    ClientDriver d = open_driver();
    ClientMachine moved = std::move(d.machine);
    EXPECT_EQ(moved.state(), SocketState::open);
    d.machine = std::move(moved);
    d.disconnect();
    EXPECT_EQ(d.take(), (Lines{"close 1 1000 ''", "socket open -> closing"}));
}

} // namespace
} // namespace phx::protocol::testing
