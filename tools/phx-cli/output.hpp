#pragma once

#include "args.hpp"
#include "phx/message.hpp"

#include <string>
#include <string_view>

namespace phx::cli {

/// Prints messages and replies to stdout, flushed one by one. Loop thread only.
class Output {
public:
    explicit Output(Format format);

    void message(const Message& message);
    void reply(std::string_view topic, const Reply& reply);
    /// Why stdout takes no more: EPIPE when its reader has seen enough, as `head`. 0 while all is well.
    int error() const noexcept { return error_; }
    /// ok for a reader that has seen enough, else failure with one line on stderr.
    ExitCode verdict() const;

private:
    struct Line {
        std::string_view topic, event, status;
        std::string_view ref = "null", join_ref = "null"; // JSON tokens
        std::string_view user_event;                      // of a binary broadcast
        bool binary = false;
        std::string_view payload;
    };
    void print(const Line&);
    void append_json(const Line&);
    void append_plain(const Line&);

    Format format_;
    bool colour_;
    int error_ = 0;
    std::string buffer_;
    std::string payload_;
};

/// UTC with milliseconds, as RFC 3339.
std::string timestamp();
/// A frame as one printable line: text as it is (controls escaped, access tokens blanked), bytes as hex.
std::string printable_frame(protocol::Opcode, std::string_view frame);

} // namespace phx::cli
