#include "phx/protocol/base64.hpp"
#include "protocol/auth/claims.hpp"

#include <gtest/gtest.h>
#include <string>
#include <variant>

namespace phx::protocol::auth {
namespace {

using namespace std::chrono_literals;
using server::Identity;
using server::TokenFault;
using server::TokenRefusal;
using server::TokenRules;

constexpr auto now = std::chrono::system_clock::time_point(1'000'000s);

server::TokenVerdict read(std::string_view json, const TokenRules& rules = {},
                          std::chrono::system_clock::time_point at = now) {
    return read_claims(base64_encode(json, Base64Alphabet::url, Base64Padding::unpadded), rules, at);
}

/// With an `exp` that is good.
std::string good(std::string_view members = "") {
    return R"({"exp":2000000)" + std::string(members.empty() ? "" : ",") + std::string(members) + "}";
}

/// "ok", or the fault and what it is about.
std::string verdict(std::string_view json, const TokenRules& rules = {},
                    std::chrono::system_clock::time_point at = now) {
    const auto result = read(json, rules, at);
    const auto* refusal = std::get_if<TokenRefusal>(&result);
    if (!refusal) return "ok";
    switch (refusal->fault) {
    case TokenFault::malformed: return "malformed";
    case TokenFault::bad_claim: return "bad claim: " + refusal->subject;
    case TokenFault::bad_time: return "bad time: " + refusal->subject;
    case TokenFault::claims_missing: return "missing: " + refusal->subject;
    case TokenFault::expired: return "expired " + std::to_string(refusal->expired_for.count());
    case TokenFault::not_yet_valid: return "not yet";
    case TokenFault::audience: return "audience";
    case TokenFault::issuer: return "issuer";
    default: return "another";
    }
}

Identity claims(std::string_view json, const TokenRules& rules = {}) {
    const auto result = read(json, rules);
    EXPECT_TRUE(std::holds_alternative<Identity>(result)) << verdict(json, rules);
    return std::holds_alternative<Identity>(result) ? std::get<Identity>(result) : Identity{};
}

using List = std::vector<std::string>;

TEST(Claims, TellWhoTheBearerIs) {
    const std::string json =
        R"({"sub":"u1","role":"admin","roles":["user","admin"],"permissions":["read","write"],"exp":1000001})";
    const Identity all = claims(json);
    EXPECT_EQ(all.user_id, "u1");
    EXPECT_EQ(all.roles, (List{"admin", "user"}));
    EXPECT_EQ(all.permissions, (List{"read", "write"}));
    EXPECT_EQ(all.claims, json);
    EXPECT_EQ(all.expires_at, now + 1s);
    const Identity none = claims(good());
    EXPECT_EQ(none.user_id, "");
    EXPECT_EQ(none.roles, List{});
    EXPECT_EQ(none.permissions, List{});
}

TEST(Claims, TakeUserIdWhereThereIsNoSub) {
    EXPECT_EQ(claims(good(R"("user_id":"u2")")).user_id, "u2");
    EXPECT_EQ(claims(good(R"("user_id":7)")).user_id, "7");
    EXPECT_EQ(claims(good(R"("sub":"","user_id":"u2")")).user_id, "u2");
    EXPECT_EQ(claims(good(R"("user_id":"u2","sub":"u1")")).user_id, "u1");
    EXPECT_EQ(claims(good(R"("sub":"\u00e4\n")")).user_id, "ä\n");
}

TEST(Claims, CountNullAndEmptyTextAsNone) {
    EXPECT_EQ(claims(good(R"("sub":null,"role":null,"roles":null,"permissions":null,"nbf":null,"iat":null)"))
                  .user_id,
              "");
    EXPECT_EQ(claims(good(R"("role":"","roles":["",""])")).roles, List{});
    EXPECT_EQ(verdict(R"({"exp":null})"), "missing: exp");
}

TEST(Claims, HaveTheirTypes) {
    EXPECT_EQ(verdict(good(R"("sub":7)")), "bad claim: sub");
    EXPECT_EQ(verdict(good(R"("sub":{})")), "bad claim: sub");
    EXPECT_EQ(verdict(good(R"("user_id":true)")), "bad claim: user_id");
    EXPECT_EQ(verdict(good(R"("role":1)")), "bad claim: role");
    EXPECT_EQ(verdict(good(R"("role":["admin"])")), "bad claim: role");
    EXPECT_EQ(verdict(good(R"("roles":"admin")")), "bad claim: roles");
    EXPECT_EQ(verdict(good(R"("roles":["a",1])")), "bad claim: roles");
    EXPECT_EQ(verdict(good(R"("permissions":{"read":true})")), "bad claim: permissions");
}

TEST(Claims, AreOneJsonObject) {
    for (const char* json :
         {"", "[]", "[1]", "null", "\"exp\"", "5", "{", "{\"exp\":2000000", "{\"exp\":2000000}}",
          "{\"exp\":2000000}{}", "\xef\xbb\xbf{\"exp\":2000000}", "{\"exp\":2000000,}",
          "{\"exp\":2000000,\"a\":\"\xff\"}", "{\"exp\":2000000,\"a\":\"\\ud800\"}", "{\"exp\":NaN}",
          "{\"exp\":Infinity}", "{\"exp\":0x10}", "{\"exp\":02000000}"}) {
        EXPECT_EQ(verdict(json), "malformed") << json;
    }
    EXPECT_TRUE(std::holds_alternative<TokenRefusal>(read_claims("e30=", {.require_expiry = false}, now)));
    EXPECT_EQ(verdict(good(R"("__proto__":{"role":"admin"},"constructor":1)")), "ok");
    EXPECT_EQ(claims(good(R"("__proto__":{"role":"admin"})")).roles, List{});
}

TEST(Claims, AreNotNestedDeep) {
    EXPECT_EQ(verdict(good("\"a\":" + std::string(15, '[') + std::string(15, ']'))), "ok");
    EXPECT_EQ(verdict(good("\"a\":" + std::string(16, '[') + std::string(16, ']'))), "malformed");
    EXPECT_EQ(verdict(good("\"a\":" + std::string(200'000, '['))), "malformed");
}

TEST(Claims, ThatAreReadComeOnce) {
    for (const char* name :
         {"sub", "user_id", "role", "roles", "permissions", "exp", "nbf", "iat", "aud", "iss"}) {
        const std::string twice = "\"" + std::string(name) + "\":null,\"" + name + "\":null";
        EXPECT_EQ(verdict("{" + twice + "}", {.require_expiry = false}), "malformed") << name;
    }
    EXPECT_EQ(verdict(good(R"("\u0065xp":3000000)")), "malformed");
    EXPECT_EQ(verdict(good(R"("email":"a","email":"b")")), "ok") << "nobody here reads it";
}

TEST(Claims, NeedAnExpiryUnlessTheRulesSayOtherwise) {
    EXPECT_EQ(verdict("{}"), "missing: exp");
    EXPECT_EQ(verdict("{}", {.require_expiry = false}), "ok");
    EXPECT_EQ(claims("{}", {.require_expiry = false}).expires_at, std::nullopt);
    EXPECT_EQ(verdict(R"({"exp":5})", {.require_expiry = false}), "expired 999995");
}

TEST(Claims, NeedARoleWhereTheRulesSaySo) {
    const TokenRules rules{.require_role = true};
    EXPECT_EQ(verdict(good(), rules), "missing: role");
    EXPECT_EQ(verdict("{}", rules), "missing: role and exp");
    EXPECT_EQ(verdict(good(R"("role":"")"), rules), "missing: role");
    EXPECT_EQ(verdict(good(R"("role":"anon")"), rules), "ok");
    EXPECT_EQ(verdict(good(R"("roles":["anon"])"), rules), "ok");
}

TEST(Claims, ExpireAtTheSecondThatTheyName) {
    EXPECT_EQ(verdict(R"({"exp":1000001})"), "ok");
    EXPECT_EQ(verdict(R"({"exp":1000000})"), "expired 0");
    EXPECT_EQ(verdict(R"({"exp":1000001})", {}, now + 999ms), "ok");
    EXPECT_EQ(verdict(R"({"exp":999990})"), "expired 10");
    EXPECT_EQ(verdict(R"({"exp":1000001.9})"), "ok");
    EXPECT_EQ(verdict(R"({"exp":1000000.9})"), "expired 0") << "a fraction is given up";
    EXPECT_EQ(verdict(R"({"exp":0})"), "expired 1000000");
    EXPECT_EQ(verdict(R"({"exp":-0})"), "expired 1000000");
    EXPECT_EQ(verdict(R"({"exp":-5})"), "expired 1000005");
    EXPECT_EQ(verdict(R"({"exp":2e6})"), "ok");
    EXPECT_EQ(verdict(R"({"exp":1e-400})", {.require_expiry = false}), "bad time: exp");
}

TEST(Claims, HaveTimesThatAClockShows) {
    for (const char* value : {"\"2000000\"", "true", "[]", "{}", "1e308", "1e400", "-1e308", "253402300800",
                              "1700000000000", "99999999999999999999999999999999"}) {
        EXPECT_EQ(verdict("{\"exp\":" + std::string(value) + "}"), "bad time: exp") << value;
        EXPECT_EQ(verdict(good("\"nbf\":" + std::string(value))), "bad time: nbf") << value;
        EXPECT_EQ(verdict(good("\"iat\":" + std::string(value))), "bad time: iat") << value;
    }
    const Identity last = claims(R"({"exp":253402300799})");
    ASSERT_TRUE(last.expires_at);
    EXPECT_GT(*last.expires_at, now + std::chrono::hours(24 * 365 * 200)) << "no overflow";
    EXPECT_EQ(verdict(R"({"exp":-253402300799})"), "expired 253403300799");
}

TEST(Claims, AreNotValidBeforeNbf) {
    EXPECT_EQ(verdict(good(R"("nbf":1000000)")), "ok");
    EXPECT_EQ(verdict(good(R"("nbf":1000001)")), "not yet");
    EXPECT_EQ(verdict(good(R"("nbf":1000000.5)")), "not yet");
    EXPECT_EQ(verdict(good(R"("nbf":-1)")), "ok");
}

TEST(Claims, MayHaveBeenIssuedByAClockThatIsAhead) {
    EXPECT_EQ(verdict(good(R"("iat":1000100)")), "ok"); // RFC 7519 section 4.1.6 asks nothing of it
}

TEST(Claims, GetALeewayOfClocks) {
    const TokenRules rules{.leeway = 10s};
    EXPECT_EQ(verdict(R"({"exp":999991})", rules), "ok");
    EXPECT_EQ(claims(R"({"exp":999991})", rules).expires_at, now + 1s);
    EXPECT_EQ(verdict(R"({"exp":999990})", rules), "expired 10");
    EXPECT_EQ(verdict(good(R"("nbf":1000010)"), rules), "ok");
    EXPECT_EQ(verdict(good(R"("nbf":1000011)"), rules), "not yet");
}

TEST(Claims, AreForTheAudienceThatTheRulesName) {
    const TokenRules rules{.audience = "chat"};
    EXPECT_EQ(verdict(good(R"("aud":"chat")"), rules), "ok");
    EXPECT_EQ(verdict(good(R"("aud":["mail","chat"])"), rules), "ok");
    for (const char* aud :
         {"\"mail\"", "[]", "[\"mail\"]", "7", "{\"chat\":1}", "null", "[1,\"chat\"]", "\"\""})
        EXPECT_EQ(verdict(good("\"aud\":" + std::string(aud)), rules), "audience") << aud;
    EXPECT_EQ(verdict(good(), rules), "audience");
    EXPECT_EQ(verdict(good(R"("aud":7)")), "ok") << "nobody asked";
}

TEST(Claims, AreOfTheIssuerThatTheRulesName) {
    const TokenRules rules{.issuer = "https://id.example"};
    EXPECT_EQ(verdict(good(R"("iss":"https://id.example")"), rules), "ok");
    for (const char* iss : {"\"https://id.example/\"", "[\"https://id.example\"]", "null", "7"})
        EXPECT_EQ(verdict(good("\"iss\":" + std::string(iss)), rules), "issuer") << iss;
    EXPECT_EQ(verdict(good(), rules), "issuer");
}

} // namespace
} // namespace phx::protocol::auth
