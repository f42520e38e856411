#pragma once

#include "phx/export.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol {

/// RFC 4648: `standard` ends with "+/" (section 4), `url` with "-_" (section 5).
enum class Base64Alphabet : std::uint8_t { standard, url };

/// Whether the last group is filled up to four characters with '='.
enum class Base64Padding : std::uint8_t { padded, unpadded };

/// Appends the encoded bytes to `out`.
PHX_API void base64_encode_to(std::string& out, std::string_view bytes,
                              Base64Alphabet = Base64Alphabet::standard,
                              Base64Padding = Base64Padding::padded);

PHX_API std::string base64_encode(std::string_view bytes, Base64Alphabet = Base64Alphabet::standard,
                                  Base64Padding = Base64Padding::padded);

/// Strict: exactly what `base64_encode` writes for the same alphabet and padding. Empty optional for foreign
/// characters, white space, missing or superfluous padding, impossible lengths and spare bits that are not
/// zero; so two different texts never decode to the same bytes.
PHX_API std::optional<std::string> base64_decode(std::string_view text,
                                                 Base64Alphabet = Base64Alphabet::standard,
                                                 Base64Padding = Base64Padding::padded);

} // namespace phx::protocol
