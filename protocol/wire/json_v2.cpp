#include "protocol/wire/json_frame.hpp"
#include "protocol/wire/json_writer.hpp"

/// v2 text: `[join_ref, ref, topic, event, payload]` (phoenix v2_json_serializer.ex, phoenix.js
/// serializer.js).
namespace phx::protocol::wire {

bool read_v2(JsonReader& reader, Direction direction, TextFrame& frame) noexcept {
    FrameView& view = frame.view;
    reader.skip_space();
    if (!reader.expect('[', "expected '[' of a v2 frame")) return false;
    reader.enter("the join_ref");
    if (!read_ref(reader, view.join_ref)) return false;
    reader.enter(nullptr);
    if (!reader.expect(',', "expected ',' after the join_ref")) return false;
    reader.enter("the ref");
    if (!read_ref(reader, view.ref)) return false;
    reader.enter(nullptr);
    if (!reader.expect(',', "expected ',' after the ref")) return false;
    reader.enter("the topic");
    if (!read_text(reader, frame.topic, view.topic_token)) return false;
    reader.enter(nullptr);
    if (!reader.expect(',', "expected ',' after the topic")) return false;
    reader.enter("the event");
    if (!read_text(reader, frame.event, view.event_token)) return false;
    reader.enter(nullptr);
    if (!reader.expect(',', "expected ',' after the event")) return false;
    if (!read_payload(reader, direction, frame)) return false;
    reader.enter("an extra element");
    std::string_view ignored; // Phoenix matches the head of the list: more than five elements are fine
    while (reader.take(',')) {
        if (!reader.value(ignored)) return false;
    }
    reader.enter(nullptr);
    return reader.expect(']', "expected ']' after the payload") && reader.finish();
}

void encode_v2(const FrameView& frame, std::string& out) {
    JsonWriter writer(out, frame);
    writer.raw("[");
    writer.ref(frame.join_ref);
    writer.raw(",");
    writer.ref(frame.ref);
    writer.raw(",");
    writer.topic();
    writer.raw(",");
    writer.event();
    writer.raw(",");
    writer.payload("]");
}

} // namespace phx::protocol::wire
