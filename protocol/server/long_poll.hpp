#pragma once

#include "phx/protocol/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Phoenix' long poll, the server's side. Of a session HTTP always answers 200; the status is in the JSON.
namespace phx::protocol::server {

enum class PollStatus : std::uint16_t {
    ok = 200,
    no_content = 204, ///< nothing came while the poll was open
    forbidden = 403,
    malformed = 408, ///< and the session is over
    gone = 410,      ///< no such session; of a GET: here is a new one
};

/// `{"status":410}`
std::string poll_answer(PollStatus);

/// What a POST carried. Errors are nullopt: a line that is neither JSON text nor base64, or more lines than a
/// client may send at once.
struct PostedMessage {
    Opcode opcode = Opcode::text;
    std::string data = {};
};
std::optional<std::vector<PostedMessage>> read_posted(std::string_view content_type, std::string_view body);

/// What waits for a client between its polls.
class LongPollQueue {
public:
    LongPollQueue(std::string token, std::size_t max_bytes)
        : token_(std::move(token)), max_bytes_(max_bytes) {}

    /// False when so much waits that the client is lost (always room for one).
    bool add(std::string_view text);
    bool has_messages() const noexcept { return !messages_.empty(); }
    std::size_t bytes() const noexcept { return bytes_; }

    /// What an open poll is answered: `{"messages":[...],"status":200,"token":T}`; nothing waits afterwards.
    std::string take_answer();
    std::string answer(PollStatus) const;

private:
    std::string token_;
    std::size_t max_bytes_;
    std::string messages_; // JSON strings, with commas between them
    std::size_t bytes_ = 0;
};

} // namespace phx::protocol::server
