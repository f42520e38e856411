#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace phx::protocol {

/// Four bytes in the order of the wire, held in memory as they are sent.
using MaskKey = std::uint32_t;

/// XORs the bytes with the key, in place; masking and unmasking are the same (RFC 6455 section 5.3).
void apply_mask(char* bytes, std::size_t count, MaskKey key) noexcept;

/// The key for what follows after `count` bytes of the same payload.
MaskKey advance_mask(MaskKey key, std::size_t count) noexcept;

/// 256 bits from the operating system's random device; equal seeds give equal keys, which replays a run.
using MaskSeed = std::array<std::uint32_t, 8>;

/// A key for every frame that a client sends, without end: the stream of ChaCha20 under the seed. RFC 6455
/// section 10.3 wants keys that nobody can predict from those seen before; a device read for each frame costs
/// 300 ns.
class MaskSource {
public:
    explicit MaskSource(const MaskSeed& seed) noexcept : seed_(seed) {}

    MaskKey next() noexcept {
        if (used_ == block_.size()) refill();
        return block_[used_++];
    }

private:
    void refill() noexcept;

    MaskSeed seed_;
    std::uint64_t counter_ = 0;
    std::array<std::uint32_t, 16> block_{};
    std::size_t used_ = block_.size();
};

} // namespace phx::protocol
