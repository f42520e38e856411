#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Actions;
using phx::server::Payload;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

/// A and B (v1) are in room:a. A push "ask" of A makes its handler ask back.
struct ServerRpc : testing::Test {
    explicit ServerRpc(server::ServerConfig config = {}) : app(std::move(config)) {
        d.open("A");
        d.open("B", Vsn::v1);
        d.text("A", R"(["1","1","room:a","phx_join",{}])");
        d.text("B", R"({"topic":"room:a","event":"phx_join","payload":{},"ref":"1"})");
        d.on_response = [this](std::string_view tag, const Result<Payload>& answer) {
            answers.push_back(std::string(tag) + " " +
                              (answer ? answer->data : answer.error().code.message()));
            return Actions().push("told", "{}");
        };
        d.lines();
    }
    std::string id(const std::string& peer) { return d.machine.connection(d.id(peer))->id; }
    Result<server::RequestId> request(const std::string& peer, Payload params = "[1]",
                                      protocol::Duration timeout = 10s) {
        auto asked = d.machine.request(d.now, id(peer), "room:a", "sum", params, timeout);
        d.drain();
        return asked;
    }
    void ask(const std::string& peer, Payload params = "[1]", protocol::Duration timeout = 10s) {
        ASSERT_TRUE(request(peer, std::move(params), timeout));
    }
    void respond(std::string_view payload, const std::string& peer = "A") {
        if (peer == "A")
            return d.text(peer, R"(["1","9","room:a","rpc:response",)" + std::string(payload) + "]");
        d.text(peer, R"({"topic":"room:a","event":"rpc:response","ref":"9","payload":)" +
                         std::string(payload) + "}");
    }
    void respond_binary(const std::string& payload) {
        const char lengths[] = {0, 1, 1, 6, 12};
        d.binary("A", to_hex(std::string(lengths, sizeof lengths) + "19" + "room:arpc:response" + payload));
    }

    ServerApp app;
    ServerDriver& d = app.driver;
    std::vector<std::string> answers;
};

TEST_F(ServerRpc, AsksInJsonOverBothVersions) {
    EXPECT_EQ(request("A").value(), server::RequestId{1});
    EXPECT_EQ(request("B").value(), server::RequestId{2});
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1",null,"room:a","rpc:request",{"id":"1","method":"sum","params":[1]}])",
                            R"(B < {"topic":"room:a","event":"rpc:request","ref":null,)"
                            R"("payload":{"id":"2","method":"sum","params":[1]}})"));
    respond(R"({"id":"1","ok":{"n":1}})");
    respond(R"({"id":2,"error":{"reason":"no"}})", "B"); // ids are the same whatever their JSON type
    EXPECT_THAT(d.lines(), ElementsAre(R"(request 1 ok {"n":1})", R"(request 2 rejected {"reason":"no"})"));
    EXPECT_EQ(d.machine.next_timeout(), d.now + 60s); // of idle connections
}

TEST_F(ServerRpc, AsksInBytesAndTakesAnAnswerOfEitherKind) {
    ask("A", Payload::binary("\x01\x02"));
    ask("A", Payload::binary(""));
    const auto lines = d.lines();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_THAT(lines[0], testing::EndsWith(to_hex(std::string("\x01\x03") + "1sum\x01\x02")));
    EXPECT_THAT(lines[1], testing::EndsWith(to_hex(std::string("\x01\x03") + "2sum")));
    respond_binary(std::string("\x01\x00", 2) + "2\xff");
    respond(R"({"id":"1","ok":7})");
    EXPECT_THAT(d.lines(), ElementsAre("request 2 ok ff", "request 1 ok 7"));
    ask("A");
    d.lines();
    respond_binary(std::string("\x01\x01", 2) + "3no");
    EXPECT_THAT(d.lines(), ElementsAre("request 3 rejected no"));
}

TEST_F(ServerRpc, WaitsForAnAnswerNoLongerThanItsTimeout) {
    ask("A", "{}", 2s);
    ask("A", "{}", 1s);
    d.lines();
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre("request 2 timeout"));
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre("request 1 timeout"));
    respond(R"({"id":"2","ok":1})");
    EXPECT_THAT(d.lines(), ElementsAre("A late response"));
    ask("A", "{}", -1s);
    d.lines();
    d.advance(0s);
    EXPECT_THAT(d.lines(), ElementsAre("request 3 timeout"));
}

TEST_F(ServerRpc, GivesNoAnswerToARequestOfSomebodyElse) {
    ask("A");
    d.lines();
    respond(R"({"id":"1","ok":"mine"})", "B");
    respond(R"({"id":"2","ok":1})");
    respond(R"({"id":"0","ok":1})");
    respond(R"({"id":"x","ok":1})");
    respond(R"({"id":"18446744073709551617","ok":1})");
    respond(R"({"id":"1","ok":"yes"})");
    respond(R"({"id":"1","ok":"twice"})");
    EXPECT_THAT(d.lines(),
                ElementsAre("B late response", "A late response", "A late response", "A late response",
                            "A late response", R"(request 1 ok "yes")", "A late response"));
}

TEST_F(ServerRpc, DropsAResponseThatCannotBeRead) {
    ask("A");
    d.lines();
    respond("[]");
    respond(R"({"id":"1"})");
    respond_binary("\x05");
    EXPECT_THAT(d.lines(), ElementsAre("A dropped malformed frame", "A dropped malformed frame",
                                       "A dropped malformed frame"));
    respond(R"({"id":"1","ok":1})");
    EXPECT_THAT(d.lines(), ElementsAre("request 1 ok 1"));
}

TEST_F(ServerRpc, TellsThatTheChannelOrTheConnectionEnded) {
    ask("A");
    ask("A");
    d.lines();
    d.text("A", R"(["1","2","room:a","phx_leave",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","2","room:a","phx_reply",{"status":"ok","response":{}}])",
                                       R"(A < ["1","1","room:a","phx_close",{}])", "request 2 channel closed",
                                       "request 1 channel closed", "room:a ended left"));
    d.text("A", R"(["3","3","room:a","phx_join",{}])");
    d.lines();
    respond(R"({"id":"1","ok":1})"); // of the join before
    EXPECT_THAT(d.lines(), ElementsAre("A late response"));
    ask("A");
    d.lines();
    d.close("A");
    EXPECT_THAT(d.lines(), ElementsAre("request 3 disconnected", "room:a ended disconnected"));
    ask("B");
    d.lines();
    d.machine.close_all(d.now);
    d.drain();
    EXPECT_THAT(d.lines(), testing::Contains("request 4 disconnected"));
}

TEST_F(ServerRpc, RefusesWhatCannotBeAsked) {
    const auto code = [](const Result<server::RequestId>& asked) { return asked.error().code; };
    EXPECT_EQ(code(d.machine.request(d.now, "nobody", "room:a", "m", {}, 1s)), Errc::not_joined);
    EXPECT_EQ(code(d.machine.request(d.now, id("A"), "room:b", "m", {}, 1s)), Errc::not_joined);
    EXPECT_EQ(code(d.machine.request(d.now, id("A"), "room:a", "", {}, 1s)), Errc::invalid_argument);
    EXPECT_EQ(code(request("A", "{")), Errc::invalid_payload);
    EXPECT_EQ(code(request("B", Payload::binary("x"))), Errc::invalid_payload);
    d.text("A", R"(["1","1","room:slow","phx_join",{}])");
    EXPECT_EQ(code(d.machine.request(d.now, id("A"), "room:slow", "m", {}, 1s)), Errc::not_joined);
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_EQ(request("A").value(), server::RequestId{1});
}

struct FewRequests : ServerRpc {
    FewRequests() : ServerRpc({.max_requests_per_channel = 2}) {}
};

TEST_F(FewRequests, LimitsWhatWaits) {
    ask("A");
    ask("A");
    EXPECT_EQ(request("A").error().code, Errc::buffer_full);
    ask("B");
    respond(R"({"id":"1","ok":1})");
    EXPECT_TRUE(request("A"));
}

TEST_F(ServerRpc, NotifiesWithoutAnId) {
    EXPECT_TRUE(d.machine.notify(d.now, id("A"), "room:a", "beep", {}));
    EXPECT_EQ(d.machine.notify(d.now, id("A"), "room:b", "beep", {}).error().code, Errc::not_joined);
    d.drain();
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1",null,"room:a","rpc:request",{"method":"beep","params":{}}])"));
}

TEST_F(ServerRpc, ReachesTheInbox) {
    d.text("A", R"(["2","2","realtime:$inbox","phx_join",{}])");
    d.lines();
    EXPECT_TRUE(d.machine.request(d.now, id("A"), "realtime:$inbox", "sum", {}, 1s));
    d.drain();
    d.text("A", R"(["2","3","realtime:$inbox","rpc:response",{"id":"1","ok":1}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(R"(A < ["2",null,"realtime:$inbox","rpc:request",{"id":"1","method":"sum","params":{}}])",
                    "request 1 ok 1"));
}

// ---- of handlers

TEST_F(ServerRpc, AsksForAHandlerWhichIsToldUnderItsTag) {
    d.on_message = [](auto, std::string_view event, auto) {
        if (event == "notify") return Actions().notify("beep");
        return Actions().request("one", "sum", "[1]").request("two", "sum", "[2]", 1s).ok();
    };
    d.text("A", R"(["1","2","room:a","ask",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1",null,"room:a","rpc:request",{"id":"1","method":"sum","params":[1]}])",
                            R"(A < ["1",null,"room:a","rpc:request",{"id":"2","method":"sum","params":[2]}])",
                            R"(A < ["1","2","room:a","phx_reply",{"status":"ok","response":{}}])"));
    d.advance(1s);
    respond(R"({"id":"1","ok":{"n":1}})");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1",null,"room:a","told",{}])", R"(A < ["1",null,"room:a","told",{}])"));
    EXPECT_THAT(answers, ElementsAre("two timeout", R"(one {"n":1})"));
    d.text("A", R"(["1","3","room:a","notify",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1",null,"room:a","rpc:request",{"method":"beep","params":{}}])"));
}

TEST_F(ServerRpc, TellsAHandlerWhatCouldNotBeAsked) {
    d.on_message = [](auto, std::string_view event, auto) {
        if (event == "notify") return Actions().notify("");
        return Actions().request("bad", "sum", "{").ok();
    };
    d.text("A", R"(["1","2","room:a","ask",{}])");
    EXPECT_THAT(answers, ElementsAre("bad invalid payload"));
    d.lines();
    d.text("A", R"(["1","3","room:a","notify",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","1","room:a","phx_error",{"reason":"channel_crash"}])",
                                       "room:a ended crashed"));
}

TEST_F(ServerRpc, TellsNoHandlerOfAChannelThatHasEnded) {
    d.on_message = [](auto, auto, auto) { return Actions().request("one", "sum"); };
    d.text("A", R"(["1","2","room:a","ask",{}])");
    d.text("A", R"(["1","3","room:a","phx_leave",{}])");
    d.advance(20s);
    EXPECT_THAT(answers, IsEmpty());
}

} // namespace
} // namespace phx::test
