#include "tests/conformance/http_event.hpp"

namespace phx::conformance {

using nlohmann::json;

namespace {

/// JSON has no parameter `charset` (RFC 8259): only the type counts.
std::string media_type(const std::string& content_type) {
    return content_type.substr(0, content_type.find(';'));
}

bool is_for_browsers(std::string_view header) { return header.starts_with("access-control-"); }

json value_of(const std::string& body) {
    json value = json::parse(body, nullptr, false);
    if (value.is_discarded()) return {{"no json", body}};
    if (!value.is_object() || !value.contains("messages")) return value;
    for (json& message : value["messages"]) {
        json frame = json::parse(message.is_string() ? message.get<std::string>() : "", nullptr, false);
        if (!frame.is_discarded()) message = std::move(frame);
    }
    return value;
}

void keep_headers(json& event, const json& headers) {
    event.erase("headers");
    if (!headers.empty()) event["headers"] = headers;
}

} // namespace

json http_event(std::string_view kind, int status,
                const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body) {
    json compared = json::object();
    for (const auto& [name, value] : headers) {
        if (name == "content-type") compared[name] = media_type(value);
        if (is_for_browsers(name)) compared[name] = value;
    }
    const bool is_json = compared.value("content-type", "") == "application/json";
    json event = {{kind, status}, {"body", is_json ? value_of(body) : json(body)}};
    keep_headers(event, compared);
    return event;
}

void align_headers(json& expected, json& got, AskedBy asked_by) {
    const bool names_type = expected.value("headers", json::object()).contains("content-type");
    for (json* const event : {&expected, &got}) {
        const json headers = event->value("headers", json::object());
        json kept = json::object();
        for (const auto& [name, value] : headers.items()) {
            const bool is_compared =
                is_for_browsers(name) ? asked_by == AskedBy::page : event == &expected || names_type;
            if (is_compared) kept[name] = value;
        }
        keep_headers(*event, kept);
    }
}

} // namespace phx::conformance
