#include "phx/protocol/codec.hpp"
#include "protocol/wire/binary_frame.hpp"
#include "protocol/wire/json_frame.hpp"

namespace phx::protocol::wire {
namespace {

constexpr std::size_t field_limit = 255; // the length field is one byte

unsigned char kind_of(Direction direction, const FrameView& frame) noexcept {
    if (frame.user_event) return direction == Direction::to_server ? 3 : 4;
    if (frame.status) return 1;
    // Without a join_ref it is no one's push: a broadcast.
    return direction == Direction::to_server || frame.join_ref ? 0 : 2;
}

std::string_view ref_bytes(const std::optional<JsonToken>& token, std::string& scratch) {
    return !token || token->is_null() ? std::string_view() : unquote(*token, scratch);
}

} // namespace

Result<Opcode> encode_binary(Direction direction, const FrameView& frame, std::string& out) {
    const Layout* const layout = find_layout(direction, kind_of(direction, frame));
    if (layout == nullptr) return fail(Errc::unknown_kind, "a reply does not travel to a server");
    std::string join_ref, ref; // stay empty unless a ref has escapes
    std::array<std::string_view, 5> fields;
    std::size_t total = layout->header_bytes() + frame.payload.size() + 2;
    for (unsigned i = 0; i < layout->count; ++i) {
        std::string_view& field = fields[i];
        switch (layout->fields[i]) {
        case Field::join_ref: field = ref_bytes(frame.join_ref, join_ref); break;
        case Field::ref: field = ref_bytes(frame.ref, ref); break;
        case Field::topic: field = frame.topic_token ? frame.topic_token->text : frame.topic; break;
        case Field::event: field = frame.event_token ? frame.event_token->text : frame.event; break;
        case Field::status: field = *frame.status; break;
        case Field::user_event: field = *frame.user_event; break;
        case Field::metadata: field = frame.metadata; break;
        }
        if (field.size() > field_limit) {
            return fail(Errc::field_too_long, std::string(name_of(layout->fields[i])) + " has " +
                                                  std::to_string(field.size()) +
                                                  " bytes, binary frames allow 255");
        }
        total += field.size();
    }
    if (out.capacity() - out.size() < total) out.reserve(out.size() + total);
    std::array<char, 7> header;
    header[0] = static_cast<char>(layout->kind);
    for (unsigned i = 0; i < layout->count; ++i) header[1 + i] = static_cast<char>(fields[i].size());
    const bool json = frame.kind == Opcode::text;
    if (layout->encoding == Encoding::present) header[1u + layout->count] = json ? 1 : 0;
    out.append(header.data(), layout->header_bytes());
    for (unsigned i = 0; i < layout->count; ++i) out.append(fields[i]);
    out.append(json && frame.payload.empty() ? std::string_view("{}") : frame.payload);
    return Opcode::binary;
}

} // namespace phx::protocol::wire
