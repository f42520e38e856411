#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

/// A over v2 and B over v1, both in room:lobby.
struct Channel : testing::Test {
    explicit Channel(server::ServerConfig config = {}) : app(std::move(config)) {
        d.open("A");
        d.open("B", Vsn::v1);
        d.text("A", R"(["1","1","room:lobby","phx_join",{}])");
        d.text("B", R"({"topic":"room:lobby","event":"phx_join","payload":{},"ref":"1"})");
        d.lines();
    }
    std::vector<std::string> a(const std::string& frame) {
        d.text("A", frame);
        return d.lines();
    }
    std::vector<std::string> b(const std::string& event, const std::string& ref,
                               const std::string& join_ref = {}) {
        d.text("B", R"({"topic":"room:lobby","event":")" + event + R"(","payload":{"x":1},"ref":)" + ref +
                        (join_ref.empty() ? "" : ",\"join_ref\":" + join_ref) + "}");
        return d.lines();
    }
    ServerApp app;
    ServerDriver& d = app.driver;
    const std::string unmatched =
        R"(A < [null,"9","room:lobby","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])";
};

TEST_F(Channel, RepliesWithTheRefAndAnyStatus) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","echo",{"a":1}])"),
                ElementsAre(R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{"a":1}}])"));
    EXPECT_THAT(a(R"(["1","3","room:lobby","fail",[1]])"),
                ElementsAre(R"(A < ["1","3","room:lobby","phx_reply",{"status":"error","response":[1]}])"));
    EXPECT_THAT(a(R"(["1","4","room:lobby","custom","x"])"),
                ElementsAre(R"(A < ["1","4","room:lobby","phx_reply",{"status":"custom","response":"x"}])"));
    EXPECT_THAT(a(R"(["1","5","room:lobby","noreply",{}])"), IsEmpty());
    EXPECT_THAT(
        b("echo", "\"2\""),
        ElementsAre(
            R"(B < {"topic":"room:lobby","event":"phx_reply","ref":"2","payload":{"status":"ok","response":{"x":1}}})"));
}

TEST_F(Channel, EchoesRefsOfAnyType) {
    for (const std::string ref : {"7", "null", R"({"a":[1]})", R"("")", "1.0e3", R"("\u00e9")"}) {
        EXPECT_THAT(
            a("[\"1\"," + ref + R"(,"room:lobby","echo",{}])"),
            ElementsAre("A < [\"1\"," + ref + R"(,"room:lobby","phx_reply",{"status":"ok","response":{}}])"));
    }
}

TEST_F(Channel, AnswersAPushOnlyOnce) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","twice",{}])"),
                ElementsAre(R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{"n":1}}])"));
}

TEST_F(Channel, PushesWithTheJoinRefAndANullRef) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","push_me",{"a":1}])"),
                ElementsAre(R"(A < ["1",null,"room:lobby","pushed",{"a":1}])"));
    EXPECT_THAT(b("push_me", "\"2\""),
                ElementsAre(R"(B < {"topic":"room:lobby","event":"pushed","ref":null,"payload":{"x":1}})"));
}

TEST_F(Channel, SpeaksBinaryBothWays) {
    d.binary("A", "0001010a043132" + to_hex("room:lobbyecho") + "00fdff");
    EXPECT_THAT(d.lines(), ElementsAre("A < 0101010a023132" + to_hex("room:lobbyok") + "00fdff"));
    EXPECT_THAT(a(R"(["1","3","room:lobby","binary_push",{}])"),
                ElementsAre("A < 00010a0531" + to_hex("room:lobbybytes") + "0102"));
    EXPECT_THAT(a(R"(["1",44,"room:lobby","binary_reply",{}])"),
                ElementsAre("A < 0101020a02313434" + to_hex("room:lobbyok") + "0102"));
    EXPECT_THAT(a(R"(["1",null,"room:lobby","binary_reply",{}])"),
                ElementsAre("A < 0101000a0231" + to_hex("room:lobbyok") + "0102"));
}

TEST_F(Channel, CrashesWhenABinaryReplyCannotBeEncoded) {
    EXPECT_THAT(
        b("binary_reply", "\"2\""),
        ElementsAre(
            R"(B < {"topic":"room:lobby","event":"phx_error","ref":null,"payload":{"reason":"channel_crash"}})",
            "room:lobby ended crashed"));
    d.on_message = [](auto, auto, auto) {
        return phx::server::Actions().reply(std::string(256, 's'), phx::server::Payload::binary("x"));
    };
    EXPECT_THAT(a(R"(["1","2","room:lobby","x",{}])"),
                ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                            "room:lobby ended crashed"));
}

TEST_F(Channel, CrashesWhenABinaryPushCannotBeEncoded) {
    EXPECT_THAT(
        b("binary_push", "\"2\""),
        ElementsAre(
            R"(B < {"topic":"room:lobby","event":"phx_error","ref":null,"payload":{"reason":"channel_crash"}})",
            "room:lobby ended crashed"));
}

TEST_F(Channel, CrashesOnWhatNoHandlerCanTake) {
    const char* const events[] = {R"("no_such_event")", R"("phx_reply")", R"("phx_close")",
                                  R"("phx_error")",     "null",           "5"};
    for (const char* const event : events) {
        EXPECT_THAT(a(std::string(R"(["1","2","room:lobby",)") + event + ",{}]"),
                    ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                                "room:lobby ended crashed"));
        EXPECT_THAT(a(R"(["1","9","room:lobby","echo",{}])"), ElementsAre(unmatched));
        a(R"(["1","1","room:lobby","phx_join",{}])");
    }
}

TEST_F(Channel, ACrashOverV1CarriesTheJoinRefThatTheClientSent) {
    d.text("B", R"({"topic":"exact","event":"phx_join","payload":{},"ref":"1","join_ref":"1"})");
    d.text("B", R"({"topic":"exact","event":"crash","payload":{},"ref":"2","join_ref":"1"})");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(B < {"topic":"exact","event":"phx_reply","ref":"1","payload":{"status":"ok","response":{}}})",
            R"(B < {"topic":"exact","event":"phx_error","ref":"1","payload":{"reason":"channel_crash"}})",
            "exact ended crashed"));
}

TEST_F(Channel, ACrashLeavesTheOtherChannelsAlone) {
    a(R"(["2","2","room:other","phx_join",{}])");
    a(R"(["1","3","room:lobby","crash",{}])");
    EXPECT_THAT(a(R"(["2","4","room:other","echo",{}])"),
                ElementsAre(R"(A < ["2","4","room:other","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_EQ(d.machine.members(), 2u);
}

TEST_F(Channel, StopsAfterTheReplyAndIgnoresLaterActions) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","stop",{"bye":1}])"),
                ElementsAre(R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{"bye":1}}])",
                            R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended stopped"));
    EXPECT_THAT(a(R"(["1","9","room:lobby","echo",{}])"), ElementsAre(unmatched));
    EXPECT_THAT(b("stop_noreply", "\"2\""),
                ElementsAre(R"(B < {"topic":"room:lobby","event":"phx_close","ref":null,"payload":{}})",
                            "room:lobby ended stopped"));
}

TEST_F(Channel, StopsWithAnErrorAsACrash) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","stop_error",{}])"),
                ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                            "room:lobby ended crashed"));
}

TEST_F(Channel, LeavesWithAReplyAndThenPhxClose) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","phx_leave",{}])"),
                ElementsAre(R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended left"));
    EXPECT_THAT(a(R"(["1","9","room:lobby","echo",{}])"), ElementsAre(unmatched));
    EXPECT_THAT(
        b("phx_leave", "\"2\""),
        ElementsAre(
            R"(B < {"topic":"room:lobby","event":"phx_reply","ref":"2","payload":{"status":"ok","response":{}}})",
            R"(B < {"topic":"room:lobby","event":"phx_close","ref":null,"payload":{}})",
            "room:lobby ended left"));
    EXPECT_EQ(d.machine.topics(), 0u);
}

TEST_F(Channel, AnswersALeaveOfWhatIsNotJoined) {
    EXPECT_THAT(a(R"(["1","2","room:other","phx_leave",{}])"),
                ElementsAre(R"(A < ["1","2","room:other","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(a(R"([null,"3","nope:x","phx_leave",{}])"),
                ElementsAre(R"(A < [null,"3","nope:x","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(a(R"(["8","8","phoenix","phx_leave",{}])"),
                ElementsAre(R"(A < ["8","8","phoenix","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Channel, TakesALeaveInBinary) {
    d.binary("A", "0001010a093133" + to_hex("room:lobbyphx_leave"));
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended left"));
}

TEST_F(Channel, DropsAStaleJoinRefSilently) {
    EXPECT_THAT(a(R"(["777","2","room:lobby","echo",{}])"), IsEmpty());
    EXPECT_THAT(a(R"([1,"2","room:lobby","echo",{}])"), IsEmpty());
    EXPECT_THAT(a(R"(["777","2","room:lobby","phx_leave",{}])"), IsEmpty());
    d.binary("A", "0000010a0432" + to_hex("room:lobbyecho")); // an empty join_ref is "", not null
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_THAT(b("echo", "\"2\"", "\"5\""), IsEmpty());
    EXPECT_THAT(b("phx_leave", "\"2\"", "\"5\""), IsEmpty());
    EXPECT_EQ(d.machine.members(), 2u);
}

TEST_F(Channel, TakesANullJoinRefAsCurrent) {
    EXPECT_THAT(a(R"([null,"2","room:lobby","echo",{}])"),
                ElementsAre(R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(a(R"([null,"3","room:lobby","phx_leave",{}])"),
                ElementsAre(R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended left"));
}

TEST_F(Channel, AnswersAHeartbeatWithANullJoinRef) {
    EXPECT_THAT(a(R"(["7","2","phoenix","heartbeat",{"ignored":1}])"),
                ElementsAre(R"(A < [null,"2","phoenix","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(a(R"([null,null,"phoenix","heartbeat",{}])"),
                ElementsAre(R"(A < [null,null,"phoenix","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(
        a(R"([null,"6","phoenix","other",{}])"),
        ElementsAre(
            R"(A < [null,"6","phoenix","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
    d.binary("A", "0001010709"
                  "3132" +
                      to_hex("phoenixheartbeat"));
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < [null,"2","phoenix","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Channel, AnswersLaterAndOnlyOnce) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","slow",{}])"), IsEmpty());
    EXPECT_THAT(a(R"(["1","3","room:lobby","echo",{}])"),
                ElementsAre(R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
    d.advance(1s);
    EXPECT_THAT(
        d.lines(),
        ElementsAre(R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{"late":1}}])"));
}

TEST_F(Channel, NeverAnswersLaterWhatWasLeft) {
    a(R"(["1","2","room:lobby","slow",{}])");
    a(R"(["1","3","room:lobby","phx_leave",{}])");
    a(R"(["4","4","room:lobby","phx_join",{}])");
    d.advance(5s);
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Channel, CrashesOnALateAnswerToAPushWithoutARef) {
    a(R"(["1",null,"room:lobby","slow",{}])");
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                                       "room:lobby ended crashed"));
}

TEST_F(Channel, CallsItselfBackInOrder) {
    d.on_message = [](auto, auto, auto) {
        return phx::server::Actions()
            .after(2s, "later")
            .after(1s, "first")
            .after(1s, "second")
            .after(0s, "now");
    };
    a(R"(["1","2","room:lobby","x",{}])");
    EXPECT_EQ(d.machine.next_timeout(), d.now);
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1",null,"room:lobby","now",{}])",
                                       R"(A < ["1",null,"room:lobby","first",{}])",
                                       R"(A < ["1",null,"room:lobby","second",{}])"));
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1",null,"room:lobby","later",{}])"));
}

TEST_F(Channel, TakesAHugeDelayAsNeverAndANegativeOneAsNone) {
    using std::chrono::microseconds;
    d.advance(1s); // so that now + max overflows
    d.on_message = [](auto, auto, auto) {
        return phx::server::Actions()
            .after(microseconds::max(), "never")
            .after(microseconds::max() - 1s, "never either")
            .after(microseconds::min(), "first")
            .after(0s, "second")
            .after(-1s, "third");
    };
    a(R"(["1","2","room:lobby","x",{}])");
    EXPECT_EQ(d.machine.next_timeout(), d.now);
    d.advance(0s);
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1",null,"room:lobby","first",{}])",
                                       R"(A < ["1",null,"room:lobby","second",{}])",
                                       R"(A < ["1",null,"room:lobby","third",{}])"));
    d.close("A");
    d.close("B");
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
}

TEST_F(Channel, IsNotCalledBackOnceItHasEnded) {
    d.on_message = [](auto, auto, auto) { return phx::server::Actions().after(1s, "1").after(1s, "2"); };
    std::vector<std::string> called;
    d.on_info = [&](std::string_view info) {
        called.emplace_back(info);
        return phx::server::Actions().stop();
    };
    a(R"(["1","2","room:lobby","x",{}])");
    d.advance(1s); // both are due in one call
    EXPECT_THAT(called, ElementsAre("1"));
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended stopped"));
}

TEST_F(Channel, IsNotAskedAboutAPushOnceItHasEnded) {
    int asked = 0;
    d.on_message = [&](auto, auto, auto) {
        ++asked;
        return phx::server::Actions();
    };
    d.machine.handle_frame(d.now, d.id("A"), protocol::Opcode::text, R"(["1","2","room:lobby","x",{}])");
    d.machine.close_all(d.now); // a command may follow before the outputs are drained
    d.drain();
    EXPECT_EQ(asked, 0);
    EXPECT_EQ(d.machine.members(), 0u);
}

TEST_F(Channel, KeepsTheStateThatItsHandlerSets) {
    server::MemberId member{};
    d.on_message = [&](auto, auto, phx::server::PayloadView payload) {
        return phx::server::Actions().state(std::string(payload.data)).after(1s, "x");
    };
    a(R"(["1","2","room:lobby","x",{"n":1}])");
    d.now += 1s;
    d.machine.handle_timeout(d.now);
    const auto output = d.machine.poll();
    ASSERT_TRUE(output && std::holds_alternative<server::event::InfoDue>(*output));
    member = std::get<server::event::InfoDue>(*output).member;
    ASSERT_TRUE(d.machine.member(member));
    EXPECT_EQ(d.machine.member(member)->state, R"({"n":1})");
    EXPECT_EQ(d.machine.member(member)->topic, "room:lobby");
    EXPECT_EQ(d.machine.member(member)->params, "{}");
    EXPECT_EQ(d.machine.member(member)->session, d.id("A"));
}

TEST_F(Channel, ClosesItsConnection) {
    EXPECT_THAT(a(R"(["1","2","room:lobby","close",{}])"),
                ElementsAre(R"(A < ["1",null,"room:lobby","bye",{}])", "A close 4000 enough",
                            "room:lobby ended disconnected"));
    EXPECT_THAT(a(R"([null,"3","phoenix","heartbeat",{}])"), IsEmpty());
}

struct LimitedChannel : Channel {
    LimitedChannel() : Channel(server::ServerConfig{.max_waiting_replies = 2, .max_timers_per_channel = 2}) {}
};

TEST_F(LimitedChannel, ForgetsTheOldestPushThatWaitsAndTellsOnce) {
    std::vector<server::ReplyTo> waiting;
    d.on_message = [&](server::ReplyTo to, std::string_view event, auto) {
        waiting.push_back(to);
        phx::server::Actions actions;
        if (event != "answer") return actions;
        for (const server::ReplyTo one : waiting) actions.reply_to(one, "ok");
        return actions;
    };
    a(R"(["1","2","room:lobby","x",{}])");
    a(R"(["1","3","room:lobby","x",{}])");
    EXPECT_THAT(a(R"(["1","4","room:lobby","answer",{}])"),
                ElementsAre("A dropped buffer full",
                            R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","4","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(LimitedChannel, IsNotToldOfThemAgain) {
    for (int i = 0; i < 100; ++i) d.text("A", R"(["1","2","room:lobby","noreply",{}])");
    EXPECT_THAT(d.lines(), ElementsAre("A dropped buffer full"));
}

TEST_F(LimitedChannel, CrashesOnOneTimerTooMany) {
    d.on_message = [](auto, auto, auto) { return phx::server::Actions().after(1s, "tick").ok(); };
    a(R"(["1","2","room:lobby","soon",{}])");
    a(R"(["1","2","room:lobby","soon",{}])");
    EXPECT_THAT(a(R"(["1","2","room:lobby","soon",{}])"),
                ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                            "room:lobby ended crashed"));
    d.advance(5s);
    EXPECT_THAT(d.lines(), IsEmpty());
}

} // namespace
} // namespace phx::test
