#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol::wire {

/// RFC 4648, the standard alphabet, without padding.
std::string base64_encode(std::string_view bytes);
/// Either alphabet, padding optional; nothing when it is not base64: a foreign character, an impossible
/// length, bits set behind the last byte.
std::optional<std::string> base64_decode(std::string_view text);

} // namespace phx::protocol::wire
