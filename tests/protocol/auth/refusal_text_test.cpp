#include "protocol/auth/refusal_text.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace phx::protocol::auth {
namespace {

using namespace std::chrono_literals;
using server::TokenFault;
using server::TokenRefusal;

std::string connect(const TokenRefusal& refusal) {
    const HttpRefusal answer = supabase_connect_refusal(refusal);
    return std::to_string(answer.status) + " " + answer.text;
}

TEST(RefusalText, OfAConnectIsSupabases) {
    EXPECT_EQ(connect({TokenFault::missing}), "401 API key is missing");
    EXPECT_EQ(connect({TokenFault::malformed}), "401 The token provided is not a valid JWT");
    EXPECT_EQ(connect({TokenFault::bad_claim, "role"}), "401 The token provided is not a valid JWT");
    EXPECT_EQ(connect({TokenFault::signature}), "401 Failed to validate JWT signature");
    EXPECT_EQ(connect({TokenFault::expired, "exp", 7s}), "401 Token has expired");
    EXPECT_EQ(connect({TokenFault::claims_missing, "exp"}),
              "401 Fields `role` and `exp` are required in JWT");
    EXPECT_EQ(connect({TokenFault::no_key}),
              "401 Failed to generate JWT signer, check your JWT secret or JWKS configuration");
    EXPECT_EQ(connect({TokenFault::unknown_kid, "X"}), "401 Failed to generate JWT signer for key ID (kid) "
                                                       "\"X\", check your JWT secret or JWKS configuration");
    EXPECT_EQ(connect({TokenFault::bad_time, "exp"}), "500 Error connecting to Realtime");
    EXPECT_EQ(connect({TokenFault::not_yet_valid}), "401 Token is not valid yet");
    EXPECT_EQ(connect({TokenFault::audience}), "401 Token is for another audience");
    EXPECT_EQ(connect({TokenFault::issuer}), "401 Token is from another issuer");
}

TEST(RefusalText, OfAJoinHasSupabasesCodes) {
    const auto join = [](const TokenRefusal& refusal) { return supabase_join_reason(refusal); };
    EXPECT_EQ(join({TokenFault::expired, "exp", 7s}), "InvalidJWTToken: Token has expired 7 seconds ago");
    EXPECT_EQ(join({TokenFault::claims_missing, "exp"}),
              "InvalidJWTToken: Fields `role` and `exp` are required in JWT");
    EXPECT_EQ(join({TokenFault::bad_time, "exp"}), "InvalidJWTToken: Token expiration time is invalid");
    EXPECT_EQ(join({TokenFault::malformed}), "MalformedJWT: The token provided is not a valid JWT");
    EXPECT_EQ(join({TokenFault::signature}), "JwtSignatureError: Failed to validate JWT signature");
    EXPECT_EQ(join({TokenFault::no_key}),
              "JwtSignerError: Failed to generate JWT signer, check your JWT secret or JWKS configuration");
    EXPECT_EQ(
        join({TokenFault::unknown_kid, "X"}),
        "JwtSignerError: Failed to generate JWT signer for key ID (kid) \"X\", check your JWT secret or JWKS "
        "configuration");
    EXPECT_EQ(join({TokenFault::audience}), "InvalidJWTToken: Token is for another audience");
}

TEST(RefusalText, OfASystemMessageIsSupabases) {
    const auto system = [](const TokenRefusal& refusal) { return supabase_system_message(refusal); };
    EXPECT_EQ(system({TokenFault::expired, "exp", 0s}), "Token has expired 0 seconds ago");
    EXPECT_EQ(system({TokenFault::malformed}), "The token provided is not a valid JWT");
    EXPECT_EQ(system({TokenFault::signature}), ":signature_error");
    EXPECT_EQ(system({TokenFault::claims_missing, "exp"}), "Fields `role` and `exp` are required in JWT");
}

TEST(RefusalText, ForPeopleIsASentenceOfItsOwnForEachFault) {
    std::set<std::string> sentences;
    for (int fault = 0; fault <= static_cast<int>(TokenFault::issuer); ++fault) {
        const std::string text = sentence_of({static_cast<TokenFault>(fault), "x", 7s});
        EXPECT_GT(text.size(), 10u) << fault;
        EXPECT_TRUE(sentences.insert(text).second) << text;
    }
    EXPECT_EQ(sentence_of({TokenFault::expired, "exp", 7s}), "the token expired 7 s ago");
    EXPECT_EQ(sentence_of({TokenFault::unknown_kid, "a\"\n\x1b[31m"}),
              R"(no key has the token's kid "a\"\n\u001b[31m" and is used with its algorithm)")
        << "one line, and nothing that a terminal obeys";
}

} // namespace
} // namespace phx::protocol::auth
