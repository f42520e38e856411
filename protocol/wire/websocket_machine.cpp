#include "protocol/wire/websocket_machine.hpp"

#include <algorithm>
#include <cassert>

namespace phx::protocol {
namespace {

constexpr std::size_t kept_output_bytes = 1u << 20;
constexpr std::size_t worth_moving_bytes = 64u << 10;

constexpr FrameOpcode frame_opcode(Opcode kind) {
    return kind == Opcode::text ? FrameOpcode::text : FrameOpcode::binary;
}

} // namespace

WebSocketMachine::WebSocketMachine(const WebSocketConfig& config)
    : config_(config), parser_(config.role, config.max_message_bytes),
      writer_(config.role, config.mask_seed) {}

void WebSocketMachine::feed(TimePoint now, std::span<char> chunk) {
    now_ = now;
    if (state_ != State::done) parser_.feed(chunk);
}

void WebSocketMachine::handle_eof(TimePoint now) {
    now_ = now;
    is_eof_ = true; // poll() first reports what has come before
}

void WebSocketMachine::handle_timeout(TimePoint now) {
    now_ = now;
    if (deadline_ && now >= *deadline_) finish();
}

Result<void> WebSocketMachine::check_sendable(std::size_t payload_bytes) const {
    if (state_ != State::open || is_eof_) return fail(Errc::socket_closed, "the WebSocket is closed");
    const std::size_t pending = output_.size() - written_;
    if (pending > config_.max_output_bytes || payload_bytes > config_.max_output_bytes - pending) {
        return fail(Errc::buffer_full, "the peer reads too slowly: the output buffer is full");
    }
    return {};
}

Result<void> WebSocketMachine::send(Opcode kind, std::string_view payload) {
    if (auto sendable = check_sendable(payload.size()); !sendable) return sendable;
    writer_.append(output_, frame_opcode(kind), payload);
    return {};
}

Result<void> WebSocketMachine::ping(std::string_view payload) {
    if (payload.size() > max_control_bytes) {
        return fail(Errc::invalid_argument, "a ping carries at most 125 bytes");
    }
    if (auto sendable = check_sendable(payload.size()); !sendable) return sendable;
    writer_.append(output_, FrameOpcode::ping, payload);
    return {};
}

Result<void> WebSocketMachine::close(TimePoint now, std::uint16_t code, std::string_view reason) {
    now_ = now;
    if (!is_close_code(code) && code != close_code::none_received) {
        return fail(Errc::invalid_argument, "close code " + std::to_string(code) + " must not be sent");
    }
    if (!is_utf8(reason)) return fail(Errc::invalid_argument, "the close reason is not UTF-8");
    if (state_ != State::open || is_eof_) return {};
    writer_.append_close(output_, code, reason);
    state_ = State::closing;
    start_timeout();
    return {};
}

std::string* WebSocketMachine::begin_send(std::size_t expected_bytes) {
    if (!check_sendable(0)) return nullptr;
    open_frame_ = writer_.begin(output_, expected_bytes);
    return &output_;
}

void WebSocketMachine::end_send(Opcode kind) { writer_.end(output_, open_frame_, frame_opcode(kind)); }

void WebSocketMachine::cancel_send() { FrameWriter::cancel(output_, open_frame_); }

std::optional<WebSocketReport> WebSocketMachine::poll() {
    if (state_ != State::done) {
        while (const auto event = parser_.next()) {
            if (event->kind <= WebSocketEvent::Kind::binary) {
                if (state_ != State::open) continue;
                const bool is_text = event->kind == WebSocketEvent::Kind::text;
                return websocket::Message{is_text ? Opcode::text : Opcode::binary, event->payload};
            }
            if (auto out = report(*event)) return out;
        }
        if (is_eof_) finish();
    }
    if (!is_closed_due_) return std::nullopt;
    is_closed_due_ = false;
    const bool is_clean = close_code_ != close_code::abnormal;
    return websocket::Closed{close_code_, close_reason_,
                             is_clean ? websocket::Ending::clean : websocket::Ending::unclean};
}

/// Everything but messages.
std::optional<WebSocketReport> WebSocketMachine::report(const WebSocketEvent& event) {
    using Kind = WebSocketEvent::Kind;
    switch (event.kind) {
    case Kind::ping:
        if (state_ == State::open) answer_ping(event.payload);
        return std::nullopt;
    case Kind::pong:
        if (state_ == State::open) return websocket::Pong{event.payload};
        return std::nullopt;
    case Kind::close: handle_close_frame(event.code, event.payload); return std::nullopt;
    default: break;
    }
    if (state_ == State::open) {
        writer_.append_close(output_, event.code, event.payload);
        start_timeout();
    }
    state_ = State::failed;
    return websocket::Failed{event.code, event.payload};
}

// RFC 6455 section 5.5.3: of several pings that wait, only the latest needs an answer.
void WebSocketMachine::answer_ping(std::string_view payload) {
    if (pending_pongs_ < std::max<std::size_t>(1, config_.max_pending_pongs)) {
        append_pong(payload);
    } else if (latest_ping_) {
        latest_ping_->assign(payload);
    } else {
        latest_ping_.emplace(payload);
    }
}

void WebSocketMachine::append_pong(std::string_view payload) {
    writer_.append(output_, FrameOpcode::pong, payload);
    ++pending_pongs_;
    pongs_end_ = output_.size();
}

void WebSocketMachine::handle_close_frame(std::uint16_t code, std::string_view reason) {
    close_code_ = code;
    close_reason_ = reason;
    if (state_ == State::open) {
        writer_.append_close(output_, code, {});
        start_timeout();
    }
    state_ = State::closed;
    if (config_.role == WebSocketRole::server) finish();
}

void WebSocketMachine::start_timeout() {
    const TimePoint at = after(now_, std::max(Duration::zero(), config_.close_timeout));
    if (at != TimePoint::max()) deadline_ = at; // max is never
}

void WebSocketMachine::finish() {
    state_ = State::done;
    deadline_.reset();
    is_closed_due_ = true;
}

void WebSocketMachine::consume_output(std::size_t bytes) {
    assert(bytes <= output_.size() - written_);
    written_ += bytes;
    if (pending_pongs_ != 0 && written_ >= pongs_end_) {
        pending_pongs_ = 0;
        if (latest_ping_ && state_ == State::open) append_pong(*latest_ping_);
        latest_ping_.reset();
    }
    if (written_ == output_.size()) {
        output_.clear();
        written_ = 0;
        if (output_.capacity() > kept_output_bytes) std::string().swap(output_);
    } else if (written_ > worth_moving_bytes && written_ > output_.size() / 2) {
        output_.erase(0, written_);
        pongs_end_ -= std::min(pongs_end_, written_);
        written_ = 0;
    }
}

} // namespace phx::protocol
