#pragma once

#include "phx/protocol/frame.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phx::protocol {

/// One of our refs as the JSON string that travels, without allocating.
class RefToken {
public:
    explicit RefToken(std::uint64_t ref) noexcept {
        text_.front() = '"';
        char* end = std::to_chars(text_.data() + 1, text_.data() + text_.size() - 1, ref).ptr;
        *end++ = '"';
        size_ = static_cast<std::size_t>(end - text_.data());
    }
    JsonToken token() const noexcept { return {std::string_view(text_.data(), size_)}; }

private:
    std::array<char, 22> text_; ///< 20 digits and two quotes
    std::size_t size_ = 0;
};

inline constexpr std::uint64_t foreign_ref = UINT64_MAX; ///< no ref of ours

/// 0 when there is none (absent, null, or empty as in binary frames); foreign_ref when we cannot have made
/// it.
inline std::uint64_t parse_ref(const std::optional<JsonToken>& token) noexcept {
    if (!token || token->is_null() || token->text == "\"\"") return 0;
    const std::string_view text = token->text;
    if (text.size() < 3 || text.size() > 21 || text.front() != '"' || text[1] == '0') return foreign_ref;
    std::uint64_t ref = 0;
    const char* end = text.data() + text.size() - 1;
    const auto [stop, error] = std::from_chars(text.data() + 1, end, ref);
    return error == std::errc{} && stop == end && *end == '"' ? ref : foreign_ref;
}

} // namespace phx::protocol
