#include "protocol/client/transport_choice.hpp"

namespace phx::protocol {

TransportChoice::TransportChoice(TransportChoiceConfig config)
    : config_(config),
      state_(config.transport == Transport::websocket && config.fallback ? State::trying : State::settled) {}

Transport TransportChoice::next(TimePoint now) {
    const bool is_over = has_polled_ && now >= after(fallen_at_, config_.retry_websocket);
    if (state_ == State::fallen && is_over) state_ = State::trying;
    return state_ == State::fallen ? Transport::long_poll : config_.transport;
}

void TransportChoice::handle_dialled(TimePoint now, Transport transport) {
    dialled_ = transport;
    is_open_ = false;
    has_polled_ = has_polled_ || transport == Transport::long_poll;
    deadline_.reset();
    if (is_tried()) deadline_ = after(now, *config_.fallback);
}

bool TransportChoice::handle_open(TimePoint now) {
    is_open_ = true;
    // phoenix.js: a WebSocket that opens has the time once more, for an answer.
    if (is_tried()) deadline_ = after(now, *config_.fallback);
    return is_tried();
}

void TransportChoice::handle_message() {
    if (!is_tried()) return;
    state_ = State::settled;
    deadline_.reset();
}

bool TransportChoice::handle_lost(TimePoint now) {
    const bool was_tried = is_tried();
    const bool has_failed = dialled_ && !is_open_;
    handle_stopped();
    if (was_tried) {
        state_ = State::fallen;
        fallen_at_ = now;
        has_polled_ = false;
    } else if (state_ == State::fallen && has_failed) {
        state_ = State::trying;
    }
    return was_tried;
}

void TransportChoice::handle_stopped() {
    dialled_.reset();
    deadline_.reset();
}

bool TransportChoice::handle_timeout(TimePoint now) {
    if (!deadline_ || *deadline_ > now) return false;
    deadline_.reset();
    return true;
}

} // namespace phx::protocol
