#include "phx/protocol/base64.hpp"
#include "src/loop/random.hpp"
#include "src/server/query.hpp"
#include "src/server/shard.hpp"

#include <array>
#include <string>
#include <utility>

// Long poll. HTTP always says 200, as Phoenix: the status is in the JSON.
namespace phx::shell {
namespace {

using protocol::server::poll_answer;
using protocol::server::PollStatus;

constexpr std::size_t max_polling_clients = 20'000;

/// Whoever has it can read and write as the client: 128 bits of the system's randomness.
std::string make_token(LoopCore& loop) {
    std::array<std::uint64_t, 2> bits{};
    fill_random(loop, std::span(bits));
    const std::string_view bytes(reinterpret_cast<const char*>(bits.data()), sizeof bits);
    return protocol::base64_encode(bytes, protocol::Base64Alphabet::url, protocol::Base64Padding::unpadded);
}

HttpAnswer status_answer(PollStatus status) { return HttpAnswer::json(200, poll_answer(status)); }

} // namespace

/// phoenix.js sends the token of its session in a header, before 1.8.2 in the query.
std::shared_ptr<PollingClient> Shard::find_poll(const HttpRequest& request) const {
    constexpr std::string_view header = "x-phoenix-longpoll-token";
    const std::string token = request.has_header(header)
                                  ? std::string(request.header(header))
                                  : query_parameter(request.query, "token").value_or("");
    const auto found = polling_.find(token);
    return found != polling_.end() ? found->second : nullptr;
}

/// A POST without a session.
std::optional<HttpAnswer> Shard::admit_post(const HttpExchange& exchange) const {
    if (exchange.request().method != "POST" || find_poll(exchange.request())) return std::nullopt;
    return status_answer(PollStatus::gone);
}

void Shard::serve_poll(const ConnectAttempt& wanted, const std::shared_ptr<HttpExchange>& exchange) {
    const std::shared_ptr<PollingClient> client = find_poll(exchange->request());
    const bool is_post = exchange->request().method == "POST";
    if (is_post) return exchange->answer(client ? client->post(*exchange) : status_answer(PollStatus::gone));
    if (client) return client->poll(exchange);
    exchange->answer(open_poll(wanted, *exchange));
}

HttpAnswer Shard::open_poll(const ConnectAttempt& wanted, const HttpExchange& exchange) {
    // The next request of the client may come to another shard.
    if (group_) return status_answer(PollStatus::forbidden);
    if (stop_deadline_ || is_draining() || polling_.size() >= max_polling_clients)
        return status_answer(PollStatus::too_many);
    phx::server::ConnectAnswer judged = judge(wanted, exchange.peer());
    if (judged.http_status != 0) return status_answer(PollStatus::forbidden);
    auto client = std::make_shared<PollingClient>(*this, make_token(loop_));
    polling_.emplace(client->token(), client);
    open_session(*client, wanted, exchange.peer(), std::move(judged));
    return client->welcome();
}

} // namespace phx::shell
