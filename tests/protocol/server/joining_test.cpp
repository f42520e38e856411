#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Joining : testing::Test {
    ServerApp app;
    ServerDriver& d = app.driver;

    void join(const std::string& peer, const std::string& topic, const std::string& ref = "1") {
        d.text(peer, "[\"" + ref + "\",\"" + ref + "\",\"" + topic + "\",\"phx_join\",{}]");
        d.lines();
    }
};

TEST_F(Joining, AnswersAnAcceptedJoinWithItsOwnRefs) {
    d.open("A");
    d.text("A", R"(["10","11","room:lobby","phx_join",{"n":1}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["10","11","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_EQ(d.machine.members(), 1u);
    EXPECT_EQ(d.machine.topics(), 1u);
}

TEST_F(Joining, OverV1LeavesTheJoinRefOut) {
    d.open("A", Vsn::v1);
    d.text("A", R"({"topic":"room:lobby","event":"phx_join","payload":{},"ref":"1","join_ref":"1"})");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < {"topic":"room:lobby","event":"phx_reply","ref":"1","payload":{"status":"ok","response":{}}})"));
}

TEST_F(Joining, TellsTheHandlerTopicAndParams) {
    std::string seen;
    d.on_join = [&](std::string_view topic, phx::server::PayloadView params) {
        seen = std::string(topic) + " " + std::string(params.data) + (params.binary() ? " binary" : "");
        return phx::server::JoinAnswer::ok();
    };
    d.open("A");
    d.text("A", R"(["1","1","room:l\u006fbby","phx_join",{ "a" : [1] }])");
    EXPECT_EQ(seen, R"(room:lobby { "a" : [1] })");
    d.text("A", R"(["2","2","room:null","phx_join",null])");
    EXPECT_EQ(seen, "room:null null");
    d.text("A", R"(["3","3","room:string","phx_join","x"])");
    EXPECT_EQ(seen, R"(room:string "x")");
    d.binary("A", "0001010a083131" + to_hex("room:plainphx_join{}"));
    EXPECT_EQ(seen, "room:plain {} binary");
}

TEST_F(Joining, RefusesWhatNoPatternMatchesWithoutAJoinRef) {
    d.open("A");
    for (const char* const topic :
         {R"("nope:x")", R"("exact:sub")", R"("room")", R"("")", R"("phoenix")", "null", "5"}) {
        d.text("A", std::string(R"(["7","8",)") + topic + R"(,"phx_join",{}])");
        EXPECT_THAT(
            d.lines(),
            ElementsAre(std::string(R"(A < [null,"8",)") + topic +
                        R"(,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
    }
    EXPECT_EQ(d.machine.topics(), 0u);
}

TEST_F(Joining, AsksUserPatternsBeforeTheBuiltInRealtime) {
    d.machine.add_channel("realtime:mine");
    d.open("A");
    d.text("A", R"(["1","1","realtime:mine","phx_join",{}])");
    d.text("A", R"(["2","2","realtime:other","phx_join",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","realtime:mine","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["2","2","realtime:other","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])"));
}

TEST(JoiningWithACatchAll, LeavesRealtimeTopicsToTheBuiltInChannel) {
    ServerDriver d;
    d.machine.add_channel("*");
    d.open("A");
    d.text("A", R"(["1","1","realtime:a","phx_join",{}])");
    d.text("A", R"(["2","2","any","phx_join",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","realtime:a","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])",
            R"(A < ["2","2","any","phx_reply",{"status":"ok","response":{}}])"));
}

TEST(JoiningWithoutRealtime, LeavesRealtimeTopicsToACatchAll) {
    ServerDriver d(server::ServerConfig{.realtime = false});
    d.machine.add_channel("*");
    d.open("A");
    d.text("A", R"(["1","1","realtime:a","phx_join",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","realtime:a","phx_reply",{"status":"ok","response":{}}])"));
}

TEST(JoiningWithoutRealtime, RefusesRealtimeTopics) {
    ServerApp app(server::ServerConfig{.realtime = false});
    app.driver.open("A");
    app.driver.text("A", R"(["1","1","realtime:a","phx_join",{}])");
    EXPECT_THAT(
        app.driver.lines(),
        ElementsAre(
            R"(A < [null,"1","realtime:a","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
}

TEST_F(Joining, LeavesARefusedTopicUnjoined) {
    d.open("A");
    d.text("A", R"(["1","1","room:secret","phx_join",{}])");
    d.text("A", R"(["1","2","room:secret","echo",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","room:secret","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}])",
            R"(A < [null,"2","room:secret","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
    EXPECT_EQ(d.machine.members(), 0u);
    EXPECT_EQ(d.machine.topics(), 0u);
}

TEST_F(Joining, AnswersAJoinHandlerThatThrewWithJoinCrashed) {
    d.open("A");
    d.text("A", R"(["1","1","room:crash","phx_join",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","room:crash","phx_reply",{"status":"error","response":{"reason":"join crashed"}}])"));
}

TEST_F(Joining, RepliesInBinaryOverV2AndCrashesOverV1) {
    d.open("A");
    d.text("A", R"(["1","2","room:binary","phx_join",{}])");
    EXPECT_THAT(d.lines(), ElementsAre("A < 0101010b023132" + to_hex("room:binaryok") + "0102"));
    d.open("B", Vsn::v1);
    d.text("B", R"({"topic":"room:binary","event":"phx_join","payload":{},"ref":"1"})");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(B < {"topic":"room:binary","event":"phx_reply","ref":"1","payload":{"status":"error","response":{"reason":"join crashed"}}})"));
    EXPECT_EQ(d.machine.members(), 1u);
}

TEST_F(Joining, CarriesOutTheActionsOfAnAcceptedJoinAfterItsReply) {
    d.open("A");
    d.text("A", R"(["1","1","room:push","phx_join",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","room:push","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1",null,"room:push","hello",{"n":1}])",
                            R"(A < ["1",null,"room:push","again",{}])"));
}

TEST_F(Joining, MayStopRightAfterTheReply) {
    d.open("A");
    d.text("A", R"(["1","1","room:stop","phx_join",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","room:stop","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1",null,"room:stop","bye",{}])",
                            R"(A < ["1","1","room:stop","phx_close",{}])", "room:stop ended stopped"));
}

TEST_F(Joining, ADuplicateIsAnsweredBeforeTheOldChannelIsClosed) {
    d.open("A");
    join("A", "room:lobby");
    d.text("A", R"(["2","2","room:lobby","phx_join",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre("room:lobby ended replaced",
                            R"(A < ["2","2","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","1","room:lobby","phx_close",{}])"));
    d.text("A", R"(["2","3","room:lobby","echo",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["2","3","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_EQ(d.machine.members(), 1u);
}

TEST_F(Joining, ADuplicateOverV1ClosesWithANullRef) {
    d.open("A", Vsn::v1);
    d.text("A", R"({"topic":"room:lobby","event":"phx_join","payload":{},"ref":"1"})");
    d.text("A", R"({"topic":"room:lobby","event":"phx_join","payload":{},"ref":"2"})");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < {"topic":"room:lobby","event":"phx_reply","ref":"1","payload":{"status":"ok","response":{}}})",
            "room:lobby ended replaced",
            R"(A < {"topic":"room:lobby","event":"phx_reply","ref":"2","payload":{"status":"ok","response":{}}})",
            R"(A < {"topic":"room:lobby","event":"phx_close","ref":null,"payload":{}})"));
}

TEST_F(Joining, ARefusedDuplicateLeavesTheTopicUnjoined) {
    d.open("A");
    join("A", "room:lobby");
    d.on_join = [](auto, auto) { return phx::server::JoinAnswer::refuse(R"({"reason":"full"})"); };
    d.text("A", R"(["2","2","room:lobby","phx_join",{}])");
    d.text("A", R"(["2","3","room:lobby","echo",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            "room:lobby ended replaced",
            R"(A < ["2","2","room:lobby","phx_reply",{"status":"error","response":{"reason":"full"}}])",
            R"(A < ["1","1","room:lobby","phx_close",{}])",
            R"(A < [null,"3","room:lobby","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
}

TEST_F(Joining, ADelayedJoinHoldsTheFramesOfItsTopicAlone) {
    d.open("A");
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    d.text("A", R"(["1","2","room:slow","echo",{"n":2}])");
    d.text("A", R"(["1","3","room:slow","phx_leave",{}])");
    d.text("A", R"(["1","4","room:slow","echo",{"n":4}])");
    d.text("A", R"([null,"5","phoenix","heartbeat",{}])");
    join("A", "room:other", "6");
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_EQ(d.machine.members(), 1u);
    d.advance(1999ms);
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(1ms);
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","room:slow","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["1","2","room:slow","phx_reply",{"status":"ok","response":{"n":2}}])",
            R"(A < ["1","3","room:slow","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["1","1","room:slow","phx_close",{}])", "room:slow ended left",
            R"(A < [null,"4","room:slow","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
}

TEST_F(Joining, AHugeDelayLastsAsLongAsTheConnectionAndANegativeOneNotAtAll) {
    d.advance(1s); // so that now + max overflows
    auto delay = std::chrono::microseconds::max();
    d.on_join = [&](std::string_view, phx::server::PayloadView) {
        auto answer = phx::server::JoinAnswer::ok();
        answer.delay = delay;
        return answer;
    };
    d.open("A");
    join("A", "room:1", "1");
    EXPECT_EQ(d.machine.next_timeout(), d.now + 60s); // the idle timeout's
    d.advance(1h);
    for (const std::string& line : d.lines()) EXPECT_THAT(line, testing::HasSubstr(" idle since "));
    delay = std::chrono::microseconds::min();
    d.text("A", R"(["2","2","room:2","phx_join",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["2","2","room:2","phx_reply",{"status":"ok","response":{}}])"));
    d.close("A");
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
}

TEST_F(Joining, AnswersHeldPushesAfterTheDelay) {
    d.open("A");
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    d.text("A", R"(["1","2","room:slow","\u0065cho",{"n":2}])");
    d.text("A", R"(["1","3","room:slow","\u0065cho",{"n":3}])");
    d.advance(2s);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","2","room:slow","phx_reply",{"status":"ok","response":{"n":2}}])",
                            R"(A < ["1","3","room:slow","phx_reply",{"status":"ok","response":{"n":3}}])"));
}

TEST_F(Joining, ADelayedRefusalAnswersHeldFramesAsUnmatched) {
    d.open("A");
    d.text("A", R"(["1","1","room:slowno","phx_join",{}])");
    d.text("A", R"(["1","2","room:slowno","echo",{}])");
    d.advance(2s);
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","room:slowno","phx_reply",{"status":"error","response":{"reason":"no"}}])",
            R"(A < [null,"2","room:slowno","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
}

TEST_F(Joining, ADuplicateOfADelayedJoinWaitsForIt) {
    d.open("A");
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    d.text("A", R"(["2","2","room:slow","phx_join",{}])");
    d.text("A", R"(["2","3","room:slow","echo",{}])");
    d.advance(2s);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            "room:slow ended replaced"));
    d.advance(2s);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["2","2","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","1","room:slow","phx_close",{}])",
                            R"(A < ["2","3","room:slow","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Joining, ADelayedJoinEndsWithItsConnection) {
    d.open("A");
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    d.close("A");
    d.advance(10s);
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
}

TEST(JoiningHolding, IsBoundedInFramesAndBytes) {
    ServerApp app(server::ServerConfig{.max_held_frames = 2, .max_held_bytes = 100});
    ServerDriver& d = app.driver;
    d.open("A");
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    d.text("A", R"(["1","2","room:slow","echo",")" + std::string(100, 'x') + R"("])");
    d.text("A", R"(["1","3","room:slow","echo",{}])");
    d.text("A", R"(["1","4","room:slow","echo",{}])");
    d.text("A", R"(["1","5","room:slow","echo",{}])");
    d.text("A", R"([null,"6","phoenix","heartbeat",{}])");
    const auto pending = [](const char* ref) {
        return std::string(R"(A < [null,")") + ref +
               R"(","room:slow","phx_reply",{"status":"error","response":{"reason":"join pending"}}])";
    };
    EXPECT_THAT(d.lines(),
                ElementsAre(pending("2"), pending("5"),
                            R"(A < [null,"6","phoenix","phx_reply",{"status":"ok","response":{}}])"));
    d.advance(2s);
    EXPECT_THAT(d.lines(), SizeIs(3));
}

TEST(JoiningHolding, NeverLosesALeave) {
    ServerApp app(server::ServerConfig{.max_held_frames = 2});
    ServerDriver& d = app.driver;
    d.open("A");
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    d.text("A", R"(["1","2","room:slow","phx_leave",{}])"); // the client gave up, and tries again
    d.text("A", R"(["3","3","room:slow","phx_join",{}])");
    EXPECT_THAT(d.lines(), IsEmpty());
    d.text("A", R"(["3","4","room:slow","phx_leave",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","room:slow","phx_reply",{"status":"error","response":{"reason":"join pending"}}])",
            R"(A < ["1","2","room:slow","phx_reply",{"status":"ok","response":{}}])"));
    d.advance(2s);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["3","3","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["3","4","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["3","3","room:slow","phx_close",{}])", "room:slow ended left"));
    EXPECT_EQ(d.machine.members(), 0u);
}

TEST_F(Joining, RefusesTheChannelAfterTheLastAllowedOne) {
    d.open("A");
    for (int i = 1; i <= 100; ++i) join("A", "room:" + std::to_string(i), std::to_string(i));
    d.text("A", R"(["101","101","room:101","phx_join",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["101","101","room:101","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}])"));
    d.text("A", R"(["102","102","realtime:x","phx_join",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["102","102","realtime:x","phx_reply",{"status":"error","response":{"reason":"ChannelRateLimitReached: Too many channels"}}])"));
    d.text("A", R"(["5","103","room:5","phx_join",{}])"); // a duplicate takes the old one's place
    EXPECT_THAT(d.lines(), SizeIs(3));
    d.text("A", R"(["1","104","room:1","phx_leave",{}])");
    d.lines();
    d.text("A", R"(["105","105","room:101","phx_join",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["105","105","room:101","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_EQ(d.machine.members(), 100u);
}

TEST(JoiningLimits, RefusesATopicThatIsTooLong) {
    ServerApp app(server::ServerConfig{.max_topic_bytes = 8});
    app.driver.open("A");
    app.driver.text("A", R"(["1","1","room:123","phx_join",{}])");
    app.driver.text("A", R"(["2","2","room:1234","phx_join",{}])");
    EXPECT_THAT(
        app.driver.lines(),
        ElementsAre(
            R"(A < ["1","1","room:123","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["2","2","room:1234","phx_reply",{"status":"error","response":{"reason":"topic too long"}}])"));
}

std::string params(std::size_t bytes) { return "{\"p\":\"" + std::string(bytes - 8, 'x') + "\"}"; }

TEST(JoiningLimits, CountsTheJoinPayloadsOfAConnectionTogether) {
    ServerApp app(server::ServerConfig{.max_params_bytes_per_session = 100});
    ServerDriver& d = app.driver;
    d.open("A");
    d.open("B");
    d.text("A", R"(["1","1","room:1","phx_join",)" + params(60) + "]");
    d.text("A", R"(["2","2","room:2","phx_join",)" + params(40) + "]");
    d.lines();
    const std::string too_large =
        R"("phx_reply",{"status":"error","response":{"reason":"join payload too large"}}])";
    d.text("A", R"(["3","3","room:3","phx_join",{}])");
    d.text("A", R"(["4","4","realtime:x","phx_join",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["3","3","room:3",)" + too_large,
                                       R"(A < ["4","4","realtime:x",)" + too_large));
    d.text("B", R"(["1","1","room:1","phx_join",{}])"); // another connection has its own
    EXPECT_THAT(d.lines(), SizeIs(1));
    EXPECT_EQ(d.machine.members(), 3u);

    d.text("A", R"(["1","5","room:1","phx_leave",{}])");
    d.lines();
    d.text("A", R"(["6","6","realtime:x","phx_join",)" + params(60) + "]");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["6","6","realtime:x","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])"));
    d.text("A", R"(["7","7","room:3","phx_join",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["7","7","room:3",)" + too_large));
}

TEST(JoiningLimits, ARefusedDuplicateStillClosesTheOldChannelAndGivesItsBytesBack) {
    ServerApp app(server::ServerConfig{.max_params_bytes_per_session = 100});
    ServerDriver& d = app.driver;
    d.open("A");
    d.text("A", R"(["1","1","room:1","phx_join",)" + params(100) + "]");
    d.lines();
    d.text("A", R"(["2","2","room:1","phx_join",)" + params(101) + "]");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            "room:1 ended replaced",
            R"(A < ["2","2","room:1","phx_reply",{"status":"error","response":{"reason":"join payload too large"}}])",
            R"(A < ["1","1","room:1","phx_close",{}])"));
    d.text("A", R"(["3","3","room:slowno","phx_join",)" + params(100) + "]");
    d.advance(std::chrono::seconds(2)); // refused in the end: it gives its bytes back too
    d.lines();
    d.text("A", R"(["4","4","room:1","phx_join",)" + params(100) + "]");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["4","4","room:1","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Joining, WithANullJoinRefUsesTheRefOfTheJoinFromThenOn) {
    d.open("A");
    d.text("A", R"([null,"1","room:lobby","phx_join",{}])");
    d.text("A", R"([null,"2","room:lobby","push_me",{}])");
    d.text("A", R"([null,"3","room:lobby","echo",{}])");
    d.text("A", R"([null,"4","room:lobby","phx_leave",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < [null,"1","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1",null,"room:lobby","pushed",{}])",
                            R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","4","room:lobby","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < [null,null,"room:lobby","phx_close",{}])", "room:lobby ended left"));
}

TEST_F(Joining, IgnoresAnAnswerForAMemberThatIsGone) {
    d.open("A");
    const server::MemberId none{12345};
    d.machine.answer_join(d.now, none, phx::server::JoinAnswer::ok());
    d.machine.apply(d.now, none, {}, phx::server::Actions().push("x"));
    d.machine.crash(d.now, none);
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_FALSE(d.machine.member(none));
}

} // namespace
} // namespace phx::test
