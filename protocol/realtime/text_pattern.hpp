#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol::realtime {

enum class LetterCase : std::uint8_t { matters, ignored }; ///< of ASCII letters

/// A LIKE pattern or a regular expression of a peer. It becomes an automaton of few states that reads the
/// text once: no pattern costs more than its length times the text's.
class TextPattern {
public:
    static constexpr std::size_t max_states = 256;
    static constexpr std::size_t max_text = 8192; ///< code points; a longer text matches nothing

    /// % stands for any text, _ for any character, \ takes the next one for itself. None: too long.
    static std::optional<TextPattern> like(std::string_view pattern, LetterCase);
    /// The part of PostgreSQL's regular expressions that others have too: . [] [^] ^ $ | () (?:) * + ? {m,n}
    /// \d \w \s and their opposites, [:alpha:] and such. None: malformed, or too long.
    static std::optional<TextPattern> regex(std::string_view pattern, LetterCase);

    /// LIKE: the whole text; a regular expression: anywhere in it.
    bool matches(std::string_view text) const;

private:
    friend class PatternParser;
    using Range = std::pair<char32_t, char32_t>;

    /// A step over one character, or, without ranges to match, one that needs none.
    struct Node {
        enum class Kind : std::uint8_t { character, split, begin, end, accept } kind = Kind::accept;
        bool negated = false;
        std::vector<Range> ranges = {};
        std::uint32_t next = 0;
        std::uint32_t other = 0; ///< of a split
    };
    using States = std::vector<std::uint32_t>;

    void add(States&, std::vector<std::uint32_t>& marks, std::uint32_t mark, std::uint32_t node,
             bool at_begin, bool at_end) const;
    bool takes(const Node&, char32_t) const;

    std::vector<Node> nodes_;
    std::uint32_t start_ = 0;
    LetterCase letter_case_ = LetterCase::matters;
    bool anchored_ = false; ///< LIKE
};

} // namespace phx::protocol::realtime
