#pragma once

#include <cstdint>
#include <string_view>

namespace phx::protocol {

/// Checks UTF-8 that arrives in pieces (Unicode table 3-7: no overlong forms, no surrogates, nothing above
/// U+10FFFF). Fail-fast: a piece is refused when it holds the first byte that no valid text can have at its
/// place.
class Utf8Validator {
public:
    /// False if the text so far cannot become valid any more. It stays false until reset().
    bool feed(std::string_view piece) noexcept;

    /// Whether the text so far is valid and ends between two characters.
    bool is_complete() const noexcept { return state_ == between_characters; }

    void reset() noexcept { state_ = between_characters; }

private:
    static constexpr std::uint64_t between_characters = 6; // see utf8.cpp
    std::uint64_t state_ = between_characters;
};

/// Whether the whole text is valid UTF-8.
inline bool is_utf8(std::string_view text) noexcept {
    Utf8Validator validator;
    return validator.feed(text) && validator.is_complete();
}

/// The longest prefix of a valid text that has at most `max_bytes` and ends between two characters.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) noexcept;

} // namespace phx::protocol
