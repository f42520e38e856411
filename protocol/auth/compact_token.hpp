#pragma once

#include "protocol/auth/algorithm.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol::auth {

constexpr std::size_t max_token_bytes = 8192;
constexpr std::size_t max_header_depth = 4;
constexpr std::size_t max_header_members = 32;
constexpr std::size_t max_claims_depth = 16;

/// A token taken apart (RFC 7515 section 7.1), before its signature is checked: the payload is still encoded,
/// so that nobody reads it. Views of the token.
struct CompactToken {
    std::optional<Algorithm> algorithm = {}; ///< none: not one that is verified
    std::optional<std::string> kid = {};
    std::string_view signed_text = {}; ///< header, dot, payload
    std::string_view payload = {};     ///< base64url
    std::string signature = {};        ///< decoded
};

/// Nothing for what is no JWT: size, three parts, strict base64url, a header that is a JSON object with an
/// `alg`, names that are unique, nothing critical. Keys that the header itself brings or points to (jwk, jku,
/// x5c, x5u) are passed over.
std::optional<CompactToken> read_compact_token(std::string_view token);

/// Whether the text is one JSON object of at most this depth.
bool is_json_object(std::string_view text, std::size_t max_depth);

} // namespace phx::protocol::auth
