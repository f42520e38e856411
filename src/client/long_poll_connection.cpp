#include "src/client/long_poll_connection.hpp"

#include "phx/protocol/endpoint.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace phx::shell {

using protocol::long_poll::Lane;

LongPollConnection::LongPollConnection(LoopCore& loop, SocketConnection::Listener& listener,
                                       protocol::ConnId id, Limits limits, Duration timeout)
    : SocketConnection(loop, listener, id), limits_(limits), timeout_(timeout), timer_(loop, [this] {
          machine_->handle_timeout(loop_.now());
          handle_reports();
      }) {}

void LongPollConnection::open(ConnectionTarget target) {
    protocol::LongPollConfig config;
    config.url = target.url;
    config.auth_token = protocol::token_from_subprotocols(std::exchange(target.subprotocols, {}));
    config.timeout = timeout_;
    config.max_message_bytes = limits_.max_message_bytes;
    config.max_output_bytes = limits_.max_output_bytes;
    // One answer may hold several messages, and JSON in JSON grows by its escapes.
    constexpr std::size_t least = 1u << 20, most = std::size_t{1} << 40;
    const std::size_t max_body_bytes = std::clamp(limits_.max_message_bytes, least, most) * 4;
    HttpClient::Listener& listener = *this;
    machine_.emplace(std::move(config));
    poll_.emplace(loop_, listener, target, max_body_bytes);
    push_.emplace(loop_, listener, std::move(target), max_body_bytes);
    machine_->open(loop_.now());
    handle_reports();
}

void LongPollConnection::send(Opcode opcode, std::string_view message) {
    const auto sent = machine_->send(opcode, message);
    if (sent) return loop_.flush_later(*this);
    if (sent.error().code == Errc::buffer_full) fail(output_full_error());
}

void LongPollConnection::flush() {
    machine_->flush(loop_.now());
    handle_reports();
}

void LongPollConnection::close(std::uint16_t code, std::string_view reason) {
    machine_->close(loop_.now(), code, reason);
    handle_reports();
}

HttpClient& LongPollConnection::client(Lane lane) { return lane == Lane::poll ? *poll_ : *push_; }

Lane LongPollConnection::lane_of(const HttpClient& client) const noexcept {
    return &client == &*poll_ ? Lane::poll : Lane::push;
}

void LongPollConnection::http_answered(HttpClient& client, const protocol::HttpResponse& response,
                                       std::string body) {
    const Lane lane = lane_of(client);
    machine_->handle_answer(loop_.now(), lane, response, std::move(body));
    if (lane == Lane::push) listener_.connection_wrote(buffered_bytes());
    handle_reports();
}

void LongPollConnection::http_failed(HttpClient& client, LinkEnd end) {
    protocol::CloseInfo info;
    info.error = std::move(end.error);
    info.retry_after = end.retry_after;
    machine_->handle_failure(loop_.now(), lane_of(client), std::move(info));
    handle_reports();
}

void LongPollConnection::handle_reports() {
    while (!has_ended_) {
        auto report = machine_->poll();
        if (!report) return timer_.arm(machine_->next_timeout());
        std::visit([this](auto& what) { carry_out(what); }, *report);
    }
}

void LongPollConnection::carry_out(protocol::long_poll::Request& request) {
    client(request.lane)
        .send({.method = request.method,
               .target = std::move(request.target),
               .headers = std::move(request.headers),
               .body = std::move(request.body)});
}

void LongPollConnection::carry_out(protocol::long_poll::Drop& order) { client(order.lane).cancel(); }

void LongPollConnection::end(protocol::CloseInfo how) {
    if (std::exchange(has_ended_, true)) return;
    timer_.arm({});
    poll_->cancel();
    push_->cancel();
    loop_.post([this, alive = std::weak_ptr<bool>(alive_), how = std::move(how)]() mutable {
        if (!alive.expired()) listener_.connection_closed(id(), std::move(how));
    });
}

} // namespace phx::shell
