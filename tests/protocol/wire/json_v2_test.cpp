#include "tests/protocol/wire/wire_support.hpp"

#include <concepts>
#include <vector>

namespace phx::protocol {
namespace {

constexpr auto to_server = Direction::to_server;
constexpr auto to_client = Direction::to_client;

Result<FrameView> read(Direction direction, std::string_view text, std::string& scratch,
                       const Limits& limits = {}) {
    return decode(Vsn::v2, direction, Opcode::text, text, scratch, limits);
}

template <std::same_as<std::string> Text> // the views would dangle
Result<FrameView> read(Direction, Text&&, std::string&, const Limits& = {}) = delete;

std::string refusal(std::string_view text, Direction direction = to_server) {
    std::string scratch;
    return error_of(read(direction, text, scratch));
}

std::string write(const FrameView& frame, Direction direction = to_server) {
    std::string out;
    EXPECT_EQ(encode(Vsn::v2, direction, frame, out).value(), Opcode::text);
    return out;
}

TEST(JsonV2, DecodesAPush) {
    std::string scratch;
    const std::string text = R"(["1","2","room:lobby","new_msg",{"body":"hi"}])";
    const FrameView frame = read(to_server, text, scratch).value();
    FrameView expected;
    expected.join_ref = JsonToken{"\"1\""};
    expected.ref = JsonToken{"\"2\""};
    expected.topic = "room:lobby";
    expected.event = "new_msg";
    expected.payload = R"({"body":"hi"})";
    expect_same(frame, expected);
    EXPECT_EQ(frame.payload.data(), text.data() + 32); // a slice, no copy
    EXPECT_TRUE(scratch.empty());
}

TEST(JsonV2, KeepsRefsOfAnyTypeAsTheyWereWritten) {
    std::string scratch;
    for (const char* ref :
         {"null", "1", "-1.50e3", "true", "\"a\\u0062\"", "[1, 2]", "{\"a\" : 1}", "\"\""}) {
        const std::string text = "[" + std::string(ref) + ", " + ref + " ,\"t\",\"e\",{}]";
        const FrameView frame = read(to_server, text, scratch).value();
        EXPECT_EQ(frame.join_ref->text, ref);
        EXPECT_EQ(frame.ref->text, ref);
        EXPECT_EQ(frame.ref->is_null(), std::string_view(ref) == "null");
        EXPECT_EQ(write(frame), "[" + std::string(ref) + "," + ref + ",\"t\",\"e\",{}]");
    }
}

TEST(JsonV2, KeepsTopicsAndEventsThatAreNoStrings) {
    std::string scratch;
    for (const char* token : {"null", "5", "[\"room\"]", "{}", "false"}) {
        const std::string text = "[null,\"1\"," + std::string(token) + "," + token + ",{}]";
        const FrameView frame = read(to_server, text, scratch).value();
        EXPECT_EQ(frame.topic, "");
        EXPECT_EQ(frame.event, "");
        EXPECT_EQ(frame.topic_token.value().text, token);
        EXPECT_EQ(frame.event_token.value().text, token);
        EXPECT_EQ(event_kind(frame), EventKind::unknown);
        EXPECT_EQ(write(frame), text);
    }
}

TEST(JsonV2, AcceptsPayloadsOfAnyType) {
    std::string scratch;
    for (const char* payload : {"null", "1", "\"text\"", "[1,2]", "{}", "false"}) {
        const FrameView frame =
            read(to_server, keep("[null,null,\"t\",\"e\"," + std::string(payload) + "]"), scratch).value();
        EXPECT_EQ(frame.payload, payload);
    }
}

TEST(JsonV2, AcceptsSpaceAndMoreThanFiveElements) {
    std::string scratch;
    const FrameView frame =
        read(to_server, " [ \"1\" ,\n\"2\" , \"t\",\"e\", {\"a\" : 1} , \"extra\",[7] ] \r\n", scratch)
            .value();
    EXPECT_EQ(frame.payload, "{\"a\" : 1}");
    EXPECT_EQ(write(frame), R"(["1","2","t","e",{"a" : 1}])");
    EXPECT_EQ(refusal(R"(["1","2","t","e",{},nope])"),
              "malformed frame; byte 20: expected a JSON value in an extra element");
    EXPECT_EQ(refusal(R"(["1","2","t","e",{},"\ud800"])"),
              "malformed frame; byte 21: a lone surrogate escape in an extra element");
}

TEST(JsonV2, UnescapesTopicEventAndStatusIntoScratch) {
    std::string scratch = "left over";
    const std::string text =
        R"(["1","2","r\u00f6om:\ud83d\ude00 and more than fits a small string","phx\u005freply",{"response":[1],"status":"\"o\nk\" and more than that"}])";
    const FrameView frame = read(to_client, text, scratch).value();
    EXPECT_EQ(frame.topic, "r\xC3\xB6om:\xF0\x9F\x98\x80 and more than fits a small string");
    EXPECT_EQ(frame.event, "phx_reply");
    EXPECT_EQ(frame.status.value(), "\"o\nk\" and more than that");
    EXPECT_EQ(frame.payload, "[1]");
    const std::string again = write(frame, to_client);
    std::string other;
    expect_same(read(to_client, again, other).value(), frame);
}

TEST(JsonV2, SplitsRepliesToAClient) {
    std::string scratch;
    for (const char* text : {R"({"status":"ok","response":{"a":1}})", R"({"response":{"a":1},"status":"ok"})",
                             R"({ "response" : {"a":1} , "x" : [{}] , "status" : "ok" })",
                             R"({"stat\u0075s":"ok","r\u0065sponse":{"a":1}})",
                             R"({"status":"first","status":"ok","response":0,"response":{"a":1}})"}) {
        const std::string frame_text = "[\"1\",\"2\",\"t\",\"phx_reply\"," + std::string(text) + "]";
        const FrameView frame = read(to_client, frame_text, scratch).value();
        EXPECT_EQ(frame.status.value(), "ok") << text;
        EXPECT_EQ(frame.payload, "{\"a\":1}") << text;
        EXPECT_EQ(write(frame, to_client), R"(["1","2","t","phx_reply",{"status":"ok","response":{"a":1}}])");
    }
    const std::string bare = R"(["1","2","t","phx_reply",{"status":"ok"}])";
    const FrameView frame = read(to_client, bare, scratch).value();
    EXPECT_EQ(frame.status.value(), "ok");
    EXPECT_EQ(frame.payload, "");
    EXPECT_EQ(write(frame, to_client), bare);
    for (const char* payload :
         {"{}", "[]", "null", "\"ok\"", R"({"status":1,"response":{}})", R"({"response":{}})",
          R"({"status":"ok","status":null})", R"({ "a" : "b" })"}) {
        const std::string text = "[\"1\",\"2\",\"t\",\"phx_reply\"," + std::string(payload) + "]";
        const FrameView whole = read(to_client, text, scratch).value();
        EXPECT_FALSE(whole.status) << payload;
        EXPECT_EQ(whole.payload, payload);
        EXPECT_EQ(write(whole, to_client), text);
    }
}

TEST(JsonV2, LeavesAReplyThatAClientSendsWhole) {
    std::string scratch;
    const std::string text = R"(["1","2","t","phx_reply",{"status":"ok","response":{}}])";
    const FrameView frame = read(to_server, text, scratch).value();
    EXPECT_FALSE(frame.status);
    EXPECT_EQ(frame.payload, R"({"status":"ok","response":{}})");
    EXPECT_EQ(write(frame), text);
}

TEST(JsonV2, RefusesBrokenReplies) {
    EXPECT_EQ(refusal(R"(["1","2","t","phx_reply",{"status":"ok" "response":1}])", to_client),
              "malformed frame; byte 40: expected ',' or '}' in the payload");
    EXPECT_EQ(refusal(R"(["1","2","t","phx_reply",{"status" "ok"}])", to_client),
              "malformed frame; byte 35: expected ':' in the payload");
    EXPECT_EQ(refusal(R"(["1","2","t","phx_reply",{,}])", to_client),
              "malformed frame; byte 26: expected a member's name in the payload");
    EXPECT_EQ(refusal(R"(["1","2","t","phx_reply",{"status":"ok",}])", to_client),
              "malformed frame; byte 40: expected a member's name in the payload");
    EXPECT_EQ(refusal(R"(["1","2","t","phx_reply",{"response":nope}])", to_client),
              "malformed frame; byte 37: expected a JSON value in the payload");
}

TEST(JsonV2, SaysWhatIsMissing) {
    EXPECT_EQ(refusal(""), "malformed frame; byte 0: expected '[' of a v2 frame, but it ends here");
    EXPECT_EQ(refusal("42"), "malformed frame; byte 0: expected '[' of a v2 frame");
    EXPECT_EQ(refusal("{\"topic\":\"t\"}"), "malformed frame; byte 0: expected '[' of a v2 frame");
    EXPECT_EQ(refusal("[]"), "malformed frame; byte 1: expected a JSON value in the join_ref");
    EXPECT_EQ(refusal(R"(["1"])"), "malformed frame; byte 4: expected ',' after the join_ref");
    EXPECT_EQ(refusal(R"(["1","2"])"), "malformed frame; byte 8: expected ',' after the ref");
    EXPECT_EQ(refusal(R"(["1","2","t"])"), "malformed frame; byte 12: expected ',' after the topic");
    EXPECT_EQ(refusal(R"(["1","2","t","e"])"), "malformed frame; byte 16: expected ',' after the event");
    EXPECT_EQ(refusal(R"(["1","2","t","e",])"),
              "malformed frame; byte 17: expected a JSON value in the payload");
    EXPECT_EQ(refusal(R"(["1","2","t","e",{})"),
              "malformed frame; byte 19: expected ']' after the payload, but it ends here");
    EXPECT_EQ(refusal(R"(["1","2","t","e",{}}])"),
              "malformed frame; byte 19: expected ']' after the payload");
    EXPECT_EQ(refusal(R"(["1","2","t","e",{}] [])"), "malformed frame; byte 21: something follows the end");
    EXPECT_EQ(refusal("[\"1\",\"2\",\"t\xFF\",\"e\",{}]"), "invalid UTF-8; byte 11: invalid UTF-8");
    EXPECT_EQ(refusal("[\"1\" \"2\xFF"), "invalid UTF-8; byte 7: invalid UTF-8");
}

TEST(JsonV2, RefusesEveryTruncation) {
    for (const Direction direction : {to_server, to_client}) {
        for (const std::string text :
             {R"(["1","2","room:lobby","new_msg",{"body":"hi \u00e9","list":[1,2.5,null,true]}])",
              R"([null,null,"room:lobby","phx_reply",{"status":"ok","response":{}}])",
              "[1,{},[],7,\"\xE2\x82\xAC\",8]"}) {
            for (std::size_t size = 0; size < text.size(); ++size) {
                std::string scratch;
                // A copy of exactly that size, so that reading past the end is seen.
                const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
                const Result<FrameView> result = read(direction, {cut.data(), cut.size()}, scratch);
                ASSERT_FALSE(result) << size;
                ASSERT_TRUE(result.error().code == Errc::malformed_frame ||
                            result.error().code == Errc::invalid_utf8);
            }
        }
    }
}

TEST(JsonV2, LimitsDepthOfEveryPartButNotByTheEnvelope) {
    std::string scratch;
    const Limits limits{.max_depth = 2};
    EXPECT_TRUE(read(to_server, "[[[]],[[]],\"t\",\"e\",[[]],[[]]]", scratch, limits));
    EXPECT_TRUE(
        read(to_client, R"([null,null,"t","phx_reply",{"status":"ok","response":{}}])", scratch, limits));
    for (const char* text : {"[[[[]]],null,\"t\",\"e\",{}]", "[null,[[[]]],\"t\",\"e\",{}]",
                             "[null,null,[[[]]],\"e\",{}]", "[null,null,\"t\",[[[]]],{}]",
                             "[null,null,\"t\",\"e\",[[[]]]]", "[null,null,\"t\",\"e\",{},[[[]]]]",
                             R"([null,null,"t","phx_reply",{"status":"ok","response":{"a":[]}}])"}) {
        const Result<FrameView> result = read(to_client, text, scratch, limits);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code, Errc::invalid_payload) << text;
    }
    const Result<FrameView> deep =
        read(to_server, keep("[null,null,\"t\",\"e\"," + std::string(10'000, '[')), scratch);
    ASSERT_FALSE(deep);
    EXPECT_EQ(deep.error().message, "byte 147: JSON nested too deep in the payload");
}

TEST(JsonV2, EncodesWhatIsAbsentAsNullAndAnEmptyPayloadAsAnObject) {
    FrameView frame;
    frame.topic = "t";
    frame.event = "e";
    EXPECT_EQ(write(frame), R"([null,null,"t","e",{}])");
}

TEST(JsonV2, EscapesWhileEncodingAndAppends) {
    FrameView frame;
    frame.topic = "a \"long\" topic\nwith everything \\ in it";
    frame.event = std::string_view("e\0", 2);
    frame.status = "o\tk";
    frame.payload = "1";
    std::string out = "before";
    ASSERT_TRUE(encode(Vsn::v2, to_client, frame, out));
    EXPECT_EQ(
        out,
        R"(before[null,null,"a \"long\" topic\nwith everything \\ in it","phx_reply",{"status":"o\tk","response":1}])");
    frame.status.reset();
    EXPECT_EQ(write(frame), R"([null,null,"a \"long\" topic\nwith everything \\ in it","e\u0000",1])");
}

} // namespace
} // namespace phx::protocol
