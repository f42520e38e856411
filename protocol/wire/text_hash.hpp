#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace phx::protocol {

/// splitmix64's finalizer: a bijection that spreads every bit.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/// Of names that peers choose: seeded, so that they cannot choose names that collide.
inline std::uint64_t text_hash(std::uint64_t seed, std::string_view text) noexcept {
    std::uint64_t hash = mix(seed ^ text.size());
    for (; text.size() >= 8; text.remove_prefix(8)) {
        std::uint64_t word;
        std::memcpy(&word, text.data(), 8);
        hash = mix(hash ^ word) + 0x9e3779b97f4a7c15u;
    }
    std::uint64_t rest = 0;
    if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
    return mix(hash ^ rest);
}

} // namespace phx::protocol
