#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "phx/server/token.hpp"
#include "protocol/auth/compact_token.hpp"
#include "protocol/auth/jwks.hpp"
#include "protocol/wire/utf8.hpp"
#include "src/server/signature.hpp"

namespace phx::server {
namespace {

using protocol::auth::Algorithm;

Failure refuse(const std::string& what) { return fail(Errc::invalid_argument, what); }

std::string header_of(const SigningKey& key) {
    std::string header = R"({"alg":")" + key.algorithm + R"(","typ":"JWT")";
    if (key.kid) {
        header += R"(,"kid":)";
        protocol::append_json_string(header, *key.kid);
    }
    return header + "}";
}

Result<std::string> signature_of(Algorithm algorithm, const std::string& key, std::string_view text) {
    if (protocol::auth::is_hmac(algorithm)) {
        if (key.size() < protocol::auth::min_secret_bytes || key.size() > protocol::auth::max_secret_bytes)
            return refuse("a JWT secret needs 32 to 1024 bytes; make one with: openssl rand -base64 48");
        return shell::hmac(algorithm, key, text);
    }
    const auto private_key = shell::read_private_key(key);
    if (!private_key) return Failure{private_key.error()};
    const std::string name(protocol::auth::name_of(algorithm));
    if (!shell::fits(private_key->get(), algorithm)) return refuse("the key is none for " + name);
    std::string signature = shell::sign(algorithm, private_key->get(), text);
    if (signature.empty()) return fail(Errc::system_failure, "OpenSSL cannot sign with " + name);
    return signature;
}

} // namespace

Result<std::string> sign_token(std::string_view claims, const SigningKey& key) {
    using protocol::Base64Alphabet;
    using protocol::Base64Padding;
    const auto algorithm = protocol::auth::algorithm_named(key.algorithm);
    if (!algorithm) {
        return refuse(
            "the algorithm is HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512 or EdDSA");
    }
    if (!protocol::auth::is_json_object(claims, protocol::auth::max_claims_depth))
        return refuse("the claims are no JSON object");
    if (key.kid && !protocol::is_utf8(*key.kid)) return refuse("the kid is not UTF-8");
    std::string token;
    protocol::base64_encode_to(token, header_of(key), Base64Alphabet::url, Base64Padding::unpadded);
    token.push_back('.');
    protocol::base64_encode_to(token, claims, Base64Alphabet::url, Base64Padding::unpadded);
    const auto signature = signature_of(*algorithm, key.key, token);
    if (!signature) return Failure{signature.error()};
    token.push_back('.');
    protocol::base64_encode_to(token, *signature, Base64Alphabet::url, Base64Padding::unpadded);
    if (token.size() > protocol::auth::max_token_bytes) return refuse("the token would have more than 8 KiB");
    return token;
}

} // namespace phx::server
