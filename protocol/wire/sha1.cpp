#include "protocol/wire/sha1.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace phx::protocol {
namespace {

constexpr std::size_t block_bytes = 64;
using State = std::array<std::uint32_t, 5>;

void put_big_endian(char* at, std::uint64_t value, int bytes) noexcept {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        *at++ = static_cast<char>(value >> shift & 0xff);
}

void add_block(State& state, const char* block) noexcept {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t t = 0; t < 16; ++t) {
        for (std::size_t i = 0; i < 4; ++i) w[t] = w[t] << 8 | static_cast<unsigned char>(block[t * 4 + i]);
    }
    for (std::size_t t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    auto [a, b, c, d, e] = state;
    for (std::size_t t = 0; t < 80; ++t) {
        const std::uint32_t f = t < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                                : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                                : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                         : (b ^ c ^ d) + 0xca62c1d6;
        const std::uint32_t sum = std::rotl(a, 5) + f + e + w[t];
        e = d, d = c, c = std::rotl(b, 30), b = a, a = sum;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

} // namespace

std::array<char, 20> sha1(std::string_view bytes) noexcept {
    State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
    for (; bytes.size() >= block_bytes; bytes.remove_prefix(block_bytes)) add_block(state, bytes.data());

    char tail[2 * block_bytes] = {};
    const std::size_t tail_bytes = bytes.size() < block_bytes - 8 ? block_bytes : 2 * block_bytes;
    bytes.copy(tail, bytes.size());
    tail[bytes.size()] = static_cast<char>(0x80);
    put_big_endian(tail + tail_bytes - 8, bits, 8);
    add_block(state, tail);
    if (tail_bytes > block_bytes) add_block(state, tail + block_bytes);

    std::array<char, 20> digest{};
    for (std::size_t i = 0; i < state.size(); ++i) put_big_endian(digest.data() + i * 4, state[i], 4);
    return digest;
}

} // namespace phx::protocol
