#include "protocol/wire/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::protocol {
namespace {

/// The definition, written the slow way: Unicode table 3-7.
bool is_utf8_by_definition(const std::string& text) {
    const auto in = [&](std::size_t i, int low, int high) {
        if (i >= text.size()) return false;
        const int byte = static_cast<unsigned char>(text[i]);
        return byte >= low && byte <= high;
    };
    const auto tail = [&](std::size_t i) { return in(i, 0x80, 0xbf); };
    for (std::size_t i = 0; i < text.size();) {
        if (in(i, 0, 0x7f)) {
            i += 1;
        } else if (in(i, 0xc2, 0xdf) && tail(i + 1)) {
            i += 2;
        } else if (((in(i, 0xe0, 0xe0) && in(i + 1, 0xa0, 0xbf)) ||
                    (in(i, 0xed, 0xed) && in(i + 1, 0x80, 0x9f)) ||
                    (in(i, 0xe1, 0xef) && !in(i, 0xed, 0xed) && tail(i + 1))) &&
                   tail(i + 2)) {
            i += 3;
        } else if (((in(i, 0xf0, 0xf0) && in(i + 1, 0x90, 0xbf)) ||
                    (in(i, 0xf4, 0xf4) && in(i + 1, 0x80, 0x8f)) || (in(i, 0xf1, 0xf3) && tail(i + 1))) &&
                   tail(i + 2) && tail(i + 3)) {
            i += 4;
        } else {
            return false;
        }
    }
    return true;
}

std::string encode(std::uint32_t code_point) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(value & 0xff); };
    if (code_point < 0x80) return {byte(code_point)};
    if (code_point < 0x800) return {byte(0xc0 | code_point >> 6), byte(0x80 | (code_point & 63))};
    if (code_point < 0x10000) {
        return {byte(0xe0 | code_point >> 12), byte(0x80 | (code_point >> 6 & 63)),
                byte(0x80 | (code_point & 63))};
    }
    return {byte(0xf0 | code_point >> 18), byte(0x80 | (code_point >> 12 & 63)),
            byte(0x80 | (code_point >> 6 & 63)), byte(0x80 | (code_point & 63))};
}

const std::vector<std::string> invalid_texts = {
    "\x80",
    "\xbf",
    "\xc0\x80",
    "\xc1\xbf",
    "\xe0\x80\x80",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x80\x80\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xf8\x88\x80",
    "\xfc\x84\x80",
    "\xfe",
    "\xff",
    "\xc2\x41",
    "\xe2\x82\x41",
    "\xe2\x41",
    "\xf0\x9f\x41",
    "\xf0\x9f\x92\x41",
    "\xc2\xc2",
    "\xe2\x28\xa1",
};

TEST(Utf8, AcceptsExactlyTheCodePointsThatAreNotSurrogates) {
    for (std::uint32_t code_point = 0; code_point < 0x110100; ++code_point) {
        const bool valid = code_point < 0x110000 && (code_point < 0xd800 || code_point > 0xdfff);
        ASSERT_EQ(is_utf8(encode(code_point)), valid) << code_point;
    }
}

TEST(Utf8, JudgesEveryPairAndEveryHarderTripleAsTheDefinition) {
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            std::string text = {static_cast<char>(a), static_cast<char>(b)};
            ASSERT_EQ(is_utf8(text), is_utf8_by_definition(text)) << a << ' ' << b;
            for (const int c : {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff}) {
                text.resize(2);
                text.push_back(static_cast<char>(c));
                ASSERT_EQ(is_utf8(text), is_utf8_by_definition(text)) << a << ' ' << b << ' ' << c;
                text.push_back('\x80');
                ASSERT_EQ(is_utf8(text), is_utf8_by_definition(text)) << a << ' ' << b << ' ' << c;
            }
        }
    }
}

TEST(Utf8, FindsAnInvalidSequenceAtEveryPlaceOfEveryLength) {
    for (const auto& invalid : invalid_texts) {
        for (std::size_t length = 0; length < 80; ++length) {
            for (std::size_t place = 0; place <= length; ++place) {
                std::string text(length, 'a');
                text.insert(place, invalid);
                Utf8Validator validator;
                ASSERT_FALSE(validator.feed(text)) << place << " of " << length;
            }
        }
    }
}

TEST(Utf8, AcceptsACharacterAtEveryPlaceOfEveryLength) {
    for (const std::string_view character : {"\u00e4", "\u20ac", "\U0001f600"}) {
        for (std::size_t length = 0; length < 80; ++length) {
            for (std::size_t place = 0; place <= length; ++place) {
                std::string text(length, 'a');
                text.insert(place, character);
                ASSERT_TRUE(is_utf8(text)) << place << " of " << length;
                text.resize(place + character.size() - 1);
                ASSERT_FALSE(is_utf8(text)) << place << " of " << length;
            }
        }
    }
}

TEST(Utf8, JudgesAllCutsAlike) {
    std::string text =
        "gr\u00fc\u00dfe, \u4f60\u597d, \U0001f600, and a long tail of plain ASCII text \u20ac";
    for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
            Utf8Validator validator;
            ASSERT_TRUE(validator.feed(text.substr(0, first)));
            ASSERT_TRUE(validator.feed(text.substr(first, second - first)));
            ASSERT_TRUE(validator.feed(text.substr(second)));
            ASSERT_TRUE(validator.is_complete());
        }
    }
}

TEST(Utf8, FailsAtTheFirstByteThatCannotBeRight) {
    struct {
        std::string good, bad;
    } const cases[] = {{"\xe0", "\x9f"},     {"\xed", "\xa0"},
                       {"\xf0", "\x8f"},     {"\xf4", "\x90"},
                       {"a\xc3", "a"},       {"", "\xc1"},
                       {"", "\xf5"},         {"\xe2\x82", "\xff"},
                       {"\xf0\x90", "\x7f"}, {"\xce\xba", "\xed\xa0"}};
    for (const auto& [good, bad] : cases) {
        Utf8Validator validator;
        EXPECT_TRUE(validator.feed(good));
        EXPECT_FALSE(validator.feed(bad));
    }
}

TEST(Utf8, StaysFalseUntilReset) {
    Utf8Validator validator;
    EXPECT_FALSE(validator.feed("\xff"));
    EXPECT_FALSE(validator.feed("fine"));
    EXPECT_FALSE(validator.feed(std::string(100, 'a')));
    EXPECT_FALSE(validator.feed(""));
    EXPECT_FALSE(validator.is_complete());
    validator.reset();
    EXPECT_TRUE(validator.feed("fine"));
    EXPECT_TRUE(validator.is_complete());
}

TEST(Utf8, IsNotCompleteWithinACharacter) {
    Utf8Validator validator;
    EXPECT_TRUE(validator.is_complete());
    for (const std::string_view byte : {"\xf0", "\x9f", "\x98"}) {
        EXPECT_TRUE(validator.feed(byte));
        EXPECT_FALSE(validator.is_complete());
    }
    EXPECT_TRUE(validator.feed("\x80"));
    EXPECT_TRUE(validator.is_complete());
}

TEST(Utf8Prefix, EndsBetweenTwoCharacters) {
    const std::string text = "a\u00e4\u20ac\U0001f600";
    const std::size_t lengths[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (std::size_t max_bytes = 0; max_bytes < std::size(lengths); ++max_bytes) {
        const auto prefix = utf8_prefix(text, max_bytes);
        EXPECT_EQ(prefix, text.substr(0, lengths[max_bytes]));
        EXPECT_TRUE(is_utf8(prefix));
    }
    EXPECT_EQ(utf8_prefix("", 5), "");
}

} // namespace
} // namespace phx::protocol
