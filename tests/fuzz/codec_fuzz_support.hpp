#pragma once

#include "phx/protocol/codec.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace phx::fuzz {

inline void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

inline bool same(const protocol::FrameView& a, const protocol::FrameView& b) {
    return a.join_ref == b.join_ref && a.ref == b.ref && a.topic == b.topic && a.event == b.event &&
           a.topic_token == b.topic_token && a.event_token == b.event_token && a.user_event == b.user_event &&
           a.metadata == b.metadata && a.status == b.status && a.kind == b.kind && a.payload == b.payload;
}

/// What decodes encodes, and decodes to the same; what does not has an error of the peer that names no text
/// of it.
inline void check_frame(protocol::Vsn vsn, protocol::Opcode opcode, const std::uint8_t* data,
                        std::size_t size) {
    using namespace protocol;
    // A copy of exactly this size: the sanitizer sees a read past the end.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size != 0) std::memcpy(copy.get(), data, size);
    const std::string_view bytes(copy.get(), size);
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
        std::string scratch, scratch_again, encoded;
        const Result<FrameView> frame = decode(vsn, direction, opcode, bytes, scratch);
        if (!frame) {
            require(frame.error().origin == Origin::peer, "a decode error is the peer's");
            require(!frame.error().message.empty() && frame.error().message.size() < 200, "a short message");
            continue;
        }
        if (frame->kind == Opcode::text && !frame->payload.empty()) {
            require(validate_json(frame->payload).has_value(), "a text payload is JSON");
        }
        static_cast<void>(event_kind(*frame));
        const Result<Opcode> written = encode(vsn, direction, *frame, encoded);
        require(written.has_value(), "what decodes encodes");
        const Result<FrameView> again = decode(vsn, direction, *written, encoded, scratch_again);
        require(again.has_value(), "what was encoded decodes");
        require(same(*frame, *again), "and is the same");
    }
}

} // namespace phx::fuzz
