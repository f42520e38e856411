#include "phx/protocol/codec.hpp"

#include "protocol/wire/json_frame.hpp"

#include <array>
#include <utility>

namespace phx::protocol {

Result<FrameView> decode(Vsn vsn, Direction direction, Opcode opcode, std::string_view data,
                         std::string& scratch, const Limits& limits) {
    scratch.clear();
    if (data.size() > limits.max_frame_bytes) {
        return fail(Errc::frame_too_large,
                    "a frame of " + std::to_string(data.size()) + " bytes, the limit is " +
                        std::to_string(limits.max_frame_bytes),
                    Origin::peer);
    }
    if (vsn == Vsn::v2 && opcode == Opcode::binary)
        return wire::decode_binary(direction, data, scratch, limits);
    return wire::decode_text(vsn, direction, data, scratch, limits);
}

Result<Opcode> encode(Vsn vsn, Direction direction, const FrameView& frame, std::string& out) {
    if (vsn == Vsn::v2) {
        if (frame.kind == Opcode::binary || frame.user_event)
            return wire::encode_binary(direction, frame, out);
    } else if (frame.kind == Opcode::binary) {
        return fail(Errc::invalid_payload, "protocol version 1 has no binary payloads");
    }
    if (frame.status && direction == Direction::to_server) {
        return fail(Errc::unknown_kind, "a reply does not travel to a server");
    }
    vsn == Vsn::v2 ? wire::encode_v2(frame, out) : wire::encode_v1(frame, out);
    return Opcode::text;
}

EventKind event_kind(const FrameView& frame) noexcept {
    constexpr std::array<std::pair<std::string_view, EventKind>, 7> kinds = {{
        {"broadcast", EventKind::broadcast},
        {"presence_diff", EventKind::presence_diff},
        {"presence_state", EventKind::presence_state},
        {"postgres_changes", EventKind::postgres_changes},
        {"system", EventKind::system},
        {"phx_close", EventKind::phx_close},
        {"phx_error", EventKind::phx_error},
    }};
    if (frame.event_token) return EventKind::unknown;
    if (frame.event == "phx_reply") {
        return frame.topic == "phoenix" ? EventKind::heartbeat_reply : EventKind::phx_reply;
    }
    for (const auto& [name, kind] : kinds) {
        if (frame.event == name) return kind;
    }
    return EventKind::unknown;
}

std::string_view to_string(EventKind kind) noexcept {
    switch (kind) {
    case EventKind::phx_reply: return "phx_reply";
    case EventKind::phx_close: return "phx_close";
    case EventKind::phx_error: return "phx_error";
    case EventKind::postgres_changes: return "postgres_changes";
    case EventKind::broadcast: return "broadcast";
    case EventKind::presence_state: return "presence_state";
    case EventKind::presence_diff: return "presence_diff";
    case EventKind::system: return "system";
    case EventKind::heartbeat_reply: return "heartbeat_reply";
    case EventKind::unknown: break;
    }
    return "unknown";
}

Result<Vsn> parse_vsn(std::string_view text) {
    // Version.match?(vsn, "~> 1.0.0") in phoenix transport.ex: the patch version is free.
    const auto is_patch = [](std::string_view patch) {
        if (patch.empty() || (patch.size() > 1 && patch.front() == '0')) return false;
        return patch.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (text.size() > 4 && is_patch(text.substr(4))) {
        if (text.substr(0, 4) == "1.0.") return Vsn::v1;
        if (text.substr(0, 4) == "2.0.") return Vsn::v2;
    }
    return fail(Errc::invalid_argument, "vsn is neither 1.0.x nor 2.0.x");
}

std::string_view to_string(Vsn vsn) noexcept { return vsn == Vsn::v1 ? "1.0.0" : "2.0.0"; }

} // namespace phx::protocol
