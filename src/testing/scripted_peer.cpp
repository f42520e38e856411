#include "src/testing/scripted_peer.hpp"

#include "phx/protocol/builders.hpp"
#include "phx/protocol/codec.hpp"
#include "src/server/http_request.hpp"

#include <exception>
#include <utility>
#include <variant>

namespace phx::testing {

using protocol::Opcode;

Peer::State::State(System& system, const std::vector<server::Endpoint>& endpoints,
                   std::unique_ptr<Stream> stream)
    : system_(system), options_{.endpoints = endpoints}, stream_(std::move(stream)) {}

void Peer::State::start(Script script) {
    script_ = std::move(script);
    attach();
}

void Peer::State::start(Refusal refusal) {
    refusal_ = refusal;
    attach();
}

void Peer::State::attach() {
    stream_->attach({.received =
                         [weak = weak_from_this()](std::span<char> bytes) {
                             if (const auto self = weak.lock()) self->receive(bytes);
                         },
                     .ended =
                         [weak = weak_from_this()] {
                             if (const auto self = weak.lock()) self->drop();
                         }});
}

void Peer::State::receive(std::span<char> bytes) {
    if (!websocket_) {
        head_.append(bytes.data(), bytes.size());
        return take_request();
    }
    websocket_->feed(system_.now(), bytes);
    poll();
}

void Peer::State::take_request() {
    shell::HttpRequest request;
    const shell::ParsedHead head = shell::parse_request_head(head_, request, scanned_);
    if (head.status == shell::ParsedHead::Status::incomplete) return;
    if (head.status == shell::ParsedHead::Status::refused)
        return answer(shell::HttpAnswer::error(head.http_status, head.reason));
    if (refusal_) {
        shell::HttpAnswer refused = shell::HttpAnswer::empty(refusal_->http_status);
        if (refusal_->retry_after) {
            refused.extra_headers = "retry-after: " + std::to_string(refusal_->retry_after->count()) + "\r\n";
        }
        return answer(refused);
    }
    shell::Routed routed = shell::route(request, options_, shell::TokenUse::none);
    if (const auto* const other = std::get_if<shell::HttpAnswer>(&routed)) return answer(*other);
    const auto* const wanted = std::get_if<shell::UpgradeRequest>(&routed);
    if (!wanted) return answer(shell::HttpAnswer::error(404, "a script serves WebSockets alone"));
    const auto& upgrade = *wanted;
    vsn_ = upgrade.vsn;
    std::string out;
    shell::append_upgrade_answer(out, upgrade);
    stream_->write(out);
    websocket_.emplace(protocol::WebSocketConfig{.role = protocol::WebSocketRole::server});
    std::string rest = head_.substr(head.bytes);
    if (!rest.empty()) receive(rest);
}

void Peer::State::answer(const shell::HttpAnswer& http_answer) {
    std::string out;
    shell::append_http_answer(out, http_answer, shell::BodyPart::send, shell::AfterAnswer::close);
    stream_->write(out);
    drop();
}

void Peer::State::poll() {
    while (auto report = websocket_->poll()) {
        if (const auto* const message = std::get_if<protocol::websocket::Message>(&*report)) {
            run(message->kind, message->payload);
        } else if (std::holds_alternative<protocol::websocket::Closed>(*report)) {
            if (stream_) stream_->write(websocket_->output());
            drop();
        }
        if (!stream_) return;
    }
    settle();
}

void Peer::State::run(Opcode opcode, std::string_view message) {
    const auto view = protocol::decode(vsn_, protocol::Direction::to_server, opcode, message, scratch_);
    if (!view) return; // a client that says nonsense: the trace has it
    Frame frame = frame_of(*view);
    frame.at = system_.now().time_since_epoch();
    frame.connection = system_.log().number(stream_->link());
    Peer peer(weak_from_this());
    std::string what;
    try {
        return script_(peer, frame);
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {
        what = "something that is no std::exception";
    }
    if (stream_) system_.log().note(stream_->link(), "the script threw: " + what);
    close(1011, {});
}

void Peer::State::send(Opcode opcode, std::string_view message) {
    if (!stream_ || !websocket_) return;
    (void)websocket_->send(opcode, message);
    settle();
}

void Peer::State::close(std::uint16_t code, std::string_view reason) {
    if (!stream_ || !websocket_) return;
    (void)websocket_->close(system_.now(), code, reason);
    settle();
}

void Peer::State::settle() {
    if (!stream_) return;
    const std::string_view output = websocket_->output();
    stream_->write(output);
    websocket_->consume_output(output.size());
    if (const auto deadline = websocket_->next_timeout()) {
        system_.at(*deadline, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self || !self->stream_) return;
            self->websocket_->handle_timeout(self->system_.now());
            self->poll();
        });
    }
}

// ---- the handle

void Peer::reply(const Frame& to, std::string_view status, std::string_view json) {
    const auto state = state_.lock();
    if (!state) return;
    protocol::Address address{.topic = to.topic};
    if (to.join_ref != "null") address.join_ref = protocol::JsonToken{to.join_ref};
    if (to.ref != "null") address.ref = protocol::JsonToken{to.ref};
    std::string out;
    const auto opcode = protocol::build_reply(state->vsn(), address, status, Opcode::text, json, out);
    if (opcode) state->send(*opcode, out);
}

void Peer::push(std::string_view topic, std::string_view event, std::string_view json) {
    const auto state = state_.lock();
    if (!state) return;
    std::string out;
    const auto opcode = protocol::build_server_broadcast(state->vsn(), topic, event, Opcode::text, json, out);
    if (opcode) state->send(*opcode, out);
}

void Peer::send(std::string_view text) {
    if (const auto state = state_.lock()) state->send(Opcode::text, text);
}

void Peer::send_binary(Binary bytes) {
    if (const auto state = state_.lock()) state->send(Opcode::binary, as_text(bytes));
}

void Peer::close(std::uint16_t code, std::string_view reason) {
    if (const auto state = state_.lock()) state->close(code, reason);
}

void Peer::drop() {
    if (const auto state = state_.lock()) state->drop();
}

} // namespace phx::testing
