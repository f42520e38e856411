#include "phx/protocol/base64.hpp"

#include <gtest/gtest.h>

#include <set>

namespace phx::protocol {
namespace {

constexpr auto standard = Base64Alphabet::standard;
constexpr auto url = Base64Alphabet::url;
constexpr auto padded = Base64Padding::padded;
constexpr auto unpadded = Base64Padding::unpadded;

struct Vector {
    std::string_view bytes, padded_text, unpadded_text;
};

// RFC 4648 section 10.
constexpr Vector rfc_vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

TEST(Base64, EncodesTheVectorsOfTheRfc) {
    for (const auto& vector : rfc_vectors) {
        EXPECT_EQ(base64_encode(vector.bytes), vector.padded_text);
        EXPECT_EQ(base64_encode(vector.bytes, url, unpadded), vector.unpadded_text);
    }
}

TEST(Base64, DecodesTheVectorsOfTheRfc) {
    for (const auto& vector : rfc_vectors) {
        EXPECT_EQ(base64_decode(vector.padded_text), vector.bytes);
        EXPECT_EQ(base64_decode(vector.unpadded_text, url, unpadded), vector.bytes);
    }
}

TEST(Base64, AppendsToWhatIsThere) {
    std::string out = "token.";
    base64_encode_to(out, "foo");
    EXPECT_EQ(out, "token.Zm9v");
}

TEST(Base64, UsesTheLastTwoCharactersOfItsAlphabet) {
    EXPECT_EQ(base64_encode("\xfb\xff\xbf", standard), "+/+/");
    EXPECT_EQ(base64_encode("\xfb\xff\xbf", url), "-_-_");
    EXPECT_EQ(base64_decode("+/+/", standard), "\xfb\xff\xbf");
    EXPECT_EQ(base64_decode("-_-_", url), "\xfb\xff\xbf");
    EXPECT_EQ(base64_decode("+/+/", url), std::nullopt);
    EXPECT_EQ(base64_decode("-_-_", standard), std::nullopt);
}

TEST(Base64, GivesEveryByteStringBack) {
    std::string bytes;
    for (int length = 0; length < 300; ++length) {
        for (const auto alphabet : {standard, url}) {
            for (const auto padding : {padded, unpadded}) {
                const std::string text = base64_encode(bytes, alphabet, padding);
                ASSERT_EQ(base64_decode(text, alphabet, padding), bytes) << length;
            }
        }
        bytes.push_back(static_cast<char>(length * 37 + 11));
    }
}

TEST(Base64, RefusesWrongPadding) {
    for (const std::string_view text : {"=", "==", "===", "====", "Zg", "Zg=", "Zg===", "Zg==Zg==", "Zm8",
                                        "Zm8==", "Zm9v=", "Zm9v====", "Z===", "Z", "Zm9vY", "=Zg=", "Z=g="}) {
        EXPECT_EQ(base64_decode(text, standard, padded), std::nullopt) << text;
    }
    for (const std::string_view text : {"=", "Zg==", "Zg=", "Zm8=", "Z", "Zm9vY", "Zm9v="}) {
        EXPECT_EQ(base64_decode(text, standard, unpadded), std::nullopt) << text;
    }
}

TEST(Base64, RefusesEveryForeignCharacter) {
    const std::set<char> extra = {'+', '/'};
    for (int c = 0; c < 256; ++c) {
        const char character = static_cast<char>(c);
        const bool own = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                         extra.count(character) != 0;
        const std::string text = {'Z', character, '9', 'v'};
        EXPECT_EQ(base64_decode(text).has_value(), own) << c;
    }
}

TEST(Base64, RefusesSpareBitsThatAreNotZero) {
    EXPECT_EQ(base64_decode("Zh=="), std::nullopt);
    EXPECT_EQ(base64_decode("Zm9="), std::nullopt);
    EXPECT_EQ(base64_decode("Zh", url, unpadded), std::nullopt);
    EXPECT_EQ(base64_decode("Zm9", url, unpadded), std::nullopt);
}

} // namespace
} // namespace phx::protocol
