#include "protocol/wire/json_writer.hpp"

#include "protocol/wire/json_text.hpp"

namespace phx::protocol::wire {
namespace {

// Longest text around the fields: `{"topic":,"event":,"ref":,"join_ref":,"payload":` and
// `{"type":"broadcast","event":,"meta":,"payload":`, and two refs that are null.
constexpr std::size_t fixed_bytes = 128;

std::size_t token_bytes(const std::optional<JsonToken>& token) noexcept {
    return token ? token->text.size() : 0;
}

std::string_view event_of(const FrameView& frame) noexcept {
    if (frame.status) return "phx_reply";
    return frame.user_event ? std::string_view("broadcast") : frame.event;
}

std::string_view inner_of(const FrameView& frame) noexcept {
    if (frame.status) return *frame.status;
    return frame.user_event.value_or(std::string_view());
}

} // namespace

Quoted::Quoted(std::string_view from) noexcept : text(from), plain(is_plain(from)) {}

char* write_escaped(char* out, std::string_view text) noexcept {
    constexpr std::string_view hex = "0123456789abcdef";
    *out++ = '"';
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c != '"' && c != '\\' && code >= 0x20) {
            *out++ = c;
            continue;
        }
        *out++ = '\\';
        switch (c) {
        case '\b': *out++ = 'b'; break;
        case '\f': *out++ = 'f'; break;
        case '\n': *out++ = 'n'; break;
        case '\r': *out++ = 'r'; break;
        case '\t': *out++ = 't'; break;
        case '"':
        case '\\': *out++ = c; break;
        default:
            *out++ = 'u';
            *out++ = '0';
            *out++ = '0';
            *out++ = hex[code >> 4];
            *out++ = hex[code & 0xFu];
        }
    }
    *out++ = '"';
    return out;
}

JsonWriter::JsonWriter(std::string& out, const FrameView& frame)
    : out_(out), frame_(frame), topic_(frame.topic), event_(event_of(frame)), inner_(inner_of(frame)) {
    const std::size_t before = out.size();
    const std::size_t head = fixed_bytes + token_bytes(frame.join_ref) + token_bytes(frame.ref) +
                             topic_.bound() + token_bytes(frame.topic_token) + event_.bound() +
                             token_bytes(frame.event_token) + inner_.bound() + frame.metadata.size();
    if (out.capacity() - before < head + frame.payload.size())
        out.reserve(before + head + frame.payload.size());
    out.resize(before + head);
    p_ = out.data() + before;
}

void JsonWriter::quoted(const Quoted& text) noexcept {
    if (!text.plain) {
        p_ = write_escaped(p_, text.text);
        return;
    }
    *p_++ = '"';
    raw(text.text);
    *p_++ = '"';
}

void JsonWriter::payload(std::string_view end) {
    std::string_view body = frame_.payload;
    const bool wrapped = frame_.status || frame_.user_event;
    if (frame_.status) {
        raw("{\"status\":");
        quoted(inner_);
        if (!body.empty()) raw(",\"response\":");
    } else if (frame_.user_event) {
        raw("{\"type\":\"broadcast\",\"event\":");
        quoted(inner_);
        if (!frame_.metadata.empty()) {
            raw(",\"meta\":");
            raw(frame_.metadata);
        }
        raw(",\"payload\":");
    }
    if (body.empty() && !frame_.status) body = "{}";
    out_.resize(static_cast<std::size_t>(p_ - out_.data()));
    out_.append(body);
    if (wrapped) out_.push_back('}');
    out_.append(end);
}

} // namespace phx::protocol::wire
