#include "protocol/wire/json_frame.hpp"
#include "protocol/wire/json_writer.hpp"

#include <array>

/// v1 text: an object with topic, event, payload, ref and perhaps join_ref (phoenix v1_json_serializer.ex).
namespace phx::protocol::wire {
namespace {

enum Key : unsigned { topic, event, payload, ref, join_ref, other };

constexpr std::array<std::string_view, other> names = {"topic", "event", "payload", "ref", "join_ref"};
constexpr std::array<const char*, other> missing = {
    "the key \"topic\" is missing", "the key \"event\" is missing", "the key \"payload\" is missing",
    "the key \"ref\" is missing", ""};
constexpr std::array<const char*, other> repeated = {
    "the key \"topic\" is repeated", "the key \"event\" is repeated", "the key \"payload\" is repeated",
    "the key \"ref\" is repeated", "the key \"join_ref\" is repeated"};

Key find_key(const RawString& name) noexcept {
    for (unsigned key = 0; key < other; ++key) {
        if (is_key(name, names[key])) return static_cast<Key>(key);
    }
    return other;
}

bool read_member(JsonReader& reader, Direction direction, TextFrame& frame, Key key) noexcept {
    switch (key) {
    case topic: reader.enter("the topic"); return read_text(reader, frame.topic, frame.view.topic_token);
    case event: reader.enter("the event"); return read_text(reader, frame.event, frame.view.event_token);
    case payload: return read_payload(reader, direction, frame);
    case ref: reader.enter("the ref"); return read_ref(reader, frame.view.ref);
    case join_ref: reader.enter("the join_ref"); return read_ref(reader, frame.view.join_ref);
    case other: break;
    }
    std::string_view ignored;
    reader.enter("an unknown member");
    return reader.value(ignored);
}

} // namespace

bool read_v1(JsonReader& reader, Direction direction, TextFrame& frame) noexcept {
    unsigned seen = 0;
    reader.skip_space();
    if (!reader.expect('{', "expected '{' of a v1 frame")) return false;
    if (reader.peek() != '}') {
        do {
            const char* const start = reader.position();
            RawString name;
            if (!reader.name(name)) return false;
            const Key key = find_key(name);
            // Servers and clients would pick different ones (Jason the first, JSON.parse the last): refused,
            // so that no two readers of one frame disagree about where it goes.
            if (key != other && (seen & (1u << key)) != 0) return reader.refuse_at(start, repeated[key]);
            seen |= 1u << key;
            if (!read_member(reader, direction, frame, key)) return false;
            reader.enter(nullptr);
        } while (reader.take(','));
    }
    for (const Key key : {topic, event, payload, ref}) {
        if ((seen & (1u << key)) == 0 && reader.peek() == '}') return reader.refuse(missing[key]);
    }
    return reader.expect('}', "expected ',' or '}'") && reader.finish();
}

void encode_v1(const FrameView& frame, std::string& out) {
    JsonWriter writer(out, frame);
    writer.raw("{\"topic\":");
    writer.topic();
    writer.raw(",\"event\":");
    writer.event();
    writer.raw(",\"ref\":");
    writer.ref(frame.ref);
    if (frame.join_ref) {
        writer.raw(",\"join_ref\":");
        writer.ref(frame.join_ref);
    }
    writer.raw(",\"payload\":");
    writer.payload("}");
}

} // namespace phx::protocol::wire
