#pragma once

#include "phx/export.hpp"
#include "phx/result.hpp"
#include "phx/server/connection.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace phx::server {

/// What tokens (JWTs) are verified with. A key decides which algorithms it is used for, never the token.
struct TokenKeys {
    /// For HS256, HS384 and HS512; several during a rotation, all of them count. Each of 32 to 1024 bytes
    /// (RFC 7518, 3.2: no shorter than the hash), at most 16.
    std::vector<std::string> secrets = {};
    /// A JSON Web Key Set (RFC 7517) as JSON text: oct, RSA (RS256, RS384, RS512; from 2048 bits), EC (P-256:
    /// ES256, P-384: ES384, P-521: ES512) and OKP (Ed25519: EdDSA). `alg` of a key narrows it to that one.
    /// Keys for encryption (`"use":"enc"`) are passed over. At most 1 MiB, 100 keys, 8 of them without a
    /// `kid`.
    std::string jwks = {};
};

/// What a token with a good signature must say besides.
struct TokenRules {
    bool require_expiry = true;                         ///< `exp`; without it a stolen token is good for ever
    bool require_role = false;                          ///< `role` or `roles`, as Supabase demands
    std::optional<std::string> audience = std::nullopt; ///< `aud` is it, or a list that has it
    std::optional<std::string> issuer = std::nullopt;   ///< `iss` is it
    std::chrono::seconds leeway{0};                     ///< of clocks, for `exp` and `nbf`; at most an hour
};

/// How a server verifies tokens.
struct TokenOptions {
    TokenKeys keys = {};
    TokenRules rules = {};
};

/// Why a token is refused. In the order in which it is looked at: nothing of the claims is read before the
/// signature is good.
enum class TokenFault : std::uint8_t {
    missing,        ///< there is none
    malformed,      ///< no JWT of three parts, strict base64url and JSON, or over 8 KiB
    no_key,         ///< no key is used with its algorithm ("none" among them)
    unknown_kid,    ///< no key of that `kid` is used with its algorithm
    signature,      ///< signed with another key, or changed
    bad_claim,      ///< a claim has the wrong type
    bad_time,       ///< `exp`, `nbf` or `iat` is no number of seconds before the year 10000
    claims_missing, ///< `exp` or the role is required and not there
    expired,        ///< get a new one
    not_yet_valid,  ///< before `nbf`
    audience,       ///< `aud` is for somebody else
    issuer,         ///< `iss` is somebody else
};

struct TokenRefusal {
    TokenFault fault = TokenFault::missing;
    /// What the fault is about: the `kid` of unknown_kid (from the client: at most 64 bytes), the names of
    /// the claims that are missing, or of the one that is bad.
    std::string subject = {};
    std::chrono::seconds expired_for{0}; ///< of expired
};

/// One sentence for people, without any part of the token but its `kid`.
PHX_API std::string describe(const TokenRefusal&);

/// Who the bearer is: `sub`, else `user_id` (also a number), as user id; `role` (text) and then `roles`
/// (list), each once; `permissions` (list); the claims as they were signed; `exp` and the leeway, in whole
/// seconds and no later than the clock can tell. Or why the token is refused.
using TokenVerdict = std::variant<Identity, TokenRefusal>;

/// Verifies tokens: JWS compact serialisation (RFC 7515) with the algorithms of TokenKeys. Immutable, so safe
/// from any thread; copies share the keys.
///
/// A token with a `kid` is verified with the key of that `kid`; HS256, HS384 and HS512 fall back to the
/// secrets only where the set has no oct key of it, as in Supabase. A token without one is verified with the
/// secrets and the keys that have none either.
class PHX_API TokenVerifier {
public:
    /// Errors: invalid_argument, with the key that cannot be used and why; also when there is no key at all.
    static Result<TokenVerifier> make(const TokenKeys&, TokenRules = {});

    TokenVerdict verify(std::string_view token, std::chrono::system_clock::time_point now) const;

private:
    struct Impl;
    explicit TokenVerifier(std::shared_ptr<const Impl>);
    std::shared_ptr<const Impl> impl_;
};

/// What sign_token signs with.
struct SigningKey {
    std::string algorithm = "HS256"; ///< any that TokenVerifier knows
    std::string key = {}; ///< the secret (32 to 1024 bytes), or a private key as PEM without a password
    std::optional<std::string> kid = std::nullopt; ///< into the header
};

/// A token with these claims, a JSON object that is signed as it is written. For tools and tests; an
/// application gets its tokens from whoever knows its users. Errors: invalid_argument (claims that are no
/// JSON object; a key that does not fit the algorithm).
PHX_API Result<std::string> sign_token(std::string_view claims, const SigningKey&);

} // namespace phx::server
