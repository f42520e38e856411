#include "protocol/server/long_poll.hpp"

#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"

#include <utility>

namespace phx::protocol::server {
namespace {

constexpr std::size_t max_posted = 100; // phoenix.js sends no more in one request

std::string status_text(PollStatus status) { return std::to_string(static_cast<unsigned>(status)); }

std::string whole_answer(PollStatus status, std::string_view messages, std::string_view token) {
    std::string json = "{\"messages\":[";
    json.append(messages).append("],\"status\":").append(status_text(status)).append(",\"token\":");
    append_json_string(json, token);
    json += '}';
    return json;
}

/// What starts as JSON is text, anything else the base64 of a binary message.
std::optional<PostedMessage> read_line(std::string_view line) {
    if (line.starts_with('[') || line.starts_with('{')) return PostedMessage{Opcode::text, std::string(line)};
    auto bytes = base64_decode(line);
    if (!bytes) return std::nullopt;
    return PostedMessage{Opcode::binary, *std::move(bytes)};
}

} // namespace

std::string poll_answer(PollStatus status) { return "{\"status\":" + status_text(status) + "}"; }

std::optional<std::vector<PostedMessage>> read_posted(std::string_view content_type, std::string_view body) {
    const bool is_batch = content_type.starts_with("application/x-ndjson");
    std::vector<PostedMessage> messages;
    do {
        const std::size_t end = is_batch ? body.find('\n') : std::string_view::npos;
        std::string_view line = body.substr(0, end);
        body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
        if (is_batch && line.ends_with('\r')) line.remove_suffix(1);
        auto message = read_line(line);
        if (!message || messages.size() == max_posted) return std::nullopt;
        messages.push_back(*std::move(message));
    } while (!body.empty());
    return messages;
}

bool LongPollQueue::add(std::string_view text) {
    if (bytes_ > 0 && bytes_ + text.size() > max_bytes_) return false;
    bytes_ += text.size();
    if (!messages_.empty()) messages_ += ',';
    append_json_string(messages_, text);
    return true;
}

std::string LongPollQueue::take_answer() {
    bytes_ = 0;
    return whole_answer(PollStatus::ok, std::exchange(messages_, {}), token_);
}

std::string LongPollQueue::answer(PollStatus status) const { return whole_answer(status, {}, token_); }

} // namespace phx::protocol::server
