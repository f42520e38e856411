#pragma once

#include "phx/protocol/frame.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace phx::protocol::wire {

/// Text that goes between quotes; whether it needs escapes is found out once.
struct Quoted {
    std::string_view text = {};
    bool plain = true;

    Quoted() = default;
    explicit Quoted(std::string_view from) noexcept;
    std::size_t bound() const noexcept { return 2 + (plain ? text.size() : 6 * text.size()); }
};

/// Copies `text`; names and refs are too short for a call of memcpy.
inline char* put(char* out, std::string_view text) noexcept {
    const std::size_t size = text.size();
    const char* const from = text.data();
    if (size > 16) {
        std::memcpy(out, from, size);
    } else if (size >= 8) { // two words that overlap
        std::memcpy(out + size - 8, from + size - 8, 8);
        std::memcpy(out, from, 8);
    } else if (size >= 4) {
        std::memcpy(out + size - 4, from + size - 4, 4);
        std::memcpy(out, from, 4);
    } else {
        for (std::size_t i = 0; i < size; ++i) out[i] = from[i];
    }
    return out + size;
}

/// Writes what stands before the payload of a text frame, on the stack where it fits, then copies the payload
/// once.
class JsonWriter {
public:
    JsonWriter(std::string& out, const FrameView& frame);
    JsonWriter(const JsonWriter&) = delete;
    JsonWriter& operator=(const JsonWriter&) = delete;

    void raw(std::string_view text) noexcept { p_ = put(p_, text); }
    void ref(const std::optional<JsonToken>& token) noexcept {
        raw(token ? token->text : std::string_view("null"));
    }
    void topic() noexcept { frame_.topic_token ? raw(frame_.topic_token->text) : quoted(topic_); }
    void event() noexcept { frame_.event_token ? raw(frame_.event_token->text) : quoted(event_); }
    /// The payload with what its kind of frame wraps around it, and `end`, the end of the frame.
    void payload(char end);

private:
    void quoted(const Quoted& text) noexcept;

    std::string& out_;
    const FrameView& frame_;
    Quoted topic_;
    Quoted event_;
    Quoted inner_; ///< the status of a reply, or the event of a user broadcast
    char* start_ = nullptr;
    char* p_ = nullptr;
    std::array<char, 384> head_; ///< uninitialized on purpose
};

/// Writes `text` between quotes; `out` has room for `6 * text.size() + 2`. Returns the end.
char* write_escaped(char* out, std::string_view text) noexcept;

} // namespace phx::protocol::wire
