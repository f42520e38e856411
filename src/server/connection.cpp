#include "src/server/connection.hpp"

#include "protocol/wire/http_fields.hpp"
#include "src/server/shard.hpp"

#include <algorithm>
#include <utility>

namespace phx::shell {
namespace {

using protocol::FrameOpcode;
using protocol::WebSocketEvent;

// A body that nobody asked for is read over, so that the connection can be kept; a longer one ends it.
constexpr std::uint64_t max_discarded_body_bytes = 64u << 10;
constexpr std::size_t max_body_bytes = 8u << 20; // of a request to a service; Plug's limit for JSON
// Of requests behind one whose answer is still to come.
constexpr std::size_t max_waiting_bytes = 64u << 10;
// Of answers; while so much waits, no request is answered.
constexpr std::size_t max_unread_bytes = 256u << 10;

bool has_body(const HttpRequest& request) noexcept { return request.content_length > 0 || request.chunked; }
bool reads_body(const HttpRequest& request) noexcept { return request.method == "POST"; }

} // namespace

Connection::Connection(Shard& shard, std::string peer, ConnectionLimits::Place place)
    : ServerStream(shard.loop(), shard.buffers()), shard_(shard), peer_(std::move(peer)),
      place_(std::move(place)) {
    last_receive_ = shard.loop().now();
    shard.set_deadline(*this, DeadlineKind::request);
}

Connection::~Connection() {
    if (exchange_) exchange_->close();
}

// ---- output

bool Connection::has_room(std::size_t bytes) {
    const auto has_it = [&] { // always for one
        return pending_bytes() == 0 || pending_bytes() + bytes <= shard_.options().max_pending_bytes;
    };
    if (has_it()) return true;
    ServerStream::flush(); // what came in this turn does not wait for the client yet
    if (has_it()) return true;
    shard_.count_slow_consumer(*this, pending_bytes());
    close(1013, "too slow");
    return false;
}

void Connection::send(protocol::Opcode opcode, std::string_view payload) {
    send_frame(opcode == protocol::Opcode::text ? FrameOpcode::text : FrameOpcode::binary, payload);
}

void Connection::send_frame(FrameOpcode opcode, std::string_view payload) {
    if (phase_ != Phase::open || !has_room(payload.size() + protocol::max_frame_header_bytes)) return;
    protocol::append_frame(output(), opcode, payload);
    output_changed();
}

void Connection::send_shared(std::string_view frame, protocol::Opcode, std::string_view) {
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

bool Connection::is_being_served() const noexcept {
    return phase_ == Phase::http && (exchange_ || pending_bytes() > 0);
}

void Connection::stop() {
    if (phase_ == Phase::http) kill();
}

void Connection::handle_deadline() {
    if (phase_ == Phase::http) return give_up_request();
    if (phase_ != Phase::finishing) shard_.count_timeout(Deadline::kind());
    kill();
}

void Connection::give_up_request() {
    if (exchange_ && !body_) return; // our turn
    const bool is_kept = has_asked_ && head_.empty() && !body_ && body_left_ == 0 && pending_bytes() == 0;
    if (!is_kept)
        shard_.count_timeout(Deadline::kind()); // a connection that was kept for more requests just ends
    const HttpAnswer too_late = HttpAnswer::error(408, "the request did not arrive in time");
    if (body_) return answer_exchange(too_late);
    if (head_.empty()) return finish_soon(Ending::linger);
    respond(too_late, BodyPart::send, AfterAnswer::close);
}

void Connection::handle_writing(Writing writing) {
    if (phase_ == Phase::closing || phase_ == Phase::finishing) return; // under a deadline already
    if (writing == Writing::stalled) {
        shard_.set_deadline(*this, DeadlineKind::write);
    } else if (phase_ == Phase::http) {
        shard_.set_deadline(*this, DeadlineKind::request);
        if (!is_taking_) take_requests(); // what waited for it
    } else {
        Deadline::clear();
    }
}

void Connection::handle_tls_failure(std::string_view reason) { shard_.report_tls_failure(*this, reason); }

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
    is_taking_ = true;
    while (phase_ == Phase::http && may_answer()) {
        const auto taken = take_http(std::string_view(head_).substr(used));
        if (!taken) break;
        used += *taken;
    }
    is_taking_ = false;
    if (phase_ == Phase::http) {
        head_.erase(0, used);
        if (exchange_ && head_.size() > max_waiting_bytes) kill();
    } else if (phase_ == Phase::open) {
        std::string first_frames = head_.substr(used); // they came in the packet of the upgrade
        head_ = {};
        if (!first_frames.empty()) take_frames(first_frames);
    }
}

/// Whoever sends requests and reads no answers makes us keep no more than a few.
bool Connection::may_answer() {
    if (pending_bytes() < max_unread_bytes) return true;
    flush();
    return pending_bytes() == 0; // else handle_writing() goes on when they are taken
}

std::optional<std::size_t> Connection::take_http(std::string_view bytes) {
    if (body_ && !bytes.empty()) return take_body(bytes);
    if (exchange_) return std::nullopt;
    if (body_left_ > 0 && !bytes.empty()) {
        const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
        body_left_ -= skipped;
        return skipped;
    }
    if (body_left_ > 0) return std::nullopt;
    HttpRequest request;
    const ParsedHead head = parse_request_head(bytes, request, scanned_);
    if (head.status == ParsedHead::Status::incomplete) return std::nullopt;
    scanned_ = 0;
    has_asked_ = true;
    if (head.status == ParsedHead::Status::refused) {
        respond(HttpAnswer::error(head.http_status, head.reason), BodyPart::send, AfterAnswer::close);
    } else {
        answer(request, bytes.substr(0, head.bytes));
    }
    return head.bytes;
}

std::size_t Connection::take_body(std::string_view bytes) {
    if (!body_->feed(bytes)) return bytes.size();
    const std::size_t used = bytes.size() - body_->surplus();
    protocol::HttpBody body = *std::exchange(body_, std::nullopt);
    if (body.is_whole()) {
        exchange_->set_body(std::move(body.text()));
        run_service();
    } else {
        answer_exchange(body.is_too_large() ? HttpAnswer::error(413, "the body is too large")
                                            : HttpAnswer::error(400, "malformed body"));
    }
    return used;
}

void Connection::answer(const HttpRequest& request, std::string_view head) {
    Routed routed = route(request, shard_.options(), shard_.token_use());
    if (auto* const service = std::get_if<ServiceRequest>(&routed))
        return start_service(request, head, std::move(*service));
    if (auto* const wanted = std::get_if<UpgradeRequest>(&routed)) {
        if (!has_body(request)) return upgrade(std::move(*wanted));
        routed = HttpAnswer::error(400, "an upgrade has no body");
    }
    const bool keep = request.keep_alive && !request.chunked && !request.has_header("expect") &&
                      request.content_length <= max_discarded_body_bytes;
    body_left_ = request.content_length;
    auto& http_answer = std::get<HttpAnswer>(routed);
    http_answer.extra_headers += cors_headers(request, shard_.options(), shard_.token_use());
    respond(http_answer, request.method == "HEAD" ? BodyPart::leave_out : BodyPart::send,
            keep ? AfterAnswer::keep_alive : AfterAnswer::close);
}

void Connection::start_service(const HttpRequest& request, std::string_view head, ServiceRequest service) {
    using protocol::BodyFraming;
    exchange_ = std::make_shared<HttpExchange>(
        std::string(head), std::string(), peer_,
        [this](const HttpAnswer& http_answer) { answer_exchange(http_answer); }); // closed before us
    service_ = std::move(service);
    // Nothing is kept of the body of somebody who may not ask.
    if (const auto refused = shard_.admit(*service_, *exchange_)) return answer_exchange(*refused);
    if (request.chunked && !protocol::equals_ignoring_case(request.header("transfer-encoding"), "chunked"))
        return answer_exchange(HttpAnswer::error(501, "only chunked is known of transfer codings"));
    const std::size_t most_bytes = reads_body(request) ? max_body_bytes : max_discarded_body_bytes;
    if (request.content_length >= most_bytes)
        return answer_exchange(HttpAnswer::error(413, "the body is too large"));
    if (!has_body(request)) return run_service();
    if (request.header_has_token("expect", "100-continue")) {
        output() += "HTTP/1.1 100 Continue\r\n\r\n";
        output_changed();
    }
    const auto end = request.chunked ? BodyFraming::End::chunked : BodyFraming::End::counted;
    body_.emplace(BodyFraming{end, request.content_length}, most_bytes);
}

void Connection::run_service() {
    Deadline::clear();
    const std::shared_ptr<HttpExchange> exchange = exchange_; // it may be answered at once
    shard_.serve(*std::exchange(service_, std::nullopt), exchange);
}

void Connection::answer_exchange(const HttpAnswer& wanted) {
    const std::shared_ptr<HttpExchange> exchange = std::exchange(exchange_, nullptr);
    exchange->close();
    const HttpRequest& request = exchange->request();
    // Of the body: the answer came before it.
    const bool has_rest = body_.has_value() || (service_.has_value() && has_body(request));
    body_.reset();
    service_.reset();
    HttpAnswer http_answer = wanted;
    http_answer.extra_headers += cors_headers(request, shard_.options(), shard_.token_use());
    respond(http_answer, request.method == "HEAD" ? BodyPart::leave_out : BodyPart::send,
            request.keep_alive && !has_rest ? AfterAnswer::keep_alive : AfterAnswer::close);
    has_waiting_requests_ = phase_ == Phase::http && !head_.empty() && !is_taking_;
}

/// What waited for an answer is taken at the end of the turn: whoever gave the answer, the machine among
/// them, is in the middle of something.
void Connection::flush() {
    ServerStream::flush();
    if (is_taking_ || !std::exchange(has_waiting_requests_, false)) return;
    if (phase_ == Phase::http) take_requests();
}

void Connection::respond(const HttpAnswer& http_answer, BodyPart part, AfterAnswer after) {
    // Others wait for the place, or it is to be somewhere else.
    if (place_.claim() != Crowded::no || shard_.is_draining()) after = AfterAnswer::close;
    append_http_answer(output(), http_answer, part, after);
    output_changed();
    if (after == AfterAnswer::close) {
        finish_soon(Ending::linger);
    } else {
        shard_.set_deadline(*this, DeadlineKind::request);
    }
}

void Connection::upgrade(UpgradeRequest request) {
    if (shard_.is_draining())
        return respond(draining_refusal(request.endpoint->dialect), BodyPart::send, AfterAnswer::close);
    if (const Crowded crowded = place_.claim(); crowded != Crowded::no) {
        shard_.report_refusal(crowded, peer_);
        return respond(crowded_refusal(crowded, request.endpoint->dialect), BodyPart::send,
                       AfterAnswer::close);
    }
    phx::server::ConnectAnswer judged = shard_.judge(request, peer_);
    if (judged.http_status != 0) {
        return respond(refusal(judged, request.endpoint->dialect), BodyPart::send, AfterAnswer::close);
    }
    parser_.emplace(protocol::WebSocketRole::server, request.endpoint->max_message_bytes);
    append_upgrade_answer(output(), request);
    output_changed();
    Deadline::clear();
    phase_ = Phase::open;
    shard_.open_session(*this, std::move(request), peer_, std::move(judged));
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
        send_frame(FrameOpcode::pong, event.payload);
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
