#include "tests/support/client_driver.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

TEST(ClientPushes, SendsPushEventWhenSuccessfullyJoined) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "shout", R"({"body":"hi"})");
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","shout",{"body":"hi"}])"}));
    d.pass(7ms);
    d.reply("1", "2", "room:a", "ok", R"([1,2])");
    EXPECT_EQ(d.take(), (Lines{"p2 ok [1,2] after 7 ms"}));
    d.reply("1", "2", "room:a"); // one reply only
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
    d.expect_all_finished();
}

TEST(ClientPushes, AnEmptyPayloadIsAnEmptyObject) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "shout", "");
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","shout",{}])"}));
}

TEST(ClientPushes, SendsAndReceivesBinary) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "t", "1");
    d.push_binary(c, "e", std::string_view("\x00\xff", 2));
    EXPECT_EQ(d.take(), (Lines{"send binary <00><01><01><01><01>12te<00><ff>"}));
    d.receive(std::string_view("\x01\x01\x01\x01\x02"
                               "12tok\x07",
                               11),
              Opcode::binary);
    EXPECT_EQ(d.take(), (Lines{"p2 ok <07>"}));
}

TEST(ClientPushes, ABroadcastIsOfKind3AndItsTextReplyFinishesIt) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "t", "1");
    d.push(c, {"broadcast", Opcode::binary, std::string_view("\0\xff", 2), "move"});
    d.push(c, {"broadcast", Opcode::text, R"({"x":1})", "move"});
    EXPECT_EQ(d.take(), (Lines{"send binary <03><01><01><01><04><00><00>12tmove<00><ff>",
                               R"(send binary <03><01><01><01><04><00><01>13tmove{"x":1})"}));
    d.reply("1", "2", "t");
    EXPECT_EQ(d.take(), (Lines{"p2 ok {}"}));
}

TEST(ClientPushes, OverVersion1ABroadcastIsJsonAndBytesAreRefused) {
    ClientConfig config = exact_config();
    config.vsn = Vsn::v1;
    ClientDriver d = open_driver(config);
    const ChannelId c = d.add("t");
    d.join(c);
    d.receive(R"({"topic":"t","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"})");
    d.take();
    d.push(c, {"broadcast", Opcode::text, R"({"x":1})", "mo\"ve"});
    d.push(c, {"broadcast", Opcode::binary, "x", "move"});
    const Lines out = d.take();
    ASSERT_EQ(out.size(), 2u);
    EXPECT_NE(out[0].find(R"("payload":{"type":"broadcast","event":"mo\"ve","payload":{"x":1}})"),
              std::string::npos)
        << out[0];
    EXPECT_EQ(out[1], "p3 invalid payload");
}

TEST(ClientPushes, ABroadcastThatNoFrameHoldsIsRefusedAtOnceAlsoBeforeTheJoin) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("t");
    d.join(c);
    d.take();
    d.push(c, {"broadcast", Opcode::text, "{}", std::string(256, 'e')});
    d.push(c, {"broadcast", Opcode::text, "{}", "\xff"});
    d.push(c, {"broadcast", Opcode::text, "{", "e"});
    EXPECT_EQ(d.take(), (Lines{"p2 field too long", "p3 invalid UTF-8", "p4 invalid payload"}));
}

TEST(ClientPushes, OneThatExpectsNoReplyFinishesWhenItIsSent) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("t");
    d.join(c);
    d.take();
    d.push(c, {"e", Opcode::text, "1"}, Expects::nothing);
    d.push(c, {"broadcast", Opcode::text, "2", "e"}, Expects::nothing);
    EXPECT_EQ(d.take(), Lines{}) << "they wait for the join";
    d.reply("1", "1", "t");
    EXPECT_EQ(d.take(), (Lines{"t joining -> joined", "p1 ok {}", R"(send ["1","2","t","e",1])", "p2 ok {}",
                               "send binary <03><01><01><01><01><00><01>13te2", "p3 ok {}"}));
    d.push(c, {"e", Opcode::text, "3"}, Expects::nothing);
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","4","t","e",3])", "p4 ok {}"}));
    d.expect_all_finished();
}

TEST(ClientPushes, OneThatExpectsNoReplyTimesOutOrEndsWithItsChannelWhileItWaits) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("t");
    d.join(c, 20s);
    d.push(c, {"e", Opcode::text, "1"}, Expects::nothing);
    d.take();
    d.advance(10s);
    EXPECT_EQ(d.take().back(), "p2 timeout");
    d.push(c, {"e", Opcode::text, "1"}, Expects::nothing);
    d.leave(c);
    EXPECT_NE(std::ranges::count(d.take(), "p3 channel closed"), 0);
    d.expect_all_finished();
}

TEST(ClientPushes, ReportsRejectionWithItsReply) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "shout");
    d.push(c, "shout");
    d.push(c, "shout");
    d.take();
    d.reply("1", "3", "room:a", "error", R"({"reason":"no"})"); // in any order
    d.reply("1", "2", "room:a", "custom", "1");
    d.receive(R"(["1","4","room:a","phx_reply","what"])");
    EXPECT_EQ(d.take(), (Lines{R"(p3 rejected error {"reason":"no"})", "p2 rejected custom 1",
                               R"(p4 malformed frame "what")"}));
    d.expect_all_finished();
}

TEST(ClientPushes, UsesTheSocketTimeoutByDefaultAndAcceptsATimeoutArg) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "slow");
    d.push(c, "fast", "{}", 2s);
    d.push(c, "endless", "{}", Duration::max());
    d.take();
    d.advance(2s);
    EXPECT_EQ(d.take(), (Lines{"p3 timeout"}));
    d.advance(7999ms);
    EXPECT_EQ(d.take(), Lines{});
    d.advance(1ms);
    EXPECT_EQ(d.take(), (Lines{"p2 timeout"}));
    d.reply("1", "2", "room:a"); // late: reported, not misdelivered
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
    EXPECT_EQ(d.unfinished(), 1u);
}

TEST(ClientPushes, DoesNotTimeOutAfterReceivingOk) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "shout");
    d.reply("1", "2", "room:a");
    d.take();
    EXPECT_EQ(d.next(), Duration(30s)); // the timer is gone with it
    d.advance(20s);
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientPushes, FailsIfChannelHasNotBeenJoined) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.push(c, "shout");
    EXPECT_EQ(d.take(), (Lines{"p1 not joined"}));
    const auto sent = d.send(c, "shout");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::not_joined);
}

TEST(ClientPushes, EnqueuesPushesToBeSentOnceJoinHasSucceeded) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.take();
    d.push(c, "one", "1");
    EXPECT_TRUE(d.send(c, "two", "2"));
    d.push_binary(c, "three", "3");
    EXPECT_EQ(d.take(), Lines{});
    d.pass(1s);
    d.reply("1", "1", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "p1 ok {} after 1000 ms",
                               R"(send ["1","2","room:a","one",1])", R"(send ["1","3","room:a","two",2])",
                               "send binary <00><01><01><06><05>14room:athree3"}));
    d.pass(1s);
    d.reply("1", "2", "room:a"); // elapsed is the round trip, not the wait for the join
    EXPECT_EQ(d.take(), (Lines{"p2 ok {} after 1000 ms"}));
}

TEST(ClientPushes, ABufferedPushKeepsItsOneDeadline) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "one", "{}", 5s);
    d.advance(4s);
    d.reply("1", "1", "room:a");
    d.take();
    d.advance(1s); // phoenix.js would wait 5 s more
    EXPECT_EQ(d.take(), (Lines{"p2 timeout"}));
}

TEST(ClientPushes, DoesNotPushIfItTimedOutBeforeTheJoin) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c, 60s);
    d.push(c, "one", "{}", 2s);
    d.push(c, "two", "{}", 3s);
    EXPECT_TRUE(d.send(c, "three"));
    d.take();
    d.advance(2s);
    EXPECT_EQ(d.take(), (Lines{"p2 timeout"}));
    d.pass(1s); // due, but the timer has not fired yet
    d.reply("1", "1", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "p1 ok {} after 3000 ms", "p3 timeout",
                               R"(send ["1","2","room:a","three",{}])"}));
}

TEST(ClientPushes, ASendThatGetsTooOldIsReported) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c, 60s);
    EXPECT_TRUE(d.send(c, "one"));
    d.take();
    d.advance(10s);
    EXPECT_EQ(d.take(), (Lines{"dropped (timeout)"}));
    d.leave(c);
    EXPECT_TRUE(d.take().size() > 0);
}

TEST(ClientPushes, BuffersWhileErroredAndWhileDisconnected) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.closed();
    d.take();
    d.push(c, "one");
    EXPECT_EQ(d.take(), Lines{});
    d.advance(1s);
    d.opened();
    d.take();
    d.reply("2", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"room:a joining -> joined", "gap room:a 1000 ms",
                               R"(send ["2","3","room:a","one",{}])"}));
}

TEST(ClientPushes, InFlightPushesFailAtOnceWhenTheConnectionDrops) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "one");
    d.push(c, "two");
    d.take();
    d.closed();
    EXPECT_EQ(d.take(), (Lines{"socket open -> waiting (1006)", "room:a joined -> errored (disconnected)",
                               "p2 disconnected", "p3 disconnected"}));
    d.expect_all_finished();
}

// ---- send

TEST(ClientPushes, SendWaitsForNothing) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    EXPECT_TRUE(d.send(c, "cursor", R"({"x":1})"));
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","cursor",{"x":1}])"}));
    EXPECT_EQ(d.next(), Duration(30s));
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
}

// ---- what cannot be sent

TEST(ClientPushes, SaysOfASendThatWasDroppedThatItIsOfThisSide) {
    const auto dropped = [](ClientMachine& m) {
        std::vector<Error> errors;
        while (const auto out = m.poll())
            if (const auto* drop = std::get_if<event::FrameDropped>(&*out)) errors.push_back(drop->error);
        return errors;
    };
    ClientDriver d = open_driver();
    const ChannelId c = d.add("a");
    d.join(c, 20s);
    (void)d.machine.send(d.now, c, "cursor", Opcode::text, "{}");
    d.machine.handle_timeout(d.now += 10s);
    std::vector<Error> errors = dropped(d.machine);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].code, Errc::timeout);
    EXPECT_EQ(errors[0].origin, Origin::local);

    (void)d.machine.send(d.now, c, "cursor", Opcode::text, "{}");
    d.machine.handle_frame(d.now, d.conn, Opcode::text, R"(["1","1","a","phx_close",{}])");
    errors = dropped(d.machine);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].code, Errc::channel_closed);
    EXPECT_EQ(errors[0].origin, Origin::local);
}

TEST(ClientPushes, RefusesWhatCannotBeSentWhenPushing) {
    const std::string long_name(256, 'x');
    for (const bool is_joined : {true, false}) {
        ClientDriver d = open_driver();
        const ChannelId c = d.add("room:a");
        d.join(c);
        if (is_joined) d.reply("1", "1", "room:a");
        d.take();
        d.push(c, "e", "{");
        d.push(c, "e", "\"\xff\"");
        d.push(c, "\xc3\xa9");
        d.push(c, "\xc3x\xa9");
        d.push_binary(c, long_name, "x");
        const std::string deep = std::string(200, '[') + std::string(200, ']');
        d.push(c, "e", deep);
        Lines lines = d.take();
        std::erase_if(lines, [](const std::string& line) { return line.starts_with("send "); });
        EXPECT_EQ(lines, (Lines{"p2 invalid payload", "p3 invalid payload", "p5 invalid UTF-8",
                                "p6 field too long", "p7 invalid payload"}));
        const auto sent = d.send(c, "e", "nope");
        ASSERT_FALSE(sent);
        EXPECT_EQ(sent.error().code, Errc::invalid_payload);
        d.push(c, long_name); // text has no such limit
        EXPECT_EQ(d.unfinished(), is_joined ? 2u : 3u);
    }
}

TEST(ClientPushes, RefusesBinaryOverV1) {
    ClientConfig config = exact_config();
    config.vsn = Vsn::v1;
    ClientDriver d = open_driver(config);
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.take();
    d.push_binary(c, "e", "x"); // buffered: refused all the same
    d.receive(R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"room:a"})");
    d.push_binary(c, "e", "x");
    EXPECT_EQ(d.take(),
              (Lines{"p2 invalid payload", "room:a joining -> joined", "p1 ok {}", "p3 invalid payload"}));
    const auto sent = d.machine.send(d.now, c, "e", Opcode::binary, "x");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::invalid_payload);
}

// ---- limits

TEST(ClientPushes, RejectsTheNewestWhenTheBufferIsFull) {
    ClientConfig config = exact_config();
    config.channel.max_buffered_pushes = 2;
    ClientDriver d = open_driver(config);
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "one");
    EXPECT_TRUE(d.send(c, "two"));
    d.take();
    d.push(c, "three");
    EXPECT_EQ(d.take(), (Lines{"p3 buffer full"}));
    const auto sent = d.send(c, "four");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::buffer_full);
}

TEST(ClientPushes, DropsTheOldestWhenToldSo) {
    ClientConfig config = exact_config();
    config.channel.max_buffered_pushes = 2;
    config.channel.max_buffered_bytes = 100;
    config.channel.overflow = Overflow::drop_oldest;
    ClientDriver d = open_driver(config);
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.push(c, "one");
    EXPECT_TRUE(d.send(c, "two"));
    d.take();
    d.push(c, "three");
    EXPECT_EQ(d.take(), (Lines{"p2 buffer full"}));
    d.push(c, "four");
    EXPECT_EQ(d.take(), (Lines{"dropped (buffer full)"}));
    d.push(c, "five", '"' + std::string(93, 'x') + '"'); // takes the place of both
    EXPECT_EQ(d.take(), (Lines{"p3 buffer full", "p4 buffer full"}));
    d.push(c, "six", '"' + std::string(200, 'x') + '"'); // has no place at all: nothing is dropped for it
    EXPECT_EQ(d.take(), (Lines{"p6 buffer full"}));
    EXPECT_EQ(d.unfinished(), 2u); // the join and p5
}

TEST(ClientPushes, BoundsWhatWaitsOnTheWholeSocket) {
    ClientConfig config = exact_config();
    config.max_waiting_pushes = 2;
    ClientDriver d = open_driver(config);
    const ChannelId c = joined(d, "room:a", "1");
    const ChannelId e = d.add("room:e");
    d.push(c, "one");
    d.push(c, "two");
    d.take();
    d.push(c, "three");
    d.join(e);
    d.leave(c);
    d.ping();
    EXPECT_EQ(d.take(), (Lines{"p4 buffer full", "p5 buffer full", "p6 buffer full", "p7 buffer full"}));
    EXPECT_TRUE(d.send(c, "waits for nothing"));
    d.reply("1", "2", "room:a");
    d.reply("1", "3", "room:a");
    d.take();
    d.join(e);
    EXPECT_EQ(d.take().size(), 2u);
    const auto sent = d.send(e, "would be buffered");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::buffer_full);
}

// ---- cancel

TEST(ClientPushes, CancelGivesUpWaiting) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    const PushId push = d.push(c, "one");
    d.take();
    d.cancel(push);
    EXPECT_EQ(d.take(), (Lines{"p2 cancelled"}));
    d.cancel(push);
    d.cancel(PushId{12345});
    EXPECT_EQ(d.take(), Lines{});
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"}));
    d.expect_all_finished();
}

TEST(ClientPushes, CancelTakesABufferedPushOut) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    const PushId push = d.push(c, "one");
    d.push(c, "two");
    d.take();
    d.cancel(push);
    d.reply("1", "1", "room:a");
    EXPECT_EQ(d.take(), (Lines{"p2 cancelled", "room:a joining -> joined", "p1 ok {}",
                               R"(send ["1","2","room:a","two",{}])"}));
}

TEST(ClientPushes, CancelStopsNeitherAJoinNorALeave) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    const PushId join = d.join(c);
    d.take();
    d.cancel(join);
    // The ids beside it belong to attempts of the machine and cannot be cancelled.
    d.cancel(PushId{static_cast<std::uint64_t>(join) - 1});
    d.reply("1", "1", "room:a");
    EXPECT_EQ(d.take(), (Lines{"p1 cancelled", "room:a joining -> joined"}));
    const PushId leave = d.leave(c);
    d.take();
    d.cancel(leave);
    d.cancel(PushId{static_cast<std::uint64_t>(leave) - 1});
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"p2 cancelled", "room:a leaving -> closed"}));
    const PushId ping = d.ping();
    d.cancel(ping);
    d.expect_all_finished();
}

TEST(ClientPushes, FinishInTheOrderOfTheirDeadlines) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "one", "{}", 3s);
    d.push(c, "two", "{}", 1s);
    d.push(c, "three", "{}", 2s);
    d.take();
    d.pass(5s);
    d.timeout();
    EXPECT_EQ(d.take(), (Lines{"p3 timeout", "p4 timeout", "p2 timeout"}));
}

} // namespace
} // namespace phx::protocol::testing
