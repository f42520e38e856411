#include "protocol/wire/binary_frame.hpp"
#include "protocol/wire/json_frame.hpp"
#include "protocol/wire/json_writer.hpp"
#include "protocol/wire/utf8_sequence.hpp"

namespace phx::protocol::wire {
namespace {

Failure refuse(Errc code, std::size_t at, std::string_view what) {
    return fail(code, std::string("byte ").append(std::to_string(at)).append(": ").append(what),
                Origin::peer);
}

Failure refuse_kind(Direction direction, unsigned char kind) {
    const char* const whither = direction == Direction::to_server ? " to a server" : " to a client";
    std::string what = "no binary frame" + std::string(whither) + " has kind " + std::to_string(kind);
    if (kind == '[' || kind == '{') what += " (JSON text with the binary opcode?)";
    return refuse(Errc::unknown_kind, 0, what);
}

/// JSON text with a part's name for the error.
bool check_json(std::string_view text, const char* part, const Limits& limits, std::size_t offset,
                Result<FrameView>& result) {
    JsonReader reader(text, limits.max_depth);
    std::string_view value;
    reader.enter(part);
    reader.skip_space();
    if (reader.value(value) && reader.finish()) return true;
    result = reader.failure(offset);
    return false;
}

/// A ref as a JSON string, which is what the same ref is in a text frame.
JsonToken make_token(std::string_view bytes, std::string& scratch) {
    const std::size_t before = scratch.size();
    scratch.resize(before + Quoted(bytes).bound());
    char* const start = scratch.data() + before;
    char* const end = write_escaped(start, bytes);
    const auto size = static_cast<std::size_t>(end - start);
    scratch.resize(before + size);
    return {std::string_view(scratch).substr(before, size)};
}

void set_field(FrameView& view, Field field, std::string_view bytes, std::string& scratch) {
    switch (field) {
    case Field::join_ref: view.join_ref = make_token(bytes, scratch); break;
    case Field::ref: view.ref = make_token(bytes, scratch); break;
    case Field::topic: view.topic = bytes; break;
    case Field::event: view.event = bytes; break;
    case Field::status:
        view.status = bytes;
        view.event = "phx_reply";
        break;
    case Field::user_event:
        view.user_event = bytes;
        view.event = "broadcast";
        break;
    case Field::metadata: view.metadata = bytes; break;
    }
}

} // namespace

Result<FrameView> decode_binary(Direction direction, std::string_view data, std::string& scratch,
                                const Limits& limits) {
    Result<FrameView> result{FrameView{}};
    if (data.empty()) {
        result = refuse(Errc::malformed_frame, 0, "an empty binary frame");
        return result;
    }
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(data[i]); };
    const Layout* const layout = find_layout(direction, byte(0));
    if (layout == nullptr) {
        result = refuse_kind(direction, byte(0));
        return result;
    }
    std::size_t at = layout->header_bytes();
    if (data.size() < at) {
        result = refuse(Errc::malformed_frame, data.size(), "expected the lengths of a binary frame");
        return result;
    }
    std::size_t refs = 0;
    for (unsigned i = 0; i < layout->count; ++i) {
        if (layout->fields[i] <= Field::ref) refs += 2u + 6u * byte(1 + i);
    }
    if (refs > scratch.capacity()) scratch.reserve(refs); // growing later would move the first token
    for (unsigned i = 0; i < layout->count; ++i) {
        const Field field = layout->fields[i];
        const std::size_t size = byte(1 + i);
        if (data.size() - at < size) {
            result = refuse(Errc::malformed_frame, data.size(),
                            "expected more of the " + std::string(name_of(field)));
            return result;
        }
        const std::string_view bytes = data.substr(at, size);
        if (const std::size_t bad = utf8_error(bytes); bad != size) {
            result =
                refuse(Errc::invalid_utf8, at + bad, "invalid UTF-8 in the " + std::string(name_of(field)));
            return result;
        }
        if (field == Field::metadata && size != 0 && !check_json(bytes, "the metadata", limits, at, result))
            return result;
        set_field(*result, field, bytes, scratch);
        at += size;
    }
    FrameView& view = *result;
    view.payload = data.substr(at);
    const bool json = layout->encoding == Encoding::present && byte(1 + layout->count) != 0;
    view.kind = json ? Opcode::text : Opcode::binary;
    // The real server splices such a payload unread into the JSON of v1 members: here it has to be JSON.
    if (json) check_json(view.payload, "the payload", limits, at, result);
    return result;
}

} // namespace phx::protocol::wire
