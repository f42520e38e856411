#include "src/net/client_tunnel.hpp"

#include "protocol/wire/handshake.hpp"
#include "src/loop/random.hpp"

#include <array>
#include <cassert>
#include <utility>

namespace phx::shell {
namespace {

constexpr std::size_t max_head_bytes = 16u << 10; // that servers take

} // namespace

ClientTunnel::ClientTunnel(LoopCore& loop, Listener& listener)
    : loop_(loop), listener_(listener), link_(loop, *this, target_), patience_(loop, [this] { abort(); }) {}

void ClientTunnel::open(ConnectionTarget target) {
    assert(state_ == State::idle);
    target_ = std::move(target);
    std::array<std::uint8_t, 16> random{};
    fill_random(loop_, std::span(random));
    key_ = protocol::websocket_key(random);
    state_ = State::connecting;
    link_.open();
}

void ClientTunnel::link_opened() {
    state_ = State::upgrading;
    const std::string head = request_head();
    if (head.size() > max_head_bytes) {
        return end_with(fail(Errc::invalid_argument, "the upgrade request has " +
                                                         std::to_string(head.size()) +
                                                         " bytes, more than 16 KiB; shorten params, headers "
                                                         "or token")
                            .error);
    }
    link_.say(head);
}

void ClientTunnel::link_received(std::span<char> bytes) {
    switch (state_) {
    case State::open: return listener_.link_received(bytes);
    case State::upgrading: return handle_answer(bytes);
    case State::refused:
        if (refusal_->feed(bytes)) abort();
        return;
    default: return;
    }
}

void ClientTunnel::handle_answer(std::span<char> bytes) {
    using Status = protocol::HttpResponseReader::Status;
    const auto fed = reader_.feed({bytes.data(), bytes.size()});
    if (fed.status == Status::incomplete) return;
    if (fed.status != Status::complete) {
        return end_with(unreadable_error(target_.place(), fed.status,
                                         "; check that it is a WebSocket endpoint, and ws against wss",
                                         Origin::peer));
    }
    handle_response(std::move(reader_.response()));
    const std::span<char> rest = bytes.subspan(fed.taken);
    if (!rest.empty()) link_received(rest);
}

void ClientTunnel::handle_response(protocol::HttpResponse&& response) {
    if (response.status != 101) {
        refusal_.emplace(std::move(response));
        state_ = State::refused;
        patience_.arm(HttpRefusal::patience(loop_.now(), target_));
        if (refusal_->is_over()) abort();
        return;
    }
    if (auto error = check_upgrade(response)) return end_with(std::move(*error));
    reader_ = {}; // and its memory
    state_ = State::open;
    listener_.link_opened();
}

std::string_view ClientTunnel::link_output() {
    return state_ == State::open ? listener_.link_output() : std::string_view();
}

// ---- the end

void ClientTunnel::close_after_output() {
    if (state_ != State::open) return abort();
    link_.close_after_output();
}

void ClientTunnel::abort() {
    if (state_ == State::refused) return end(refusal_->end(refusal_failure()));
    if (state_ == State::connecting) return link_.end(); // it may know of a proxy's refusal
    if (state_ != State::idle && state_ != State::ended) end({});
}

void ClientTunnel::end(LinkEnd how) {
    state_ = State::ended;
    end_ = std::move(how);
    patience_.arm({});
    link_.end();
}

void ClientTunnel::link_ended(LinkEnd how) {
    patience_.arm({});
    if (state_ == State::refused) {
        how = refusal_->end(refusal_failure());
    } else if (state_ == State::upgrading && !how.error) {
        how.error = ended_error();
    } else if (state_ == State::ended) {
        how = std::move(end_);
    }
    state_ = State::ended;
    listener_.link_ended(std::move(how));
}

} // namespace phx::shell
