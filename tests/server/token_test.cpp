#include "phx/protocol/base64.hpp"
#include "phx/server/token.hpp"

#include <atomic>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace phx::server {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto now = std::chrono::system_clock::time_point(1'800'000'000s);
const std::string claims = R"({"sub":"u1","role":"user","exp":1900000000})";
const std::string secret = "a secret with as many bytes as a hash has";
constexpr std::string_view public_algorithms[] = {"RS256", "RS384", "RS512", "ES256",
                                                  "ES384", "ES512", "EdDSA"};

/// Keys and tokens of the `jose` package.
const json& vectors() {
    static const json all = json::parse(std::ifstream(PHX_TEST_VECTORS "/tokens/jose.json"));
    return all;
}

std::string encoded(std::string_view bytes) {
    return protocol::base64_encode(bytes, protocol::Base64Alphabet::url, protocol::Base64Padding::unpadded);
}
std::string decoded(std::string_view text) {
    return *protocol::base64_decode(text, protocol::Base64Alphabet::url, protocol::Base64Padding::unpadded);
}

TokenVerifier verifier(const TokenKeys& keys, TokenRules rules = {}) {
    return TokenVerifier::make(keys, std::move(rules)).value();
}
TokenVerifier verifier_of_set(const json& keys, TokenRules rules = {}) {
    return verifier({.jwks = json{{"keys", keys}}.dump()}, std::move(rules));
}
json jwk(std::string_view kid) {
    for (const json& key : vectors()["jwks"]["keys"])
        if (key["kid"] == kid) return key;
    return {};
}

constexpr auto accepted = static_cast<TokenFault>(255);
TokenFault fault(const TokenVerifier& keys, std::string_view token) {
    const TokenVerdict verdict = keys.verify(token, now);
    const auto* refusal = std::get_if<TokenRefusal>(&verdict);
    return refusal ? refusal->fault : accepted;
}

std::string sign(std::string_view algorithm, const std::string& key, std::string_view text = claims,
                 std::optional<std::string> kid = std::nullopt) {
    return sign_token(text, {std::string(algorithm), key, std::move(kid)}).value();
}
/// Header and payload of our own, signed with HS256.
std::string forge(std::string_view header, const std::string& key, std::string_view payload = claims) {
    const std::string honest = sign("HS256", key);
    const std::string text = encoded(header) + "." + encoded(payload);
    return text + honest.substr(honest.rfind('.'));
}

struct Parts {
    std::string text, signature;
    explicit Parts(const std::string& token)
        : text(token.substr(0, token.rfind('.'))), signature(decoded(token.substr(token.rfind('.') + 1))) {}
    std::string with(std::string_view other) const { return text + "." + encoded(other); }
};

// ---- other implementations

TEST(TokenVerifier, VerifiesTheExamplesOfRfc7515) {
    const std::string payload =
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    const auto before = std::chrono::system_clock::time_point(1300819379s);
    const auto check = [&](const json& key, const std::string& token) {
        const auto keys = verifier_of_set(json::array({key}));
        const TokenVerdict verdict = keys.verify(token, before);
        ASSERT_TRUE(std::holds_alternative<Identity>(verdict)) << describe(std::get<TokenRefusal>(verdict));
        EXPECT_EQ(json::parse(std::get<Identity>(verdict).claims)["iss"], "joe");
        EXPECT_EQ(fault(keys, token), TokenFault::expired);
    };
    check({{"kty", "oct"},
           {"k", "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}},
          "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" + payload +
              "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    check(
        {{"kty", "RSA"},
         {"n",
          "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
          "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
          "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
          "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
          "DWNmoudF8NAco9_"
          "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
         {"e", "AQAB"}},
        "eyJhbGciOiJSUzI1NiJ9" + payload +
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
            "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
            "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Q"
            "e7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
            "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqV"
            "t5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
    check({{"kty", "EC"},
           {"crv", "P-256"},
           {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
           {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}},
          "eyJhbGciOiJFUzI1NiJ9" + payload +
              "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
}

TEST(TokenVerifier, VerifiesTheExampleOfRfc8037) {
    const auto keys = verifier_of_set(
        {{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}});
    const std::string token =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    EXPECT_EQ(fault(keys, token), TokenFault::malformed) << "the signature is good, the payload is no JSON";
    EXPECT_EQ(fault(keys, "eyJhbGciOiJFZERTQSJ9.e30" + token.substr(token.rfind('.'))),
              TokenFault::signature);
}

TEST(TokenVerifier, VerifiesTokensOfJose) {
    const auto keys = verifier({{vectors()["secret"]}, vectors()["jwks"].dump()}, {.require_role = true});
    for (const char* group : {"secret_tokens", "tokens"}) {
        for (const auto& [name, token] : vectors()[group].items()) {
            const TokenVerdict verdict = keys.verify(token.get<std::string>(), now);
            ASSERT_TRUE(std::holds_alternative<Identity>(verdict)) << group << " " << name;
            const auto& read = std::get<Identity>(verdict);
            EXPECT_EQ(read.user_id, "user-1");
            EXPECT_EQ(read.roles, std::vector<std::string>{"authenticated"});
            EXPECT_EQ(read.expires_at, std::chrono::system_clock::time_point(4102444800s));
        }
    }
}

// ---- our own signatures

TEST(SignToken, MakesWhatTheVerifierAccepts) {
    const auto keys = verifier({{secret}, vectors()["jwks"].dump()});
    for (const char* algorithm : {"HS256", "HS384", "HS512"}) {
        EXPECT_EQ(fault(keys, sign(algorithm, secret)), accepted) << algorithm;
        const std::string oct = decoded(jwk(algorithm)["k"].get<std::string>());
        EXPECT_EQ(fault(keys, sign(algorithm, oct, claims, algorithm)), accepted) << algorithm;
    }
    for (const std::string_view algorithm : public_algorithms) {
        const std::string pem = vectors()["private_keys"][algorithm];
        for (int i = 0; i < 8; ++i) // numbers of EC signatures now and then begin with zeros
            EXPECT_EQ(fault(keys, sign(algorithm, pem, claims, std::string(algorithm))), accepted)
                << algorithm;
    }
}

TEST(SignToken, SignsTheClaimsAsTheyAreWritten) {
    const std::string token = sign("HS256", secret, "{ \"a\" : 1.0 }", "a\"b");
    EXPECT_EQ(token.substr(0, token.rfind('.')),
              encoded(R"({"alg":"HS256","typ":"JWT","kid":"a\"b"})") + "." + encoded("{ \"a\" : 1.0 }"));
}

TEST(SignToken, RefusesKeysThatDoNotFit) {
    const auto refusal = [](std::string_view text, std::string_view algorithm, const std::string& key) {
        const auto token = sign_token(text, {std::string(algorithm), key});
        return token ? "" : token.error().message;
    };
    const json& pems = vectors()["private_keys"];
    EXPECT_EQ(refusal(claims, "ES256", pems["ES384"]), "the key is none for ES256");
    EXPECT_EQ(refusal(claims, "RS256", pems["ES256"]), "the key is none for RS256");
    EXPECT_EQ(refusal(claims, "EdDSA", pems["RS256"]), "the key is none for EdDSA");
    EXPECT_EQ(refusal(claims, "ES256", secret), "the key is no private key in PEM without a password");
    EXPECT_NE(refusal(claims, "HS256", "short").find("32 to 1024 bytes"), std::string::npos);
    EXPECT_NE(refusal(claims, "none", secret).find("the algorithm is"), std::string::npos);
    EXPECT_EQ(refusal("[]", "HS256", secret), "the claims are no JSON object");
    EXPECT_EQ(refusal(R"({"a":")" + std::string(8192, 'a') + "\"}", "HS256", secret),
              "the token would have more than 8 KiB");
}

// ---- forged algorithms

TEST(TokenVerifier, RefusesTokensWithoutASignature) {
    const auto keys = verifier({{secret}, vectors()["jwks"].dump()});
    for (const char* name : {"none", "None", "nOnE", ""}) {
        const std::string text =
            encoded(R"({"alg":")" + std::string(name) + "\"}") + "." + encoded(claims) + ".";
        EXPECT_EQ(fault(keys, text), TokenFault::no_key) << name;
        EXPECT_EQ(fault(keys, text + "AAAA"), TokenFault::no_key) << name;
    }
    const std::string token = sign("HS256", secret);
    EXPECT_EQ(fault(keys, token.substr(0, token.rfind('.') + 1)), TokenFault::signature);
    EXPECT_EQ(fault(keys, ""), TokenFault::missing);
}

TEST(TokenVerifier, NeverTakesAPublicKeyForASecret) {
    const json rsa = jwk("RS256");
    const auto only_rsa = verifier_of_set(json::array({rsa}));
    const auto with_secret = verifier({{secret}, json{{"keys", json::array({rsa})}}.dump()});
    const std::string modulus = decoded(rsa["n"].get<std::string>());
    for (const std::string& key : {rsa.dump(), modulus, rsa["n"].get<std::string>(), rsa.dump() + "\n"}) {
        for (const std::optional<std::string>& kid :
             {std::optional<std::string>(), std::optional<std::string>("RS256")}) {
            EXPECT_EQ(fault(only_rsa, sign("HS256", key, claims, kid)), TokenFault::no_key);
            EXPECT_EQ(fault(with_secret, sign("HS256", key, claims, kid)), TokenFault::signature);
        }
    }
}

TEST(TokenVerifier, RefusesAlgorithmsThatNoKeyIsUsedWith) {
    const auto secrets = verifier({.secrets = {secret}});
    EXPECT_EQ(fault(secrets, vectors()["tokens"]["RS256"].get<std::string>()), TokenFault::unknown_kid);
    EXPECT_EQ(fault(secrets, vectors()["ps256"]["token"].get<std::string>()), TokenFault::no_key);
    EXPECT_EQ(fault(verifier_of_set(json::array({vectors()["ps256"]["jwk"]})),
                    vectors()["ps256"]["token"].get<std::string>()),
              TokenFault::no_key)
        << "PS256 is not verified";
    // A key whose JWK says RS256 is not used with RS512, and one of P-384 not with ES256.
    const auto relabelled = [](std::string_view kid, std::string_view algorithm) {
        return sign(algorithm, vectors()["private_keys"][algorithm], claims, std::string(kid));
    };
    const auto set = verifier({.jwks = vectors()["jwks"].dump()});
    EXPECT_EQ(fault(set, relabelled("RS256", "RS512")), TokenFault::unknown_kid);
    EXPECT_EQ(fault(set, relabelled("ES384", "ES256")), TokenFault::unknown_kid);
    EXPECT_EQ(fault(set, relabelled("EdDSA", "RS256")), TokenFault::unknown_kid);
}

// ---- forged signatures

TEST(TokenVerifier, RefusesCutAndPaddedCodes) {
    const auto keys = verifier({.secrets = {secret}});
    for (const char* algorithm : {"HS256", "HS384", "HS512"}) {
        const Parts token(sign(algorithm, secret));
        EXPECT_EQ(fault(keys, token.with(token.signature)), accepted);
        for (std::size_t size = 0; size < token.signature.size(); ++size)
            EXPECT_EQ(fault(keys, token.with(token.signature.substr(0, size))), TokenFault::signature)
                << size;
        EXPECT_EQ(fault(keys, token.with(token.signature + '\0')), TokenFault::signature);
        EXPECT_EQ(fault(keys, token.with(token.signature + token.signature)), TokenFault::signature);
    }
}

TEST(TokenVerifier, RefusesEveryChangedBit) {
    const auto keys = verifier({{secret}, vectors()["jwks"].dump()});
    for (const char* name : {"HS256", "RS256", "ES256", "ES512", "EdDSA"}) {
        const Parts token(vectors()["tokens"][name].get<std::string>());
        for (std::size_t bit = 0; bit < token.signature.size() * 8; bit += 37) {
            std::string changed = token.signature;
            changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
            EXPECT_EQ(fault(keys, token.with(changed)), TokenFault::signature) << name << " bit " << bit;
        }
    }
    const std::string token = sign("HS256", secret);
    std::string changed = token;
    changed.replace(token.find('.') + 1, token.rfind('.') - token.find('.') - 1,
                    encoded(R"({"role":"admin"})"));
    EXPECT_EQ(fault(keys, changed), TokenFault::signature);
}

TEST(TokenVerifier, RefusesSignaturesOfEcThatAreNoTwoNumbers) {
    const auto keys = verifier({.jwks = vectors()["jwks"].dump()});
    const Parts token(vectors()["tokens"]["ES256"].get<std::string>());
    const std::string zeros(32, '\0'), ones(32, '\xff');
    const std::string r = token.signature.substr(0, 32), s = token.signature.substr(32);
    for (const std::string& forged :
         {zeros + zeros, zeros + s, r + zeros, ones + ones, s + r, std::string(), token.signature + "\1",
          token.signature.substr(1), zeros + r + zeros + s}) {
        EXPECT_EQ(fault(keys, token.with(forged)), TokenFault::signature);
    }
    const auto integer = [](const std::string& number) {
        const bool negative = (number[0] & 0x80) != 0;
        const std::string body = (negative ? std::string(1, '\0') : std::string()) + number;
        return std::string("\2") + static_cast<char>(body.size()) + body;
    };
    const std::string pair = integer(r) + integer(s);
    EXPECT_EQ(fault(keys, token.with(std::string("\x30") + static_cast<char>(pair.size()) + pair)),
              TokenFault::signature)
        << "DER";
}

TEST(TokenVerifier, ChecksTheSignatureBeforeItReadsThePayload) {
    const auto keys = verifier({.secrets = {secret}});
    for (const std::string& payload :
         {std::string("not json"), std::string(5000, '['), std::string(R"({"exp":1})"), std::string("[]")}) {
        EXPECT_EQ(fault(keys, forge(R"({"alg":"HS256"})", secret, payload)), TokenFault::signature);
    }
    const Parts token(sign("HS256", secret));
    const std::string header = token.text.substr(0, token.text.find('.'));
    EXPECT_EQ(fault(keys, header + ".!not base64url!." + encoded(token.signature)), TokenFault::signature);
}

TEST(TokenVerifier, IgnoresKeysThatTheTokenBrings) {
    const auto keys = verifier({.jwks = vectors()["jwks"].dump()});
    const std::string header = R"({"alg":"HS256","jwk":{"kty":"oct","k":")" + encoded(secret) + "\"}}";
    EXPECT_EQ(fault(keys, forge(header, secret)), TokenFault::no_key);
    EXPECT_EQ(fault(verifier({.secrets = {std::string(32, 's')}}), forge(header, secret)),
              TokenFault::signature);
}

// ---- which key

TEST(TokenVerifier, FindsAKeyOfTheSetByItsKid) {
    const auto keys = verifier({.jwks = vectors()["jwks"].dump()});
    const std::string pem = vectors()["private_keys"]["ES256"];
    EXPECT_EQ(fault(keys, sign("ES256", pem, claims, "ES256")), accepted);
    const TokenVerdict verdict = keys.verify(sign("ES256", pem, claims, std::string(500, 'k')), now);
    EXPECT_EQ(std::get<TokenRefusal>(verdict).fault, TokenFault::unknown_kid);
    EXPECT_EQ(std::get<TokenRefusal>(verdict).subject, std::string(64, 'k'));
    EXPECT_EQ(fault(keys, sign("ES256", pem)), TokenFault::no_key) << "none of the keys is without a kid";
}

TEST(TokenVerifier, TriesTheKeysWithoutAKidForATokenWithoutOne) {
    json first = jwk("ES256"), second = jwk("RS256");
    first.erase("kid");
    second.erase("kid");
    const auto keys = verifier_of_set(json::array({first, second}));
    EXPECT_EQ(fault(keys, sign("ES256", vectors()["private_keys"]["ES256"])), accepted);
    EXPECT_EQ(fault(keys, sign("RS256", vectors()["private_keys"]["RS256"])), accepted);
    EXPECT_EQ(fault(keys, sign("ES256", vectors()["private_keys"]["ES256"], claims, "x")),
              TokenFault::unknown_kid);
}

TEST(TokenVerifier, FallsBackToTheSecretsOnlyWhereTheSetHasNoOctKeyOfTheKid) {
    const std::string oct(40, 'o');
    const json set = {{"keys", {{{"kty", "oct"}, {"kid", "a"}, {"k", encoded(oct)}}, jwk("RS256")}}};
    const auto keys = verifier({{secret}, set.dump()});
    EXPECT_EQ(fault(keys, sign("HS256", oct, claims, "a")), accepted);
    EXPECT_EQ(fault(keys, sign("HS256", secret, claims, "a")), TokenFault::signature)
        << "the key excludes it";
    EXPECT_EQ(fault(keys, sign("HS256", secret, claims, "b")), accepted);
    EXPECT_EQ(fault(keys, sign("HS256", secret, claims, "RS256")), accepted) << "no oct key";
    EXPECT_EQ(fault(keys, sign("HS256", oct)), TokenFault::signature) << "a key with a kid wants it named";
    EXPECT_EQ(fault(keys, sign("HS256", secret)), accepted);
}

TEST(TokenVerifier, AcceptsAllSecretsOfARotation) {
    const std::string next(48, 'n');
    const auto during = verifier({.secrets = {secret, next}});
    EXPECT_EQ(fault(during, sign("HS256", secret)), accepted);
    EXPECT_EQ(fault(during, sign("HS512", next)), accepted);
    EXPECT_EQ(fault(verifier({.secrets = {next}}), sign("HS256", secret)), TokenFault::signature)
        << "afterwards";
}

TEST(TokenVerifier, MayBeSharedByThreads) {
    const auto keys = verifier({{secret}, vectors()["jwks"].dump()});
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 3; ++round)
                for (const auto& [name, token] : vectors()["tokens"].items())
                    good += fault(keys, token.get<std::string>()) == accepted;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 4 * 3 * static_cast<int>(vectors()["tokens"].size()));
}

// ---- keys that cannot be used

TEST(TokenVerifier, SaysWhichKeyCannotBeUsed) {
    const auto refusal = [](const TokenKeys& keys, TokenRules rules = {}) {
        const auto made = TokenVerifier::make(keys, std::move(rules));
        EXPECT_TRUE(made || made.error().code == Errc::invalid_argument);
        return made ? "" : made.error().message;
    };
    const std::string length = "a JWT secret needs 32 to 1024 bytes; make one with: openssl rand -base64 48";
    EXPECT_EQ(refusal({}), "there is neither a JWT secret nor a JWKS");
    EXPECT_EQ(refusal({.secrets = {secret, "short"}}), length);
    EXPECT_EQ(refusal({.secrets = {""}}), length);
    EXPECT_EQ(refusal({.secrets = {std::string(1025, 's')}}), length);
    EXPECT_EQ(refusal({.secrets = std::vector<std::string>(17, secret)}),
              "there are more than 16 JWT secrets");
    EXPECT_EQ(refusal({.jwks = "-----BEGIN PUBLIC KEY-----"}),
              "the JWKS cannot be used: it is no JSON object");
    json off_curve = jwk("ES256");
    off_curve["y"] = off_curve["x"];
    EXPECT_EQ(refusal({.jwks = json{{"keys", {jwk("RS256"), off_curve}}}.dump()}),
              "the JWKS cannot be used: key 2 (kid \"ES256\"): its numbers are no public key");
    EXPECT_EQ(refusal({.secrets = {secret}}, {.leeway = -1s}),
              "TokenRules::leeway is not between 0 and 1 hour");
    EXPECT_EQ(refusal({.secrets = {secret}}, {.leeway = 3601s}),
              "TokenRules::leeway is not between 0 and 1 hour");
}

TEST(TokenVerifier, RepeatsNothingOfATokenInItsRefusal) {
    const auto keys = verifier({.jwks = vectors()["jwks"].dump()});
    for (const std::string& token : {sign("HS256", secret), sign("HS256", secret).substr(10), claims,
                                     sign("HS256", secret, claims, "kid")}) {
        const TokenVerdict verdict = keys.verify(token, now);
        const std::string text = describe(std::get<TokenRefusal>(verdict));
        for (std::size_t i = 0; i + 8 <= token.size(); i += 8)
            EXPECT_EQ(text.find(token.substr(i, 8)), std::string::npos) << text;
    }
}

} // namespace
} // namespace phx::server
