#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

TEST(ClientFrames, ParsesRawMessageAndDeliversItToItsChannel) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    joined(d, "room:b", "2");
    d.receive(R"([null,null,"room:b","shout",{"body":"hi"}])");
    d.receive(R"(["1",null,"room:a","presence_state",{}])");
    d.receive(R"(["1",null,"room:a","presence_diff",{}])");
    d.receive(R"(["1",null,"room:a","broadcast",{}])");
    d.receive(R"(["1",null,"room:a","postgres_changes",{}])");
    d.receive(R"(["1",null,"room:a","system",{}])");
    EXPECT_EQ(d.take(), (Lines{R"(message room:b shout {"body":"hi"})", "message room:a presence_state {}",
                               "message room:a presence_diff {}", "message room:a broadcast {}",
                               "message room:a postgres_changes {}", "message room:a system {}"}));
}

TEST(ClientFrames, SaysWhatKindOfMessageItIs) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.machine.handle_frame(d.now, d.conn, Opcode::text, R"([null,null,"room:a","presence_diff",{}])");
    const auto out = d.machine.poll();
    ASSERT_TRUE(out);
    const auto* message = std::get_if<event::MessageArrived>(&*out);
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(message->channel, c);
    EXPECT_EQ(message->kind, EventKind::presence_diff);
}

TEST(ClientFrames, DeliversBinaryBroadcasts) {
    ClientDriver d = open_driver();
    joined(d, "t", "1");
    d.receive(std::string_view("\x02\x01\x01te\x00\x01", 7), Opcode::binary);
    EXPECT_EQ(d.take(), (Lines{"message t e <00><01>"}));
}

TEST(ClientFrames, FindsATopicThatArrivesEscaped) {
    ClientDriver d = open_driver();
    joined(d, "room:\xc3\xa9", "1");
    d.receive(R"([null,null,"room:\u00e9","shout",{}])");
    EXPECT_EQ(d.take(), (Lines{"message room:\xc3\xa9 shout {}"}));
}

TEST(ClientFrames, DropsStaleJoinRefs) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.advance(1s);
    d.reply("2", "2", "room:a");
    d.push(c, "hello");
    d.take();
    d.receive(R"(["1",null,"room:a","shout",{"old":1}])");
    d.receive(R"([7,null,"room:a","shout",{}])");
    d.reply("1", "3", "room:a");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.receive(R"(["1","1","room:a","phx_close",{}])");
    EXPECT_EQ(d.take(), (Lines{R"(unclaimed room:a shout {"old":1})", "unclaimed room:a shout {}",
                               "unclaimed room:a phx_reply ok {}", "unclaimed room:a phx_error {}",
                               "unclaimed room:a phx_close {}"}));
    d.receive(R"([null,"3","room:a","phx_reply",{"response":{},"status":"ok"}])"); // null is accepted
    EXPECT_EQ(d.take(), (Lines{"p2 ok {}"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::joined);
}

TEST(ClientFrames, ReportsWhatBelongsToNobody) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.receive(R"([null,null,"room:a","shout",{}])"); // never joined
    d.receive(R"([null,null,"room:x","shout",{}])");
    d.receive(R"([null,null,"room:x","phx_close",{}])");
    d.receive(R"([null,null,null,"shout",{}])");
    d.receive(R"([null,null,null,"phx_error",{}])");
    d.receive(R"([null,"77","room:a","phx_reply",{"status":"ok","response":{}}])");
    d.receive(R"([null,null,"room:a","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(d.take(),
              (Lines{"unclaimed room:a shout {}", "unclaimed room:x shout {}",
                     "unclaimed room:x phx_close {}", "unclaimed  shout {}", "unclaimed  phx_error {}",
                     "unclaimed room:a phx_reply ok {}", "unclaimed room:a phx_reply ok {}"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::closed);
}

TEST(ClientFrames, DoesNotTakeAReplyUnderAnotherTopic) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    joined(d, "room:b", "2");
    const ChannelId empty = d.add("");
    d.join(empty);
    d.push(c, "hello");
    d.take();
    d.reply("1", "4", "room:b");
    d.receive(R"(["3","3",null,"phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:b phx_reply ok {}", "unclaimed  phx_reply ok {}"}));
    d.reply("1", "4", "room:a");
    d.reply("3", "3", "");
    EXPECT_EQ(d.take(), (Lines{"p4 ok {}", " joining -> joined", "p3 ok {}"}));
}

TEST(ClientFrames, AnUnmatchedTopicReplyFinishesThePush) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.take();
    d.receive(
        R"([null,"2","room:a","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}])");
    EXPECT_EQ(d.take(), (Lines{R"(p2 rejected error {"reason":"unmatched topic"})"}));
}

TEST(ClientFrames, HearsBroadcastsBeforeTheReplyToItsJoin) {
    ClientDriver d = open_driver();
    d.join(d.add("room:a"));
    d.take();
    d.receive(R"([null,null,"room:a","presence_diff",{}])");
    EXPECT_EQ(d.take(), (Lines{"message room:a presence_diff {}"}));
}

TEST(ClientFrames, BadFramesAreReportedAndTheConnectionLives) {
    ClientConfig config = exact_config();
    config.limits.max_frame_bytes = 1000;
    ClientDriver d = open_driver(config);
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.take();
    d.receive("");
    d.receive("not json");
    d.receive("[]");
    d.receive(R"([null,null,"room:a","shout"])");
    d.receive("[null,null,\"room:a\",\"\xff\",{}]");
    d.receive("[null,null,\"room:a\",\"e\"," + std::string(300, '[') + std::string(300, ']') + "]");
    d.receive("\"" + std::string(2000, 'x') + "\"");
    d.receive(std::string_view("\x09\x00", 2), Opcode::binary);
    d.receive(std::string_view("\x01\xff\xff", 3), Opcode::binary);
    EXPECT_EQ(
        d.take(),
        (Lines{"dropped (malformed frame)", "dropped (malformed frame)", "dropped (malformed frame)",
               "dropped (malformed frame)", "dropped (invalid UTF-8)", "dropped (invalid payload)",
               "dropped (frame too large)", "dropped (unknown kind of frame)", "dropped (malformed frame)"}));
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"p2 ok {}"}));
}

TEST(ClientFrames, ViewsOfOutputsLiveUntilTheNextCall) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    for (int i = 0; i < 50; ++i) d.push(c, "event", '"' + std::string(100, 'x') + '"');
    d.take();
    d.machine.handle_frame(d.now, d.conn, Opcode::text,
                           R"(["1","1","room:a","phx_reply",{"status":"ok","response":{}}])");
    std::vector<Output> outputs;
    while (auto out = d.machine.poll()) outputs.push_back(std::move(*out));
    ASSERT_EQ(outputs.size(), 53u); // the state, the answer, the push of the join
    EXPECT_EQ(std::get<event::Joined>(outputs[1]).reply.response, "{}");
    for (std::size_t i = 3; i < outputs.size(); ++i) {
        const auto& send = std::get<act::Send>(outputs[i]);
        EXPECT_EQ(send.data, R"(["1",")" + std::to_string(i - 1) + R"(","room:a","event",")" +
                                 std::string(100, 'x') + "\"]");
    }
}

TEST(ClientFrames, CommandsMayFollowEachOtherBeforeTheirOutputsAreTaken) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    ASSERT_TRUE(d.machine.send(d.now, c, "one", Opcode::text, '"' + std::string(5000, 'x') + '"'));
    ASSERT_TRUE(d.machine.send(d.now, c, "two", Opcode::text, "2"));
    d.drain();
    EXPECT_EQ(d.take(), (Lines{R"(send ["1","2","room:a","one",")" + std::string(5000, 'x') + "\"]",
                               R"(send ["1","3","room:a","two",2])"}));
}

} // namespace
} // namespace phx::protocol::testing
