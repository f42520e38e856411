#pragma once

#include "phx/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace phx::protocol::wire {

/// The inside of a JSON string as it was written, without its quotes.
struct RawString {
    std::string_view text = {};
    bool escaped = false;
};

/// Reads and validates JSON text in one pass, without recursion and without allocating: a member, an element,
/// a value at a time, each handed out as a slice of the text. Full grammar of RFC 8259, UTF-8, surrogate
/// pairs of escapes, depth.
///
/// A function that returns false has set the fault; nothing may be read after it.
class JsonReader {
public:
    /// More nesting than this is refused whatever the caller allows: it is the size of a fixed bit stack.
    static constexpr std::size_t depth_cap = 8192;

    JsonReader(std::string_view text, std::size_t max_depth) noexcept
        : begin_(text.data()), p_(begin_), end_(begin_ + text.size()),
          max_depth_(max_depth < depth_cap ? max_depth : depth_cap) {}

    /// Names what is being read, for the error: "the topic".
    void enter(const char* part) noexcept { part_ = part; }

    void skip_space() noexcept;
    /// The next character, or NUL at the end.
    char peek() const noexcept { return p_ < end_ ? *p_ : '\0'; }
    const char* position() const noexcept { return p_; }
    std::string_view since(const char* start) const noexcept {
        return {start, static_cast<std::size_t>(p_ - start)};
    }

    /// Takes `c` and the space around it when it comes next.
    bool take(char c) noexcept;
    /// Takes `c` and the space around it; `what` is the error otherwise ("expected ',' after the ref").
    bool expect(char c, const char* what) noexcept { return take(c) || refuse(what); }
    /// A string. REQUIRES peek() == '"'.
    bool string(RawString& out) noexcept;
    /// Any value, as written. `outer_depth` levels are open around it.
    bool value(std::string_view& out, std::size_t outer_depth = 0) noexcept;
    /// A member's name and its colon.
    bool name(RawString& out) noexcept;
    /// Takes the next character. REQUIRES that there is one.
    void step() noexcept { ++p_; }
    /// Nothing but space is left.
    bool finish() noexcept;

    bool refuse(const char* what) noexcept { return fault(p_, Errc::malformed_frame, what), false; }
    bool refuse_at(const char* p, const char* what) noexcept {
        return fault(p, Errc::malformed_frame, what), false;
    }

    /// The fault as an error of the peer; positions are counted from `offset`.
    Failure failure(std::size_t offset = 0) const;
    Errc code() const noexcept { return code_; }

private:
    std::nullptr_t fault(const char* at, Errc code, const char* what) noexcept;
    const char* skip(const char* p) const noexcept;
    const char* skip_slow(const char* p) const noexcept;
    char at(const char* p) const noexcept { return p < end_ ? *p : '\0'; }

    const char* string_end(const char* p) noexcept;
    const char* string_slow(const char* p) noexcept;
    const char* escape_end(const char* p) noexcept;
    const char* unit_end(const char* p, unsigned& unit) noexcept;
    const char* digits_end(const char* p) const noexcept;
    const char* number_end(const char* p) noexcept;
    const char* literal_end(const char* p) noexcept;
    const char* scalar_end(const char* p, char c) noexcept;
    const char* name_end(const char* p) noexcept;
    const char* container_end(const char* p, std::size_t outer_depth) noexcept;

    const char* begin_;
    const char* p_;
    const char* end_;
    std::size_t max_depth_;
    const char* part_ = nullptr;
    bool escaped_ = false; ///< the last string had a backslash
    Errc code_ = Errc::malformed_frame;
    const char* what_ = nullptr;
    const char* where_ = nullptr;
};

/// Writes what the inside of a valid JSON string means to `out`, which has room for `raw.size()` bytes (an
/// escape is never shorter than what it stands for); returns how many.
std::size_t unescape(std::string_view raw, char* out) noexcept;
/// Appends what the inside of a valid JSON string means.
void append_unescaped(std::string& out, std::string_view raw);
/// Whether a member's name is `key`, however it is written. REQUIRES at most eight ASCII characters in `key`.
bool is_key(const RawString& name, std::string_view key) noexcept;
/// Whether `text` can stand between quotes as it is.
bool is_plain(std::string_view text) noexcept;

} // namespace phx::protocol::wire
