#include "tests/protocol/wire/wire_support.hpp"

#include <concepts>
#include <vector>

using namespace std::string_literals;

namespace phx::protocol {
namespace {

constexpr auto to_server = Direction::to_server;
constexpr auto to_client = Direction::to_client;

Result<FrameView> read(Direction direction, std::string_view bytes, std::string& scratch,
                       const Limits& limits = {}) {
    return decode(Vsn::v2, direction, Opcode::binary, bytes, scratch, limits);
}

template <std::same_as<std::string> Text> // the views would dangle
Result<FrameView> read(Direction, Text&&, std::string&, const Limits& = {}) = delete;

std::string refusal(Direction direction, std::string_view bytes) {
    std::string scratch;
    return error_of(read(direction, bytes, scratch));
}

std::string write(Direction direction, const FrameView& frame) {
    std::string out;
    EXPECT_EQ(encode(Vsn::v2, direction, frame, out).value(), Opcode::binary);
    return out;
}

struct Sample {
    Direction direction;
    std::string bytes;
    FrameView frame;
};

std::vector<Sample> samples() {
    FrameView push; // kind 0 to a server
    push.join_ref = JsonToken{"\"1\""};
    push.ref = JsonToken{"\"22\""};
    push.topic = "room:a";
    push.event = "ev";
    push.kind = Opcode::binary;
    push.payload = std::string_view("\0\x01\xFF", 3);
    FrameView server_push = push; // kind 0 to a client has no ref
    server_push.ref.reset();
    FrameView reply = push;
    reply.event = "phx_reply";
    reply.status = "ok";
    FrameView broadcast = push;
    broadcast.join_ref.reset();
    broadcast.ref.reset();
    FrameView user_push = push;
    user_push.event = "broadcast";
    user_push.user_event = "cur";
    user_push.metadata = "{\"a\":1}";
    FrameView user_json = user_push;
    user_json.kind = Opcode::text;
    user_json.payload = "[1]";
    FrameView user_broadcast = user_json;
    user_broadcast.join_ref.reset();
    user_broadcast.ref.reset();
    user_broadcast.metadata = "";
    FrameView raw_broadcast = user_broadcast;
    raw_broadcast.kind = Opcode::binary;
    return {
        {to_server, "\0\x01\x02\x06\x02"s + "122room:aev" + "\0\x01\xFF"s, push},
        {to_client, "\0\x01\x06\x02"s + "1room:aev" + "\0\x01\xFF"s, server_push},
        {to_client, "\x01\x01\x02\x06\x02"s + "122room:aok" + "\0\x01\xFF"s, reply},
        {to_client, "\x02\x06\x02"s + "room:aev" + "\0\x01\xFF"s, broadcast},
        {to_server, "\x03\x01\x02\x06\x03\x07\0"s + "122room:acur{\"a\":1}" + "\0\x01\xFF"s, user_push},
        {to_server, "\x03\x01\x02\x06\x03\x07\x01"s + "122room:acur{\"a\":1}[1]", user_json},
        {to_client, "\x04\x06\x03\0\x01"s + "room:acur[1]", user_broadcast},
        {to_client, "\x04\x06\x03\0\0"s + "room:acur[1]", raw_broadcast},
    };
}

TEST(BinaryFrame, DecodesAndEncodesEveryKindInItsDirection) {
    for (const Sample& sample : samples()) {
        SCOPED_TRACE(int(sample.bytes[0]));
        std::string scratch;
        expect_same(read(sample.direction, sample.bytes, scratch).value(), sample.frame);
        EXPECT_EQ(write(sample.direction, sample.frame), sample.bytes);
    }
}

TEST(BinaryFrame, RefusesEveryKindInTheOtherDirection) {
    for (int kind = 0; kind < 256; ++kind) {
        const std::string bytes = static_cast<char>(kind) + std::string(64, '\0');
        std::string scratch;
        const bool known_to_server = kind == 0 || kind == 3;
        const bool known_to_client = kind == 0 || kind == 1 || kind == 2 || kind == 4;
        EXPECT_EQ(read(to_server, bytes, scratch).has_value(), known_to_server) << kind;
        EXPECT_EQ(read(to_client, bytes, scratch).has_value(), known_to_client) << kind;
    }
    EXPECT_EQ(refusal(to_server, "\x01\x01"),
              "unknown kind of frame; byte 0: no binary frame to a server has kind 1");
    EXPECT_EQ(refusal(to_client, "\x09"),
              "unknown kind of frame; byte 0: no binary frame to a client has kind 9");
    EXPECT_EQ(refusal(to_server, "[\"1\"]"),
              "unknown kind of frame; byte 0: no binary frame to a server has kind 91 (JSON "
              "text with the binary opcode?)");
}

TEST(BinaryFrame, RefusesEveryTruncationOfTheFieldsAndTakesAnyRawPayload) {
    for (const Sample& sample : samples()) {
        const std::size_t fields = sample.bytes.size() - sample.frame.payload.size();
        for (std::size_t size = 0; size <= sample.bytes.size(); ++size) {
            std::string scratch;
            const std::vector<char> cut(sample.bytes.begin(),
                                        sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            const Result<FrameView> result = read(sample.direction, {cut.data(), cut.size()}, scratch);
            const bool whole = size == sample.bytes.size();
            ASSERT_EQ(result.has_value(), whole || (size >= fields && sample.frame.kind == Opcode::binary))
                << size;
            ASSERT_TRUE(result || result.error().code == Errc::malformed_frame) << size;
        }
    }
}

TEST(BinaryFrame, SaysWhatIsTruncated) {
    EXPECT_EQ(refusal(to_server, ""), "malformed frame; byte 0: an empty binary frame");
    EXPECT_EQ(refusal(to_server, "\0\x01"s),
              "malformed frame; byte 2: expected the lengths of a binary frame");
    EXPECT_EQ(refusal(to_server, "\x03\x01\x02\x06\x03\x07"s),
              "malformed frame; byte 6: expected the lengths of a binary frame");
    EXPECT_EQ(refusal(to_server, "\0\x02\x01\x01\x01"s + "1"),
              "malformed frame; byte 6: expected more of the join_ref");
    EXPECT_EQ(refusal(to_server, "\0\x01\x01\x05\x01"s + "12room"),
              "malformed frame; byte 11: expected more of the topic");
    EXPECT_EQ(refusal(to_client, "\x04\x01\x01\xC8\x01"s + "te{}"),
              "malformed frame; byte 9: expected more of the metadata");
}

TEST(BinaryFrame, ChecksTheUtf8OfEveryTextField) {
    for (const Sample& sample : samples()) {
        const std::size_t fields = sample.bytes.size() - sample.frame.payload.size();
        const std::size_t text =
            fields - sample.frame.metadata.size(); // metadata is refused as JSON or as UTF-8
        for (std::size_t at = text; at-- > 0 && sample.bytes[at] >= '0';) {
            std::string bytes = sample.bytes;
            bytes[at] = '\xFF';
            std::string scratch;
            const Result<FrameView> result = read(sample.direction, bytes, scratch);
            ASSERT_FALSE(result) << at;
            EXPECT_EQ(result.error().code, Errc::invalid_utf8);
        }
    }
    EXPECT_EQ(refusal(to_client, "\x02\x03\x01"s + "ab\xC3" + "e"),
              "invalid UTF-8; byte 5: invalid UTF-8 in the topic");
    EXPECT_EQ(refusal(to_client, "\x04\x01\x01\x03\0"s + "te\"\xFF\""),
              "invalid UTF-8; byte 8: invalid UTF-8 in the metadata");
}

TEST(BinaryFrame, ValidatesJsonPayloadsAndMetadata) {
    EXPECT_EQ(refusal(to_server, "\x03\0\0\x01\x01\0\x01"s + "te{nope"),
              "malformed frame; byte 10: expected a member's name in the payload");
    EXPECT_EQ(refusal(to_server, "\x03\0\0\x01\x01\0\x01"s + "te"),
              "malformed frame; byte 9: expected a JSON value in the payload, but it ends here");
    EXPECT_EQ(refusal(to_client, "\x04\x01\x01\x02\0"s + "te{x"),
              "malformed frame; byte 8: expected a member's name in the metadata");
    EXPECT_EQ(refusal(to_client, "\x04\x01\x01\0\x01"s + "te\"\\ud800\""),
              "malformed frame; byte 8: a lone surrogate escape in the payload");
    EXPECT_EQ(refusal(to_client, "\x04\x01\x01\0\x01"s + "te\"\xFF\""),
              "invalid UTF-8; byte 8: invalid UTF-8 in the payload");
    EXPECT_EQ(refusal(to_client, "\x04\x01\x01\0\x01"s + "te" + std::string(10'000, '[')),
              "invalid payload; byte 135: JSON nested too deep in the payload");
    for (const char* scalar : {"42", "null", "\"x\"", " [1] "}) {
        EXPECT_EQ(refusal(to_server, "\x03\0\0\x01\x01\0\x01"s + "te" + scalar), "");
    }
}

TEST(BinaryFrame, TakesAnyEncodingByteButZeroForJson) {
    for (int encoding = 1; encoding < 256; ++encoding) {
        std::string scratch;
        const std::string bytes = "\x03\0\0\x01\x01\0"s + static_cast<char>(encoding) + "te{}";
        const FrameView frame = read(to_server, bytes, scratch).value();
        ASSERT_EQ(frame.kind, Opcode::text);
        ASSERT_EQ(write(to_server, frame), "\x03\0\0\x01\x01\0\x01"s + "te{}");
    }
}

TEST(BinaryFrame, MakesJsonStringsOfRefs) {
    std::string scratch;
    const FrameView empty = read(to_server, keep("\0\0\0\x01\x01"s + "te"), scratch).value();
    EXPECT_EQ(empty.join_ref.value().text, "\"\"");
    EXPECT_EQ(empty.ref.value().text, "\"\"");
    const std::string odd = "\0\x02\x03\x01\x01"s + "\"\\" + "\n\xC3\xA9" + "te";
    const FrameView frame = read(to_server, odd, scratch).value();
    EXPECT_EQ(frame.join_ref.value().text, "\"\\\"\\\\\"");
    EXPECT_EQ(frame.ref.value().text, "\"\\n\xC3\xA9\"");
    EXPECT_EQ(write(to_server, frame), odd);
    const std::string longest = "\0\xFF\xFF\x01\x01"s + std::string(510, '\x01') + "te";
    const FrameView control = read(to_server, longest, scratch).value();
    EXPECT_EQ(control.ref.value().text.size(), 2u + 6u * 255u);
    EXPECT_EQ(write(to_server, control), longest);
}

TEST(BinaryFrame, EncodesTokensOfOtherTypesAsTheirText) {
    FrameView frame;
    frame.join_ref = JsonToken{"null"};
    frame.ref = JsonToken{"7"};
    frame.topic_token = JsonToken{"5"};
    frame.event_token = JsonToken{"null"};
    frame.kind = Opcode::binary;
    EXPECT_EQ(write(to_server, frame), "\0\0\x01\x01\x04"s + "75null");
    frame.ref.reset();
    EXPECT_EQ(write(to_server, frame), "\0\0\0\x01\x04"s + "5null");
    EXPECT_EQ(write(to_client, frame), "\0\0\x01\x04"s + "5null"); // a null join_ref is a push
    frame.join_ref.reset();
    EXPECT_EQ(write(to_client, frame), "\x02\x01\x04"s + "5null"); // none is a broadcast
}

TEST(BinaryFrame, SendsAnEmptyJsonPayloadAsAnObjectAndEmptyBytesAsNothing) {
    FrameView frame;
    frame.topic = "t";
    frame.user_event = "e";
    EXPECT_EQ(write(to_server, frame), "\x03\0\0\x01\x01\0\x01"s + "te{}");
    frame.kind = Opcode::binary;
    EXPECT_EQ(write(to_server, frame), "\x03\0\0\x01\x01\0\0"s + "te");
}

TEST(BinaryFrame, RefusesFieldsOver255Bytes) {
    const std::string fits(255, 'x'), over(256, 'x'), quoted = "\"" + over + "\"";
    const auto refusal_of = [&](Direction direction, auto change) {
        FrameView frame;
        frame.topic = fits;
        frame.event = fits;
        frame.kind = Opcode::binary;
        change(frame);
        std::string out = "before";
        const Result<Opcode> result = encode(Vsn::v2, direction, frame, out);
        EXPECT_EQ(out.size() == 6, !result);
        if (result) return std::string();
        EXPECT_EQ(result.error().code, Errc::field_too_long);
        return result.error().message;
    };
    EXPECT_EQ(refusal_of(to_server, [](FrameView&) {}), "");
    EXPECT_EQ(refusal_of(to_server, [&](FrameView& f) { f.topic = over; }),
              "topic has 256 bytes, binary frames allow 255");
    EXPECT_EQ(refusal_of(to_client, [&](FrameView& f) { f.event = over; }),
              "event has 256 bytes, binary frames allow 255");
    EXPECT_EQ(refusal_of(to_server, [&](FrameView& f) { f.ref = JsonToken{quoted}; }),
              "ref has 256 bytes, binary frames allow 255");
    EXPECT_EQ(refusal_of(to_server, [&](FrameView& f) { f.join_ref = JsonToken{quoted}; }),
              "join_ref has 256 bytes, binary frames allow 255");
    EXPECT_EQ(refusal_of(to_client, [&](FrameView& f) { f.status = over; }),
              "status has 256 bytes, binary frames allow 255");
    EXPECT_EQ(refusal_of(to_client, [&](FrameView& f) { f.user_event = over; }),
              "user event has 256 bytes, binary frames allow 255");
    EXPECT_EQ(refusal_of(to_server,
                         [&](FrameView& f) {
                             f.user_event = fits;
                             f.metadata = over;
                         }),
              "metadata has 256 bytes, binary frames allow 255");
    const std::string escaped = "\"" + fits.substr(1) + "\\n\"";
    EXPECT_EQ(refusal_of(to_server, [&](FrameView& f) { f.ref = JsonToken{escaped}; }), "");
}

TEST(BinaryFrame, LetsNoReplyTravelToAServer) {
    FrameView frame;
    frame.status = "ok";
    std::string out;
    for (const Vsn vsn : {Vsn::v1, Vsn::v2}) {
        EXPECT_EQ(encode(vsn, to_server, frame, out).error().code, Errc::unknown_kind);
    }
    frame.kind = Opcode::binary;
    EXPECT_EQ(encode(Vsn::v2, to_server, frame, out).error().code, Errc::unknown_kind);
    EXPECT_EQ(out, "");
}

} // namespace
} // namespace phx::protocol
