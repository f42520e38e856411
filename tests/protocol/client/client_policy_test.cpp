#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

// Who decides otherwise than phoenix.js: when not to come back, and what becomes of what waits.
namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

Error why(Errc code) { return Error{make_error_code(code), Origin::local, "test", {}}; }

ChannelConfig exact_channel() { return exact_config().channel; }

TEST(ClientPolicy, DoesNotDialAgainWhenTheShellGivesUp) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "asked");
    CloseInfo info;
    info.code = 4001;
    d.closed(info);
    d.push(c, "buffered");
    d.take();
    d.give_up(why(Errc::server_closed));
    EXPECT_EQ(d.take(), (Lines{"socket waiting -> idle", "p3 closed by the server"}));
    EXPECT_EQ(d.next(), std::nullopt);
    d.expect_all_finished();
}

TEST(ClientPolicy, ConnectsAndRejoinsAfterGivingUp) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    d.closed();
    d.give_up(why(Errc::disconnected));
    d.take();
    d.connect();
    d.opened();
    EXPECT_EQ(d.take(), (Lines{"socket idle -> connecting", "open 2 ws://host/socket/websocket?vsn=2.0.0",
                               "socket connecting -> open", "room:a errored -> joining",
                               R"(send ["2","2","room:a","phx_join",{}])"}));
}

TEST(ClientPolicy, GivesUpOnlyWhileWaiting) {
    ClientDriver d = open_driver();
    d.give_up(why(Errc::disconnected));
    EXPECT_EQ(d.take(), Lines{});
    d.closed();
    d.advance(1s);
    d.take();
    d.give_up(why(Errc::disconnected)); // it is dialling again
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientPolicy, ClosesARefusedChannelThatTheShellGivesUp) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "waits");
    d.reply("1", "1", "room:a", "error", R"({"reason":"unauthorized"})");
    d.take();
    d.give_up(c, why(Errc::join_refused));
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> closed (join refused)", "p2 join refused"}));
    EXPECT_EQ(d.next(), Duration(30s)); // the heartbeat: no rejoin waits
    d.join(c);
    EXPECT_EQ(d.take(), (Lines{"room:a closed -> joining", R"(send ["2","2","room:a","phx_join",{}])"}));
    d.give_up(c, why(Errc::join_refused)); // it is not errored
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientPolicy, ClosesAChannelWhoseRejoinsAreUsedUp) {
    ChannelConfig own = exact_channel();
    own.max_rejoins = 2;
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a", "{}", own);
    d.join(c);
    d.reply("1", "1", "room:a", "error");
    d.advance(1s);
    d.reply("2", "2", "room:a", "error");
    d.advance(2s);
    d.take();
    d.reply("3", "3", "room:a", "error");
    EXPECT_EQ(d.take(),
              (Lines{"room:a joining -> errored (join refused)", "room:a errored -> closed (join refused)"}));
    EXPECT_EQ(d.next(), Duration(27s));
}

TEST(ClientPolicy, RejoinsAfterACloseOfTheServerWhenToldTo) {
    ChannelConfig own = exact_channel();
    own.after_close = AfterClose::rejoin;
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a", "{}", own);
    d.join(c);
    d.reply("1", "1", "room:a");
    d.push(c, "asked");
    d.take();
    d.receive(R"(["1","1","room:a","phx_close",{}])");
    EXPECT_EQ(d.take(), (Lines{"room:a joined -> errored (channel closed)", "p2 channel closed"}));
    d.advance(1s);
    d.reply("3", "3", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["3","3","room:a","phx_join",{}])",
                               "room:a joining -> joined", "gap room:a 1000 ms"}));
    d.leave(c);
    d.take();
    d.receive(R"(["3","3","room:a","phx_close",{}])"); // asked for: it stays closed
    EXPECT_EQ(d.take(), (Lines{"room:a leaving -> closed", "p3 ok {}"}));
}

TEST(ClientPolicy, CanLeaveInFlightPushesToTheirTimeoutAsPhoenixJs) {
    ClientConfig config = exact_config();
    config.in_flight = InFlight::wait;
    ClientDriver d = open_driver(config);
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "over the connection", "{}", 5s);
    d.closed();
    d.advance(1s);
    d.opened();
    d.reply("3", "3", "room:a");
    d.push(c, "of a channel that crashes", "{}", 20s);
    d.receive(R"(["3","3","room:a","phx_error",{}])");
    d.take();
    d.reply("1", "2", "room:a"); // of the old connection: it cannot be ours any more
    EXPECT_EQ(d.unfinished(), 2u);
    d.advance(4s);
    const Lines lines = d.take();
    EXPECT_NE(std::find(lines.begin(), lines.end(), "p2 timeout"), lines.end());
    d.disconnect();
    d.expect_all_finished();
}

TEST(ClientPolicy, ChannelsMayDifferInTheirBuffers) {
    ClientDriver d(exact_config());
    ChannelConfig own = exact_channel();
    own.max_buffered_pushes = 1;
    own.overflow = Overflow::drop_oldest;
    const ChannelId small = d.add("small", "{}", own);
    const ChannelId usual = d.add("usual");
    d.join(small);
    d.join(usual);
    d.push(small, "one");
    d.push(usual, "one");
    d.take();
    d.push(small, "two");
    d.push(usual, "two");
    EXPECT_EQ(d.take(), (Lines{"p3 buffer full"}));
}

} // namespace
} // namespace phx::protocol::testing
