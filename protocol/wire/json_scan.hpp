#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Sixteen bytes at once: which of them end a run of plain text, or of digits. Bit i of a mask stands for
/// p[i].
namespace phx::protocol::wire {

inline constexpr std::size_t block_bytes = 16;

/// What needs a closer look inside a JSON string: the quote, the backslash, control characters, non-ASCII
/// bytes.
inline bool is_string_stop(char c) noexcept {
    return c == '"' || c == '\\' || static_cast<signed char>(c) < 0x20;
}
inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

#if defined(__SSE2__)

inline unsigned string_stops(const char* p) noexcept {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Signed comparison: bytes from 0x80 on are negative, so one compare finds controls and non-ASCII.
    const __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    const __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash))));
}

inline unsigned non_digits(const char* p) noexcept {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    const __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(9)), offset);
    return static_cast<unsigned>(_mm_movemask_epi8(digit)) ^ 0xFFFFu;
}

inline unsigned non_ascii(const char* p) noexcept {
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

#else

inline unsigned string_stops(const char* p) noexcept {
    unsigned mask = 0;
    for (unsigned i = 0; i < block_bytes; ++i) mask |= static_cast<unsigned>(is_string_stop(p[i])) << i;
    return mask;
}

inline unsigned non_digits(const char* p) noexcept {
    unsigned mask = 0;
    for (unsigned i = 0; i < block_bytes; ++i) mask |= static_cast<unsigned>(!is_digit(p[i])) << i;
    return mask;
}

inline unsigned non_ascii(const char* p) noexcept {
    unsigned mask = 0;
    for (unsigned i = 0; i < block_bytes; ++i)
        mask |= static_cast<unsigned>(static_cast<signed char>(p[i]) < 0) << i;
    return mask;
}

#endif

inline std::size_t first_of(unsigned mask) noexcept {
    return static_cast<std::size_t>(std::countr_zero(mask));
}

/// Whether any of eight bytes has to be escaped in a JSON string: the quote, the backslash, a control
/// character.
inline bool word_needs_escape(std::uint64_t word) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101, highs = ones * 0x80;
    const std::uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
    const std::uint64_t hit =
        ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return (hit & highs) != 0;
}

} // namespace phx::protocol::wire
