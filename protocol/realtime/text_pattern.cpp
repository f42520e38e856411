#include "protocol/realtime/text_pattern.hpp"

#include <algorithm>
#include <memory>

namespace phx::protocol::realtime {
namespace {

constexpr char32_t last_character = 0x10FFFF;

/// The code points of a text; what is no UTF-8 counts byte by byte.
std::u32string characters(std::string_view text) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        char32_t value = lead;
        int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
        if (more > 0) value = lead & (0x3Fu >> more);
        for (; more > 0 && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u; --more)
            value = (value << 6) | (static_cast<unsigned char>(text[i++]) & 0x3Fu);
        out.push_back(value);
    }
    return out;
}

constexpr char32_t lower(char32_t c) noexcept { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
constexpr char32_t upper(char32_t c) noexcept { return c >= 'a' && c <= 'z' ? c - 32 : c; }
constexpr bool is_digit(char32_t c) noexcept { return c >= '0' && c <= '9'; }

using Range = std::pair<char32_t, char32_t>;
using Ranges = std::vector<Range>;

const Ranges digits = {{'0', '9'}};
const Ranges word = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges space = {{'\t', '\r'}, {' ', ' '}};
const Ranges any = {{0, last_character}};

/// What is in none of the ranges, which are sorted.
Ranges inverse(const Ranges& ranges) {
    Ranges out;
    char32_t from = 0;
    for (const Range& range : ranges) {
        if (range.first > from) out.emplace_back(from, range.first - 1);
        from = range.second + 1;
    }
    out.emplace_back(from, last_character);
    return out;
}

std::optional<Ranges> class_of_letter(char32_t letter) {
    switch (letter) {
    case 'd': return digits;
    case 'D': return inverse(digits);
    case 'w': return word;
    case 'W': return inverse(word);
    case 's': return space;
    case 'S': return inverse(space);
    default: return std::nullopt;
    }
}

std::optional<Ranges> class_of_name(std::u32string_view name) {
    if (name == U"digit") return digits;
    if (name == U"space") return space;
    if (name == U"alpha") return Ranges{{'A', 'Z'}, {'a', 'z'}};
    if (name == U"alnum") return Ranges{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}};
    if (name == U"upper") return Ranges{{'A', 'Z'}};
    if (name == U"lower") return Ranges{{'a', 'z'}};
    if (name == U"punct") return Ranges{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}};
    if (name == U"xdigit") return Ranges{{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
    return std::nullopt;
}

} // namespace

/// Reads a pattern from left to right into a tree, which then is laid out from its end to its beginning.
class PatternParser {
public:
    PatternParser(std::string_view pattern, TextPattern& out) : text_(characters(pattern)), out_(out) {}

    bool like();
    bool regex();

private:
    static constexpr int max_depth = 32;
    static constexpr unsigned max_repeats = TextPattern::max_states;
    static constexpr unsigned unlimited = ~0u;
    using NodeKind = TextPattern::Node::Kind;

    struct Tree {
        enum class Kind : std::uint8_t {
            sequence,
            choice,
            repeat,
            character,
            begin,
            end
        } kind = Kind::sequence;
        std::vector<Tree> parts = {};
        Ranges ranges = {};
        bool negated = false;
        unsigned least = 0, most = 0; ///< of a repeat
    };

    bool at_end() const noexcept { return at_ == text_.size(); }
    char32_t peek() const noexcept { return at_end() ? U'\0' : text_[at_]; }
    bool take(char32_t c) noexcept { return !at_end() && text_[at_] == c && (++at_, true); }

    bool choice(Tree& out, int depth);
    bool sequence(Tree& out, int depth);
    bool atom(Tree& out, int depth);
    bool escape(Tree& out);
    bool bracket(Tree& out);
    bool bracket_end(char32_t& last);
    bool repeats(Tree& out);
    bool braces(unsigned& least, unsigned& most);
    bool number(unsigned& value);

    static Tree one(Ranges ranges) {
        Tree tree{Tree::Kind::character};
        tree.ranges = std::move(ranges);
        return tree;
    }
    bool finish(const Tree& tree);
    std::uint32_t put(TextPattern::Node node);
    std::uint32_t lay(const Tree& tree, std::uint32_t next);
    std::uint32_t lay_repeat(const Tree& tree, std::uint32_t next);

    std::u32string text_;
    std::size_t at_ = 0;
    TextPattern& out_;
    bool is_full_ = false;
};

bool PatternParser::like() {
    Tree all;
    while (!at_end()) {
        char32_t c = text_[at_++];
        if (c == '%') {
            Tree repeat{Tree::Kind::repeat};
            repeat.most = unlimited;
            repeat.parts.push_back(one(any));
            all.parts.push_back(std::move(repeat));
        } else if (c == '_') {
            all.parts.push_back(one(any));
        } else {
            if (c == '\\') {
                if (at_end()) return false;
                c = text_[at_++];
            }
            all.parts.push_back(one({{c, c}}));
        }
    }
    out_.anchored_ = true;
    return finish(all);
}

bool PatternParser::regex() {
    Tree all;
    return choice(all, 0) && at_end() && finish(all);
}

bool PatternParser::choice(Tree& out, int depth) {
    if (depth > max_depth) return false;
    out.kind = Tree::Kind::choice;
    do {
        if (!sequence(out.parts.emplace_back(), depth)) return false;
    } while (take('|'));
    return true;
}

bool PatternParser::sequence(Tree& out, int depth) {
    while (!at_end() && peek() != '|' && peek() != ')') {
        if (!atom(out.parts.emplace_back(), depth) || !repeats(out.parts.back())) return false;
    }
    return true;
}

bool PatternParser::atom(Tree& out, int depth) {
    const char32_t c = text_[at_++];
    switch (c) {
    case '(':
        if (take('?') && !take(':')) return false;
        return choice(out, depth + 1) && take(')');
    case '[': return bracket(out);
    case '.': out = one(any); return true;
    case '^': out.kind = Tree::Kind::begin; return true;
    case '$': out.kind = Tree::Kind::end; return true;
    case '\\': return escape(out);
    case '*':
    case '+':
    case '?': return false;
    default: out = one({{c, c}}); return true;
    }
}

bool PatternParser::escape(Tree& out) {
    if (at_end()) return false;
    const char32_t c = text_[at_++];
    if (auto ranges = class_of_letter(c)) {
        out = one(*std::move(ranges));
        return true;
    }
    static constexpr std::u32string_view letters = U"nrtfv", meant = U"\n\r\t\f\v";
    const std::size_t known = letters.find(c);
    // Other letters and digits have meanings that are not known here: back references, boundaries.
    if (known == letters.npos && (is_digit(c) || lower(c) != upper(c))) return false;
    const char32_t itself = known == letters.npos ? c : meant[known];
    out = one({{itself, itself}});
    return true;
}

bool PatternParser::bracket(Tree& out) {
    out.kind = Tree::Kind::character;
    out.negated = take('^');
    for (bool first = true; first || peek() != ']'; first = false) {
        if (at_end()) return false;
        const char32_t c = text_[at_++];
        std::optional<Ranges> whole;
        if (c == '[' && peek() == ':') {
            const std::size_t stop = text_.find(U":]", ++at_);
            if (stop == text_.npos) return false;
            whole = class_of_name(std::u32string_view(text_).substr(at_, stop - at_));
            if (!whole) return false;
            at_ = stop + 2;
        } else if (c == '\\') {
            whole = class_of_letter(peek());
            if (whole) ++at_;
        }
        if (whole) {
            out.ranges.insert(out.ranges.end(), whole->begin(), whole->end());
            continue;
        }
        char32_t from = c;
        if (c == '\\' && !at_end()) from = text_[at_++];
        char32_t to = from;
        if (!bracket_end(to) || to < from) return false;
        out.ranges.emplace_back(from, to);
    }
    return take(']');
}

/// What follows a hyphen, if one stands between two characters.
bool PatternParser::bracket_end(char32_t& last) {
    if (peek() != '-' || at_ + 1 >= text_.size() || text_[at_ + 1] == ']') return true;
    ++at_;
    last = text_[at_++];
    if (last == '\\') {
        if (at_end()) return false;
        last = text_[at_++];
    }
    return true;
}

bool PatternParser::repeats(Tree& out) {
    for (;;) {
        unsigned least = 0, most = unlimited;
        if (take('*')) {
        } else if (take('+')) {
            least = 1;
        } else if (take('?')) {
            most = 1;
        } else if (peek() == '{' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
            if (!braces(least, most)) return false;
        } else {
            return true;
        }
        take('?'); // lazy: the same text matches
        Tree repeat{Tree::Kind::repeat};
        repeat.least = least;
        repeat.most = most;
        repeat.parts.push_back(std::move(out));
        out = std::move(repeat);
    }
}

bool PatternParser::braces(unsigned& least, unsigned& most) {
    ++at_;
    if (!number(least)) return false;
    most = least;
    if (take(',')) {
        most = unlimited;
        if (peek() != '}' && !number(most)) return false;
    }
    return take('}') && most >= least;
}

bool PatternParser::number(unsigned& value) {
    if (!is_digit(peek())) return false;
    value = 0;
    for (; is_digit(peek()); ++at_) {
        value = value * 10 + static_cast<unsigned>(peek() - '0');
        if (value > max_repeats) return false;
    }
    return true;
}

bool PatternParser::finish(const Tree& tree) {
    out_.start_ = lay(tree, put({NodeKind::accept}));
    return !is_full_;
}

std::uint32_t PatternParser::put(TextPattern::Node node) {
    if (out_.nodes_.size() >= TextPattern::max_states) {
        is_full_ = true;
        return 0;
    }
    out_.nodes_.push_back(std::move(node));
    return static_cast<std::uint32_t>(out_.nodes_.size() - 1);
}

std::uint32_t PatternParser::lay(const Tree& tree, std::uint32_t next) {
    if (is_full_) return 0;
    switch (tree.kind) {
    case Tree::Kind::character: return put({NodeKind::character, tree.negated, tree.ranges, next, 0});
    case Tree::Kind::begin: return put({NodeKind::begin, false, {}, next, 0});
    case Tree::Kind::end: return put({NodeKind::end, false, {}, next, 0});
    case Tree::Kind::repeat: return lay_repeat(tree, next);
    case Tree::Kind::sequence:
        for (auto part = tree.parts.rbegin(); part != tree.parts.rend(); ++part) next = lay(*part, next);
        return next;
    case Tree::Kind::choice: break;
    }
    std::uint32_t start = lay(tree.parts.back(), next);
    for (auto part = tree.parts.rbegin() + 1; part != tree.parts.rend() && !is_full_; ++part)
        start = put({NodeKind::split, false, {}, lay(*part, next), start});
    return start;
}

std::uint32_t PatternParser::lay_repeat(const Tree& tree, std::uint32_t next) {
    const Tree& part = tree.parts.front();
    std::uint32_t start = next;
    if (tree.most == unlimited) {
        start = put({NodeKind::split, false, {}, 0, next});
        const std::uint32_t body = lay(part, start);
        if (!is_full_) out_.nodes_[start].next = body;
    } else {
        for (unsigned i = tree.least; i < tree.most && !is_full_; ++i)
            start = put({NodeKind::split, false, {}, lay(part, start), next});
    }
    for (unsigned i = 0; i < tree.least && !is_full_; ++i) start = lay(part, start);
    return start;
}

std::optional<TextPattern> TextPattern::like(std::string_view pattern, LetterCase letter_case) {
    TextPattern made;
    made.letter_case_ = letter_case;
    return PatternParser(pattern, made).like() ? std::optional(std::move(made)) : std::nullopt;
}

std::optional<TextPattern> TextPattern::regex(std::string_view pattern, LetterCase letter_case) {
    TextPattern made;
    made.letter_case_ = letter_case;
    return PatternParser(pattern, made).regex() ? std::optional(std::move(made)) : std::nullopt;
}

bool TextPattern::takes(const Node& node, char32_t c) const {
    const auto in = [&node](char32_t x) {
        return std::any_of(node.ranges.begin(), node.ranges.end(),
                           [x](const Range& range) { return x >= range.first && x <= range.second; });
    };
    const bool found = in(c) || (letter_case_ == LetterCase::ignored && (in(lower(c)) || in(upper(c))));
    return found != node.negated;
}

void TextPattern::add(States& states, std::vector<std::uint32_t>& marks, std::uint32_t mark,
                      std::uint32_t index, bool at_begin, bool at_end) const {
    if (marks[index] == mark) return;
    marks[index] = mark;
    const Node& node = nodes_[index];
    switch (node.kind) {
    case Node::Kind::split:
        add(states, marks, mark, node.next, at_begin, at_end);
        add(states, marks, mark, node.other, at_begin, at_end);
        return;
    case Node::Kind::begin:
        if (at_begin) add(states, marks, mark, node.next, at_begin, at_end);
        return;
    case Node::Kind::end:
        if (at_end) add(states, marks, mark, node.next, at_begin, at_end);
        return;
    case Node::Kind::character:
    case Node::Kind::accept: states.push_back(index); return;
    }
}

bool TextPattern::matches(std::string_view text) const {
    const std::u32string subject = characters(text.substr(0, 4 * max_text + 1));
    if (subject.size() > max_text) return false;
    std::vector<std::uint32_t> marks(nodes_.size(), 0);
    States now, after;
    for (std::size_t at = 0;; ++at) {
        const bool at_end = at == subject.size();
        const auto mark = static_cast<std::uint32_t>(at + 1);
        now.swap(after);
        after.clear();
        if (at == 0 || !anchored_) add(now, marks, mark, start_, at == 0, at_end);
        for (const std::uint32_t state : now)
            if (nodes_[state].kind == Node::Kind::accept && (at_end || !anchored_)) return true;
        if (at_end) return false;
        for (const std::uint32_t state : now) {
            const Node& node = nodes_[state];
            if (node.kind == Node::Kind::character && takes(node, subject[at]))
                add(after, marks, mark + 1, node.next, false, at + 1 == subject.size());
        }
    }
}

} // namespace phx::protocol::realtime
