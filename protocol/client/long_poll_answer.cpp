#include "protocol/client/long_poll_answer.hpp"

#include "phx/protocol/frame.hpp"

#include <algorithm>
#include <charconv>

namespace phx::protocol {
namespace {

using wire::JsonReader;
using wire::RawString;

bool read_status(JsonReader& reader, int& status) {
    const char* const start = reader.position();
    std::string_view text;
    if (!reader.value(text)) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    const bool is_integer = error == std::errc{} && end == text.data() + text.size();
    return is_integer || reader.refuse_at(start, "expected an integer");
}

/// It is sent back in a header, where it must not end the line.
bool read_token(JsonReader& reader, std::optional<std::string>& token) {
    constexpr std::size_t max_token_bytes = 4096; // Phoenix' have 200; URLs over 8 kB are refused by many
    const char* const start = reader.position();
    if (reader.peek() != '"') { // null: the request had none that the server repeats
        std::string_view value;
        token.reset();
        return reader.value(value) && (value == "null" || reader.refuse_at(start, "expected a string"));
    }
    RawString raw;
    if (!reader.string(raw)) return false;
    token.emplace();
    wire::append_unescaped(*token, raw.text);
    const bool is_token =
        !token->empty() && token->size() <= max_token_bytes &&
        std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c <= '~'; });
    return is_token || reader.refuse_at(start, "expected up to 4096 visible characters");
}

bool read_messages(JsonReader& reader, std::string_view& messages) {
    if (!reader.expect('[', "expected a list")) return false;
    const char* const start = reader.position();
    messages = {};
    if (reader.take(']')) return true;
    do {
        RawString raw;
        if (reader.peek() != '"') return reader.refuse("expected a string");
        if (!reader.string(raw)) return false;
    } while (reader.take(','));
    messages = reader.since(start);
    return reader.expect(']', "expected ',' or ']'");
}

bool read_answer(JsonReader& reader, LongPollAnswer& answer) {
    reader.skip_space();
    if (!reader.expect('{', "expected '{'")) return false;
    if (reader.peek() != '}') {
        do {
            RawString name;
            std::string_view ignored;
            bool is_read = reader.name(name);
            if (!is_read) return false;
            if (is_key(name, "status")) {
                reader.enter("the status");
                is_read = read_status(reader, answer.status);
            } else if (is_key(name, "token")) {
                reader.enter("the token");
                is_read = read_token(reader, answer.token);
            } else if (is_key(name, "messages")) {
                reader.enter("the messages");
                is_read = read_messages(reader, answer.messages);
            } else {
                reader.enter("an unknown member");
                is_read = reader.value(ignored, 1);
            }
            if (!is_read) return false;
            reader.enter(nullptr);
        } while (reader.take(','));
    }
    if (answer.status == 0 && reader.peek() == '}') return reader.refuse("the status is missing");
    return reader.expect('}', "expected ',' or '}'") && reader.finish();
}

} // namespace

Result<LongPollAnswer> read_long_poll_answer(std::string_view body) {
    JsonReader reader(body, Limits{}.max_depth);
    LongPollAnswer answer;
    if (!read_answer(reader, answer)) return reader.failure();
    return answer;
}

LongPollMessages::LongPollMessages(std::string_view messages) : reader_(messages, 1) {}

std::optional<std::string_view> LongPollMessages::next() {
    RawString raw;
    if (reader_.peek() != '"' || !reader_.string(raw)) return std::nullopt;
    (void)reader_.take(',');
    if (!raw.escaped) return raw.text;
    scratch_.resize(raw.text.size());
    return std::string_view(scratch_).substr(0, wire::unescape(raw.text, scratch_.data()));
}

} // namespace phx::protocol
