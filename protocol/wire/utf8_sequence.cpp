#include "protocol/wire/utf8_sequence.hpp"

#include "protocol/wire/json_scan.hpp"

namespace phx::protocol::wire {
namespace {

unsigned char byte(const char* p) noexcept { return static_cast<unsigned char>(*p); }
bool is_continuation(const char* p) noexcept { return (byte(p) & 0xC0u) == 0x80u; }

} // namespace

const char* utf8_sequence_end(const char* p, const char* end) noexcept {
    const auto left = end - p;
    const unsigned lead = byte(p);
    if (lead < 0xC2) return nullptr; // a continuation byte, or an overlong two-byte form
    if (lead < 0xE0) return left >= 2 && is_continuation(p + 1) ? p + 2 : nullptr;
    if (lead < 0xF0) {
        if (left < 3 || !is_continuation(p + 1) || !is_continuation(p + 2)) return nullptr;
        if (lead == 0xE0 && byte(p + 1) < 0xA0) return nullptr;  // overlong
        if (lead == 0xED && byte(p + 1) >= 0xA0) return nullptr; // U+D800 to U+DFFF
        return p + 3;
    }
    if (lead > 0xF4 || left < 4) return nullptr;
    if (!is_continuation(p + 1) || !is_continuation(p + 2) || !is_continuation(p + 3)) return nullptr;
    if (lead == 0xF0 && byte(p + 1) < 0x90) return nullptr;  // overlong
    if (lead == 0xF4 && byte(p + 1) >= 0x90) return nullptr; // above U+10FFFF
    return p + 4;
}

std::size_t utf8_error(std::string_view text) noexcept {
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const char* p = begin;
    while (p < end) {
        if (static_cast<std::size_t>(end - p) >= block_bytes) {
            const unsigned mask = non_ascii(p);
            if (mask == 0) {
                p += block_bytes;
                continue;
            }
            p += first_of(mask);
        } else if (static_cast<signed char>(*p) >= 0) {
            ++p;
            continue;
        }
        // Text in other scripts comes in runs.
        while (p < end && static_cast<signed char>(*p) < 0) {
            const char* const next = utf8_sequence_end(p, end);
            if (next == nullptr) return static_cast<std::size_t>(p - begin);
            p = next;
        }
    }
    return text.size();
}

} // namespace phx::protocol::wire
