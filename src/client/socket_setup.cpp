#include "src/client/socket_setup.hpp"

#include "phx/protocol/endpoint.hpp"
#include "protocol/wire/http_fields.hpp"
#include "protocol/wire/proxy.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <sys/un.h>

namespace phx::shell {
namespace {

void require(bool holds, const std::string& what) {
    if (!holds) throw std::invalid_argument(what);
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

void check_headers(const SocketSetup& setup) {
    int hosts = 0;
    for (const auto& [name, value] : setup.headers) {
        require(protocol::is_field_token(name),
                "a header's name must be a token of letters, digits and !#$%&'*+-.^_`|~");
        require(protocol::is_field_value(value),
                "the value of the header " + name + " has control characters");
        require(!is_ours(name), "the header " + name + " belongs to the upgrade and cannot be set");
        hosts += protocol::equals_ignoring_case(name, "host") ? 1 : 0;
    }
    require(hosts <= 1, "there must be one Host header at the most");
    for (const std::string& subprotocol : setup.subprotocols)
        require(protocol::is_field_token(subprotocol),
                "a subprotocol must be a token of letters, digits and !#$%&'*+-.^_`|~");
}

void check_network(const SocketSetup& setup) {
    require(setup.tls.key_file.empty() || !setup.tls.cert_file.empty(), "tls.key_file needs tls.cert_file");
    const NetworkOptions& network = setup.network;
    const bool has_proxy = network.proxy && !network.proxy->empty();
    const auto proxy = has_proxy ? protocol::parse_proxy(*network.proxy) : protocol::Proxy();
    require(proxy.has_value(), proxy ? std::string() : "network.proxy: " + proxy.error().message);
    require(!has_proxy || network.unix_socket.empty(), "there is no proxy to a network.unix_socket");
    require(network.unix_socket.size() < sizeof sockaddr_un::sun_path, "network.unix_socket is too long");
}

void check_transport(const SocketSetup& setup) {
    const TransportOptions& transport = setup.transport;
    const bool has_fallback = transport.long_poll_fallback.has_value();
    require(!has_fallback || *transport.long_poll_fallback > Millis(0),
            "transport.long_poll_fallback must be more than zero");
    require(transport.retry_websocket >= Millis(0), "transport.retry_websocket must not be negative");
    require(transport.long_poll_timeout > Millis(0), "transport.long_poll_timeout must be more than zero");
    // Its batches tell text from binary by the '[' of version 2.
    const bool may_long_poll = has_fallback || transport.transport == Transport::long_poll;
    require(!may_long_poll || setup.vsn == Vsn::v2, "long poll needs protocol version 2 (vsn)");
}

} // namespace

void check_channel(const ChannelOptions& options) {
    if (options.rejoin) check_ladder(*options.rejoin);
}

void check_setup(std::string_view url, const SocketSetup& setup) {
    const auto endpoint = protocol::endpoint_url(url, setup.params, setup.vsn);
    require(endpoint.has_value(), endpoint ? std::string() : endpoint.error().message);
    check_headers(setup);
    check_network(setup);
    check_transport(setup);
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
}

} // namespace phx::shell
