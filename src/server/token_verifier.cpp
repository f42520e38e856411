#include "phx/server/token.hpp"
#include "protocol/auth/claims.hpp"
#include "protocol/auth/compact_token.hpp"
#include "protocol/auth/jwks.hpp"
#include "protocol/auth/refusal_text.hpp"
#include "protocol/wire/utf8.hpp"
#include "src/server/signature.hpp"

#include <algorithm>
#include <utility>

namespace phx::server {
namespace {

using protocol::auth::Algorithm;
using protocol::auth::CompactToken;
using protocol::auth::Jwk;
using protocol::auth::KeyKind;

constexpr std::size_t max_secrets = 16;

struct Key {
    Jwk jwk;
    shell::SharedKey key = {}; ///< none of a secret
};

Failure refuse(const std::string& what) { return fail(Errc::invalid_argument, what); }

Result<void> check_secrets(const std::vector<std::string>& secrets) {
    using protocol::auth::max_secret_bytes;
    using protocol::auth::min_secret_bytes;
    if (secrets.size() > max_secrets) return refuse("there are more than 16 JWT secrets");
    const auto fits = [](const std::string& secret) {
        return secret.size() >= min_secret_bytes && secret.size() <= max_secret_bytes;
    };
    if (std::ranges::all_of(secrets, fits)) return {};
    return refuse("a JWT secret needs 32 to 1024 bytes; make one with: openssl rand -base64 48");
}

Result<std::vector<Key>> make_keys(const std::string& jwks) {
    std::vector<Key> keys;
    if (jwks.empty()) return keys;
    auto list = protocol::auth::read_jwks(jwks);
    if (!list) return Failure{std::move(list).error()};
    for (Jwk& jwk : *list) {
        Key key{std::move(jwk)};
        if (key.jwk.kind != KeyKind::secret) {
            key.key = shell::make_public_key(key.jwk);
            if (!key.key)
                return refuse("the JWKS cannot be used: " + key.jwk.label +
                              ": its numbers are no public key");
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

bool signed_with(const Key& key, Algorithm algorithm, const CompactToken& token) {
    if (key.jwk.kind == KeyKind::secret)
        return shell::has_hmac(algorithm, key.jwk.first, token.signed_text, token.signature);
    return shell::has_signature(algorithm, key.key.get(), token.signed_text, token.signature);
}

} // namespace

struct TokenVerifier::Impl {
    std::vector<std::string> secrets = {};
    std::vector<Key> keys = {};
    TokenRules rules = {};

    std::optional<TokenRefusal> check_signature(const CompactToken& token) const;
};

std::optional<TokenRefusal> TokenVerifier::Impl::check_signature(const CompactToken& token) const {
    if (!token.algorithm) return TokenRefusal{TokenFault::no_key};
    const Algorithm algorithm = *token.algorithm;
    bool tried = false;
    for (const Key& key : keys) {
        if (key.jwk.kid != token.kid || !key.jwk.serves(algorithm)) continue;
        tried = true;
        if (signed_with(key, algorithm, token)) return std::nullopt;
    }
    // Supabase, jwt_verification.ex: a key of the set with that kid excludes the secret.
    const bool with_secrets = protocol::auth::is_hmac(algorithm) && !(token.kid && tried);
    for (const std::string& secret : secrets) {
        if (!with_secrets) break;
        tried = true;
        if (shell::has_hmac(algorithm, secret, token.signed_text, token.signature)) return std::nullopt;
    }
    if (tried) return TokenRefusal{TokenFault::signature};
    if (!token.kid || protocol::auth::is_hmac(algorithm)) return TokenRefusal{TokenFault::no_key};
    constexpr std::size_t max_shown = 64;
    return TokenRefusal{TokenFault::unknown_kid, std::string(protocol::utf8_prefix(*token.kid, max_shown))};
}

std::string describe(const TokenRefusal& refusal) { return protocol::auth::sentence_of(refusal); }

TokenVerifier::TokenVerifier(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<TokenVerifier> TokenVerifier::make(const TokenKeys& keys, TokenRules rules) {
    if (keys.secrets.empty() && keys.jwks.empty()) return refuse("there is neither a JWT secret nor a JWKS");
    if (rules.leeway < std::chrono::seconds(0) || rules.leeway > std::chrono::hours(1))
        return refuse("TokenRules::leeway is not between 0 and 1 hour");
    if (auto good = check_secrets(keys.secrets); !good) return Failure{good.error()};
    auto public_keys = make_keys(keys.jwks);
    if (!public_keys) return Failure{std::move(public_keys).error()};
    return TokenVerifier(
        std::make_shared<const Impl>(Impl{keys.secrets, std::move(*public_keys), std::move(rules)}));
}

TokenVerdict TokenVerifier::verify(std::string_view token, std::chrono::system_clock::time_point now) const {
    if (token.empty()) return TokenRefusal{TokenFault::missing};
    const auto parts = protocol::auth::read_compact_token(token);
    if (!parts) return TokenRefusal{TokenFault::malformed};
    if (auto refusal = impl_->check_signature(*parts)) return std::move(*refusal);
    return protocol::auth::read_claims(parts->payload, impl_->rules, now);
}

} // namespace phx::server
