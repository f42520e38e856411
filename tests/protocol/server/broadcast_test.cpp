#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace phx::test {
namespace {

using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

/// A and B over v2, C and D over v1, all in room:lobby; E is in room:other.
struct Broadcasting : testing::Test {
    Broadcasting() {
        for (const char* const peer : {"A", "B", "E"}) d.open(peer);
        for (const char* const peer : {"C", "D"}) d.open(peer, Vsn::v1);
        d.text("A", R"(["1","1","room:lobby","phx_join",{}])");
        d.text("B", R"(["7","7","room:lobby","phx_join",{}])");
        for (const char* const peer : {"C", "D"})
            d.text(peer, R"({"topic":"room:lobby","event":"phx_join","payload":{},"ref":"1"})");
        d.text("E", R"(["1","1","room:other","phx_join",{}])");
        d.lines();
    }
    ServerApp app;
    ServerDriver& d = app.driver;
};

TEST_F(Broadcasting, EncodesOncePerVersionWithNullRefs) {
    d.text("A", R"(["1","2","room:lobby","new_msg",{"body":"hi"}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(R"(A,B < [null,null,"room:lobby","new_msg",{"body":"hi"}])",
                    R"(C,D < {"topic":"room:lobby","event":"new_msg","ref":null,"payload":{"body":"hi"}})"));
}

TEST_F(Broadcasting, KeepsTheOrderOfBroadcastAndReply) {
    d.text("B", R"(["7","8","room:lobby","new_msg_ack",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A,B < [null,null,"room:lobby","new_msg",{}])",
                            R"(C,D < {"topic":"room:lobby","event":"new_msg","ref":null,"payload":{}})",
                            R"(B < ["7","8","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Broadcasting, SkipsTheSenderOfABroadcastFrom) {
    d.text("A", R"(["1","2","room:lobby","new_msg_from",{}])");
    d.text("C", R"({"topic":"room:lobby","event":"new_msg_from","payload":{},"ref":"2"})");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(B < [null,null,"room:lobby","new_msg",{}])",
                            R"(C,D < {"topic":"room:lobby","event":"new_msg","ref":null,"payload":{}})",
                            R"(A,B < [null,null,"room:lobby","new_msg",{}])",
                            R"(D < {"topic":"room:lobby","event":"new_msg","ref":null,"payload":{}})"));
    d.text("E", R"(["1","2","room:other","new_msg_from",{}])");
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Broadcasting, SkipsV1MembersWhenThePayloadIsBinary) {
    d.text("A", R"(["1","2","room:lobby","binary_bcast",{}])");
    EXPECT_THAT(d.lines(), ElementsAre("A,B < 020a05" + to_hex("room:lobbybytes") + "0102"));
    d.text("C", R"({"topic":"room:lobby","event":"binary_bcast","payload":{},"ref":"2"})");
    EXPECT_THAT(d.lines(), ElementsAre("A,B < 020a05" + to_hex("room:lobbybytes") + "0102"));
}

TEST_F(Broadcasting, CrashesTheSenderWhenABinaryFieldIsTooLong) {
    d.on_message = [](auto, auto, auto) {
        return phx::server::Actions().broadcast(std::string(256, 'e'), phx::server::Payload::binary("x"));
    };
    d.text("A", R"(["1","2","room:lobby","x",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                                       "room:lobby ended crashed"));
}

TEST_F(Broadcasting, AsksEachReceiverAboutAnInterceptedEvent) {
    int asked = 0;
    d.on_out = [&](std::string_view event, phx::server::PayloadView payload) {
        EXPECT_EQ(event, "intercepted");
        EXPECT_EQ(payload.data, R"({"body":"hi"})");
        return phx::server::Actions().push(event, "{\"n\":" + std::to_string(++asked) + "}");
    };
    d.text("A", R"(["1","2","room:lobby","intercepted",{"body":"hi"}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(R"(C < {"topic":"room:lobby","event":"intercepted","ref":null,"payload":{"n":1}})",
                    R"(D < {"topic":"room:lobby","event":"intercepted","ref":null,"payload":{"n":2}})",
                    R"(A < ["1",null,"room:lobby","intercepted",{"n":3}])",
                    R"(B < ["7",null,"room:lobby","intercepted",{"n":4}])"));
}

TEST_F(Broadcasting, AsksNoReceiverThatHasEnded) {
    d.on_message = [](auto, auto, auto) {
        return phx::server::Actions()
            .broadcast("intercepted", "{\"n\":1}")
            .broadcast("intercepted", "{\"n\":2}");
    };
    std::vector<std::string> asked;
    d.on_out = [&](std::string_view, phx::server::PayloadView payload) {
        asked.emplace_back(payload.data);
        return phx::server::Actions().stop(phx::server::StopReason::crash);
    };
    d.text("A", R"(["1","2","room:lobby","x",{}])");
    EXPECT_THAT(asked, ElementsAre("{\"n\":1}", "{\"n\":1}", "{\"n\":1}", "{\"n\":1}")); // each of four once
}

TEST_F(Broadcasting, ReachesMembersFromOutside) {
    d.machine.broadcast(d.now, "room:lobby", "news", {});
    d.machine.broadcast(d.now, "room:nobody", "news", {});
    d.drain();
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A,B < [null,null,"room:lobby","news",{}])",
                            R"(C,D < {"topic":"room:lobby","event":"news","ref":null,"payload":{}})"));
}

TEST_F(Broadcasting, ReachesNobodyWhoLeft) {
    d.text("A", R"(["1","2","room:lobby","phx_leave",{}])");
    d.close("C");
    d.lines();
    d.text("B", R"(["7","8","room:lobby","new_msg",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(B < [null,null,"room:lobby","new_msg",{}])",
                            R"(D < {"topic":"room:lobby","event":"new_msg","ref":null,"payload":{}})"));
}

TEST_F(Broadcasting, GivesAReceiverListThatLaterActionsDoNotChange) {
    d.on_message = [](auto, auto, auto) { return phx::server::Actions().broadcast("first").stop(); };
    d.text("A", R"(["1","2","room:lobby","x",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A,B < [null,null,"room:lobby","first",{}])",
                            R"(C,D < {"topic":"room:lobby","event":"first","ref":null,"payload":{}})",
                            R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended stopped"));
}

TEST_F(Broadcasting, KeepsViewsGoodUntilTheNextCall) {
    // Far more than one chunk of the frame buffer, all looked at after the last was made.
    const std::string body(100'000, 'x');
    d.on_message = [&](auto, auto, auto) {
        phx::server::Actions actions;
        for (int i = 0; i < 20; ++i) actions.broadcast("e" + std::to_string(i), "\"" + body + "\"");
        return actions;
    };
    const std::string frame = R"(["1","2","room:lobby","x",{}])";
    d.machine.handle_frame(d.now, d.id("A"), protocol::Opcode::text, frame);
    std::vector<server::act::Fanout> fanouts;
    while (const auto output = d.machine.poll()) {
        if (const auto* in = std::get_if<server::event::MessageIn>(&*output))
            d.machine.apply(d.now, in->member, in->reply_to, d.on_message({}, {}, {}));
        if (const auto* fanout = std::get_if<server::act::Fanout>(&*output)) fanouts.push_back(*fanout);
    }
    ASSERT_EQ(fanouts.size(), 40u);
    for (std::size_t i = 0; i < fanouts.size(); i += 2) {
        EXPECT_EQ(fanouts[i].data,
                  R"([null,null,"room:lobby","e)" + std::to_string(i / 2) + "\",\"" + body + "\"]");
        EXPECT_THAT(fanouts[i].sessions, ElementsAre(d.id("A"), d.id("B")));
        EXPECT_THAT(fanouts[i + 1].sessions, ElementsAre(d.id("C"), d.id("D")));
    }
}

} // namespace
} // namespace phx::test
