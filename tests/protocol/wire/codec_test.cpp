#include "tests/protocol/wire/wire_support.hpp"

namespace phx::protocol {
namespace {

TEST(Codec, RefusesFramesOverTheLimitBeforeReadingThem) {
    std::string scratch;
    const std::string text = R"([null,null,"t","e",{}])";
    EXPECT_TRUE(
        decode(Vsn::v2, Direction::to_server, Opcode::text, text, scratch, {.max_frame_bytes = text.size()}));
    for (const Opcode opcode : {Opcode::text, Opcode::binary}) {
        const Result<FrameView> result = decode(Vsn::v2, Direction::to_server, opcode, text, scratch,
                                                {.max_frame_bytes = text.size() - 1});
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::frame_too_large);
        EXPECT_EQ(result.error().origin, Origin::peer);
        EXPECT_EQ(result.error().message, "a frame of 22 bytes, the limit is 21");
    }
}

TEST(Codec, DecodesSixteenMebibytesAndNotOneByteMore) {
    const std::string head = R"([null,null,"t","e",")", tail = "\"]";
    std::string text = head + std::string((16u << 20) - head.size() - tail.size(), 'x') + tail;
    std::string scratch;
    const FrameView frame = decode(Vsn::v2, Direction::to_server, Opcode::text, text, scratch).value();
    EXPECT_EQ(frame.payload.size(), text.size() - head.size() + 1 - 1);
    text.insert(head.size(), "x");
    EXPECT_EQ(decode(Vsn::v2, Direction::to_server, Opcode::text, text, scratch).error().code,
              Errc::frame_too_large);
    EXPECT_EQ(scratch.capacity(), std::string().capacity());
}

TEST(Codec, NeverCopiesTheTextOfThePeerIntoAMessage) {
    const std::string secret(100'000, 's');
    std::string scratch;
    for (const std::string& text :
         {"[" + secret, "[\"" + secret, "[\"1\",\"2\",\"" + secret + "\" x", "{\"" + secret + "\" 1}", secret,
          "\x03" + secret, std::string("\xC8") + secret}) {
        for (const Vsn vsn : {Vsn::v1, Vsn::v2}) {
            for (const Opcode opcode : {Opcode::text, Opcode::binary}) {
                const Result<FrameView> result = decode(vsn, Direction::to_server, opcode, text, scratch);
                ASSERT_FALSE(result);
                EXPECT_LT(result.error().message.size(), 120u);
                EXPECT_EQ(result.error().message.find("ssss"), std::string::npos) << result.error().message;
            }
        }
    }
}

TEST(Codec, ReadsJsonInABinaryFrameOfVersionTwoAsAnUnknownKind) {
    std::string scratch;
    EXPECT_EQ(decode(Vsn::v2, Direction::to_server, Opcode::binary, R"(["1","1","t","phx_join",{}])", scratch)
                  .error()
                  .code,
              Errc::unknown_kind);
}

TEST(Codec, NamesTheKindOfEveryEvent) {
    const auto kind = [](std::string_view topic, std::string_view event) {
        FrameView frame;
        frame.topic = topic;
        frame.event = event;
        return event_kind(frame);
    };
    EXPECT_EQ(kind("room:a", "phx_reply"), EventKind::phx_reply);
    EXPECT_EQ(kind("phoenix", "phx_reply"), EventKind::heartbeat_reply);
    EXPECT_EQ(kind("room:a", "phx_close"), EventKind::phx_close);
    EXPECT_EQ(kind("room:a", "phx_error"), EventKind::phx_error);
    EXPECT_EQ(kind("room:a", "postgres_changes"), EventKind::postgres_changes);
    EXPECT_EQ(kind("room:a", "broadcast"), EventKind::broadcast);
    EXPECT_EQ(kind("room:a", "presence_state"), EventKind::presence_state);
    EXPECT_EQ(kind("room:a", "presence_diff"), EventKind::presence_diff);
    EXPECT_EQ(kind("room:a", "system"), EventKind::system);
    for (const char* event : {"", "new_msg", "phx_join", "Phx_reply", "phx_reply ", "broadcasts"}) {
        EXPECT_EQ(kind("room:a", event), EventKind::unknown);
    }
    for (const EventKind each :
         {EventKind::phx_reply, EventKind::phx_close, EventKind::phx_error, EventKind::postgres_changes,
          EventKind::broadcast, EventKind::presence_state, EventKind::presence_diff, EventKind::system}) {
        EXPECT_EQ(kind("room:a", to_string(each)), each);
    }
    EXPECT_EQ(to_string(EventKind::heartbeat_reply), "heartbeat_reply");
    EXPECT_EQ(to_string(EventKind::unknown), "unknown");
}

TEST(Codec, ParsesVersionsAsPhoenixDoes) {
    for (const char* text : {"1.0.0", "1.0.7", "1.0.123"}) EXPECT_EQ(parse_vsn(text).value(), Vsn::v1);
    for (const char* text : {"2.0.0", "2.0.9", "2.0.10"}) EXPECT_EQ(parse_vsn(text).value(), Vsn::v2);
    for (const char* text : {"", "1", "2", "1.0", "1.0.", "1.1.0", "2.1.0", "3.0.0", "0.9.0", "abc", "1.0.x",
                             "1.0.0 ", "1.0.07", "2.0.-1", "01.0.0", "2.0.0.0", "1,0,0"}) {
        const Result<Vsn> result = parse_vsn(text);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code, Errc::invalid_argument);
    }
    EXPECT_EQ(to_string(Vsn::v1), "1.0.0");
    EXPECT_EQ(to_string(Vsn::v2), "2.0.0");
}

} // namespace
} // namespace phx::protocol
