#include "phx/protocol/base64.hpp"
#include "protocol/auth/jwks.hpp"

#include <gtest/gtest.h>
#include <string>

namespace phx::protocol::auth {
namespace {

std::string encoded(const std::string& bytes) {
    return base64_encode(bytes, Base64Alphabet::url, Base64Padding::unpadded);
}

/// A member of so many bytes, the first of which is not zero.
std::string member(const char* name, std::size_t size) {
    return ",\"" + std::string(name) + "\":\"" + encoded(std::string(size, '\x81')) + "\"";
}

const std::string secret = R"("kty":"oct")" + member("k", 32);
const std::string rsa = R"("kty":"RSA","e":"AQAB")" + member("n", 256);
const std::string p256 = R"("kty":"EC","crv":"P-256")" + member("x", 32) + member("y", 32);
const std::string p384 = R"("kty":"EC","crv":"P-384")" + member("x", 48) + member("y", 48);
const std::string p521 = R"("kty":"EC","crv":"P-521")" + member("x", 66) + member("y", 66);
const std::string ed25519 = R"("kty":"OKP","crv":"Ed25519")" + member("x", 32);

std::string set_of(const std::vector<std::string>& keys) {
    std::string json = R"({"keys":[)";
    for (const std::string& key : keys) json += (json.back() == '[' ? "{" : ",{") + key + "}";
    return json + "]}";
}

/// What is wrong with it, or nothing.
std::string fault_of(const std::string& json) {
    const auto keys = read_jwks(json);
    if (keys) return "";
    EXPECT_EQ(keys.error().code, Errc::invalid_argument);
    const std::string start = "the JWKS cannot be used: ";
    EXPECT_TRUE(keys.error().message.starts_with(start)) << keys.error().message;
    return keys.error().message.substr(start.size());
}
std::string fault_of_key(const std::string& members) { return fault_of(set_of({members})); }

TEST(Jwks, HoldsKeysOfSixKinds) {
    const auto keys = read_jwks(set_of({secret, rsa, p256, p384, p521, R"("kid":"k\u00e9y",)" + ed25519}));
    ASSERT_TRUE(keys) << keys.error().message;
    ASSERT_EQ(keys->size(), 6u);
    const KeyKind kinds[] = {KeyKind::secret, KeyKind::rsa,  KeyKind::p256,
                             KeyKind::p384,   KeyKind::p521, KeyKind::ed25519};
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ((*keys)[i].kind, kinds[i]);
    EXPECT_EQ((*keys)[0].first, std::string(32, '\x81'));
    EXPECT_EQ((*keys)[1].second, std::string("\1\0\1", 3));
    EXPECT_EQ((*keys)[3].second.size(), 48u);
    EXPECT_EQ((*keys)[5].kid, "kéy");
    EXPECT_EQ((*keys)[0].kid, std::nullopt);
}

TEST(Jwks, LetsTheKeyDecideTheAlgorithm) {
    const auto keys = read_jwks(set_of({rsa, R"("kid":"1","alg":"RS512",)" + rsa, p256, secret}));
    ASSERT_TRUE(keys);
    const auto served = [&](std::size_t i) {
        std::string names;
        for (int a = 0; a <= static_cast<int>(Algorithm::eddsa); ++a)
            if ((*keys)[i].serves(static_cast<Algorithm>(a)))
                names.append(name_of(static_cast<Algorithm>(a))).append(" ");
        return names;
    };
    EXPECT_EQ(served(0), "RS256 RS384 RS512 ");
    EXPECT_EQ(served(1), "RS512 ");
    EXPECT_EQ(served(2), "ES256 ");
    EXPECT_EQ(served(3), "HS256 HS384 HS512 ");
}

TEST(Jwks, RefusesAnAlgorithmThatTheKeyCannotVerify) {
    const std::string fault = "key 1: its `alg` is none that such a key verifies";
    EXPECT_EQ(fault_of_key(R"("alg":"HS256",)" + rsa), fault);
    EXPECT_EQ(fault_of_key(R"("alg":"RS256",)" + secret), fault);
    EXPECT_EQ(fault_of_key(R"("alg":"ES384",)" + p256), fault);
    EXPECT_EQ(fault_of_key(R"("alg":"PS256",)" + rsa), fault);
    EXPECT_EQ(fault_of_key(R"("alg":"none",)" + secret), fault);
    EXPECT_EQ(fault_of_key(R"("alg":7,)" + secret), fault);
}

TEST(Jwks, RefusesCurvesThatDoNotFit) {
    EXPECT_EQ(fault_of_key(R"("kty":"EC","crv":"secp256k1")" + member("x", 32) + member("y", 32)),
              "key 1: `crv` of an EC key is P-256, P-384 or P-521");
    EXPECT_EQ(fault_of_key(R"("kty":"EC","crv":"Ed25519")" + member("x", 32)),
              "key 1: `crv` of an EC key is P-256, P-384 or P-521");
    EXPECT_EQ(fault_of_key(R"("kty":"OKP","crv":"X25519")" + member("x", 32)),
              "key 1: `crv` of an OKP key is Ed25519");
    EXPECT_EQ(fault_of_key(R"("kty":"OKP","crv":"P-256")" + member("x", 32)),
              "key 1: `crv` of an OKP key is Ed25519");
    const std::string length = "key 1: `x` or `y` is missing, no base64url, or not as long as the curve says";
    EXPECT_EQ(fault_of_key(R"("kty":"EC","crv":"P-384")" + member("x", 32) + member("y", 32)), length);
    EXPECT_EQ(fault_of_key(R"("kty":"EC","crv":"P-256")" + member("x", 32)), length);
    EXPECT_EQ(fault_of_key(R"("kty":"EC","crv":"P-256","x":"*")" + member("y", 32)), length);
    EXPECT_EQ(fault_of_key(R"("kty":"OKP","crv":"Ed25519")" + member("x", 31)),
              "key 1: `x` is missing, no base64url, or not of 32 bytes");
}

TEST(Jwks, RefusesWeakAndMonstrousKeys) {
    const auto rsa_of = [](std::size_t bytes) { return R"("kty":"RSA","e":"AQAB")" + member("n", bytes); };
    EXPECT_EQ(fault_of_key(rsa_of(128)), "key 1: an RSA key needs 2048 bits");
    EXPECT_EQ(fault_of_key(rsa_of(255)), "key 1: an RSA key needs 2048 bits");
    EXPECT_EQ(fault_of_key(rsa_of(1024)), "");
    EXPECT_EQ(fault_of_key(rsa_of(1025)), "key 1: an RSA key has 8192 bits at the most");
    const std::string padded = std::string(200, '\0') + std::string(56, '\x81');
    EXPECT_EQ(fault_of_key(R"("kty":"RSA","e":"AQAB","n":")" + encoded(padded) + "\""),
              "key 1: an RSA key needs 2048 bits")
        << "zeros in front are no bits";
    for (const char* e : {"", "AQ", "AAE", "Ag", "AAAA", "gAAAAAE"})
        EXPECT_EQ(fault_of_key(R"("kty":"RSA","e":")" + std::string(e) + "\"" + member("n", 256)),
                  "key 1: `e` is no exponent: an odd number from 3 on, of 32 bits")
            << e;
    EXPECT_EQ(fault_of_key(R"("kty":"RSA")" + member("n", 256)),
              "key 1: `n` or `e` is missing or no base64url");
    EXPECT_EQ(fault_of_key(R"("kty":"oct")" + member("k", 31)), "key 1: the secret has less than 32 bytes");
    EXPECT_EQ(fault_of_key(R"("kty":"oct")" + member("k", 1025)),
              "key 1: the secret has more than 1024 bytes");
    EXPECT_EQ(fault_of_key(R"("kty":"oct")"), "key 1: `k` is missing or no base64url");
}

TEST(Jwks, PassesOverKeysForEncryptionAndRefusesOtherUses) {
    const auto keys = read_jwks(set_of({R"("use":"enc","alg":"RSA-OAEP",)" + rsa, R"("use":"sig",)" + p256}));
    ASSERT_TRUE(keys);
    ASSERT_EQ(keys->size(), 1u);
    EXPECT_EQ(keys->front().kind, KeyKind::p256);
    EXPECT_EQ(fault_of_key(R"("use":"enc",)" + rsa), "it has no key that verifies signatures");
    EXPECT_EQ(fault_of_key(R"("use":"tls",)" + rsa), "key 1: its `use` is neither \"sig\" nor \"enc\"");
    EXPECT_EQ(fault_of_key(R"("use":7,)" + rsa), "key 1: its `use` is neither \"sig\" nor \"enc\"");
    EXPECT_EQ(fault_of_key(R"("key_ops":["sign"],)" + rsa), "key 1: its `key_ops` lacks \"verify\"");
    EXPECT_EQ(fault_of_key(R"("key_ops":"verify",)" + rsa), "key 1: its `key_ops` lacks \"verify\"");
    EXPECT_EQ(fault_of_key(R"("key_ops":["sign","verify"],)" + secret), "");
}

TEST(Jwks, SaysWhichKeyIsBad) {
    EXPECT_EQ(fault_of(set_of({secret, R"("kid":"a\"\n","kty":"none")"})),
              "key 2 (kid \"a\\\"\\n\"): `kty` is oct, RSA, EC or OKP");
    EXPECT_EQ(fault_of_key("\"kid\":\"" + std::string(1000, 'k') + "\",\"kty\":\"none\""),
              "key 1 (kid \"" + std::string(64, 'k') + "\"): `kty` is oct, RSA, EC or OKP");
    EXPECT_EQ(fault_of_key(R"("kid":7,)" + secret), "key 1: its `kid` is no string");
    EXPECT_EQ(fault_of_key(R"("k":"AAAA",)" + secret), "key 1: it has a member twice");
    EXPECT_EQ(fault_of(R"({"keys":[7]})"), "key 1: it is no JSON object");
}

TEST(Jwks, KeepsKidsApart) {
    EXPECT_EQ(fault_of(set_of({R"("kid":"a",)" + rsa, R"("kid":"a",)" + p256})), "") << "of another type";
    EXPECT_EQ(fault_of(set_of({R"("kid":"a",)" + rsa, R"("kid":"a",)" + rsa})),
              "key 2 (kid \"a\"): another key of its type has the same `kid`");
}

TEST(Jwks, IsBounded) {
    std::vector<std::string> keys;
    for (int i = 0; i < 100; ++i) keys.push_back("\"kid\":\"" + std::to_string(i) + "\"," + p256);
    EXPECT_EQ(fault_of(set_of(keys)), "");
    keys.push_back(R"("kid":"one more",)" + p256);
    EXPECT_EQ(fault_of(set_of(keys)), "it has more than 100 keys");
    EXPECT_EQ(fault_of(set_of(std::vector<std::string>(8, p256))), "");
    EXPECT_EQ(fault_of(set_of(std::vector<std::string>(9, p256))),
              "key 9: there are 8 keys without a `kid` before it; give each its own");
    EXPECT_EQ(fault_of(set_of({secret}) + std::string(1u << 20, ' ')), "it has more than 1 MiB");
    EXPECT_EQ(fault_of(R"({"keys":)" + std::string(100'000, '[')), "it is no JSON object");
}

TEST(Jwks, IsAJsonObjectWithAListOfKeys) {
    for (const char* json : {"", "[]", "not json", "{", "null", "-----BEGIN PUBLIC KEY-----"})
        EXPECT_EQ(fault_of(json), "it is no JSON object") << json;
    for (const char* json : {"{}", R"({"keys":{}})", R"({"keys":null})", R"({"kty":"oct"})"})
        EXPECT_EQ(fault_of(json), "it has no list `keys`") << json;
    EXPECT_EQ(fault_of(R"({"keys":[]})"), "it has no key that verifies signatures");
}

TEST(Jwks, NamesNoSecret) {
    const auto keys = read_jwks(R"({"keys":[{"kty":"oct","k":"c2VjcmV0"}]})");
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error().message.find("secret\""), std::string::npos);
    EXPECT_EQ(keys.error().message.find("c2VjcmV0"), std::string::npos);
}

} // namespace
} // namespace phx::protocol::auth
