#pragma once

#include "protocol/wire/websocket_frame.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::test {

using protocol::FrameOpcode;
using protocol::WebSocketRole;

enum class LengthForm { shortest, bits_16, bits_64 };

/// A frame as a test writes it, right or wrong; shares no code with the writer under test.
struct TestFrame {
    unsigned first_byte = 0x81;
    std::string payload = {};
    LengthForm form = LengthForm::shortest;
    std::optional<std::uint64_t> announced = {}; ///< a length that is not that of the payload
    bool wrong_masking = false;
};

inline TestFrame frame(FrameOpcode opcode, std::string payload = {}) {
    return {0x80u | static_cast<unsigned>(opcode), std::move(payload)};
}
inline TestFrame text(std::string payload) { return frame(FrameOpcode::text, std::move(payload)); }
inline TestFrame binary(std::string payload) { return frame(FrameOpcode::binary, std::move(payload)); }
inline TestFrame ping(std::string payload = {}) { return frame(FrameOpcode::ping, std::move(payload)); }
inline TestFrame pong(std::string payload = {}) { return frame(FrameOpcode::pong, std::move(payload)); }
inline TestFrame last(std::string payload) { return frame(FrameOpcode::continuation, std::move(payload)); }
inline TestFrame close(std::string payload) { return frame(FrameOpcode::close, std::move(payload)); }
inline TestFrame close(unsigned code, const std::string& reason = {}) {
    return close(std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} + reason);
}
/// Not the last frame of its message.
inline TestFrame more(TestFrame f) { return f.first_byte &= 0x7f, f; }
inline TestFrame announce(std::uint64_t length, TestFrame f) { return f.announced = length, f; }
inline TestFrame with_form(LengthForm form, TestFrame f) { return f.form = form, f; }
inline TestFrame with_first_byte(unsigned byte, std::string payload = {}) {
    return {byte, std::move(payload)};
}
inline TestFrame wrongly_masked(TestFrame f) { return f.wrong_masking = true, f; }

inline void append_wire(std::string& out, const TestFrame& f, WebSocketRole sender) {
    const std::uint64_t length = f.announced.value_or(f.payload.size());
    const bool masked = (sender == WebSocketRole::client) != f.wrong_masking;
    const unsigned mask_bit = masked ? 0x80 : 0;
    LengthForm form = f.form;
    if (form == LengthForm::shortest && length > 125) {
        form = length <= 0xffff ? LengthForm::bits_16 : LengthForm::bits_64;
    }
    const auto put = [&out](std::uint64_t byte) { out.push_back(static_cast<char>(byte & 0xff)); };
    put(f.first_byte);
    put(mask_bit | (form == LengthForm::shortest ? length : form == LengthForm::bits_16 ? 126u : 127u));
    const int length_bits = form == LengthForm::shortest ? 0 : form == LengthForm::bits_16 ? 16 : 64;
    for (int shift = length_bits - 8; shift >= 0; shift -= 8) put(length >> shift);
    if (!masked) {
        out += f.payload;
        return;
    }
    const std::string_view key = "\xa1\x02\xf3\x84";
    out += key;
    for (std::size_t i = 0; i < f.payload.size(); ++i) {
        out.push_back(static_cast<char>(f.payload[i] ^ key[i % key.size()]));
    }
}

/// The bytes that a sender of the role puts on the wire.
inline std::string wire(const std::vector<TestFrame>& frames, WebSocketRole sender) {
    std::string out;
    for (const auto& f : frames) append_wire(out, f, sender);
    return out;
}

} // namespace phx::test
