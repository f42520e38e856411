#include "protocol/wire/base64.hpp"

#include <cstdint>

namespace phx::protocol::wire {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int sextet(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

} // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    unsigned held = 0; // bits not yet written
    for (const char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (held += 8; held >= 6;) {
            held -= 6;
            out.push_back(alphabet[(bits >> held) & 0x3Fu]);
        }
    }
    if (held != 0) out.push_back(alphabet[(bits << (6 - held)) & 0x3Fu]);
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 == 0) {
        for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding)
            text.remove_suffix(1);
    }
    if (text.size() % 4 == 1) return {};
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const int value = sextet(c);
        if (value < 0) return {};
        bits = (bits << 6) | static_cast<unsigned>(value);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out.push_back(static_cast<char>((bits >> held) & 0xFFu));
    }
    if ((bits & ((1u << held) - 1)) != 0) return {};
    return out;
}

} // namespace phx::protocol::wire
