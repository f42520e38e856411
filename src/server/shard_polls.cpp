#include "phx/protocol/base64.hpp"
#include "src/loop/random.hpp"
#include "src/server/query.hpp"
#include "src/server/shard.hpp"

#include <array>
#include <string>
#include <utility>

// Long poll. HTTP says 200, as Phoenix: the status is in the JSON.
namespace phx::shell {
namespace {

using protocol::server::poll_answer;
using protocol::server::PollStatus;

/// Whoever has it can read and write as the client: 128 bits of the system's randomness, behind the node that
/// has the session, as in the ids of connections.
std::string make_token(LoopCore& loop, const std::string& node) {
    std::array<std::uint64_t, 2> bits{};
    fill_random(loop, std::span(bits));
    const std::string_view bytes(reinterpret_cast<const char*>(bits.data()), sizeof bits);
    return node + '.' +
           protocol::base64_encode(bytes, protocol::Base64Alphabet::url, protocol::Base64Padding::unpadded);
}

HttpAnswer status_answer(PollStatus status) { return HttpAnswer::json(200, poll_answer(status)); }

/// phoenix.js sends the token of its session in a header, before 1.8.2 in the query.
std::string poll_token(const HttpRequest& request) {
    constexpr std::string_view header = "x-phoenix-longpoll-token";
    if (request.has_header(header)) return std::string(request.header(header));
    return query_parameter(request.query, "token").value_or("");
}

} // namespace

/// A POST without a session.
std::optional<HttpAnswer> Shard::admit_post(const HttpExchange& exchange) const {
    if (exchange.request().method != "POST") return std::nullopt;
    const std::string token = poll_token(exchange.request());
    const Worker* const owner = group_ ? group_->find_worker(token) : nullptr;
    if (owner && owner->node != node()) return std::nullopt; // that shard knows
    if (polling_.contains(token)) return std::nullopt;
    return status_answer(PollStatus::gone);
}

void Shard::serve_poll(const ConnectAttempt& wanted, const std::shared_ptr<HttpExchange>& exchange) {
    const std::string token = poll_token(exchange->request());
    const Worker* const owner = group_ ? group_->find_worker(token) : nullptr;
    if (owner && owner->node != node()) return forward_poll(*owner, exchange);
    const auto found = polling_.find(token);
    const auto client = found != polling_.end() ? found->second : nullptr;
    const bool is_post = exchange->request().method == "POST";
    if (is_post) return exchange->answer(client ? client->post(*exchange) : status_answer(PollStatus::gone));
    if (client) return client->poll(exchange);
    exchange->answer(open_poll(wanted, *exchange));
}

void Shard::forward_poll(const Worker& owner, const std::shared_ptr<HttpExchange>& exchange) {
    const auto forwarded = exchange->forward(group_->workers[index_].loop, owner.loop);
    const bool is_posted = owner.loop->post([shard = owner.shard, forwarded] {
        const auto alive = shard.lock();
        if (!alive) return forwarded->answer(status_answer(PollStatus::gone));
        alive->take_forwarded_poll(forwarded);
    });
    if (!is_posted) exchange->answer(status_answer(PollStatus::gone));
}

/// Routed once more: what routing gives points into the options of the shard.
void Shard::take_forwarded_poll(const std::shared_ptr<HttpExchange>& exchange) {
    const Routed routed = route(exchange->request(), options_, token_use());
    const auto* const service = std::get_if<ServiceRequest>(&routed);
    if (!service) return exchange->answer(status_answer(PollStatus::forbidden)); // other origins by now
    serve_poll(service->attempt, exchange);
}

HttpAnswer Shard::open_poll(const ConnectAttempt& wanted, const HttpExchange& exchange) {
    using phx::server::Dialect;
    // An HTTP status: phoenix.js tries again after it, but not after a status in the JSON that it does not
    // know.
    if (stop_deadline_ || is_draining()) return draining_refusal(Dialect::phoenix);
    auto entry = limits_->enter(exchange.peer());
    const Crowded crowded = entry.crowded;
    if (crowded != Crowded::no) {
        report_refusal(crowded, exchange.peer());
        return crowded_refusal(crowded, Dialect::phoenix);
    }
    phx::server::ConnectAnswer judged = judge(wanted, exchange.peer());
    if (judged.http_status != 0) return status_answer(PollStatus::forbidden);
    auto client = std::make_shared<PollingClient>(*this, make_token(loop_, node()), *std::move(entry.place),
                                                  wanted.endpoint->max_message_bytes);
    polling_.emplace(client->token(), client);
    open_session(*client, wanted, exchange.peer(), std::move(judged));
    return client->welcome();
}

} // namespace phx::shell
