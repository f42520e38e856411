#include "protocol/wire/websocket_frame.hpp"

#include "protocol/wire/utf8.hpp"

#include <cassert>
#include <cstring>

namespace phx::protocol {
namespace {

constexpr std::size_t key_bytes = sizeof(MaskKey);

std::size_t unmasked_header_bytes(std::size_t payload_bytes) noexcept {
    return payload_bytes < 126 ? 2 : payload_bytes <= 0xffff ? 4 : 10;
}

/// Writes everything but the key; returns where the key or the payload begins.
char* write_header(char* at, FrameOpcode opcode, std::size_t payload_bytes, unsigned mask_bit) noexcept {
    const auto put = [&at](std::uint64_t byte) { *at++ = static_cast<char>(byte & 0xff); };
    put(0x80u | static_cast<unsigned>(opcode));
    if (payload_bytes < 126) {
        put(mask_bit | payload_bytes);
    } else if (payload_bytes <= 0xffff) {
        put(mask_bit | 126);
        put(payload_bytes >> 8);
        put(payload_bytes);
    } else {
        put(mask_bit | 127);
        for (int shift = 56; shift >= 0; shift -= 8) put(std::uint64_t{payload_bytes} >> shift);
    }
    return at;
}

char* write_masked_header(char* at, FrameOpcode opcode, std::size_t payload_bytes, MaskKey key) noexcept {
    at = write_header(at, opcode, payload_bytes, 0x80);
    std::memcpy(at, &key, key_bytes);
    return at + key_bytes;
}

[[maybe_unused]] bool fits(FrameOpcode opcode, std::size_t payload_bytes) noexcept {
    return opcode < FrameOpcode::close || payload_bytes <= max_control_bytes;
}

} // namespace

void append_frame(std::string& out, FrameOpcode opcode, std::string_view payload) {
    assert(fits(opcode, payload.size()));
    char header[max_frame_header_bytes];
    const char* end = write_header(header, opcode, payload.size(), 0);
    out.append(header, static_cast<std::size_t>(end - header));
    out.append(payload);
}

void append_masked_frame(std::string& out, FrameOpcode opcode, std::string_view payload, MaskKey key) {
    assert(fits(opcode, payload.size()));
    char header[max_frame_header_bytes];
    const char* end = write_masked_header(header, opcode, payload.size(), key);
    out.append(header, static_cast<std::size_t>(end - header));
    out.append(payload);
    apply_mask(out.data() + out.size() - payload.size(), payload.size(), key);
}

void FrameWriter::append(std::string& out, FrameOpcode opcode, std::string_view payload) {
    if (role_ == WebSocketRole::server) {
        append_frame(out, opcode, payload);
    } else {
        append_masked_frame(out, opcode, payload, masks_.next());
    }
}

void FrameWriter::append_close(std::string& out, std::uint16_t code, std::string_view reason) {
    if (code == close_code::none_received) return append(out, FrameOpcode::close, {});
    assert(is_close_code(code));
    const std::string_view kept = utf8_prefix(reason, max_close_reason_bytes);
    char payload[max_control_bytes] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    kept.copy(payload + 2, kept.size());
    append(out, FrameOpcode::close, {payload, 2 + kept.size()});
}

OpenFrame FrameWriter::begin(std::string& out, std::size_t expected_bytes) const {
    const std::size_t mask_bytes = role_ == WebSocketRole::client ? key_bytes : 0;
    const OpenFrame frame{out.size(), unmasked_header_bytes(expected_bytes) + mask_bytes};
    out.append(frame.header_bytes, '\0');
    return frame;
}

void FrameWriter::end(std::string& out, OpenFrame frame, FrameOpcode opcode) {
    const std::size_t payload_bytes = out.size() - frame.offset - frame.header_bytes;
    assert(fits(opcode, payload_bytes));
    const bool masked = role_ == WebSocketRole::client;
    const std::size_t header_bytes = unmasked_header_bytes(payload_bytes) + (masked ? key_bytes : 0);
    if (header_bytes < frame.header_bytes) {
        out.erase(frame.offset, frame.header_bytes - header_bytes);
    } else if (header_bytes > frame.header_bytes) {
        out.insert(frame.offset, header_bytes - frame.header_bytes, '\0');
    }
    char* at = out.data() + frame.offset;
    if (!masked) {
        write_header(at, opcode, payload_bytes, 0);
        return;
    }
    const MaskKey key = masks_.next();
    apply_mask(write_masked_header(at, opcode, payload_bytes, key), payload_bytes, key);
}

} // namespace phx::protocol
