#pragma once

#include "phx/protocol/frame.hpp"

#include <cstddef>
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

/// Writes what stands before the payload of a text frame through a pointer into `out`, then copies the
/// payload once.
class JsonWriter {
public:
    JsonWriter(std::string& out, const FrameView& frame);

    void raw(std::string_view text) noexcept { p_ += text.copy(p_, text.size()); }
    void ref(const std::optional<JsonToken>& token) noexcept {
        raw(token ? token->text : std::string_view("null"));
    }
    void topic() noexcept { frame_.topic_token ? raw(frame_.topic_token->text) : quoted(topic_); }
    void event() noexcept { frame_.event_token ? raw(frame_.event_token->text) : quoted(event_); }
    /// The payload with what its kind of frame wraps around it, and `end`, the end of the frame.
    void payload(std::string_view end);

private:
    void quoted(const Quoted& text) noexcept;

    std::string& out_;
    const FrameView& frame_;
    Quoted topic_;
    Quoted event_;
    Quoted inner_; ///< the status of a reply, or the event of a user broadcast
    char* p_ = nullptr;
};

/// Writes `text` between quotes; `out` has room for `6 * text.size() + 2`. Returns the end.
char* write_escaped(char* out, std::string_view text) noexcept;

} // namespace phx::protocol::wire
