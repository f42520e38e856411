#pragma once

#include "phx/result.hpp"
#include "protocol/auth/algorithm.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::auth {

constexpr std::size_t max_jwks_bytes = 1u << 20;
constexpr std::size_t max_jwks_keys = 100;
/// Each of them is tried for a token without a `kid`.
constexpr std::size_t max_keys_without_kid = 8;
constexpr std::size_t min_rsa_bits = 2048; // RFC 7518 section 3.3
constexpr std::size_t max_rsa_bits = 8192; // a signature of more takes a millisecond to check
/// RFC 7518 section 3.2: a secret is no shorter than the hash. One of 32 bytes serves HS384 and HS512 as
/// well, as secrets that are handed out as such do.
constexpr std::size_t min_secret_bytes = 32;
constexpr std::size_t max_secret_bytes = 1024;

/// A key of a JWK (RFC 7517, RFC 7518 section 6, RFC 8037); big-endian integers without leading zeros, of
/// curves in their full length.
struct Jwk {
    std::string label = {}; ///< for messages: its place and its `kid`
    std::optional<std::string> kid = {};
    KeyKind kind = KeyKind::secret;
    std::optional<Algorithm> only = {}; ///< the one that `alg` names
    std::string first = {};             ///< k, n or x
    std::string second = {};            ///< e or y

    bool serves(Algorithm algorithm) const noexcept {
        return fits(kind, algorithm) && (!only || *only == algorithm);
    }
};

/// The keys that verify signatures. Errors: invalid_argument, with the key and what is wrong with it, without
/// what is secret of it.
Result<std::vector<Jwk>> read_jwks(std::string_view json);

} // namespace phx::protocol::auth
