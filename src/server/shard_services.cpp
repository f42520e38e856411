#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/server/rest.hpp"
#include "protocol/server/rest_changes.hpp"
#include "protocol/wire/http_fields.hpp"
#include "src/server/metrics.hpp"
#include "src/server/query.hpp"
#include "src/server/shard.hpp"
#include "src/server/status_channel.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

// The HTTP API.
namespace phx::shell {
namespace {

using namespace protocol::server;
using protocol::Opcode;

constexpr std::string_view not_json = "the body is not JSON";

bool has_content_type(const HttpRequest& request, std::string_view wanted) {
    const std::string_view type = request.header("content-type");
    return protocol::equals_ignoring_case(protocol::trim_field(type.substr(0, type.find(';'))), wanted);
}

/// RFC 3339, in UTC, with milliseconds.
std::string time_text(std::chrono::system_clock::time_point time) {
    using namespace std::chrono;
    const std::time_t seconds = system_clock::to_time_t(floor<std::chrono::seconds>(time));
    const auto ms = duration_cast<milliseconds>(time - floor<std::chrono::seconds>(time)).count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
    const std::string digits = std::to_string(1000 + ms);
    return std::string(text.data(), length) + digits.substr(1) + 'Z';
}

void append_member(std::string& json, std::string_view name, std::string_view text) {
    json.append(json.ends_with('{') ? "\"" : ",\"").append(name).append("\":");
    protocol::append_json_string(json, text);
}

/// Without what the client sent to be let in: its parameters and its claims.
std::string connection_json(const phx::server::Connection& connection) {
    std::string json = "{";
    append_member(json, "id", connection.id);
    append_member(json, "user_id", connection.user_id);
    json += ",\"roles\":[";
    for (const std::string& role : connection.roles) {
        if (!json.ends_with('[')) json += ',';
        protocol::append_json_string(json, role);
    }
    json += ']';
    append_member(json, "socket_id", connection.socket_id);
    append_member(json, "peer", connection.peer);
    append_member(json, "connected_at", time_text(connection.connected_at));
    if (connection.expires_at) append_member(json, "expires_at", time_text(*connection.expires_at));
    return json + '}';
}

/// Of a list that is given in pages: `?after=NAME&limit=N`.
struct Page {
    static constexpr std::size_t default_limit = 100;
    static constexpr std::size_t max_limit = 1000;
    std::string after = {};
    std::size_t limit = default_limit;
};

std::optional<Page> read_page(std::string_view query) {
    Page page;
    page.after = query_parameter(query, "after").value_or("");
    const auto limit = query_parameter(query, "limit");
    if (!limit) return page;
    const char* const end = limit->data() + limit->size();
    const auto [stop, error] = std::from_chars(limit->data(), end, page.limit);
    if (error != std::errc{} || stop != end || page.limit == 0 || page.limit > Page::max_limit)
        return std::nullopt;
    return page;
}

HttpAnswer bad_page() { return HttpAnswer::error(400, "limit must be a number from 1 to 1000"); }

/// `next`: where the next page begins; empty: this was the last one.
HttpAnswer page_answer(std::string_view name, const std::string& items, std::string_view next) {
    std::string json = "{\"" + std::string(name) + "\":[" + items + "],\"next\":";
    if (next.empty()) {
        json += "null";
    } else {
        protocol::append_json_string(json, next);
    }
    return HttpAnswer::json(200, json + '}');
}

using Connections = std::vector<std::shared_ptr<const phx::server::Connection>>;

HttpAnswer connections_answer(Connections found, const Page& page) {
    std::erase_if(found, [&](const auto& connection) { return connection->id <= page.after; });
    const auto by_id = [](const auto& a, const auto& b) { return a->id < b->id; };
    const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(page.limit, found.size()));
    std::partial_sort(found.begin(), end, found.end(), by_id);
    std::string items;
    for (auto one = found.begin(); one != end; ++one) {
        if (!items.empty()) items += ',';
        items += connection_json(**one);
    }
    return page_answer("connections", items, end != found.end() ? (*(end - 1))->id : std::string_view{});
}

HttpAnswer topics_answer(const std::vector<phx::server::TopicCount>& topics, const Page& page) {
    std::string items;
    for (const auto& topic : topics) {
        items += items.empty() ? "{" : ",{";
        append_member(items, "topic", topic.name);
        items += ",\"members\":" + std::to_string(topic.members) + '}';
    }
    const bool may_go_on = topics.size() == page.limit;
    return page_answer("topics", items, may_go_on ? topics.back().name : std::string_view{});
}

std::string sum(const std::vector<std::size_t>& counts) {
    return std::to_string(std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
}

HttpAnswer rate_answer(RateVerdict verdict) {
    HttpAnswer answer = HttpAnswer::message(429, refusal_text(verdict));
    // After a second a rate is what it was at first; a batch that is larger than it never fits.
    if (verdict == RateVerdict::exceeded) answer.extra_headers = "retry-after: 1\r\n";
    return answer;
}

/// How many of the messages that are left go out in one turn of the loop: one at least, and else an eighth of
/// what may wait for a client.
template <class Message, class SizeOf>
std::size_t count_for_a_turn(std::span<const Message> left, std::size_t max_pending_bytes, SizeOf&& size_of) {
    const std::size_t most = std::min(left.size(), std::size_t{50});
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < most; ++count) {
        bytes += size_of(left[count]);
        if (count > 0 && bytes > max_pending_bytes / 8) break;
    }
    return count;
}

std::size_t bytes_of_change(const phx::server::Change& change) {
    std::size_t bytes = change.record.size() + change.old_record.size();
    for (const auto& column : change.columns) bytes += column.name.size() + column.type.size();
    return bytes;
}

/// The first shard tells the other servers, once.
Reach reach_of(std::size_t index) noexcept { return index == 0 ? Reach::other_servers : Reach::here; }

} // namespace

std::optional<HttpAnswer> Shard::admit(const ServiceRequest& wanted, HttpExchange& exchange) {
    if (wanted.service == Service::long_poll) return admit_post(exchange);
    return judge_caller(wanted.service, exchange, exchange.caller);
}

/// Broadcasts need a good token, what concerns other people's connections the service role. A server that
/// lets everybody in (on loopback only) asks nobody.
std::optional<HttpAnswer> Shard::judge_caller(Service service, const HttpExchange& exchange, Caller& caller) {
    if (is_open(service)) return std::nullopt;
    const auto verifier = tokens_->get();
    if (!verifier && !options_.authorize) return std::nullopt;
    const HttpAnswer unauthorized = HttpAnswer::message(401, "Unauthorized");
    if (!verifier) return unauthorized;
    auto verdict = verifier->verify(find_token(exchange.request()), loop_.wall_clock());
    if (const auto* const refusal = std::get_if<phx::server::TokenRefusal>(&verdict)) {
        counters_->refused_tokens.add();
        report(fail(Errc::bad_auth,
                    "an HTTP request from " + exchange.peer() + " is refused: " + describe(*refusal),
                    Origin::peer)
                   .error);
        return unauthorized;
    }
    caller.identity = std::get<phx::server::Identity>(std::move(verdict));
    const auto& roles = caller.identity->roles;
    if (std::find(roles.begin(), roles.end(), options_.service_role) != roles.end()) {
        caller.identity.reset();
        return std::nullopt;
    }
    if (service == Service::broadcast || service == Service::broadcast_one) return std::nullopt;
    return HttpAnswer::message(403, "this needs a token with the role " + options_.service_role);
}

void Shard::serve(const ServiceRequest& wanted, const std::shared_ptr<HttpExchange>& exchange) {
    const Caller& caller = exchange->caller;
    switch (wanted.service) {
    case Service::status_page: return exchange->answer(serve_status_page());
    case Service::ready: return exchange->answer(serve_ready());
    case Service::metrics: return exchange->answer(serve_metrics());
    case Service::broadcast: return serve_broadcast(exchange);
    case Service::broadcast_one: return exchange->answer(serve_broadcast_one(wanted, *exchange, caller));
    case Service::send: return serve_send(exchange);
    case Service::connections: return serve_connections(exchange);
    case Service::topics: return serve_topics(exchange);
    case Service::disconnect: return serve_disconnect(exchange);
    case Service::changes: return serve_changes(exchange);
    case Service::long_poll: return serve_poll(wanted.attempt, exchange);
    }
}

HttpAnswer Shard::serve_ready() const {
    if (is_draining()) return HttpAnswer::json(503, R"({"status":"draining"})");
    return HttpAnswer::json(200, R"({"status":"ok"})");
}

HttpAnswer Shard::serve_metrics() const {
    phx::server::Stats stats;
    if (group_) {
        stats = group_->stats();
    } else {
        counters_->add_to(stats);
    }
    HttpAnswer answer = HttpAnswer::text(200, metrics_text(stats));
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return answer;
}

HttpAnswer Shard::serve_status_page() {
    HttpAnswer answer = HttpAnswer::text(200, status_page(options_.endpoints.front().path));
    answer.content_type = "text/html; charset=utf-8";
    answer.extra_headers =
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; script-src "
        "'unsafe-inline'; img-src data:; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors "
        "'none'\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n";
    return answer;
}

struct Shard::Batch {
    std::shared_ptr<HttpExchange> exchange = {}; ///< has the body and the writer
    RestBatch read = {};
    std::vector<RealtimeBroadcast> messages = {}; ///< views of both
    std::size_t sent = 0;
};

void Shard::serve_broadcast(const std::shared_ptr<HttpExchange>& exchange) {
    // What Phoenix reads nothing from is to it an object without members.
    const bool is_read = has_content_type(exchange->request(), "application/json");
    const std::string_view body = is_read ? std::string_view(exchange->body()) : "{}";
    if (!protocol::validate_json(body)) return exchange->answer(HttpAnswer::error(400, not_json));
    const auto batch = std::make_shared<Batch>();
    batch->exchange = exchange;
    batch->read = read_batch(body, options_.max_broadcast_bytes);
    if (batch->read.has_too_large) count_hit(phx::server::Limit::max_broadcast_bytes);
    if (batch->read.has_too_many) {
        count_hit(phx::server::Limit::max_rest_broadcasts);
        return exchange->answer(rate_answer(RateVerdict::batch_too_large));
    }
    if (!batch->read.errors.empty()) return exchange->answer(HttpAnswer::json(422, batch->read.errors));
    batch->messages.reserve(batch->read.messages.size());
    for (const RestBroadcast& message : batch->read.messages)
        batch->messages.push_back({.topic = message.topic,
                                   .event = message.event,
                                   .payload = {Opcode::text, message.payload},
                                   .is_private = message.is_private,
                                   .writer = exchange->caller.rights()});
    const RateVerdict verdict = machine_.admit(loop_.now(), batch->messages);
    publish_limit_hits();
    if (verdict != RateVerdict::within) return exchange->answer(rate_answer(verdict));
    send_batch(batch);
}

void Shard::send_batch(const std::shared_ptr<Batch>& batch) {
    const auto left = std::span<const RealtimeBroadcast>(batch->messages).subspan(batch->sent);
    const std::size_t count = count_for_a_turn(left, options_.max_pending_bytes, [](const auto& message) {
        return message.event.size() + message.payload.data.size();
    });
    for (const RealtimeBroadcast& message : left.first(count)) {
        machine_.broadcast_realtime(loop_.now(), message); // refused: silently, as Supabase
        pump();
    }
    batch->sent += count;
    if (count == left.size()) return batch->exchange->answer(HttpAnswer::empty(202));
    loop_.post([this, batch] {
        if (!has_left_) send_batch(batch);
    });
}

HttpAnswer Shard::serve_broadcast_one(const ServiceRequest& wanted, const HttpExchange& exchange,
                                      const Caller& caller) {
    const bool is_json = has_content_type(exchange.request(), "application/json");
    if (!is_json && !has_content_type(exchange.request(), "application/octet-stream")) {
        return HttpAnswer::error(415,
                                 "Unsupported Media Type. Use application/json or application/octet-stream");
    }
    const std::string_view body =
        is_json && exchange.body().empty() ? std::string_view("{}") : std::string_view(exchange.body());
    const phx::server::PayloadView payload{is_json ? Opcode::text : Opcode::binary, body};
    if (is_json && !protocol::validate_json(body)) return HttpAnswer::error(400, not_json);
    if (const auto valid = check_message(wanted.event, payload); !valid)
        return HttpAnswer::error(422, valid.error().message);
    if (std::string errors = payload_errors(body, options_.max_broadcast_bytes); !errors.empty()) {
        count_hit(phx::server::Limit::max_broadcast_bytes);
        return HttpAnswer::json(422, std::move(errors));
    }
    const std::string topic = std::string(protocol::realtime_prefix).append(wanted.topic);
    const RealtimeBroadcast message{.topic = topic,
                                    .event = wanted.event,
                                    .payload = payload,
                                    .is_private =
                                        query_parameter(exchange.request().query, "private") == "true",
                                    .form = RealtimeBroadcast::Form::user_broadcast,
                                    .writer = caller.rights()};
    const RateVerdict verdict = machine_.admit(loop_.now(), std::span(&message, 1));
    publish_limit_hits();
    if (verdict != RateVerdict::within) return rate_answer(verdict);
    const auto count = machine_.broadcast_realtime(loop_.now(), message);
    pump();
    return count ? HttpAnswer::empty(202) : HttpAnswer::message(403, "Unauthorized");
}

void Shard::serve_send(const std::shared_ptr<HttpExchange>& exchange) {
    auto wanted = read_send(exchange->body());
    if (!wanted) return exchange->answer(HttpAnswer::error(422, wanted.error().message));
    gather<std::size_t>(
        [send = *std::move(wanted)](Shard& shard, std::size_t index) {
            return shard.send(send.route, send.event, {Opcode::text, send.payload}, reach_of(index));
        },
        [exchange](Shard&, const std::vector<std::size_t>& counts) {
            exchange->answer(HttpAnswer::json(202, R"({"accepted":true,"delivered":)" + sum(counts) + '}'));
        });
}

void Shard::serve_disconnect(const std::shared_ptr<HttpExchange>& exchange) {
    auto route = read_route(exchange->body());
    if (!route) return exchange->answer(HttpAnswer::error(422, route.error().message));
    gather<std::size_t>(
        [route = *std::move(route)](Shard& shard, std::size_t index) {
            constexpr std::uint16_t going_away = 1001; // as Phoenix; its client comes back
            return shard.disconnect(route, going_away, reach_of(index));
        },
        [exchange](Shard&, const std::vector<std::size_t>& counts) {
            exchange->answer(HttpAnswer::json(200, R"({"disconnected":)" + sum(counts) + '}'));
        });
}

void Shard::serve_changes(const std::shared_ptr<HttpExchange>& exchange) {
    if (!protocol::validate_json(exchange->body())) return exchange->answer(HttpAnswer::error(400, not_json));
    auto changes = read_changes(exchange->body());
    if (!changes) return exchange->answer(HttpAnswer::error(422, changes.error().message));
    emit_changes(exchange, std::make_shared<const std::vector<phx::server::Change>>(*std::move(changes)), 0);
}

void Shard::emit_changes(const std::shared_ptr<HttpExchange>& exchange, const Changes& changes,
                         std::size_t first) {
    const auto left = std::span(*changes).subspan(first);
    const std::size_t end = first + count_for_a_turn(left, options_.max_pending_bytes, bytes_of_change);
    gather<std::size_t>(
        [changes, first, end](Shard& shard, std::size_t) {
            for (std::size_t i = first; i < end; ++i) shard.emit_change((*changes)[i]);
            return end - first;
        },
        [exchange, changes, end](Shard& shard, const std::vector<std::size_t>&) {
            if (shard.has_left_) return;
            if (end == changes->size())
                return exchange->answer(HttpAnswer::json(202, R"({"accepted":true})"));
            shard.loop_.post([&shard, exchange, changes, end] {
                if (!shard.has_left_) shard.emit_changes(exchange, changes, end);
            });
        });
}

void Shard::serve_connections(const std::shared_ptr<HttpExchange>& exchange) {
    const auto page = read_page(exchange->request().query);
    if (!page) return exchange->answer(bad_page());
    const auto text = query_parameter(exchange->request().query, "route").value_or("all");
    const auto route = phx::server::parse_route(text);
    if (!route)
        return exchange->answer(
            HttpAnswer::error(400, "route must be such as user:7, role:admin, topic:room:1 or all"));
    gather<Connections>(
        [route = *route](Shard& shard, std::size_t) { return shard.machine().connections(route); },
        [exchange, page = *page](Shard&, std::vector<Connections> found) {
            exchange->answer(connections_answer(concat(std::move(found)), page));
        });
}

void Shard::serve_topics(const std::shared_ptr<HttpExchange>& exchange) {
    const auto page = read_page(exchange->request().query);
    if (!page) return exchange->answer(bad_page());
    gather<std::vector<phx::server::TopicCount>>(
        [page = *page](Shard& shard, std::size_t) { return shard.machine().topics(page.after, page.limit); },
        [exchange, page = *page](Shard&, std::vector<std::vector<phx::server::TopicCount>> lists) {
            exchange->answer(topics_answer(merge_topics(std::move(lists), page.limit), page));
        });
}

} // namespace phx::shell
