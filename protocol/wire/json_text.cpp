#include "protocol/wire/json_text.hpp"

#include "protocol/wire/json_scan.hpp"
#include "protocol/wire/utf8_sequence.hpp"

#include <cstdint>

namespace phx::protocol::wire {
namespace {

/// One bit per open container: set for an object.
class ContainerStack {
public:
    std::size_t depth() const noexcept { return depth_; }
    bool in_object() const noexcept { return (top_ & 1u) != 0; }
    void push(bool object) noexcept {
        if (depth_ % 64 == 0 && depth_ != 0) full_[depth_ / 64 - 1] = top_;
        top_ = (top_ << 1) | static_cast<std::uint64_t>(object);
        ++depth_;
    }
    void pop() noexcept {
        --depth_;
        top_ >>= 1;
        if (depth_ % 64 == 0 && depth_ != 0) top_ = full_[depth_ / 64 - 1];
    }

private:
    std::uint64_t top_ = 0;
    std::size_t depth_ = 0;
    std::uint64_t
        full_[JsonReader::depth_cap / 64]; // written before it is read: left uninitialized on purpose
};

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

} // namespace

std::nullptr_t JsonReader::fault(const char* where, Errc code, const char* what) noexcept {
    where_ = where;
    code_ = code;
    what_ = what;
    return nullptr;
}

Failure JsonReader::failure(std::size_t offset) const {
    std::string message =
        "byte " + std::to_string(offset + static_cast<std::size_t>(where_ - begin_)) + ": " + what_;
    if (part_ != nullptr) message.append(" in ").append(part_);
    if (where_ == end_) message.append(", but it ends here");
    return fail(code_, std::move(message), Origin::peer);
}

inline const char* JsonReader::skip(const char* p) const noexcept {
    return p<end_&& static_cast<unsigned char>(*p)> ' ' ? p : skip_slow(p);
}

[[gnu::noinline]] const char* JsonReader::skip_slow(const char* p) const noexcept {
    while (p < end_ && is_space(*p)) ++p;
    return p;
}

[[gnu::always_inline]] inline const char* JsonReader::string_end(const char* p) noexcept {
    if (static_cast<std::size_t>(end_ - p) >= block_bytes) {
        const unsigned stops = string_stops(p);
        if (stops != 0 && p[first_of(stops)] == '"') return p + first_of(stops);
    }
    return string_slow(p);
}

[[gnu::noinline]] const char* JsonReader::string_slow(const char* p) noexcept {
    const auto size = static_cast<std::size_t>(end_ - begin_);
    for (;;) {
        const auto left = static_cast<std::size_t>(end_ - p);
        if (left >= block_bytes) {
            const unsigned stops = string_stops(p);
            if (stops == 0) {
                p += block_bytes;
                continue;
            }
            p += first_of(stops);
        } else if (size >= block_bytes && left != 0) { // look at the last block again, from p on
            const unsigned stops = string_stops(end_ - block_bytes) >> (block_bytes - left);
            p = stops == 0 ? end_ : p + first_of(stops);
        } else {
            while (p < end_ && !is_string_stop(*p)) ++p;
        }
        if (p == end_) return fault(p, Errc::malformed_frame, "expected the end of a string");
        if (*p == '"') return p;
        if (*p == '\\') {
            escaped_ = true;
            p = escape_end(p);
            if (p == nullptr) return nullptr;
            continue;
        }
        if (static_cast<unsigned char>(*p) < 0x20) {
            return fault(p, Errc::malformed_frame, "a control character in a string");
        }
        do { // text in other scripts comes in runs
            const char* const next = utf8_sequence_end(p, end_);
            if (next == nullptr) return fault(p, Errc::invalid_utf8, "invalid UTF-8");
            p = next;
        } while (p < end_ && static_cast<signed char>(*p) < 0);
    }
}

const char* JsonReader::unit_end(const char* p, unsigned& unit) noexcept {
    unit = 0;
    for (int i = 0; i < 4; ++i, ++p) {
        const int digit = hex_digit(at(p));
        if (digit < 0) return fault(p, Errc::malformed_frame, "expected four hex digits after \\u");
        unit = unit * 16 + static_cast<unsigned>(digit);
    }
    return p;
}

const char* JsonReader::escape_end(const char* p) noexcept {
    const char* const start = p++;
    switch (at(p)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return p + 1;
    case 'u': break;
    default: return fault(p, Errc::malformed_frame, "unknown escape");
    }
    unsigned unit = 0;
    p = unit_end(p + 1, unit);
    if (p == nullptr || unit < 0xD800 || unit > 0xDFFF) return p;
    // A lone surrogate stands for no text; Phoenix (Jason) closes the connection.
    constexpr const char* lone = "a lone surrogate escape";
    if (unit >= 0xDC00 || at(p) != '\\' || at(p + 1) != 'u') return fault(start, Errc::malformed_frame, lone);
    p = unit_end(p + 2, unit);
    if (p == nullptr) return nullptr;
    return unit >= 0xDC00 && unit <= 0xDFFF ? p : fault(start, Errc::malformed_frame, lone);
}

inline const char* JsonReader::digits_end(const char* p) const noexcept {
    while (static_cast<std::size_t>(end_ - p) >= block_bytes) {
        const unsigned stops = non_digits(p);
        if (stops != 0) return p + first_of(stops);
        p += block_bytes;
    }
    while (p < end_ && is_digit(*p)) ++p;
    return p;
}

const char* JsonReader::number_end(const char* p) noexcept {
    if (*p == '-') ++p;
    const char* const first = p;
    p = digits_end(p);
    if (p == first) return fault(p, Errc::malformed_frame, "expected a digit");
    if (*first == '0' && p - first > 1)
        return fault(first, Errc::malformed_frame, "a number with a leading zero");
    if (at(p) == '.') {
        const char* const fraction = ++p;
        p = digits_end(p);
        if (p == fraction) return fault(p, Errc::malformed_frame, "expected a digit after '.'");
    }
    if ((at(p) | 0x20) == 'e') {
        ++p;
        if (at(p) == '+' || at(p) == '-') ++p;
        const char* const exponent = p;
        p = digits_end(p);
        if (p == exponent) return fault(p, Errc::malformed_frame, "expected a digit in the exponent");
    }
    return p;
}

const char* JsonReader::literal_end(const char* p) noexcept {
    const std::string_view rest(p, static_cast<std::size_t>(end_ - p));
    if (rest.substr(0, 4) == "true" || rest.substr(0, 4) == "null") return p + 4;
    if (rest.substr(0, 5) == "false") return p + 5;
    return fault(p, Errc::malformed_frame, "expected a JSON value");
}

[[gnu::always_inline]] inline const char* JsonReader::scalar_end(const char* p, char c) noexcept {
    if (c == '"') {
        p = string_end(p + 1);
        return p == nullptr ? nullptr : p + 1;
    }
    return is_digit(c) || c == '-' ? number_end(p) : literal_end(p);
}

[[gnu::always_inline]] inline const char* JsonReader::name_end(const char* p) noexcept {
    if (at(p) != '"') return fault(p, Errc::malformed_frame, "expected a member's name");
    p = string_end(p + 1);
    if (p == nullptr) return nullptr;
    p = skip(p + 1);
    if (at(p) != ':') return fault(p, Errc::malformed_frame, "expected ':'");
    return skip(p + 1);
}

const char* JsonReader::container_end(const char* p, std::size_t outer_depth) noexcept {
    const std::size_t room = max_depth_ > outer_depth ? max_depth_ - outer_depth : 0;
    ContainerStack open;
    for (;;) { // a value is due at p
        const char c = at(p);
        if (c == '{' || c == '[') {
            if (open.depth() == room) return fault(p, Errc::invalid_payload, "JSON nested too deep");
            open.push(c == '{');
            p = skip(p + 1);
            if (at(p) != (c == '{' ? '}' : ']')) {
                if (c == '{' && (p = name_end(p)) == nullptr) return nullptr;
                continue;
            }
            ++p;
            open.pop();
        } else {
            p = scalar_end(p, c);
            if (p == nullptr) return nullptr;
        }
        for (;;) { // behind a value
            if (open.depth() == 0) return p;
            p = skip(p);
            const char next = at(p);
            if (next == ',') break;
            if (next != (open.in_object() ? '}' : ']')) {
                return fault(p, Errc::malformed_frame,
                             open.in_object() ? "expected ',' or '}'" : "expected ',' or ']'");
            }
            ++p;
            open.pop();
        }
        p = skip(p + 1);
        if (open.in_object() && (p = name_end(p)) == nullptr) return nullptr;
    }
}

void JsonReader::skip_space() noexcept { p_ = skip(p_); }

bool JsonReader::take(char c) noexcept {
    p_ = skip(p_);
    if (at(p_) != c || p_ == end_) return false;
    p_ = skip(p_ + 1);
    return true;
}

bool JsonReader::string(RawString& out) noexcept {
    const char* const start = p_ + 1;
    escaped_ = false;
    const char* const close = string_end(start);
    if (close == nullptr) return false;
    out = {{start, static_cast<std::size_t>(close - start)}, escaped_};
    p_ = close + 1;
    return true;
}

bool JsonReader::value(std::string_view& out, std::size_t outer_depth) noexcept {
    const char* const start = p_;
    const char c = at(start);
    const char* const stop = c == '{' || c == '[' ? container_end(start, outer_depth) : scalar_end(start, c);
    if (stop == nullptr) return false;
    out = {start, static_cast<std::size_t>(stop - start)};
    p_ = stop;
    return true;
}

bool JsonReader::name(RawString& out) noexcept {
    if (peek() != '"') return refuse("expected a member's name");
    return string(out) && expect(':', "expected ':'");
}

bool JsonReader::finish() noexcept {
    p_ = skip(p_);
    return p_ == end_ || refuse("something follows the end");
}

} // namespace phx::protocol::wire
