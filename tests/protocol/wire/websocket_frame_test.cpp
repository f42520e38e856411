#include "protocol/wire/websocket_frame.hpp"

#include "protocol/wire/utf8.hpp"
#include "tests/protocol/wire/test_frame.hpp"
#include "tests/support/alloc_count.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace phx::protocol {
namespace {

using test::AllocationCount;

constexpr std::size_t sizes[] = {0,   1,   2,   3,   4,   5,   7,    8,     9,     15,    16,   17,
                                 100, 124, 125, 126, 127, 128, 1000, 65535, 65536, 65537, 70000};

std::string bytes_of(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + 7);
    return bytes;
}

/// Takes one masked frame with a length form of `length_bytes` apart, the slow way.
std::string unmasked_payload(std::string_view frame, std::size_t length_bytes) {
    const std::string_view key = frame.substr(2 + length_bytes, 4);
    std::string payload(frame.substr(6 + length_bytes));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
    return payload;
}

std::size_t length_bytes_of(std::size_t size) { return size < 126 ? 0 : size < 65536 ? 2 : 8; }

// RFC 6455 section 5.7.
TEST(WebSocketFrame, WritesTheUnmaskedExamplesOfTheRfc) {
    std::string out;
    append_frame(out, FrameOpcode::text, "Hello");
    EXPECT_EQ(out, "\x81\x05Hello");
    out.clear();
    append_frame(out, FrameOpcode::ping, "Hello");
    EXPECT_EQ(out, "\x89\x05Hello");
    out.clear();
    append_frame(out, FrameOpcode::binary, std::string(256, 'x'));
    EXPECT_EQ(out, std::string("\x82\x7e\x01\x00", 4) + std::string(256, 'x'));
    out.clear();
    append_frame(out, FrameOpcode::binary, std::string(65536, 'x'));
    EXPECT_EQ(out, std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10) + std::string(65536, 'x'));
}

TEST(WebSocketFrame, WritesTheMaskedExamplesOfTheRfc) {
    MaskKey key = 0;
    std::copy_n("\x37\xfa\x21\x3d", sizeof key, reinterpret_cast<char*>(&key));
    std::string out;
    append_masked_frame(out, FrameOpcode::text, "Hello", key);
    EXPECT_EQ(out, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    out.clear();
    append_masked_frame(out, FrameOpcode::pong, "Hello", key);
    EXPECT_EQ(out, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST(WebSocketFrame, WritesEverySizeInItsShortestForm) {
    for (const std::size_t size : sizes) {
        const std::string payload = bytes_of(size);
        const std::size_t length_bytes = length_bytes_of(size);
        std::string out;
        append_frame(out, FrameOpcode::binary, payload);
        EXPECT_EQ(out, test::wire({test::binary(payload)}, WebSocketRole::server)) << size;

        FrameWriter client(WebSocketRole::client, {1, 2, 3});
        out.clear();
        client.append(out, FrameOpcode::binary, payload);
        ASSERT_EQ(out.size(), 6 + length_bytes + size);
        EXPECT_EQ(out[0], '\x82');
        EXPECT_EQ(static_cast<unsigned char>(out[1]), 0x80 | (length_bytes == 0   ? size
                                                              : length_bytes == 2 ? 126u
                                                                                  : 127u));
        EXPECT_EQ(unmasked_payload(out, length_bytes), payload) << size;
    }
}

TEST(WebSocketFrame, BuildsManyFramesInOneBuffer) {
    FrameWriter server(WebSocketRole::server);
    std::string out;
    server.append(out, FrameOpcode::text, "one");
    server.append(out, FrameOpcode::binary, "two");
    const OpenFrame open = server.begin(out);
    out += "three";
    server.end(out, open, FrameOpcode::text);
    server.append(out, FrameOpcode::pong, "");
    EXPECT_EQ(out, std::string("\x81\x03one\x82\x03two\x81\x05three\x8a\x00", 19));
}

TEST(WebSocketFrame, IsTheSameWrittenInPlaceWhateverWasExpected) {
    for (const auto role : {WebSocketRole::client, WebSocketRole::server}) {
        for (const std::size_t size : sizes) {
            for (const std::size_t expected_bytes : {0u, 125u, 126u, 65535u, 65536u}) {
                const std::string payload = bytes_of(size);
                FrameWriter copying(role, {9}), in_place(role, {9});
                std::string copied = "before", built = "before";
                copying.append(copied, FrameOpcode::text, payload);
                const OpenFrame open = in_place.begin(built, expected_bytes);
                built += payload;
                in_place.end(built, open, FrameOpcode::text);
                ASSERT_TRUE(built == copied) << size << ' ' << expected_bytes;
            }
        }
    }
}

TEST(WebSocketFrame, TakesACancelledFrameBack) {
    FrameWriter client(WebSocketRole::client);
    std::string out = "before";
    const OpenFrame open = client.begin(out);
    out += "half a pay";
    FrameWriter::cancel(out, open);
    EXPECT_EQ(out, "before");
}

TEST(WebSocketFrame, ClosesWithCodeAndReason) {
    FrameWriter server(WebSocketRole::server);
    std::string out;
    server.append_close(out, 1012, "restart");
    EXPECT_EQ(out, "\x88\x09\x03\xf4restart");
    out.clear();
    server.append_close(out, 4999, "");
    EXPECT_EQ(out, "\x88\x02\x13\x87");
    out.clear();
    server.append_close(out, 1005, "");
    EXPECT_EQ(out, std::string("\x88\x00", 2));
}

TEST(WebSocketFrame, CutsALongReasonBetweenTwoCharacters) {
    FrameWriter server(WebSocketRole::server);
    for (std::size_t ascii = 115; ascii < 130; ++ascii) {
        for (const std::string tail :
             {"\u00e4\u00e4\u00e4\u00e4", "\u20ac\u20ac\u20ac", "\U0001f600\U0001f600"}) {
            const std::string reason = std::string(ascii, 'a') + tail;
            std::string out;
            server.append_close(out, 1000, reason);
            const std::string kept = out.substr(4);
            EXPECT_EQ(static_cast<std::size_t>(out[1]), kept.size() + 2);
            EXPECT_EQ(reason.substr(0, kept.size()), kept);
            EXPECT_TRUE(is_utf8(kept));
            EXPECT_LE(kept.size(), 123u);
            EXPECT_GE(kept.size(), std::min<std::size_t>(reason.size(), 120));
        }
    }
}

TEST(WebSocketFrame, KnowsWhichCloseCodesMayBeSent) {
    std::vector<int> borders;
    for (int code = 1; code < 65536; ++code) {
        if (is_close_code(static_cast<std::uint16_t>(code)) !=
            is_close_code(static_cast<std::uint16_t>(code - 1))) {
            borders.push_back(code);
        }
    }
    EXPECT_FALSE(is_close_code(0));
    EXPECT_EQ(borders, (std::vector<int>{1000, 1004, 1007, 1015, 3000, 5000}));
}

TEST(WebSocketMask, UndoesItselfAtEverySizeAndCut) {
    const MaskKey key = 0x12f4a6c8;
    unsigned char key_bytes[4];
    std::copy_n(reinterpret_cast<const unsigned char*>(&key), 4, key_bytes);
    for (std::size_t size = 0; size < 70; ++size) {
        const std::string plain = bytes_of(size);
        std::string expected = plain;
        for (std::size_t i = 0; i < size; ++i)
            expected[i] = static_cast<char>(expected[i] ^ key_bytes[i % 4]);
        for (std::size_t cut = 0; cut <= size; ++cut) {
            std::string bytes = plain;
            apply_mask(bytes.data(), cut, key);
            apply_mask(bytes.data() + cut, size - cut, advance_mask(key, cut));
            ASSERT_EQ(bytes, expected) << size << ' ' << cut;
        }
    }
}

// The key stream of `openssl enc -chacha20` with an IV of zeros, in words of little endian.
TEST(WebSocketMask, TakesItsKeysFromChaCha20) {
    MaskSource zero(MaskSeed{});
    EXPECT_EQ(zero.next(), 0xade0b876u); // RFC 8439 appendix A.1, test vector 1
    EXPECT_EQ(zero.next(), 0x903df1a0u);
    EXPECT_EQ(zero.next(), 0xe56a5d40u);

    MaskSource counted(
        {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c});
    std::vector<MaskKey> keys(34);
    for (auto& key : keys) key = counted.next();
    EXPECT_EQ(keys[0], 0x7d2bfd39u);
    EXPECT_EQ(keys[15], 0x0c415b48u);
    EXPECT_EQ(keys[16], 0x3142b818u);
    EXPECT_EQ(keys[17], 0xd1a6e6adu);
    EXPECT_EQ(keys[31], 0xcd5a9531u);
    EXPECT_EQ(keys[32], 0xdc2df242u);
    EXPECT_EQ(keys[33], 0xd5924aa7u);
}

TEST(WebSocketMask, GivesEveryFrameAnotherKey) {
    FrameWriter client(WebSocketRole::client, {5});
    std::vector<std::string> keys;
    for (int i = 0; i < 1000; ++i) {
        std::string out;
        client.append(out, FrameOpcode::text, "x");
        keys.push_back(out.substr(2, 4));
    }
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
}

TEST(WebSocketFrame, AllocatesNothingInABufferThatIsLargeEnough) {
    FrameWriter client(WebSocketRole::client, {5});
    const std::string payload(300, 'x');
    std::string out;
    out.reserve(100000);
    const AllocationCount count;
    for (int i = 0; i < 100; ++i) {
        client.append(out, FrameOpcode::text, payload);
        const OpenFrame open = client.begin(out);
        out += payload;
        client.end(out, open, FrameOpcode::binary);
        client.append_close(out, 1000, payload);
    }
    EXPECT_EQ(count.allocations(), 0u);
}

} // namespace
} // namespace phx::protocol
