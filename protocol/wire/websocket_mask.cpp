#include "protocol/wire/websocket_mask.hpp"

#include <bit>
#include <cstring>

namespace phx::protocol {
namespace {

using Block = std::array<std::uint32_t, 16>;

void quarter_round(Block& x, std::size_t a, std::size_t b, std::size_t c, std::size_t d) noexcept {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
}

} // namespace

void apply_mask(char* bytes, std::size_t count, MaskKey key) noexcept {
    const std::uint64_t wide_key = std::uint64_t{key} << 32 | key;
    std::uint64_t word;
    for (; count >= sizeof word; bytes += sizeof word, count -= sizeof word) {
        std::memcpy(&word, bytes, sizeof word);
        word ^= wide_key;
        std::memcpy(bytes, &word, sizeof word);
    }
    unsigned char key_bytes[sizeof wide_key];
    std::memcpy(key_bytes, &wide_key, sizeof wide_key);
    for (std::size_t i = 0; i < count; ++i) {
        bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ key_bytes[i]);
    }
}

MaskKey advance_mask(MaskKey key, std::size_t count) noexcept {
    const int bits = static_cast<int>(count % 4) * 8;
    return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

// RFC 8439 section 2.3 with a nonce of zeros and a counter of 64 bits.
void MaskSource::refill() noexcept {
    Block start = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (std::size_t i = 0; i < seed_.size(); ++i) start[4 + i] = seed_[i];
    start[12] = static_cast<std::uint32_t>(counter_);
    start[13] = static_cast<std::uint32_t>(counter_ >> 32);
    ++counter_;
    Block x = start;
    for (int double_round = 0; double_round < 10; ++double_round) {
        for (std::size_t i = 0; i < 4; ++i) quarter_round(x, i, 4 + i, 8 + i, 12 + i);
        for (std::size_t i = 0; i < 4; ++i) {
            quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    for (std::size_t i = 0; i < x.size(); ++i) block_[i] = x[i] + start[i];
    used_ = 0;
}

} // namespace phx::protocol
