#include "protocol/realtime/rest.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/client/text.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/wire/http_fields.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace phx::protocol::realtime {
namespace {

constexpr std::size_t max_body_bytes = 16u << 10;
constexpr std::size_t max_reason_bytes = 200;

void strip_slashes(std::string& path) {
    while (path.ends_with('/')) path.pop_back();
}

void strip_end(std::string& path, std::string_view end) {
    if (path.size() < end.size()) return;
    const std::size_t size = path.size() - end.size();
    if (equals_ignoring_case(std::string_view(path).substr(size), end)) path.resize(size);
}

Result<void> check_segment(const char* what, std::string_view text) {
    if (text.empty() || text == "." || text == "..") {
        return fail(Errc::invalid_argument, std::string("the ") + what + " \"" + std::string(text) +
                                                "\" cannot be part of a path; send it in a batch");
    }
    return {};
}

Failure at_message(std::size_t index, Errc code, const std::string& what) {
    return fail(code, "message " + std::to_string(index) + " of the batch: " + what);
}

/// One line of the peer's words, for a message of ours.
std::string as_reason(std::string_view text) {
    std::size_t size = std::min(text.size(), max_reason_bytes);
    const auto is_inside_character = [&] { return (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80; };
    while (size < text.size() && size > 0 && is_inside_character()) --size;
    std::string line(text.substr(0, size));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; },
        ' ');
    return size < text.size() ? line + "..." : line;
}

/// `{"message":"..."}`, `{"error":"..."}` or `{"errors":{...}}`; empty for whatever else.
std::string reason_in(std::string_view body) {
    if (!validate_json(body)) return {};
    for (const std::string_view name : {"message", "error"}) {
        const auto text = json_string(json_member(body, name).value_or("null"));
        if (text) return as_reason(*text);
    }
    return as_reason(json_member(body, "errors").value_or(""));
}

std::string_view advice_for(BroadcastEndpoint endpoint, int status) {
    if (status / 100 == 3)
        return "; redirects are not followed, since the key would go along: check the endpoint's URL";
    if (status == 401) return "; check the API key and the access token";
    if (status == 403) return "; check what the token may do, and that the project is not suspended";
    if (status != 404) return {};
    return endpoint == BroadcastEndpoint::single
               ? "; this endpoint needs Supabase Realtime v2.97.0 or later, a batch does not"
               : "; check the endpoint's URL";
}

} // namespace

Result<Url> rest_base(std::string_view endpoint) {
    Result<Url> url = parse_url(endpoint);
    if (!url) return url;
    url->query.clear();
    std::string& path = url->path;
    strip_slashes(path);
    // realtime-js transformers.ts httpEndpointURL: in this order, each once.
    for (const std::string_view end : {"/socket/websocket", "/socket", "/websocket"}) strip_end(path, end);
    strip_slashes(path);
    return url;
}

Result<std::string> single_target(const HttpBroadcastView& message) {
    for (const auto& [what, text] : {std::pair("topic", message.topic), std::pair("event", message.event)}) {
        if (auto checked = check_segment(what, text); !checked) return Failure{checked.error()};
    }
    std::string target(batch_target);
    target.append("/").append(percent_encode(message.topic));
    target.append("/events/").append(percent_encode(message.event));
    return message.is_private ? target.append("?private=true") : target;
}

Result<std::string> batch_body(std::span<const HttpBroadcastView> messages) {
    std::string body = "{\"messages\":[";
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const HttpBroadcastView& message = messages[i];
        if (!is_valid_text(message.topic) || !is_valid_text(message.event))
            return at_message(i, Errc::invalid_utf8, "its topic or its event is not UTF-8");
        if (const auto valid = check_json(message.payload, Limits{}.max_depth); !valid)
            return at_message(i, Errc::invalid_payload, valid.error().message);
        body.append(i == 0 ? "{\"topic\":" : ",{\"topic\":");
        append_json_string(body, message.topic);
        body.append(",\"event\":");
        append_json_string(body, message.event);
        body.append(",\"payload\":").append(message.payload);
        body.append(message.is_private ? ",\"private\":true}" : ",\"private\":false}");
    }
    return body.append("]}");
}

Result<void> outcome_of_broadcast(BroadcastEndpoint endpoint, HttpResponse response, std::string_view body) {
    const int status = response.status;
    if (status / 100 == 2) return {};
    std::string message = "the server answered the broadcast with HTTP " + std::to_string(status);
    const std::string reason = reason_in(body);
    if (!reason.empty()) message.append(": ").append(reason);
    message.append(advice_for(endpoint, status));
    const bool is_auth = status == 401 || status == 403;
    Failure failure = fail(is_auth ? Errc::bad_auth : Errc::rejected, std::move(message), Origin::peer);
    auto detail = std::make_shared<ErrorDetail>();
    detail->http_status = status;
    detail->http_body = body.substr(0, max_body_bytes);
    detail->http_headers = std::move(response.headers);
    failure.error.detail = std::move(detail);
    return failure;
}

} // namespace phx::protocol::realtime
