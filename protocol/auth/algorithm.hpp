#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phx::protocol::auth {

/// Signature algorithms (RFC 7518 section 3.1, RFC 8037) that are verified. There is no "none".
enum class Algorithm : std::uint8_t { hs256, hs384, hs512, rs256, rs384, rs512, es256, es384, es512, eddsa };

/// What a key is made of. It alone decides which algorithms the key is used with.
enum class KeyKind : std::uint8_t { secret, rsa, p256, p384, p521, ed25519 };

std::optional<Algorithm> algorithm_named(std::string_view name) noexcept;
std::string_view name_of(Algorithm) noexcept;

constexpr bool is_hmac(Algorithm algorithm) noexcept { return algorithm <= Algorithm::hs512; }
bool fits(KeyKind, Algorithm) noexcept;
/// Bytes of an integer of the curve: half of a signature (RFC 7518, 3.4). REQUIRES a curve of EC.
std::size_t coordinate_bytes(KeyKind) noexcept;

} // namespace phx::protocol::auth
