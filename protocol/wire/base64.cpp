#include "phx/protocol/base64.hpp"

#include <array>
#include <cstddef>

namespace phx::protocol {
namespace {

constexpr std::string_view standard_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t no_digit = 0xff;
using Digits = std::array<std::uint8_t, 256>;

constexpr Digits digits_of(std::string_view characters) {
    Digits digits{};
    for (auto& digit : digits) digit = no_digit;
    for (std::size_t i = 0; i < characters.size(); ++i) {
        digits[static_cast<unsigned char>(characters[i])] = static_cast<std::uint8_t>(i);
    }
    return digits;
}

constexpr Digits standard_digits = digits_of(standard_characters);
constexpr Digits url_digits = digits_of(url_characters);

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

/// The text without its padding, or nothing if the padding is not what it has to be.
std::optional<std::string_view> strip_padding(std::string_view text, Base64Padding padding) {
    if (padding == Base64Padding::unpadded) return text;
    if (text.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
    return text;
}

} // namespace

void base64_encode_to(std::string& out, std::string_view bytes, Base64Alphabet alphabet,
                      Base64Padding padding) {
    const std::string_view characters =
        alphabet == Base64Alphabet::standard ? standard_characters : url_characters;
    out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
    const auto put = [&](std::uint32_t group, int count) {
        for (int shift = 18; count > 0; shift -= 6, --count) out.push_back(characters[(group >> shift) & 63]);
    };
    std::size_t i = 0;
    for (; bytes.size() - i >= 3; i += 3) {
        put(byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2), 4);
    }
    const std::size_t rest = bytes.size() - i;
    if (rest == 0) return;
    put(byte_at(bytes, i) << 16 | (rest == 2 ? byte_at(bytes, i + 1) << 8 : 0), rest == 2 ? 3 : 2);
    if (padding == Base64Padding::padded) out.append(3 - rest, '=');
}

std::string base64_encode(std::string_view bytes, Base64Alphabet alphabet, Base64Padding padding) {
    std::string out;
    base64_encode_to(out, bytes, alphabet, padding);
    return out;
}

std::optional<std::string> base64_decode(std::string_view text, Base64Alphabet alphabet,
                                         Base64Padding padding) {
    const auto stripped = strip_padding(text, padding);
    if (!stripped || stripped->size() % 4 == 1) return std::nullopt;
    const Digits& digits = alphabet == Base64Alphabet::standard ? standard_digits : url_digits;
    std::string out;
    out.reserve(stripped->size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned count = 0; // of the bits that wait for the rest of their byte
    for (const char c : *stripped) {
        const std::uint8_t digit = digits[static_cast<unsigned char>(c)];
        if (digit == no_digit) return std::nullopt;
        bits = bits << 6 | digit;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out.push_back(static_cast<char>(bits >> count & 0xff));
        bits &= (1u << count) - 1;
    }
    if (bits != 0) return std::nullopt;
    return out;
}

} // namespace phx::protocol
