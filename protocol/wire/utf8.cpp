#include "protocol/wire/utf8.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace phx::protocol {
namespace {

// A state is the bit position of its entry in a row of 64 bits, so that one step is a load and a shift; the
// only chain from byte to byte is the shift (the "shift-based DFA" of Per Vognsen).
enum State : unsigned {
    refused = 0, // absorbing: a row has 0 there
    between = 6,
    one_more = 12,
    two_more = 18,
    three_more = 24,
    after_e0 = 30, // A0..BF: else overlong
    after_ed = 36, // 80..9F: else a surrogate
    after_f0 = 42, // 90..BF: else overlong
    after_f4 = 48, // 80..8F: else above U+10FFFF
};

constexpr std::uint64_t step(State from, State to) { return std::uint64_t{to} << from; }

constexpr std::uint64_t lead_byte(unsigned byte) {
    if (byte < 0x80) return step(between, between);
    if (byte < 0xc2) return 0;
    if (byte < 0xe0) return step(between, one_more);
    if (byte < 0xf0) return step(between, byte == 0xe0 ? after_e0 : byte == 0xed ? after_ed : two_more);
    if (byte < 0xf5) return step(between, byte == 0xf0 ? after_f0 : byte == 0xf4 ? after_f4 : three_more);
    return 0;
}

constexpr std::uint64_t continuation_byte(unsigned byte) {
    if (byte < 0x80 || byte > 0xbf) return 0;
    std::uint64_t row = step(one_more, between) | step(two_more, one_more) | step(three_more, two_more);
    row |= byte < 0xa0 ? step(after_ed, one_more) : step(after_e0, one_more);
    row |= byte < 0x90 ? step(after_f4, two_more) : step(after_f0, two_more);
    return row;
}

constexpr std::array<std::uint64_t, 256> make_rows() {
    std::array<std::uint64_t, 256> rows{};
    for (unsigned byte = 0; byte < 256; ++byte) rows[byte] = lead_byte(byte) | continuation_byte(byte);
    return rows;
}

constexpr auto rows = make_rows();

std::uint64_t run(std::uint64_t state, const char* bytes, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        state = rows[static_cast<unsigned char>(bytes[i])] >> (state & 63);
    }
    return state & 63;
}

constexpr std::size_t word_bytes = 8;
constexpr std::size_t block_bytes = 4 * word_bytes;
constexpr std::uint64_t top_bits = 0x8080808080808080u;

bool is_ascii_block(const char* bytes) noexcept {
    std::uint64_t words[4];
    std::memcpy(words, bytes, sizeof words);
    return ((words[0] | words[1] | words[2] | words[3]) & top_bits) == 0;
}

bool is_ascii_word(const char* bytes) noexcept {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return (word & top_bits) == 0;
}

} // namespace

bool Utf8Validator::feed(std::string_view piece) noexcept {
    static_assert(between_characters == between);
    const char* at = piece.data();
    std::size_t left = piece.size();
    std::uint64_t state = state_;
    for (; left >= block_bytes; at += block_bytes, left -= block_bytes) {
        if (state == between && is_ascii_block(at)) continue;
        state = run(state, at, block_bytes);
    }
    for (; left >= word_bytes; at += word_bytes, left -= word_bytes) {
        if (state == between && is_ascii_word(at)) continue;
        state = run(state, at, word_bytes);
    }
    // The last word that reaches into what is left also holds bytes that are judged already: ASCII changes
    // nothing.
    const bool is_ascii_rest =
        state == between && piece.size() >= word_bytes && left != 0 && is_ascii_word(at + left - word_bytes);
    state_ = is_ascii_rest ? state : run(state, at, left);
    return state_ != refused;
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) noexcept {
    if (text.size() <= max_bytes) return text;
    const auto is_continuation = [&](std::size_t i) {
        return (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
    };
    while (max_bytes > 0 && is_continuation(max_bytes)) --max_bytes;
    return text.substr(0, max_bytes);
}

} // namespace phx::protocol
