#include "protocol/wire/utf8_sequence.hpp"

#include <gtest/gtest.h>
#include <string>

namespace phx::protocol::wire {
namespace {

std::string encode(unsigned code, unsigned length) {
    if (length == 1) return std::string(1, static_cast<char>(code));
    std::string out;
    constexpr unsigned leads[] = {0, 0, 0xC0, 0xE0, 0xF0, 0xF8};
    out.push_back(static_cast<char>(leads[length] | (code >> (6 * (length - 1)))));
    for (unsigned i = length - 1; i-- > 0;)
        out.push_back(static_cast<char>(0x80u | ((code >> (6 * i)) & 0x3Fu)));
    return out;
}

bool is_valid(const std::string& text) { return utf8_error(text) == text.size(); }

TEST(Utf8Sequence, AcceptsEveryCodePointAndNoSurrogate) {
    for (unsigned code = 0; code <= 0x10FFFF; ++code) {
        const unsigned length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        ASSERT_EQ(is_valid(encode(code, length)), !surrogate) << code;
    }
}

TEST(Utf8Sequence, RefusesOverlongForms) {
    EXPECT_EQ(utf8_error("\xC0\x80"), 0u);
    EXPECT_EQ(utf8_error("\xC1\xBF"), 0u);
    for (unsigned code : {0x00u, 0x2Fu, 0x7FFu}) EXPECT_EQ(utf8_error("a" + encode(code, 3)), 1u) << code;
    for (unsigned code : {0x00u, 0x7FFu, 0xFFFFu}) EXPECT_EQ(utf8_error("ab" + encode(code, 4)), 2u) << code;
}

TEST(Utf8Sequence, RefusesWhatLiesAboveTheLastCodePoint) {
    EXPECT_EQ(utf8_error(encode(0x110000, 4)), 0u);
    EXPECT_EQ(utf8_error(encode(0x1FFFFF, 4)), 0u);
    for (int lead = 0xF5; lead <= 0xFF; ++lead) {
        EXPECT_EQ(utf8_error(std::string(1, static_cast<char>(lead)) + "\x80\x80\x80"), 0u) << lead;
    }
}

TEST(Utf8Sequence, RefusesContinuationBytesThatContinueNothing) {
    for (int byte = 0x80; byte <= 0xBF; ++byte)
        EXPECT_EQ(utf8_error("x" + std::string(1, static_cast<char>(byte))), 1u);
}

TEST(Utf8Sequence, RefusesTruncatedAndInterruptedSequences) {
    for (const std::string& good : {encode(0xE9, 2), encode(0x20AC, 3), encode(0x1F600, 4)}) {
        for (std::size_t size = 1; size < good.size(); ++size) {
            EXPECT_EQ(utf8_error("ab" + good.substr(0, size)), 2u);
            EXPECT_EQ(utf8_error("ab" + good.substr(0, size) + "c"), 2u);
            EXPECT_EQ(utf8_error("ab" + good.substr(0, size) + good), 2u);
        }
    }
}

TEST(Utf8Sequence, NamesTheFirstBadByteWhereverItStands) {
    for (std::size_t before = 0; before < 70; ++before) {
        for (std::size_t after = 0; after < 20; ++after) {
            const std::string text = std::string(before, 'a') + '\xFF' + std::string(after, 'b');
            ASSERT_EQ(utf8_error(text), before);
        }
        const std::string mixed = std::string(before, 'a') + "\xE2\x82\xAC\xC3\xA9" + "\xED\xA0\x80";
        ASSERT_EQ(utf8_error(mixed), before + 5);
    }
    EXPECT_TRUE(is_valid({}));
    EXPECT_TRUE(is_valid(std::string(1000, 'x')));
}

} // namespace
} // namespace phx::protocol::wire
