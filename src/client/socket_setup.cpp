#include "src/client/socket_setup.hpp"

#include "phx/protocol/endpoint.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace phx::shell {
namespace {

void require(bool holds, const std::string& what) {
    if (!holds) throw std::invalid_argument(what);
}

/// RFC 9110 section 5.6.2
bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               marks.find(c) != marks.npos;
    });
}

bool is_line(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

/// Those that the upgrade itself sets, and those that announce a body.
bool is_ours(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    constexpr std::array<std::string_view, 4> ours = {"upgrade", "connection", "content-length",
                                                      "transfer-encoding"};
    return lower.starts_with("sec-websocket-") || std::find(ours.begin(), ours.end(), lower) != ours.end();
}

void check_ladder(const Ladder& ladder) {
    require(!ladder.steps.empty(), "a ladder of retry needs at least one step");
    for (const Millis step : ladder.steps) require(step >= Millis(0), "a step of retry must not be negative");
}

} // namespace

void check_channel(const ChannelOptions& options) {
    if (options.rejoin) check_ladder(*options.rejoin);
}

void check_setup(std::string_view url, const SocketSetup& setup) {
    const auto endpoint = protocol::endpoint_url(url, setup.params, setup.vsn);
    require(endpoint.has_value(), endpoint ? std::string() : endpoint.error().message);
    for (const auto& [name, value] : setup.headers) {
        require(is_token(name), "a header's name must be a token of letters, digits and !#$%&'*+-.^_`|~");
        require(is_line(value), "the value of the header " + name + " has control characters");
        require(!is_ours(name), "the header " + name + " belongs to the upgrade and cannot be set");
    }
    const std::array<std::pair<const char*, Millis>, 3> times = {
        {{"timeout", setup.timeout},
         {"connect_timeout", setup.connect_timeout},
         {"heartbeat_timeout", setup.heartbeat_timeout}}};
    for (const auto& [name, time] : times)
        require(time > Millis(0), std::string(name) + " must be more than zero");
    require(setup.heartbeat_interval >= Millis(0), "heartbeat_interval must not be negative");
    require(setup.retry.stable_after >= Millis(0), "retry.stable_after must not be negative");
    for (const Ladder* ladder : {&setup.retry.first_connect, &setup.retry.reconnect, &setup.retry.rejoin})
        check_ladder(*ladder);
    require(setup.max_message_bytes > 0, "max_message_bytes must be more than zero");
    require(setup.max_buffered_bytes > 0, "max_buffered_bytes must be more than zero");
    require(setup.tls.key_file.empty() || !setup.tls.cert_file.empty(), "tls.key_file needs tls.cert_file");
}

} // namespace phx::shell
