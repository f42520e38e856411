#include "protocol/wire/json_frame.hpp"

#include "protocol/wire/utf8_sequence.hpp"

namespace phx::protocol::wire {
namespace {

constexpr std::string_view reply_event = "phx_reply";

/// The payload of a reply: `{"status":S,"response":R}`. Of a repeated key the last counts, as in JSON.parse,
/// which is what reads replies in phoenix.js.
bool read_reply(JsonReader& reader, TextFrame& frame) noexcept {
    const char* const start = reader.position();
    std::string_view response;
    RawString status;
    bool has_status = false;
    reader.take('{');
    if (!reader.take('}')) {
        do {
            RawString key;
            if (!reader.name(key)) return false;
            std::string_view value;
            RawString text;
            const bool is_string = reader.peek() == '"';
            if (is_string ? !reader.string(text) : !reader.value(value, 1)) return false;
            if (is_string) value = {text.text.data() - 1, text.text.size() + 2};
            if (is_key(key, "status")) {
                has_status = is_string;
                status = text;
            } else if (is_key(key, "response")) {
                response = value;
            }
        } while (reader.take(','));
        reader.skip_space();
        if (reader.peek() != '}') return reader.refuse("expected ',' or '}'");
        reader.step();
    }
    frame.view.payload = has_status ? response : reader.since(start);
    if (has_status) {
        frame.view.status.emplace();
        frame.status = status;
    }
    return true;
}

std::size_t scratch_bytes(const RawString& raw) noexcept { return raw.escaped ? raw.text.size() : 0; }

/// REQUIRES room in `scratch`: growing would move the views that were made before.
std::string_view resolve(const RawString& raw, std::string& scratch) {
    if (!raw.escaped) return raw.text;
    const std::size_t before = scratch.size();
    append_unescaped(scratch, raw.text);
    return std::string_view(scratch).substr(before);
}

} // namespace

bool read_text(JsonReader& reader, RawString& raw, std::optional<JsonToken>& token) noexcept {
    if (reader.peek() == '"') return reader.string(raw);
    return reader.value(token.emplace().text);
}

bool read_ref(JsonReader& reader, std::optional<JsonToken>& ref) noexcept {
    return reader.value(ref.emplace().text);
}

bool read_payload(JsonReader& reader, Direction direction, TextFrame& frame) noexcept {
    reader.enter("the payload");
    if (direction == Direction::to_client && frame.event.text == reply_event && reader.peek() == '{') {
        frame.split = true;
        return read_reply(reader, frame);
    }
    return reader.value(frame.view.payload);
}

void finish_text(TextFrame& frame, Direction direction, std::string& scratch) {
    FrameView& view = frame.view;
    if (direction == Direction::to_client && !frame.split && !view.payload.empty() &&
        view.payload.front() == '{') {
        // A v1 object may have its payload before its event, and an event may be written with escapes.
        if (resolve(frame.event, scratch) == reply_event) {
            JsonReader again(view.payload, JsonReader::depth_cap);
            read_reply(again, frame);
        }
        scratch.clear();
    }
    const std::size_t room =
        scratch_bytes(frame.topic) + scratch_bytes(frame.event) + scratch_bytes(frame.status);
    if (room > scratch.capacity()) scratch.reserve(room);
    view.topic = resolve(frame.topic, scratch);
    view.event = resolve(frame.event, scratch);
    if (view.status) view.status = resolve(frame.status, scratch);
}

Result<FrameView> decode_text(Vsn vsn, Direction direction, std::string_view data, std::string& scratch,
                              const Limits& limits) {
    Result<FrameView> result{FrameView{}};
    TextFrame frame{*result};
    JsonReader reader(data, limits.max_depth);
    const bool good = vsn == Vsn::v1 ? read_v1(reader, direction, frame) : read_v2(reader, direction, frame);
    if (good) {
        finish_text(frame, direction, scratch);
        return result;
    }
    // Whatever else is wrong with it: a text message that is not UTF-8 is the WebSocket's fault (RFC
    // 6455 8.1, 1007).
    if (const std::size_t bad = utf8_error(data); bad != data.size()) {
        result = fail(Errc::invalid_utf8, "byte " + std::to_string(bad) + ": invalid UTF-8", Origin::peer);
    } else {
        result = reader.failure();
    }
    return result;
}

} // namespace phx::protocol::wire
