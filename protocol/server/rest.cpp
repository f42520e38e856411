#include "protocol/server/rest.hpp"

#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/realtime/json_members.hpp"

#include <utility>

namespace phx::protocol::server {
namespace {

using realtime::json_member;
using realtime::json_string;
using realtime::JsonElements;

constexpr std::string_view blank = "can't be blank";
constexpr std::string_view invalid = "is invalid";
constexpr std::string_view too_large = "Payload size exceeds tenant limit";

/// `{"event":["can't be blank"],...}`
class Complaints {
public:
    void add(std::string_view name, std::string_view what) {
        text_ += text_.size() > 1 ? ",\"" : "\"";
        text_.append(name).append("\":[\"").append(what).append("\"]");
    }
    bool has_any() const noexcept { return text_.size() > 1; }
    bool has_too_large() const noexcept { return text_.find(too_large) != std::string::npos; }
    std::string json() const { return text_ + '}'; }

private:
    std::string text_ = "{";
};

std::string errors_of(std::string_view messages) {
    return "{\"errors\":{\"messages\":" + std::string(messages) + "}}";
}

bool is_null(const std::optional<std::string_view>& value) { return !value || *value == "null"; }

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

void read_text(std::string_view message, std::string_view name, std::string& out, Complaints& complaints) {
    const auto value = json_member(message, name);
    if (is_null(value)) return complaints.add(name, blank);
    auto text = json_string(*value);
    if (!text) return complaints.add(name, invalid);
    if (is_blank(*text)) return complaints.add(name, blank);
    out = *std::move(text);
}

void read_payload(std::string_view message, std::size_t max_bytes, std::string_view& out,
                  Complaints& complaints) {
    const auto value = json_member(message, "payload");
    if (is_null(value)) return complaints.add("payload", blank);
    if (!realtime::is_json_object(*value)) return complaints.add("payload", invalid);
    if (value->size() > max_bytes) return complaints.add("payload", too_large);
    out = *value;
}

/// Ecto's casts: also texts and digits.
void read_private(std::string_view message, bool& out, Complaints& complaints) {
    const auto value = json_member(message, "private");
    if (is_null(value)) return;
    const std::string text = json_string(*value).value_or(std::string(*value));
    const bool is_true = text == "true" || text == "1";
    if (!is_true && text != "false" && text != "0") return complaints.add("private", invalid);
    out = is_true;
}

/// Complaints come in the order of the recorded ones.
Complaints read_message(std::string_view message, std::size_t max_payload_bytes, RestBroadcast& out) {
    Complaints complaints;
    read_text(message, "event", out.event, complaints);
    read_text(message, "topic", out.topic, complaints);
    out.topic.insert(0, realtime_prefix);
    read_payload(message, max_payload_bytes, out.payload, complaints);
    read_private(message, out.is_private, complaints);
    return complaints;
}

Failure no_body(std::string_view expected) {
    return fail(Errc::invalid_payload, "the body must be a JSON object such as " + std::string(expected),
                Origin::peer);
}

constexpr std::string_view send_example = R"({"route":"user:7","event":"greeting","payload":{}})";

} // namespace

RestBatch read_batch(std::string_view json, std::size_t max_payload_bytes) {
    const auto messages = json_member(json, "messages");
    RestBatch batch;
    if (is_null(messages)) {
        batch.errors = errors_of("[\"can't be blank\"]");
        return batch;
    }
    JsonElements elements(*messages);
    std::string complaints;
    bool is_fine = elements.is_array();
    std::string_view message;
    while (is_fine && elements.next(message)) {
        if (batch.messages.size() == max_rest_broadcasts) return RestBatch{.has_too_many = true};
        if (!realtime::is_json_object(message)) {
            is_fine = false;
            break;
        }
        const Complaints own = read_message(message, max_payload_bytes, batch.messages.emplace_back());
        complaints += complaints.empty() ? "[" : ",";
        complaints += own.json();
        if (own.has_any()) batch.errors = "?";
        batch.has_too_large = batch.has_too_large || own.has_too_large();
    }
    if (!is_fine) {
        batch.errors = errors_of("[\"is invalid\"]");
    } else if (batch.messages.empty()) {
        batch.errors = errors_of("[\"can't be blank\"]");
    } else if (!batch.errors.empty()) {
        batch.errors = errors_of(complaints + ']');
    }
    return batch;
}

std::string payload_errors(std::string_view payload, std::size_t max_payload_bytes) {
    if (payload.size() <= max_payload_bytes) return {};
    Complaints complaints;
    complaints.add("payload", too_large);
    return "{\"errors\":" + complaints.json() + '}';
}

std::string_view refusal_text(RateVerdict verdict) noexcept {
    return verdict == RateVerdict::exceeded ? "You have exceeded your rate limit"
                                            : "Too many messages to broadcast, please reduce the batch size";
}

Result<phx::server::Route> read_route(std::string_view json) {
    if (!validate_json(json) || !realtime::is_json_object(json)) return no_body(R"({"route":"user:7"})");
    const auto text = json_string(json_member(json, "route").value_or("null"));
    const auto route = text ? phx::server::parse_route(*text) : std::nullopt;
    if (!route)
        return fail(Errc::invalid_argument,
                    "route must be \"all\", \"user:ID\", \"role:NAME\", \"connection:ID\" or \"topic:NAME\"",
                    Origin::peer);
    return *route;
}

Result<RestSend> read_send(std::string_view json) {
    if (!validate_json(json) || !realtime::is_json_object(json)) return no_body(send_example);
    auto route = read_route(json);
    if (!route) return Failure{route.error()};
    RestSend send;
    send.route = *std::move(route);
    auto event = json_string(json_member(json, "event").value_or("null"));
    if (!event || event->empty())
        return fail(Errc::invalid_payload, "event must be a text that is not empty", Origin::peer);
    send.event = *std::move(event);
    send.payload = json_member(json, "payload").value_or("{}");
    return send;
}

} // namespace phx::protocol::server
