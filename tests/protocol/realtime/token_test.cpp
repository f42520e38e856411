#include "protocol/realtime/token.hpp"

#include "phx/protocol/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace phx::protocol::realtime {
namespace {

std::string token_of(std::string_view claims) {
    return "e30." + base64_encode(claims, Base64Alphabet::url, Base64Padding::unpadded) + ".signature";
}

TEST(TokenExpiry, IsReadFromTheClaims) {
    EXPECT_EQ(token_expiry(token_of(R"({"exp":1767225600})")), 1767225600);
    EXPECT_EQ(token_expiry(token_of(R"({"sub":"ada","exp":1767225600.9,"role":"anon"})")), 1767225600);
    EXPECT_EQ(token_expiry(token_of(R"({"exp":0})")), 0);
}

TEST(TokenExpiry, OfWhatIsNoTokenIsUnknown) {
    for (const std::string_view token : {"", ".", "..", "...", "a.b", "a.b.c", "sb_publishable_abc",
                                         "e30.!!!.s", "e30.e30=.s", "e30.\xff\xfe.s"})
        EXPECT_FALSE(token_expiry(token)) << token;
}

TEST(TokenExpiry, ThatIsNoTimeIsUnknown) {
    for (const std::string_view claims :
         {"", "null", "[]", "{", R"({"exp")", R"({"exp":)", R"({"exp":})", "{}", R"({"exp":"1767225600"})",
          R"({"exp":null})", R"({"exp":-1})", R"({"exp":1e300})", R"({"exp":1e999})", R"({"exp":nan})",
          R"({"exp":[1767225600]})", R"({"nested":{"exp":1767225600}})", "\xff\xfe\x00"})
        EXPECT_FALSE(token_expiry(token_of(claims))) << claims;
}

} // namespace
} // namespace phx::protocol::realtime
