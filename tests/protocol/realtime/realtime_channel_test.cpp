#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using protocol::Vsn;
using server::Dialect;
using testing::ElementsAre;
using testing::IsEmpty;

/// The topic is realtime:bc, as in the recording of broadcasts.
struct RealtimeChannel : testing::Test {
    void join(const std::string& peer, Vsn vsn = Vsn::v2, const std::string& config = "{}") {
        d.open(peer, vsn, Dialect::supabase);
        if (vsn == Vsn::v2) {
            d.text(peer, R"(["1","1","realtime:bc","phx_join",{"config":)" + config + "}]");
        } else {
            d.text(peer, R"({"topic":"realtime:bc","event":"phx_join","payload":{"config":)" + config +
                             R"(},"ref":"1","join_ref":"1"})");
        }
        d.lines();
    }
    std::vector<std::string> a(const std::string& frame) {
        d.text("A", frame);
        return lines();
    }
    std::vector<std::string> b(const std::string& event, const std::string& payload,
                               const std::string& join_ref = "\"1\"") {
        d.text("B", R"({"topic":"realtime:bc","event":")" + event + R"(","payload":)" + payload +
                        R"(,"ref":"2","join_ref":)" + join_ref + "}");
        return lines();
    }
    std::vector<std::string> lines() {
        std::vector<std::string> masked = d.lines();
        for (std::string& line : masked) {
            line =
                std::regex_replace(line, std::regex("(\"phx_ref(_prev)?\"):\"[A-Za-z0-9_-]{16}\""), "$1:R");
            line = std::regex_replace(line, std::regex("\"[0-9a-f-]{36}\""), "UUID");
        }
        return masked;
    }
    static server::ServerConfig config() {
        using phx::server::Requirement;
        server::ServerConfig config;
        config.policies = {{.topic = "realtime:*",
                            .join = Requirement{},
                            .write = Requirement{},
                            .presence = Requirement{}}};
        return config;
    }
    ServerDriver d{config()};
    const std::string self_ack = R"({"broadcast":{"self":true,"ack":true}})";
    const std::string prefix_a = R"(A < ["1","2","realtime:bc","phx_reply",)";
};

TEST_F(RealtimeChannel, JoinsAndLeavesAsRecorded) {
    d.open("A", Vsn::v2, Dialect::supabase);
    EXPECT_THAT(
        a(R"(["2","2","realtime:room1","phx_join",{"config":{"broadcast":{"ack":true,"self":true},"presence":{"key":"","enabled":false},"postgres_changes":[],"private":false},"access_token":"t"}])"),
        ElementsAre(
            R"(A < ["2","2","realtime:room1","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])"));
    EXPECT_THAT(
        a(R"(["3","3","realtime:room1","phx_join",{"config":{}}])"),
        ElementsAre(
            R"(A < ["3","3","realtime:room1","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])",
            R"(A < ["2","2","realtime:room1","phx_close",{}])"));
    EXPECT_THAT(a(R"(["2","4","realtime:room1","broadcast",{"type":"broadcast","event":"e","payload":{}}])"),
                IsEmpty());
    EXPECT_THAT(a(R"(["3","5","realtime:room1","phx_leave",{}])"),
                ElementsAre(R"(A < ["3","5","realtime:room1","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["3","3","realtime:room1","phx_close",{}])"));
    EXPECT_THAT(a(R"(["3","6","realtime:room1","phx_leave",{}])"),
                ElementsAre(R"(A < ["3","6","realtime:room1","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(
        a(R"(["3","7","realtime:room1","broadcast",{"event":"x"}])"),
        ElementsAre(
            R"(A < [null,"7","realtime:room1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
    EXPECT_THAT(
        a(R"(["77","77","foo:bar","phx_join",{}])"),
        ElementsAre(
            R"(A < [null,"77","foo:bar","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
}

TEST_F(RealtimeChannel, RefusesJoinsWithSupabasesReasons) {
    d.open("A", Vsn::v2, Dialect::supabase);
    EXPECT_THAT(
        a(R"(["1","1","realtime:","phx_join",{"config":{}}])"),
        ElementsAre(
            R"(A < ["1","1","realtime:","phx_reply",{"status":"error","response":{"reason":"TopicNameRequired: You must provide a topic name"}}])"));
    EXPECT_THAT(
        a(R"(["1","1","realtime:x","phx_join",null])"),
        ElementsAre(
            R"(A < ["1","1","realtime:x","phx_reply",{"status":"error","response":{"reason":"UnknownErrorOnChannel: expected params to be a :map, got: `nil`"}}])"));
    EXPECT_THAT(
        a(R"(["1","1","realtime:x","phx_join","\u0000"])"),
        ElementsAre(
            R"(A < ["1","1","realtime:x","phx_reply",{"status":"error","response":{"reason":"UnknownErrorOnChannel: expected params to be a :map, got: `\"\\u0000\"`"}}])"));
    d.binary("A", "0001010a083131" + to_hex("realtime:xphx_join{}"));
    EXPECT_THAT(
        lines(),
        ElementsAre(
            R"(A < ["1","1","realtime:x","phx_reply",{"status":"error","response":{"reason":"UnknownErrorOnChannel: expected params to be a :map, got: `<<binary>>`"}}])"));
    EXPECT_EQ(d.machine.members(), 0u);
    EXPECT_EQ(d.machine.topics(), 0u);
}

TEST_F(RealtimeChannel, ARefusedDuplicateClosesTheOldOne) {
    join("A");
    EXPECT_THAT(
        a(R"(["2","2","realtime:bc","phx_join",5])"),
        ElementsAre(
            R"(A < ["2","2","realtime:bc","phx_reply",{"status":"error","response":{"reason":"UnknownErrorOnChannel: expected params to be a :map, got: `5`"}}])",
            R"(A < ["1","1","realtime:bc","phx_close",{}])"));
    EXPECT_EQ(d.machine.members(), 0u);
}

TEST_F(RealtimeChannel, RelaysATextBroadcastUnchangedAndAcksAfterTheSelfCopy) {
    join("A", Vsn::v2, self_ack);
    join("B", Vsn::v1, self_ack);
    join("C");
    join("D", Vsn::v1);
    EXPECT_THAT(
        a(R"(["1","2","realtime:bc","broadcast",{"type":"broadcast", "event":"txt","payload":{"x":3}}])"),
        ElementsAre(
            R"(A,C < [null,null,"realtime:bc","broadcast",{"type":"broadcast", "event":"txt","payload":{"x":3}}])",
            R"(B,D < {"topic":"realtime:bc","event":"broadcast","ref":null,"payload":{"type":"broadcast", "event":"txt","payload":{"x":3}}})",
            prefix_a + R"({"status":"ok","response":{}}])"));
    EXPECT_THAT(
        b("broadcast", R"({"hello":1,"meta":{"id":"zzz"}})"),
        ElementsAre(
            R"(A,C < [null,null,"realtime:bc","broadcast",{"hello":1,"meta":{"id":"zzz"}}])",
            R"(B,D < {"topic":"realtime:bc","event":"broadcast","ref":null,"payload":{"hello":1,"meta":{"id":"zzz"}}})",
            R"(B < {"topic":"realtime:bc","event":"phx_reply","ref":"2","payload":{"status":"ok","response":{}}})"));
}

TEST_F(RealtimeChannel, NeitherCopiesNorAcksWithoutBeingAsked) {
    join("A");
    join("B", Vsn::v1);
    EXPECT_THAT(a(R"(["1","2","realtime:bc","broadcast",{}])"),
                ElementsAre(R"(B < {"topic":"realtime:bc","event":"broadcast","ref":null,"payload":{}})"));
    EXPECT_THAT(b("broadcast", "{}"), ElementsAre(R"(A < [null,null,"realtime:bc","broadcast",{}])"));
}

TEST_F(RealtimeChannel, RelaysAPayloadThatIsNoObjectToEverybody) {
    join("A", Vsn::v2, self_ack);
    join("B", Vsn::v1);
    EXPECT_THAT(a(R"(["1","2","realtime:bc","broadcast",[1]])"),
                ElementsAre(R"(A < [null,null,"realtime:bc","broadcast",[1]])",
                            R"(B < {"topic":"realtime:bc","event":"broadcast","ref":null,"payload":[1]})",
                            prefix_a + R"({"status":"ok","response":{}}])"));
}

TEST_F(RealtimeChannel, TurnsKind3IntoKind4AndIntoJsonForV1) {
    join("A", Vsn::v2, self_ack);
    join("B", Vsn::v1);
    join("C");
    d.binary("A", "0301010b02000131337265616c74696d653a6263626a7b2278223a347d");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            "A,C < 040b0200017265616c74696d653a6263626a7b2278223a347d",
            R"(B < {"topic":"realtime:bc","event":"broadcast","ref":null,"payload":{"type":"broadcast","event":"bj","payload":{"x":4}}})",
            R"(A < ["1","3","realtime:bc","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(RealtimeChannel, DoesNotForwardTheMetadataOfKind3) {
    join("A", Vsn::v2, self_ack);
    d.binary("A", "0301010b02160131357265616c74696d653a6263626d7b2270657273697374223a747275652c226b223a317d7b"
                  "2278223a367d");
    EXPECT_THAT(lines(),
                ElementsAre("A < 040b0200017265616c74696d653a6263626d7b2278223a367d",
                            R"(A < ["1","5","realtime:bc","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(RealtimeChannel, SkipsV1ForBinaryPayloads) {
    join("A", Vsn::v2, self_ack);
    join("B", Vsn::v1);
    d.binary("A", "0301010b02000031347265616c74696d653a62636262000102ff");
    EXPECT_THAT(lines(),
                ElementsAre("A < 040b0200007265616c74696d653a62636262000102ff",
                            R"(A < ["1","4","realtime:bc","phx_reply",{"status":"ok","response":{}}])"));
    d.binary("A", "0001020b093131307265616c74696d653a626362726f616463617374090807");
    EXPECT_THAT(lines(),
                ElementsAre("A < 020b097265616c74696d653a626362726f616463617374090807",
                            R"(A < ["1","10","realtime:bc","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(RealtimeChannel, AcksKind3WithEmptyRefsAsRecorded) {
    join("A", Vsn::v2, self_ack);
    d.binary("A", "0300000b0200017265616c74696d653a62636e727b7d");
    EXPECT_THAT(lines(),
                ElementsAre("A < 040b0200017265616c74696d653a62636e727b7d",
                            R"(A < ["1","","realtime:bc","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(RealtimeChannel, DropsKind3JsonThatIsNoJson) {
    join("A", Vsn::v2, self_ack);
    join("B", Vsn::v1);
    d.binary("A", "0301010b03000131377265616c74696d653a6263626164" + to_hex("{nope"));
    EXPECT_THAT(lines(), ElementsAre("A dropped malformed frame"));
}

TEST_F(RealtimeChannel, AcceptsAStaleJoinRefExceptOnLeave) {
    join("A", Vsn::v2, self_ack);
    EXPECT_THAT(a(R"(["9","2","realtime:bc","broadcast",{}])"),
                ElementsAre(R"(A < [null,null,"realtime:bc","broadcast",{}])",
                            prefix_a + R"({"status":"ok","response":{}}])"));
    EXPECT_THAT(a(R"(["9","3","realtime:bc","phx_leave",{}])"), IsEmpty());
    EXPECT_THAT(a(R"([null,"3","realtime:bc","phx_leave",{}])"), IsEmpty());
    EXPECT_EQ(d.machine.members(), 1u);
}

TEST_F(RealtimeChannel, AJoinWithoutJoinRefIsLeftWithAny) {
    d.open("A", Vsn::v2, Dialect::supabase);
    a(R"([null,"1","realtime:bc","phx_join",{}])");
    EXPECT_THAT(a(R"(["5","2","realtime:bc","phx_leave",{}])"),
                ElementsAre(prefix_a + R"({"status":"ok","response":{}}])",
                            R"(A < [null,null,"realtime:bc","phx_close",{}])"));
}

TEST_F(RealtimeChannel, IgnoresUnknownEventsAndAccessTokens) {
    join("A", Vsn::v2, self_ack);
    for (const char* const event :
         {R"("nope")", R"("access_token")", R"("phx_reply")", R"("phx_error")", "null", "5"})
        EXPECT_THAT(a(std::string(R"(["1","2","realtime:bc",)") + event + R"(,{"access_token":"t"}])"),
                    IsEmpty())
            << event;
    EXPECT_EQ(d.machine.members(), 1u);
}

TEST_F(RealtimeChannel, KeepsPublicAndPrivateRoomsApart) {
    join("A", Vsn::v2, R"({"private":true})");
    join("B", Vsn::v2, R"({"private":true})");
    join("C");
    join("D");
    EXPECT_EQ(d.machine.topics(), 2u);
    EXPECT_THAT(a(R"(["1","2","realtime:bc","broadcast",{}])"),
                ElementsAre(R"(B < [null,null,"realtime:bc","broadcast",{}])"));
    d.text("C", R"(["1","2","realtime:bc","broadcast",{}])");
    EXPECT_THAT(lines(), ElementsAre(R"(D < [null,null,"realtime:bc","broadcast",{}])"));
    d.machine.broadcast(d.now, "realtime:bc", "broadcast", {});
    d.drain();
    EXPECT_THAT(lines(), ElementsAre(R"(C,D < [null,null,"realtime:bc","broadcast",{}])"));
}

TEST_F(RealtimeChannel, MixesWithTheOtherDialectsEndpoint) {
    d.open("A");
    d.text("A", R"(["1","1","realtime:bc","phx_join",{}])");
    join("C");
    lines();
    d.text("C", R"(["1","2","realtime:bc","broadcast",{}])");
    EXPECT_THAT(lines(), ElementsAre(R"(A < [null,null,"realtime:bc","broadcast",{}])"));
}

TEST_F(RealtimeChannel, SendsThePresenceStateOnceToWhoEnabledPresence) {
    join("A", Vsn::v2, R"({"presence":{"key":"a"}})");
    EXPECT_THAT(
        a(R"(["1","2","realtime:bc","presence",{"type":"presence","event":"track","payload":{"x":1}}])"),
        ElementsAre(
            prefix_a + R"({"status":"ok","response":{}}])",
            R"(A < [null,null,"realtime:bc","presence_diff",{"joins":{"a":{"metas":[{"phx_ref":R,"x":1}]}},"leaves":{}}])"));
    d.open("B", Vsn::v2, Dialect::supabase);
    d.text("B", R"(["1","1","realtime:bc","phx_join",{"config":{"presence":{"enabled":true}}}])");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            R"(B < ["1","1","realtime:bc","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])",
            R"(B < ["1",null,"realtime:bc","presence_state",{"a":{"metas":[{"phx_ref":R,"x":1}]}}])"));
    d.text("B", R"(["1","2","realtime:bc","presence",{"event":"TRACK"}])");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            R"(B < ["1","2","realtime:bc","phx_reply",{"status":"ok","response":{}}])",
            R"(A,B < [null,null,"realtime:bc","presence_diff",{"joins":{UUID:{"metas":[{"phx_ref":R}]}},"leaves":{}}])"));
}

TEST_F(RealtimeChannel, SendsADuplicateJoinItsStateAfterThePhxCloseOfTheOld) {
    const std::string config = R"({"config":{"presence":{"enabled":true,"key":"k"}}})";
    d.open("A", Vsn::v2, Dialect::supabase);
    a(R"(["1","1","realtime:bc","phx_join",)" + config + "]");
    a(R"(["1","2","realtime:bc","presence",{"event":"track"}])");
    EXPECT_THAT(
        a(R"(["2","2","realtime:bc","phx_join",)" + config + "]"),
        ElementsAre(
            R"(A < ["2","2","realtime:bc","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])",
            R"(A < ["1","1","realtime:bc","phx_close",{}])",
            R"(A < ["2",null,"realtime:bc","presence_state",{}])"));
}

TEST_F(RealtimeChannel, AnswersTheSameTrackWithoutADiffAndAnotherWithOne) {
    join("A", Vsn::v2, R"({"presence":{"key":"a"}})");
    a(R"(["1","2","realtime:bc","presence",{"event":"track","payload":{"x":1}}])");
    EXPECT_THAT(a(R"(["1","2","realtime:bc","presence",{"event":"track","payload":{"x":1}}])"),
                ElementsAre(prefix_a + R"({"status":"ok","response":{}}])"));
    EXPECT_THAT(
        a(R"(["1","2","realtime:bc","presence",{"event":"track","payload":{"x":2}}])"),
        ElementsAre(
            prefix_a + R"({"status":"ok","response":{}}])",
            R"(A < [null,null,"realtime:bc","presence_diff",{"joins":{"a":{"metas":[{"phx_ref":R,"phx_ref_prev":R,"x":2}]}},)"
            R"("leaves":{"a":{"metas":[{"phx_ref":R,"x":1}]}}}])"));
}

TEST_F(RealtimeChannel, AnswersEveryPresencePush) {
    join("A", Vsn::v2, R"({"presence":{"key":"a"}})");
    const auto push = [&](const std::string& payload) {
        return a(R"(["1","2","realtime:bc","presence",)" + payload + "]");
    };
    const std::string ok = prefix_a + R"({"status":"ok","response":{}}])";
    const std::string error = prefix_a + R"({"status":"error","response":{}}])";
    EXPECT_THAT(push(R"({"event":"untrack"})"), ElementsAre(ok));
    EXPECT_THAT(push("{}"), ElementsAre(ok));
    EXPECT_THAT(push(R"({"event":"dance"})"), ElementsAre(error));
    EXPECT_THAT(push("5"), ElementsAre(error));
    EXPECT_THAT(
        push(R"({"event":"track","payload":[]})"),
        ElementsAre(prefix_a +
                    R"({"status":"error","response":{"reason":"Presence track payload must be a map"}}])"));
    d.binary("A", "0001010b083132" + to_hex("realtime:bcpresence") + "ff00");
    EXPECT_THAT(lines(), ElementsAre(error));
}

TEST_F(RealtimeChannel, ClosesTheChannelWhoseMetaIsTooLargeAsRecorded) {
    join("A", Vsn::v2, R"({"presence":{"key":"a"}})");
    const auto track = [&](std::size_t bytes) {
        return a(R"(["1","4","realtime:bc","presence",{"type":"presence","event":"track","payload":{"d":")" +
                 std::string(bytes - 8, 'x') + "\"}}]");
    };
    EXPECT_THAT(track(64 * 1024), testing::SizeIs(2));
    EXPECT_THAT(
        track(64 * 1024 + 1),
        ElementsAre(
            R"(A < ["1",null,"realtime:bc","system",{"message":"Track message size exceeded","status":"error","extension":"system","channel":"bc"}])",
            R"(A < ["1","1","realtime:bc","phx_close",{}])"));
    EXPECT_EQ(d.machine.members(), 0u);
}

TEST_F(RealtimeChannel, SendsALeavesDiffOnUntrackLeaveAndLoss) {
    for (const char* const peer : {"A", "B", "C"})
        join(peer, Vsn::v2, std::string(R"({"presence":{"key":")") + peer + "\"}}");
    for (const char* const peer : {"A", "B", "C"})
        d.text(peer, R"(["1","2","realtime:bc","presence",{"event":"track"}])");
    lines();
    const auto leaves = [](const std::string& to, const std::string& key) {
        return to + R"( < [null,null,"realtime:bc","presence_diff",{"joins":{},"leaves":{")" + key +
               R"(":{"metas":[{"phx_ref":R}]}}}])";
    };
    EXPECT_THAT(a(R"(["1","2","realtime:bc","presence",{"event":"untrack"}])"),
                ElementsAre(prefix_a + R"({"status":"ok","response":{}}])", leaves("A,B,C", "A")));
    d.text("B", R"(["1","3","realtime:bc","phx_leave",{}])");
    EXPECT_THAT(lines(),
                ElementsAre(R"(B < ["1","3","realtime:bc","phx_reply",{"status":"ok","response":{}}])",
                            R"(B < ["1","1","realtime:bc","phx_close",{}])", leaves("A,C", "B")));
    d.close("C");
    EXPECT_THAT(lines(), ElementsAre(leaves("A", "C")));
}

} // namespace
} // namespace phx::test
