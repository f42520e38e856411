#include "protocol/auth/refusal_text.hpp"

#include "phx/protocol/codec.hpp"

namespace phx::protocol::auth {
namespace {

using phx::server::TokenFault;
using phx::server::TokenRefusal;

std::string expired_for(const TokenRefusal& refusal) {
    return "Token has expired " + std::to_string(refusal.expired_for.count()) + " seconds ago";
}

/// The texts that Supabase has in all three places.
std::string common_text(const TokenRefusal& refusal) {
    switch (refusal.fault) {
    case TokenFault::missing: return "API key is missing";
    case TokenFault::no_key:
        return "Failed to generate JWT signer, check your JWT secret or JWKS configuration";
    case TokenFault::unknown_kid:
        return "Failed to generate JWT signer for key ID (kid) \"" + refusal.subject +
               "\", check your JWT secret or JWKS configuration";
    case TokenFault::signature: return "Failed to validate JWT signature";
    case TokenFault::bad_time: return "Token expiration time is invalid";
    case TokenFault::claims_missing: return "Fields `role` and `exp` are required in JWT";
    case TokenFault::expired: return expired_for(refusal);
    case TokenFault::not_yet_valid: return "Token is not valid yet";
    case TokenFault::audience: return "Token is for another audience";
    case TokenFault::issuer: return "Token is from another issuer";
    case TokenFault::malformed:
    case TokenFault::bad_claim: break;
    }
    return "The token provided is not a valid JWT";
}

const char* join_code(TokenFault fault) {
    switch (fault) {
    case TokenFault::signature: return "JwtSignatureError: ";
    case TokenFault::no_key:
    case TokenFault::unknown_kid: return "JwtSignerError: ";
    case TokenFault::missing:
    case TokenFault::malformed:
    case TokenFault::bad_claim: return "MalformedJWT: ";
    default: return "InvalidJWTToken: ";
    }
}

std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(out, text); // escapes what would break the line
    return out;
}

} // namespace

HttpRefusal supabase_connect_refusal(const TokenRefusal& refusal) {
    if (refusal.fault == TokenFault::expired) return {401, "Token has expired"};
    if (refusal.fault == TokenFault::bad_time) return {500, "Error connecting to Realtime"};
    return {401, common_text(refusal)};
}

std::string supabase_join_reason(const TokenRefusal& refusal) {
    return join_code(refusal.fault) + common_text(refusal);
}

std::string supabase_system_message(const TokenRefusal& refusal) {
    if (refusal.fault == TokenFault::signature) return ":signature_error"; // an atom that was inspected
    return common_text(refusal);
}

std::string sentence_of(const TokenRefusal& refusal) {
    switch (refusal.fault) {
    case TokenFault::missing: return "there is no token";
    case TokenFault::malformed: return "the token is no JWT: three parts of strict base64url, at most 8 KiB";
    case TokenFault::no_key: return "no key is used with the token's algorithm";
    case TokenFault::unknown_kid:
        return "no key has the token's kid " + quoted(refusal.subject) + " and is used with its algorithm";
    case TokenFault::signature: return "the token's signature is not of the key";
    case TokenFault::bad_claim: return "the claim " + refusal.subject + " of the token has the wrong type";
    case TokenFault::bad_time:
        return "the claim " + refusal.subject +
               " of the token is no unix time in seconds before the year 10000";
    case TokenFault::claims_missing: return "the token lacks the claim " + refusal.subject;
    case TokenFault::expired:
        return "the token expired " + std::to_string(refusal.expired_for.count()) + " s ago";
    case TokenFault::not_yet_valid: return "the token is not valid yet (nbf)";
    case TokenFault::audience: return "the token is for another audience (aud)";
    case TokenFault::issuer: return "the token is of another issuer (iss)";
    }
    return {};
}

} // namespace phx::protocol::auth
