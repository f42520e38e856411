#include "phx/protocol/base64.hpp"
#include "protocol/auth/compact_token.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace phx::protocol::auth {
namespace {

std::string encoded(std::string_view text) {
    return base64_encode(text, Base64Alphabet::url, Base64Padding::unpadded);
}

/// With a good payload and signature.
std::string with_header(std::string_view header) { return encoded(header) + "." + encoded("{}") + ".AAAA"; }

bool is_token(std::string_view text) { return read_compact_token(text).has_value(); }
bool is_header(std::string_view json) { return is_token(with_header(json)); }

TEST(CompactToken, IsTakenApart) {
    const std::string text = with_header(R"({"alg":"ES256","kid":"k\u00e9y","typ":"JWT"})");
    const auto token = read_compact_token(text);
    ASSERT_TRUE(token);
    EXPECT_EQ(token->algorithm, Algorithm::es256);
    EXPECT_EQ(token->kid, "kéy");
    EXPECT_EQ(token->signed_text, text.substr(0, text.rfind('.')));
    EXPECT_EQ(token->payload, encoded("{}"));
    EXPECT_EQ(token->signature, std::string(3, '\0'));
}

TEST(CompactToken, HasThreeParts) {
    const std::string header = encoded(R"({"alg":"HS256"})");
    EXPECT_TRUE(is_token(header + ".e30.AAAA"));
    EXPECT_TRUE(is_token(header + "..")); // no payload, no signature: refused for these, later
    for (const std::string& text : std::vector<std::string>{
             "", ".", "..", "...", "sb_publishable_x", header, header + ".", header + ".e30",
             header + ".e30.AAAA.", header + ".e30.AAAA.AAAA", header + ".e30.AAAA.AAAA.AAAA", ".e30.AAAA"}) {
        EXPECT_FALSE(is_token(text)) << text;
    }
}

TEST(CompactToken, IsStrictBase64url) {
    const std::string header = encoded(R"({"alg":"HS256"})");
    const std::string good = header + ".e30.AAAA";
    ASSERT_TRUE(is_token(good));
    EXPECT_FALSE(is_token(header + "=.e30.AAAA")) << "padding";
    EXPECT_FALSE(is_token(header + ".e30.AAA=")) << "padding";
    EXPECT_FALSE(is_token(header + ".e30.AA+/")) << "the other alphabet";
    EXPECT_FALSE(is_token(header + ".e30.AAB")) << "spare bits that are not zero";
    EXPECT_FALSE(is_token(header + ".e30.AAAAA")) << "an impossible length";
    EXPECT_FALSE(is_token(" " + good));
    EXPECT_FALSE(is_token(good + " "));
    EXPECT_FALSE(is_token(good + "\n"));
    EXPECT_FALSE(is_token(good + '\0'));
    EXPECT_FALSE(is_token("Bearer " + good));
}

TEST(CompactToken, HasAtMost8KiB) {
    const std::string header = encoded(R"({"alg":"HS256"})") + ".";
    const std::string tail = ".AAAA";
    const std::size_t room = max_token_bytes - header.size() - tail.size();
    EXPECT_TRUE(is_token(header + std::string(room, 'A') + tail));
    EXPECT_FALSE(is_token(header + std::string(room + 1, 'A') + tail));
    EXPECT_FALSE(is_token(std::string(1u << 20, '.')));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","kid":")" + std::string(1u << 20, 'k') + "\"}"));
}

TEST(CompactToken, NeedsAnAlgorithmOfThoseThatAreVerified) {
    EXPECT_FALSE(is_header(R"({})"));
    EXPECT_FALSE(is_header(R"({"alg":1})"));
    EXPECT_FALSE(is_header(R"({"alg":null})"));
    EXPECT_FALSE(is_header(R"({"alg":["HS256"]})"));
    for (const char* name :
         {"none", "None", "nOnE", "", "hs256", "HS256 ", "PS256", "ES256K", "HS1", "RSA1_5"}) {
        const std::string text = with_header(R"({"alg":")" + std::string(name) + "\"}");
        ASSERT_TRUE(read_compact_token(text)) << name;
        EXPECT_EQ(read_compact_token(text)->algorithm, std::nullopt) << name;
    }
    for (const char* name :
         {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"}) {
        const std::string text = with_header(R"({"alg":")" + std::string(name) + "\"}");
        ASSERT_TRUE(read_compact_token(text)->algorithm) << name;
        EXPECT_EQ(name_of(*read_compact_token(text)->algorithm), name);
    }
}

TEST(CompactToken, TakesAKidOfTextOnlyAndInterpretsNothingInIt) {
    EXPECT_FALSE(is_header(R"({"alg":"HS256","kid":1})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","kid":null})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","kid":["a"]})"));
    const std::string path = with_header(R"({"alg":"HS256","kid":"../../dev/null' OR 1=1 --"})");
    EXPECT_EQ(read_compact_token(path)->kid, "../../dev/null' OR 1=1 --");
}

TEST(CompactToken, RefusesWhatIsCritical) {
    EXPECT_FALSE(is_header(R"({"alg":"HS256","crit":["exp"],"exp":1})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","crit":[]})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","b64":false,"crit":["b64"]})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","zip":"DEF"})"));
}

TEST(CompactToken, PassesOverKeysThatTheHeaderBrings) {
    for (const char* member : {R"("jku":"https://evil.example/keys")", R"("x5u":"file:///etc/passwd")",
                               R"("x5c":["MIIB"])", R"("jwk":{"kty":"oct","k":"AAAA"})"}) {
        EXPECT_TRUE(is_header(R"({"alg":"HS256",)" + std::string(member) + "}")) << member;
    }
}

TEST(CompactToken, RefusesNamesThatComeTwiceAndTooMany) {
    EXPECT_FALSE(is_header(R"({"alg":"HS256","alg":"none"})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","\u0061lg":"none"})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","kid":"a","kid":"b"})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","x":1,"x":1})"));
    std::string many = R"({"alg":"HS256")";
    for (std::size_t i = 1; i < max_header_members; ++i) many += ",\"m" + std::to_string(i) + "\":1";
    EXPECT_TRUE(is_header(many + "}"));
    EXPECT_FALSE(is_header(many + ",\"one too many\":1}"));
}

TEST(CompactToken, NeedsAHeaderThatIsAFlatJsonObject) {
    for (const char* json :
         {"", "[]", "\"alg\"", "null", "7", "{", "{\"alg\":\"HS256\"", "{\"alg\":\"HS256\"}x",
          "\xef\xbb\xbf{\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",}", "{'alg':'HS256'}",
          "{\"alg\":\"HS256\",\"kid\":\"\xff\"}", "{\"alg\":\"HS256\",\"kid\":\"\\ud800\"}",
          "{\"alg\":\"HS256\",\"kid\":\"a\nb\"}"}) {
        EXPECT_FALSE(is_header(json)) << json;
    }
    EXPECT_TRUE(is_header(R"({"alg":"HS256","x":[[[]]]})"));
    EXPECT_FALSE(is_header(R"({"alg":"HS256","x":[[[[]]]]})"));
    EXPECT_FALSE(is_header("{\"alg\":\"HS256\",\"x\":" + std::string(5000, '[')));
    EXPECT_TRUE(is_header(" {\"alg\" : \"HS256\"} "));
}

} // namespace
} // namespace phx::protocol::auth
