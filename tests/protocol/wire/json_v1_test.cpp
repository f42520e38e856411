#include "tests/protocol/wire/wire_support.hpp"

#include <concepts>
#include <vector>

namespace phx::protocol {
namespace {

constexpr auto to_server = Direction::to_server;
constexpr auto to_client = Direction::to_client;

Result<FrameView> read(Direction direction, std::string_view text, std::string& scratch,
                       const Limits& limits = {}) {
    return decode(Vsn::v1, direction, Opcode::text, text, scratch, limits);
}

template <std::same_as<std::string> Text> // the views would dangle
Result<FrameView> read(Direction, Text&&, std::string&, const Limits& = {}) = delete;

std::string refusal(std::string_view text) {
    std::string scratch;
    return error_of(read(to_server, text, scratch));
}

std::string write(const FrameView& frame, Direction direction = to_server) {
    std::string out;
    EXPECT_EQ(encode(Vsn::v1, direction, frame, out).value(), Opcode::text);
    return out;
}

TEST(JsonV1, DecodesAPushInAnyOrderOfKeys) {
    FrameView expected;
    expected.join_ref = JsonToken{"\"1\""};
    expected.ref = JsonToken{"\"2\""};
    expected.topic = "room:lobby";
    expected.event = "new_msg";
    expected.payload = R"({"a":[1]})";
    std::string scratch;
    for (
        const char* text :
        {R"({"topic":"room:lobby","event":"new_msg","payload":{"a":[1]},"ref":"2","join_ref":"1"})",
         R"({"payload":{"a":[1]},"join_ref":"1","ref":"2","event":"new_msg","topic":"room:lobby"})",
         R"( { "event" : "new_msg" , "extra":[{}], "ref" : "2","payload" : {"a":[1]}, "join_ref":"1","topic":"room:lobby" } )",
         R"({"t\u006fpic":"room\u003alobby","event":"new\u005fmsg","payl\u006fad":{"a":[1]},"r\u0065f":"2","join\u005fref":"1"})"}) {
        const std::string kept = text;
        expect_same(read(to_server, kept, scratch).value(), expected);
    }
}

TEST(JsonV1, TellsAnAbsentJoinRefFromNull) {
    std::string scratch;
    FrameView frame =
        read(to_server, R"({"topic":"t","event":"e","payload":{},"ref":null})", scratch).value();
    EXPECT_FALSE(frame.join_ref);
    EXPECT_TRUE(frame.ref->is_null());
    EXPECT_EQ(write(frame), R"({"topic":"t","event":"e","ref":null,"payload":{}})");
    frame =
        read(to_server, R"({"topic":"t","event":"e","payload":{},"ref":1,"join_ref":null})", scratch).value();
    EXPECT_TRUE(frame.join_ref.value().is_null());
    EXPECT_EQ(write(frame), R"({"topic":"t","event":"e","ref":1,"join_ref":null,"payload":{}})");
}

TEST(JsonV1, SplitsARepliesPayloadAlsoWhenItComesBeforeTheEvent) {
    std::string scratch;
    for (
        const char* text :
        {R"({"event":"phx_reply","payload":{"response":{"a":1},"status":"ok"},"ref":"1","topic":"t"})",
         R"({"payload":{"status":"ok","response":{"a":1}},"ref":"1","topic":"t","event":"phx_reply"})",
         R"({"event":"phx\u005freply","payload":{"response":{"a":1},"status":"\u006fk"},"ref":"1","topic":"t"})"}) {
        const std::string kept = text;
        const FrameView frame = read(to_client, kept, scratch).value();
        EXPECT_EQ(frame.event, "phx_reply");
        EXPECT_EQ(frame.topic, "t");
        EXPECT_EQ(frame.status.value(), "ok") << text;
        EXPECT_EQ(frame.payload, "{\"a\":1}");
        EXPECT_EQ(
            write(frame, to_client),
            R"({"topic":"t","event":"phx_reply","ref":"1","payload":{"status":"ok","response":{"a":1}}})");
        const FrameView whole = read(to_server, kept, scratch).value();
        EXPECT_FALSE(whole.status);
    }
}

TEST(JsonV1, KeepsTopicsAndEventsThatAreNoStrings) {
    std::string scratch;
    const std::string text = R"({"topic":5,"event":null,"payload":{},"ref":"1"})";
    const FrameView frame = read(to_server, text, scratch).value();
    EXPECT_EQ(frame.topic_token.value().text, "5");
    EXPECT_EQ(frame.event_token.value().text, "null");
    EXPECT_EQ(write(frame), R"({"topic":5,"event":null,"ref":"1","payload":{}})");
}

TEST(JsonV1, IgnoresTheOpcode) {
    std::string scratch;
    const std::string text = R"({"topic":"t","event":"e","payload":{},"ref":null})";
    EXPECT_TRUE(decode(Vsn::v1, to_server, Opcode::binary, text, scratch));
}

TEST(JsonV1, SaysWhichKeyIsMissing) {
    EXPECT_EQ(refusal("{}"), "malformed frame; byte 1: the key \"topic\" is missing");
    EXPECT_EQ(refusal(R"({"topic":"t"})"), "malformed frame; byte 12: the key \"event\" is missing");
    EXPECT_EQ(refusal(R"({"topic":"t","event":"e","ref":"1"})"),
              "malformed frame; byte 34: the key \"payload\" is missing");
    EXPECT_EQ(refusal(R"({"topic":"t","event":"e","payload":{}})"),
              "malformed frame; byte 37: the key \"ref\" is missing");
}

TEST(JsonV1, RefusesRepeatedKeysOfTheEnvelopeHoweverTheyAreWritten) {
    const std::string good = R"("topic":"t","event":"e","payload":{},"ref":"1","join_ref":"1")";
    for (const char* key : {"topic", "event", "payload", "ref", "join_ref"}) {
        EXPECT_EQ(refusal("{" + good + ",\"" + key + "\":null}"),
                  "malformed frame; byte 63: the key \"" + std::string(key) + "\" is repeated");
    }
    EXPECT_EQ(refusal("{" + good + R"(,"\u0074opic":null})"),
              "malformed frame; byte 63: the key \"topic\" is repeated");
    EXPECT_EQ(refusal("{" + good + R"(,"x":1,"x":2})"), "");
    EXPECT_EQ(refusal(R"({"topic":"t","event":"e","payload":{"a":1,"a":2},"ref":"1"})"), "");
}

TEST(JsonV1, SaysWhatIsMalformed) {
    EXPECT_EQ(refusal(""), "malformed frame; byte 0: expected '{' of a v1 frame, but it ends here");
    EXPECT_EQ(refusal("[]"), "malformed frame; byte 0: expected '{' of a v1 frame");
    EXPECT_EQ(refusal(R"({"topic")"), "malformed frame; byte 8: expected ':', but it ends here");
    EXPECT_EQ(refusal(R"({"topic":})"), "malformed frame; byte 9: expected a JSON value in the topic");
    EXPECT_EQ(refusal(R"({"topic":"t" "event":"e"})"), "malformed frame; byte 13: expected ',' or '}'");
    EXPECT_EQ(refusal(R"({"topic":"t",})"), "malformed frame; byte 13: expected a member's name");
    EXPECT_EQ(refusal(R"({"x":nope})"),
              "malformed frame; byte 5: expected a JSON value in an unknown member");
    EXPECT_EQ(refusal(R"({"topic":"t","event":"e","payload":{"a":"\ud800"},"ref":"2"})"),
              "malformed frame; byte 41: a lone surrogate escape in the payload");
    EXPECT_EQ(refusal(R"({"topic":"t","event":"e","payload":{},"ref":"2"}})"),
              "malformed frame; byte 48: something follows the end");
    EXPECT_EQ(refusal("{\"topic\":\"t\",\"event\":\"e\",\"payload\":{},\"ref\":\"\xC0\x80\"}"),
              "invalid UTF-8; byte 45: invalid UTF-8");
}

TEST(JsonV1, RefusesEveryTruncation) {
    const std::string text =
        R"({"event":"phx_reply","payload":{"response":{"a":"\u00e9"},"status":"ok"},"ref":"1","topic":"room:lobby","x":[1]})";
    for (std::size_t size = 0; size < text.size(); ++size) {
        std::string scratch;
        const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
        for (const Direction direction : {to_server, to_client}) {
            const Result<FrameView> result = read(direction, {cut.data(), cut.size()}, scratch);
            ASSERT_FALSE(result) << size;
            ASSERT_EQ(result.error().code, Errc::malformed_frame);
        }
    }
}

TEST(JsonV1, LimitsDepthOfEveryMember) {
    std::string scratch;
    const Limits limits{.max_depth = 1};
    EXPECT_TRUE(
        read(to_client, R"({"topic":"t","event":"e","payload":{},"ref":[],"x":[]})", scratch, limits));
    for (const char* text : {R"({"topic":"t","event":"e","payload":[[]],"ref":1})",
                             R"({"topic":"t","event":"e","payload":1,"ref":[[]]})",
                             R"({"topic":"t","event":"e","payload":1,"ref":1,"x":[{}]})",
                             R"({"topic":"t","event":"phx_reply","payload":{"response":{}},"ref":1})"}) {
        const Result<FrameView> result = read(to_client, text, scratch, limits);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code, Errc::invalid_payload);
    }
}

TEST(JsonV1, EncodesAUserBroadcastAsJson) {
    FrameView frame;
    frame.topic = "realtime:t";
    frame.event = "broadcast";
    frame.user_event = "cur\"sor";
    frame.payload = "[1]";
    EXPECT_EQ(
        write(frame, to_client),
        R"({"topic":"realtime:t","event":"broadcast","ref":null,"payload":{"type":"broadcast","event":"cur\"sor","payload":[1]}})");
    frame.metadata = R"({"id":"7"})";
    frame.payload = {};
    frame.ref = JsonToken{"\"3\""};
    EXPECT_EQ(
        write(frame),
        R"({"topic":"realtime:t","event":"broadcast","ref":"3","payload":{"type":"broadcast","event":"cur\"sor","meta":{"id":"7"},"payload":{}}})");
}

TEST(JsonV1, HasNoBinaryPayloads) {
    FrameView frame;
    frame.topic = "t";
    frame.event = "e";
    frame.kind = Opcode::binary;
    std::string out = "before";
    const Result<Opcode> result = encode(Vsn::v1, to_client, frame, out);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::invalid_payload);
    EXPECT_EQ(result.error().origin, Origin::local);
    EXPECT_EQ(out, "before");
}

} // namespace
} // namespace phx::protocol
