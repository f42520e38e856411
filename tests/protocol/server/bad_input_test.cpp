#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::test {
namespace {

using protocol::Vsn;
using server::Dialect;
using testing::ElementsAre;
using testing::IsEmpty;

struct BadFrame {
    const char* name;
    Vsn vsn;
    protocol::Opcode opcode;
    std::string data;
    const char* error;
    int phoenix_code;
};

std::string nested(std::size_t depth) {
    return R"(["1","2","room:lobby","echo",)" + std::string(depth, '[') + std::string(depth, ']') + "]";
}

std::vector<BadFrame> bad_frames() {
    using enum protocol::Opcode;
    const std::string v1 = R"({"topic":"room:lobby","event":"echo","payload":{},"ref":"2"})";
    return {
        {"empty", Vsn::v2, text, "", "malformed frame", 1011},
        {"empty v1", Vsn::v1, text, "", "malformed frame", 1011},
        {"not JSON", Vsn::v2, text, "hello", "malformed frame", 1011},
        {"truncated", Vsn::v2, text, R"(["1","2","room:lobby","echo",{"a":1)", "malformed frame", 1011},
        {"scalar", Vsn::v2, text, "5", "malformed frame", 1011},
        {"too short", Vsn::v2, text, R"(["1","2","room:lobby","echo"])", "malformed frame", 1011},
        {"v1 to v2", Vsn::v2, text, v1, "malformed frame", 1011},
        {"v2 to v1", Vsn::v1, text, R"(["1","2","room:lobby","echo",{}])", "malformed frame", 1011},
        {"no payload", Vsn::v1, text, R"({"topic":"room:lobby","event":"echo","ref":"2"})", "malformed frame",
         1011},
        {"no ref", Vsn::v1, text, R"({"topic":"room:lobby","event":"echo","payload":{}})", "malformed frame",
         1011},
        {"lone surrogate", Vsn::v2, text, R"(["1","2","room:lobby","echo",{"a":"\ud800"}])",
         "malformed frame", 1011},
        {"long ref", Vsn::v2, text, "[\"1\",\"" + std::string(1025, '2') + "\",\"room:lobby\",\"echo\",{}]",
         "malformed frame", 1011},
        {"long join_ref", Vsn::v2, text,
         "[" + std::string(1025, '1') + ",\"2\",\"room:new\",\"phx_join\",{}]", "malformed frame", 1011},
        {"long ref v1", Vsn::v1, text,
         R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":")" + std::string(1025, '2') + "\"}",
         "malformed frame", 1011},
        {"invalid UTF-8", Vsn::v2, text, "[\"1\",\"2\",\"room:lobby\",\"echo\",{\"a\":\"\xff\"}]",
         "invalid UTF-8", 1007},
        {"too deep", Vsn::v2, text, nested(10'000), "invalid payload", 1011},
        {"too large", Vsn::v2, text, "[\"" + std::string(2000, 'x') + "\"", "frame too large", 1009},
        {"empty binary", Vsn::v2, binary, "", "malformed frame", 1011},
        {"kind 1", Vsn::v2, binary, from_hex("0101010a023132") + "room:lobbyok", "unknown kind of frame",
         1011},
        {"kind 2", Vsn::v2, binary, from_hex("020a02") + "room:lobbyok", "unknown kind of frame", 1011},
        {"kind 9", Vsn::v2, binary, from_hex("09010101"), "unknown kind of frame", 1011},
        {"short binary", Vsn::v2, binary, from_hex("0001010aff3132") + "room:lobby", "malformed frame", 1011},
        {"JSON as binary", Vsn::v2, binary, R"(["1","2","room:lobby","echo",{}])", "unknown kind of frame",
         1011},
        {"binary over v1", Vsn::v1, binary, from_hex("00010a04") + "1", "malformed frame", 1011},
        {"user broadcast to a Phoenix channel", Vsn::v2, binary,
         from_hex("0301010a0100013132") + "room:lobbye{}", "unknown kind of frame", 1011},
    };
}

struct BadInput : testing::Test {
    BadInput() {
        d.open("bystander");
        d.text("bystander", R"(["1","1","room:lobby","phx_join",{}])");
    }
    void open(const std::string& name, const BadFrame& bad, Dialect dialect) {
        d.open(name, bad.vsn, dialect);
        d.text(name, bad.vsn == Vsn::v2
                         ? R"(["1","1","room:lobby","phx_join",{}])"
                         : R"({"topic":"room:lobby","event":"phx_join","payload":{},"ref":"1"})");
        d.lines();
    }
    ServerApp app{[] {
        server::ServerConfig config;
        config.limits.max_depth = 64;
        config.limits.max_frame_bytes = 30'000;
        return config;
    }()};
    ServerDriver& d = app.driver;
};

TEST_F(BadInput, ClosesAPhoenixConnectionAndNoOther) {
    for (BadFrame& bad : bad_frames()) {
        SCOPED_TRACE(bad.name);
        if (std::string(bad.name) == "too large") bad.data.append(40'000, 'x');
        open("A", bad, Dialect::phoenix);
        d.machine.handle_frame(d.now, d.id("A"), bad.opcode, bad.data);
        d.drain();
        EXPECT_THAT(d.lines(), ElementsAre(std::string("A dropped ") + bad.error,
                                           "A close " + std::to_string(bad.phoenix_code),
                                           "room:lobby ended disconnected"));
        d.close("A");
        EXPECT_EQ(d.machine.sessions(), 1u);
        EXPECT_EQ(d.machine.members(), 1u);
    }
}

TEST_F(BadInput, IsDroppedAndCountedOverSupabase) {
    for (BadFrame& bad : bad_frames()) {
        SCOPED_TRACE(bad.name);
        if (bad.phoenix_code == 1009) continue;
        open("A", bad, Dialect::supabase);
        d.machine.handle_frame(d.now, d.id("A"), bad.opcode, bad.data);
        d.drain();
        EXPECT_THAT(d.lines(), ElementsAre(std::string("A dropped ") + bad.error));
        EXPECT_EQ(d.machine.members(), 2u);
        d.close("A");
    }
}

TEST_F(BadInput, OfTooManyBytesClosesSupabaseToo) {
    d.open("A", Vsn::v2, Dialect::supabase);
    d.lines();
    d.text("A", std::string(30'001, ' '));
    EXPECT_THAT(d.lines(), ElementsAre("A dropped frame too large", "A close 1009"));
}

TEST_F(BadInput, EveryPrefixOfAFrameIsRefusedOrAnswered) {
    const std::string frame = R"(["1","2","room:lobby","echo",{"a":[1,"\u00e9"]}])";
    for (std::size_t size = 0; size < frame.size(); ++size) {
        d.open("A");
        d.lines();
        d.text("A", frame.substr(0, size));
        EXPECT_THAT(d.lines(), ElementsAre("A dropped malformed frame", "A close 1011")) << size;
        d.close("A");
    }
}

TEST_F(BadInput, RefsUpToTheLimitAreEchoed) {
    d.open("A");
    d.lines();
    const auto reply = [](const std::string& ref) {
        return "A < [null,\"" + ref + R"(","phoenix","phx_reply",{"status":"ok","response":{}}])";
    };
    const std::string longest(1024, '2');
    d.text("A", "[null,\"" + longest + R"(","phoenix","heartbeat",{}])");
    const std::string longest_binary(255, '2');
    d.binary("A", "0000ff0709" + to_hex(longest_binary + "phoenixheartbeat{}"));
    EXPECT_THAT(d.lines(), ElementsAre(reply(longest), reply(longest_binary)));
}

TEST_F(BadInput, TopicsThatAreNoStringsAreEchoed) {
    d.open("A");
    d.open("B", Vsn::v1);
    d.lines();
    for (const std::string topic : {"null", "5", "{\"a\":1}", "[]", "true"}) {
        d.text("A", "[\"1\",\"2\"," + topic + ",\"echo\",{}]");
        d.text("B", "{\"topic\":" + topic + R"(,"event":"echo","payload":{},"ref":"2"})");
        EXPECT_THAT(
            d.lines(),
            ElementsAre(
                "A < [null,\"2\"," + topic +
                    R"(,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])",
                "B < {\"topic\":" + topic +
                    R"(,"event":"phx_reply","ref":"2","payload":{"status":"error","response":{"reason":"unmatched topic"}}})"));
    }
    d.text("A", R"(["1","2",5,"phx_leave",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","2",5,"phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(BadInput, ExtraElementsAndKeysAreIgnored) {
    d.open("A");
    d.open("B", Vsn::v1);
    d.lines();
    d.text("A", R"( [ null , "2" , "phoenix" , "heartbeat" , {} , 6 , [7] ] )");
    d.text("B", R"({"topic":"phoenix","x":1,"event":"heartbeat","payload":{},"ref":"2"})");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < [null,"2","phoenix","phx_reply",{"status":"ok","response":{}}])",
            R"(B < {"topic":"phoenix","event":"phx_reply","ref":"2","payload":{"status":"ok","response":{}}})"));
}

} // namespace
} // namespace phx::test
