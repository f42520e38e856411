#include "protocol/wire/websocket_parser.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace phx::protocol {
namespace {

constexpr std::size_t shortest_16_bit_length = 126;
constexpr std::size_t shortest_64_bit_length = 0x10000;

bool is_control(FrameOpcode opcode) noexcept { return opcode >= FrameOpcode::close; }

unsigned byte_at(const char* bytes, std::size_t i) noexcept { return static_cast<unsigned char>(bytes[i]); }

std::uint64_t big_endian(const char* bytes, std::size_t count) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | byte_at(bytes, i);
    return value;
}

} // namespace

Error websocket_error(std::uint16_t code, std::string_view message) {
    const Errc errc = code == close_code::invalid_text      ? Errc::invalid_utf8
                      : code == close_code::message_too_big ? Errc::frame_too_large
                                                            : Errc::malformed_frame;
    return Error{errc, Origin::peer, std::string(message), {}};
}

void WebSocketParser::feed(std::span<char> chunk) noexcept {
    assert(chunk_.empty());
    if (phase_ != Phase::finished) chunk_ = chunk;
}

std::optional<WebSocketEvent> WebSocketParser::next() {
    if (is_message_lent_) release_message();
    while (phase_ != Phase::finished) {
        if (phase_ == Phase::header) {
            const Progress progress = take_header();
            if (progress == Progress::needs_more) return std::nullopt;
            if (progress == Progress::refused) return finish_with_failure();
            phase_ = Phase::payload;
        }
        if (auto event = take_payload()) return event;
        if (phase_ == Phase::payload) return std::nullopt; // and the chunk is used up
    }
    return std::nullopt;
}

WebSocketParser::Progress WebSocketParser::take_header() {
    if (header_bytes_ == 0) {
        const Progress progress = read_header(chunk_.data(), chunk_.size());
        if (progress == Progress::done) {
            chunk_ = chunk_.subspan(frame_header_bytes_);
        } else if (progress == Progress::needs_more) {
            std::copy(chunk_.begin(), chunk_.end(), header_);
            header_bytes_ = static_cast<std::uint8_t>(chunk_.size());
            chunk_ = {};
        }
        return progress;
    }
    while (!chunk_.empty()) {
        header_[header_bytes_++] = chunk_.front();
        chunk_ = chunk_.subspan(1);
        const Progress progress = read_header(header_, header_bytes_);
        if (progress == Progress::needs_more) continue;
        header_bytes_ = 0;
        return progress;
    }
    return Progress::needs_more;
}

// Every byte is judged before the next is asked for: what is refused does not depend on how the bytes are
// cut.
WebSocketParser::Progress WebSocketParser::read_header(const char* bytes, std::size_t count) {
    if (count == 0) return Progress::needs_more;
    if (check_first_byte(byte_at(bytes, 0)) == Progress::refused) return Progress::refused;
    if (count < 2) return Progress::needs_more;
    if (check_second_byte(byte_at(bytes, 1)) == Progress::refused) return Progress::refused;

    const unsigned short_length = byte_at(bytes, 1) & 0x7f;
    const std::size_t length_bytes = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
    if (count < 2 + length_bytes) return Progress::needs_more;
    std::uint64_t length = short_length;
    std::uint64_t shortest = 0;
    if (length_bytes != 0) {
        length = big_endian(bytes + 2, length_bytes);
        shortest = length_bytes == 2 ? shortest_16_bit_length : shortest_64_bit_length;
    }
    if (check_length(length, shortest) == Progress::refused) return Progress::refused;

    std::size_t header_bytes = 2 + length_bytes;
    if (role_ == WebSocketRole::server) {
        if (count < header_bytes + sizeof mask_) return Progress::needs_more;
        std::memcpy(&mask_, bytes + header_bytes, sizeof mask_);
        header_bytes += sizeof mask_;
    }
    frame_header_bytes_ = static_cast<std::uint8_t>(header_bytes);
    remaining_ = static_cast<std::size_t>(length);
    if (opcode_ == FrameOpcode::text || opcode_ == FrameOpcode::binary) {
        message_opcode_ = opcode_;
        in_message_ = true;
    }
    return Progress::done;
}

WebSocketParser::Progress WebSocketParser::check_first_byte(unsigned byte) {
    if ((byte & 0x70) != 0) return refuse(close_code::protocol_error, "reserved bit set");
    const unsigned opcode = byte & 0x0f;
    if ((opcode > 2 && opcode < 8) || opcode > 10) {
        return refuse(close_code::protocol_error, "unknown opcode");
    }
    opcode_ = static_cast<FrameOpcode>(opcode);
    is_final_ = (byte & 0x80) != 0;
    if (is_control(opcode_)) {
        if (!is_final_) return refuse(close_code::protocol_error, "fragmented control frame");
    } else if ((opcode_ == FrameOpcode::continuation) != in_message_) {
        return refuse(close_code::protocol_error,
                      in_message_ ? "new message inside a fragmented one" : "continuation of no message");
    }
    return Progress::done;
}

WebSocketParser::Progress WebSocketParser::check_second_byte(unsigned byte) {
    const bool is_masked = (byte & 0x80) != 0;
    if (is_masked != (role_ == WebSocketRole::server)) {
        return refuse(close_code::protocol_error,
                      is_masked ? "masked frame from a server" : "unmasked frame from a client");
    }
    const unsigned length = byte & 0x7f;
    if (!is_control(opcode_)) return Progress::done;
    if (length > max_control_bytes) {
        return refuse(close_code::protocol_error, "control frame of more than 125 bytes");
    }
    if (opcode_ == FrameOpcode::close && length == 1) {
        return refuse(close_code::protocol_error, "close frame with half a code");
    }
    return Progress::done;
}

WebSocketParser::Progress WebSocketParser::check_length(std::uint64_t length, std::uint64_t shortest) {
    if (length >> 63 != 0) return refuse(close_code::protocol_error, "length of 64 bits");
    if (length < shortest) return refuse(close_code::protocol_error, "length not in its shortest form");
    // message_ is never longer than the limit
    if (!is_control(opcode_) && length > max_message_bytes_ - message_.size()) {
        return refuse(close_code::message_too_big, "message over the limit");
    }
    return Progress::done;
}

std::optional<WebSocketEvent> WebSocketParser::take_payload() {
    const std::span<char> part = chunk_.first(std::min(remaining_, chunk_.size()));
    chunk_ = chunk_.subspan(part.size());
    remaining_ -= part.size();
    if (role_ == WebSocketRole::server) {
        apply_mask(part.data(), part.size(), mask_);
        mask_ = advance_mask(mask_, part.size());
    }
    if (remaining_ == 0) phase_ = Phase::header;
    const std::string_view bytes(part.data(), part.size());
    return is_control(opcode_) ? take_control(bytes) : take_data(bytes);
}

std::optional<WebSocketEvent> WebSocketParser::take_data(std::string_view part) {
    if (message_opcode_ == FrameOpcode::text && !utf8_.feed(part)) {
        refuse(close_code::invalid_text, "text that is not UTF-8");
        return finish_with_failure();
    }
    const bool is_end = remaining_ == 0 && is_final_;
    if (is_end && message_.empty()) return message_event(part);
    if (remaining_ != 0)
        message_.reserve(std::min(message_.size() + part.size() + remaining_, kept_buffer_bytes));
    message_.append(part);
    if (!is_end) return std::nullopt;
    is_message_lent_ = true;
    return message_event(message_);
}

WebSocketEvent WebSocketParser::message_event(std::string_view payload) {
    in_message_ = false;
    if (message_opcode_ == FrameOpcode::binary) return {WebSocketEvent::Kind::binary, 0, payload};
    if (utf8_.is_complete()) return {WebSocketEvent::Kind::text, 0, payload};
    refuse(close_code::invalid_text, "text that ends within a character");
    return finish_with_failure();
}

std::optional<WebSocketEvent> WebSocketParser::take_control(std::string_view part) {
    if (remaining_ != 0 || control_bytes_ != 0) {
        part.copy(control_ + control_bytes_, part.size());
        control_bytes_ = static_cast<std::uint8_t>(control_bytes_ + part.size());
        if (remaining_ != 0) return std::nullopt;
        part = {control_, control_bytes_};
        control_bytes_ = 0;
    }
    switch (opcode_) {
    case FrameOpcode::ping: return WebSocketEvent{WebSocketEvent::Kind::ping, 0, part};
    case FrameOpcode::pong: return WebSocketEvent{WebSocketEvent::Kind::pong, 0, part};
    default: return close_event(part);
    }
}

WebSocketEvent WebSocketParser::close_event(std::string_view payload) {
    std::uint16_t code = close_code::none_received;
    if (!payload.empty()) {
        code = static_cast<std::uint16_t>(big_endian(payload.data(), 2));
        payload.remove_prefix(2);
        if (!is_close_code(code)) {
            refuse(close_code::protocol_error, "close code that nobody may send");
            return finish_with_failure();
        }
        if (!is_utf8(payload)) {
            refuse(close_code::invalid_text, "close reason that is not UTF-8");
            return finish_with_failure();
        }
    }
    finish();
    return {WebSocketEvent::Kind::close, code, payload};
}

WebSocketParser::Progress WebSocketParser::refuse(std::uint16_t code, std::string_view message) noexcept {
    failure_ = {WebSocketEvent::Kind::failure, code, message};
    return Progress::refused;
}

WebSocketEvent WebSocketParser::finish_with_failure() noexcept {
    finish();
    return failure_;
}

void WebSocketParser::finish() noexcept {
    phase_ = Phase::finished;
    chunk_ = {};
    is_message_lent_ = true; // so that next() gives the memory of an unfinished message back
}

void WebSocketParser::release_message() noexcept {
    is_message_lent_ = false;
    message_.clear();
    if (phase_ == Phase::finished || message_.capacity() > kept_buffer_bytes) std::string().swap(message_);
}

} // namespace phx::protocol
