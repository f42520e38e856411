#include "src/server/connection.hpp"

#include "src/server/shard.hpp"

#include <algorithm>
#include <utility>

namespace phx::shell {
namespace {

using protocol::FrameOpcode;
using protocol::WebSocketEvent;

// A body that nobody asked for is read over, so that the connection can be kept; a longer one ends it.
constexpr std::uint64_t max_discarded_body_bytes = 64u << 10;

} // namespace

Connection::Connection(Shard& shard, std::string peer)
    : ServerStream(shard.loop(), shard.buffers()), shard_(shard), peer_(std::move(peer)) {
    last_receive_ = shard.loop().now();
    shard.set_deadline(*this, DeadlineKind::request);
}

Connection::~Connection() = default;

// ---- output

bool Connection::has_room(std::size_t bytes) {
    const std::size_t pending = pending_bytes();
    if (pending == 0 || pending + bytes <= shard_.options().max_pending_bytes)
        return true; // always room for one
    shard_.count_slow_consumer(*this);
    close(1013, "too slow");
    return false;
}

void Connection::send(FrameOpcode opcode, std::string_view payload) {
    if (phase_ != Phase::open || !has_room(payload.size() + protocol::max_frame_header_bytes)) return;
    protocol::append_frame(output(), opcode, payload);
    output_changed();
}

void Connection::send_frame(std::string_view frame) {
    if (phase_ != Phase::open || !has_room(frame.size())) return;
    output() += frame;
    output_changed();
}

void Connection::close(std::uint16_t code, std::string_view reason) {
    if (phase_ != Phase::open) return;
    shard_.close_writer().append_close(output(), code, reason);
    output_changed();
    phase_ = Phase::closing;
    shard_.set_deadline(*this, DeadlineKind::close);
    shard_.end_session(*this);
}

void Connection::finish_soon(Ending ending) {
    phase_ = Phase::finishing;
    head_ = {};
    parser_.reset();
    shard_.set_deadline(*this, DeadlineKind::close);
    finish(ending);
}

void Connection::stop() {
    if (phase_ == Phase::http) kill();
}

void Connection::handle_deadline() {
    if (phase_ != Phase::http) return kill();
    if (head_.empty()) return finish_soon(Ending::linger);
    respond(HttpAnswer::error(408, "the request did not arrive in time"), BodyPart::send, AfterAnswer::close);
}

void Connection::handle_writing(Writing writing) {
    if (phase_ == Phase::closing || phase_ == Phase::finishing) return; // under a deadline already
    if (writing == Writing::stalled) {
        shard_.set_deadline(*this, DeadlineKind::write);
    } else if (phase_ == Phase::http) {
        shard_.set_deadline(*this, DeadlineKind::request);
    } else {
        Deadline::clear();
    }
}

void Connection::handle_gone() { shard_.remove(*this); }

// ---- input

void Connection::handle_bytes(std::span<char> bytes) {
    last_receive_ = shard_.loop().now();
    switch (phase_) {
    case Phase::http:
        head_.append(bytes.data(), bytes.size());
        take_requests();
        break;
    case Phase::open:
    case Phase::closing: take_frames(bytes); break;
    case Phase::finishing: break;
    }
}

void Connection::take_requests() {
    std::size_t used = 0;
    while (phase_ == Phase::http) {
        const std::uint64_t skipped = std::min<std::uint64_t>(body_left_, head_.size() - used);
        body_left_ -= skipped;
        used += static_cast<std::size_t>(skipped);
        if (body_left_ > 0) break;
        HttpRequest request;
        const ParsedHead head = parse_request_head(std::string_view(head_).substr(used), request, scanned_);
        if (head.status == ParsedHead::Status::incomplete) break;
        if (head.status == ParsedHead::Status::refused) {
            respond(HttpAnswer::error(head.http_status, head.reason), BodyPart::send, AfterAnswer::close);
            break;
        }
        used += head.bytes;
        scanned_ = 0;
        answer(request);
    }
    if (phase_ == Phase::http) {
        head_.erase(0, used);
    } else if (phase_ == Phase::open) {
        std::string first_frames = head_.substr(used); // they came in the packet of the upgrade
        head_ = {};
        if (!first_frames.empty()) take_frames(first_frames);
    }
}

void Connection::answer(const HttpRequest& request) {
    Routed routed = route(request, shard_.options().endpoints);
    const bool has_body = request.content_length > 0 || request.chunked;
    if (auto* const wanted = std::get_if<UpgradeRequest>(&routed)) {
        if (!has_body) return upgrade(std::move(*wanted));
        routed = HttpAnswer::error(400, "an upgrade has no body");
    }
    const bool keep = request.keep_alive && !request.chunked && !request.has_header("expect") &&
                      request.content_length <= max_discarded_body_bytes;
    body_left_ = request.content_length;
    respond(std::get<HttpAnswer>(routed), request.method == "HEAD" ? BodyPart::leave_out : BodyPart::send,
            keep ? AfterAnswer::keep_alive : AfterAnswer::close);
}

void Connection::respond(const HttpAnswer& http_answer, BodyPart part, AfterAnswer after) {
    append_http_answer(output(), http_answer, part, after);
    output_changed();
    if (after == AfterAnswer::close) {
        finish_soon(Ending::linger);
    } else {
        shard_.set_deadline(*this, DeadlineKind::request);
    }
}

void Connection::upgrade(UpgradeRequest request) {
    phx::server::ConnectAnswer judged = shard_.judge({*request.endpoint, request.params, peer_});
    if (judged.http_status != 0) {
        return respond(refusal(judged, request.endpoint->dialect), BodyPart::send, AfterAnswer::close);
    }
    parser_.emplace(protocol::WebSocketRole::server, request.endpoint->max_message_bytes);
    append_upgrade_answer(output(), request);
    output_changed();
    Deadline::clear();
    phase_ = Phase::open;
    shard_.open_session(*this, std::move(request), std::move(judged));
}

void Connection::start_session(protocol::server::SessionId session,
                               std::shared_ptr<const phx::server::Connection> record) {
    session_ = session;
    record_ = std::move(record);
}

void Connection::take_frames(std::span<char> bytes) {
    parser_->feed(bytes);
    while (phase_ != Phase::finishing) {
        const auto event = parser_->next();
        if (!event) return;
        take_event(*event);
    }
}

void Connection::take_event(const WebSocketEvent& event) {
    using Kind = WebSocketEvent::Kind;
    switch (event.kind) {
    case Kind::text:
    case Kind::binary:
        if (phase_ != Phase::open) return;
        shard_.receive(*this, event.kind == Kind::text ? protocol::Opcode::text : protocol::Opcode::binary,
                       event.payload);
        return;
    case Kind::ping:
        send(FrameOpcode::pong, event.payload);
        shard_.note_activity(*this);
        return;
    case Kind::pong: shard_.note_activity(*this); return;
    case Kind::close:
        close(event.code, {}); // the echo; ignored if ours went first
        return finish_soon(Ending::at_once);
    case Kind::failure:
        shard_.report_broken_frame(*this, event);
        close(event.code, {}); // Phoenix gives no reason either
        return finish_soon(Ending::linger);
    }
}

} // namespace phx::shell
