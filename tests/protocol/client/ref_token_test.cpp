#include "protocol/client/ref_token.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

TEST(RefToken, IsAJsonStringOfTheNumber) {
    EXPECT_EQ(RefToken(1).token().text, "\"1\"");
    EXPECT_EQ(RefToken(UINT64_MAX).token().text, "\"18446744073709551615\"");
}

TEST(RefToken, ReadsItselfBack) {
    for (const std::uint64_t ref : {std::uint64_t{1}, std::uint64_t{10}, UINT64_MAX - 1}) {
        EXPECT_EQ(parse_ref(RefToken(ref).token()), ref);
    }
}

TEST(RefToken, TakesAbsentNullAndEmptyAsNone) {
    EXPECT_EQ(parse_ref(std::nullopt), 0u);
    EXPECT_EQ(parse_ref(JsonToken{"null"}), 0u);
    EXPECT_EQ(parse_ref(JsonToken{"\"\""}), 0u);
}

TEST(RefToken, KnowsWhatItCannotHaveMade) {
    for (const std::string_view text :
         {"1", "\"0\"", "\"01\"", "\"-1\"", "\" 1\"", "\"1 \"", "\"x\"", "\"1", "true", "{}",
          "\"99999999999999999999\"", "\"123456789012345678901\"", "[\"1\"]"}) {
        EXPECT_EQ(parse_ref(JsonToken{text}), foreign_ref) << text;
    }
}

} // namespace
} // namespace phx::protocol
