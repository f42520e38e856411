#pragma once

#include <string_view>

namespace phx::protocol::wire {

/// The end of the UTF-8 sequence that starts at `p` (a byte of 0x80 or more), or null: overlong, surrogate,
/// above U+10FFFF, stray or missing continuation byte (RFC 3629).
const char* utf8_sequence_end(const char* p, const char* end) noexcept;

/// The first byte that is not UTF-8; `text.size()` when all of it is.
std::size_t utf8_error(std::string_view text) noexcept;

} // namespace phx::protocol::wire
