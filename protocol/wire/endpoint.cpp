#include "phx/protocol/endpoint.hpp"

#include "phx/protocol/base64.hpp"
#include "phx/protocol/codec.hpp"
#include "protocol/wire/json_text.hpp"

namespace phx::protocol {
namespace {

constexpr std::string_view websocket_path = "/websocket";
constexpr std::string_view long_poll_path = "/longpoll";
constexpr std::string_view token_prefix = "base64url.bearer.phx."; // phoenix.js AUTH_TOKEN_PREFIX

void append_pair(std::string& query, std::string_view name, std::string_view value) {
    if (!query.empty()) query.push_back('&');
    query.append(percent_encode(name)).append("=").append(percent_encode(value));
}

std::string text_of(const wire::RawString& raw) {
    std::string out;
    wire::append_unescaped(out, raw.text);
    return out;
}

/// phoenix.js ajax.js serialize. The text is valid JSON of bounded depth, so that recursion is bounded too.
void append_param(std::string& query, const std::string& name, std::string_view json) {
    wire::JsonReader reader(json, Limits{}.max_depth);
    reader.skip_space();
    wire::RawString string;
    std::string_view value;
    if (reader.peek() == '"') {
        if (reader.string(string)) append_pair(query, name, text_of(string));
    } else if (reader.take('{')) {
        if (reader.peek() == '}') return;
        do {
            if (!reader.name(string) || !reader.value(value)) return;
            append_param(query, name + "[" + text_of(string) + "]", value);
        } while (reader.take(','));
    } else if (reader.take('[')) {
        if (reader.peek() == ']') return;
        std::size_t index = 0;
        do {
            if (!reader.value(value)) return;
            append_param(query, name + "[" + std::to_string(index++) + "]", value);
        } while (reader.take(','));
    } else if (reader.value(value) && value != "null") {
        append_pair(query, name, value);
    }
}

void set_transport(std::string& path, Transport transport) {
    for (const std::string_view end : {websocket_path, long_poll_path}) {
        if (!path.ends_with(end)) continue;
        path.resize(path.size() - end.size());
        break;
    }
    path += transport == Transport::websocket ? websocket_path : long_poll_path;
}

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Either alphabet, padded or not: clients differ.
std::optional<std::string> token_decode(std::string_view text) {
    const bool url = text.find_first_of("-_") != std::string_view::npos;
    const bool padded = !text.empty() && text.back() == '=';
    return base64_decode(text, url ? Base64Alphabet::url : Base64Alphabet::standard,
                         padded ? Base64Padding::padded : Base64Padding::unpadded);
}

} // namespace

Result<Url> endpoint_url(std::string_view endpoint, const std::vector<Param>& params, Vsn vsn,
                         Transport transport) {
    Result<Url> parsed = parse_url(endpoint);
    if (!parsed) return parsed;
    Url& url = *parsed;
    while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
    set_transport(url.path, transport);
    constexpr std::size_t depth = 32; // of params; append_param recurses
    for (const Param& param : params) {
        if (const Result<void> valid = validate_json(param.value, depth); !valid) {
            return fail(Errc::invalid_argument,
                        "param \"" + param.name + "\" is not JSON: " + valid.error().message);
        }
        append_param(url.query, param.name, param.value);
    }
    append_pair(url.query, "vsn", to_string(vsn));
    return parsed;
}

std::string token_subprotocols(std::string_view token) {
    return std::string("phoenix, ")
        .append(token_prefix)
        .append(base64_encode(token, Base64Alphabet::standard, Base64Padding::unpadded));
}

std::string token_from_subprotocols(std::string_view header) {
    while (!header.empty()) {
        const std::size_t comma = header.find(',');
        const std::string_view item = trim(header.substr(0, comma));
        header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
        if (item.substr(0, token_prefix.size()) != token_prefix) continue;
        if (std::optional<std::string> token = token_decode(item.substr(token_prefix.size()))) return *token;
    }
    return {};
}

} // namespace phx::protocol
