#include "src/server/polling_client.hpp"

#include "src/server/shard.hpp"

#include <utility>

namespace phx::shell {

using protocol::server::poll_answer;
using protocol::server::PollStatus;

PollingClient::PollingClient(Shard& shard, std::string token, ConnectionLimits::Place place,
                             std::size_t max_message_bytes)
    : shard_(shard), token_(std::move(token)), place_(std::move(place)),
      max_message_bytes_(max_message_bytes), queue_(token_, shard.options().max_pending_bytes),
      last_receive_(shard.loop().now()) {
    shard_.set_deadline(*this, DeadlineKind::poll);
}

HttpAnswer PollingClient::welcome() const { return HttpAnswer::json(200, queue_.answer(PollStatus::gone)); }

void PollingClient::poll(std::shared_ptr<HttpExchange> exchange) {
    last_receive_ = shard_.loop().now();
    if (poll_) answer_poll(queue_.answer(PollStatus::no_content));
    poll_ = std::move(exchange);
    shard_.set_deadline(*this, DeadlineKind::poll);
    flush();
}

HttpAnswer PollingClient::post(const HttpExchange& exchange) {
    last_receive_ = shard_.loop().now();
    const auto messages =
        protocol::server::read_posted(exchange.request().header("content-type"), exchange.body());
    if (messages) {
        for (const auto& message : *messages) {
            if (is_closed_) break;
            if (message.data.size() > max_message_bytes_) {
                shard_.count_hit(phx::server::Limit::max_message_bytes);
                shard_.report_bad_post(*this, "a message over the endpoint's max_message_bytes");
                close(1009, {});
                break;
            }
            shard_.receive(*this, message.opcode, message.data);
        }
    } else {
        shard_.report_bad_post(*this, "what is neither JSON nor base64");
        close(1007, {});
    }
    // Phoenix waits for ten seconds before it says that the session is over.
    return HttpAnswer::json(200, poll_answer(is_closed_ ? PollStatus::malformed : PollStatus::ok));
}

void PollingClient::send(protocol::Opcode opcode, std::string_view payload) {
    if (is_closed_) return;
    if (opcode == protocol::Opcode::binary) return shard_.report_unpollable(*this);
    if (queue_.add(payload)) return shard_.loop().flush_later(*this);
    shard_.count_slow_consumer(*this, queue_.bytes());
    close(1013, "too slow");
}

void PollingClient::close(std::uint16_t, std::string_view) {
    if (is_closed_) return;
    flush(); // what was said before
    is_closed_ = true;
    if (poll_) answer_poll(poll_answer(PollStatus::gone));
    Deadline::clear();
    shard_.end_session(*this);
}

void PollingClient::session_over() { shard_.remove(*this); }

void PollingClient::handle_deadline() {
    if (!poll_ || !poll_->is_open()) { // it does not come back
        shard_.count_hit(phx::server::Limit::poll_timeout);
        return close(1001, {});
    }
    answer_poll(queue_.answer(PollStatus::no_content));
    shard_.set_deadline(*this, DeadlineKind::poll);
}

void PollingClient::flush() {
    if (!poll_ || !queue_.has_messages()) return;
    if (!poll_->is_open()) { // it lost its connection; what waits is for its next poll
        poll_.reset();
        return;
    }
    answer_poll(queue_.take_answer());
    if (!is_closed_) shard_.set_deadline(*this, DeadlineKind::poll);
}

void PollingClient::answer_poll(std::string body) {
    std::exchange(poll_, nullptr)->answer(HttpAnswer::json(200, std::move(body)));
}

} // namespace phx::shell
