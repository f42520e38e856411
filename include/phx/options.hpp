#pragma once

#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/logger.hpp"
#include "phx/network_options.hpp"
#include "phx/protocol/endpoint.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/provider.hpp"
#include "phx/retry_options.hpp"
#include "phx/transport_options.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx {

using protocol::Direction;
using protocol::Opcode;
using protocol::Vsn;

struct SocketOptions {
    /// Query parameters of the URL, an object; nested ones become `a[b]=c`, as in phoenix.js.
    Json params = Json::object();
    /// Asked before each attempt to connect, instead of `params`.
    Provider<Json> params_provider = {};
    /// Asked before each attempt; the token travels as a subprotocol, or in a header of the long poll, not in
    /// the URL. An empty string means no token. An attempt waits for a late answer until its
    /// `connect_timeout`, the next one goes on waiting.
    Provider<std::string> auth_token = {};
    /// Further headers of the upgrade request, or of each request of the long poll, in this order
    /// (Authorization, Cookie, Origin, ...).
    std::vector<std::pair<std::string, std::string>> headers = {};
    /// Further subprotocols that the upgrade offers, behind the one that carries `auth_token`: for gateways
    /// that ask for one. That the server chooses none is fine; one that was not offered ends the attempt with
    /// `Errc::upgrade_refused`. The long poll has none.
    std::vector<std::string> subprotocols = {};
    Vsn vsn = Vsn::v2;

    /// How long a push, join or leave waits that names no timeout of its own. phoenix.js DEFAULT_TIMEOUT.
    Millis timeout{10'000};
    /// One attempt: name resolution, TCP, proxy, TLS and upgrade together.
    Millis connect_timeout{10'000};
    /// Between heartbeats; zero sends none. phoenix.js heartbeatIntervalMs. Phoenix closes a socket that is
    /// silent for 60 s.
    Millis heartbeat_interval{30'000};
    /// How long a heartbeat may stay unanswered before the connection counts as lost.
    Millis heartbeat_timeout{10'000};
    RetryOptions retry = {};
    InFlight in_flight = InFlight::fail;

    /// A larger message from the server closes the connection with 1009.
    std::size_t max_message_bytes = 8u << 20;
    /// Pushes per channel that wait for its join; one more fails with `Errc::buffer_full`.
    std::size_t max_buffered_messages = 1000;
    /// Bytes that wait for the network; a connection whose peer lets more pile up is closed and opened again.
    std::size_t max_buffered_bytes = 64u << 20;
    TlsOptions tls = {};
    NetworkOptions network = {};
    TransportOptions transport = {};

    /// What the socket does, in words. Not set: nothing is logged.
    Logger logger = {};
    LogLevel log_level = LogLevel::info;
    /// Sees every frame of the protocol on the loop thread, as it is on the wire: for debugging. Beware of
    /// tokens in join payloads.
    Function<void(Direction, Opcode, std::string_view frame)> frame_tap = {};
};

/// @internal The options as they cross the compiled interface: without JSON types.
struct SocketSetup {
    std::vector<protocol::Param> params;
    Provider<std::vector<protocol::Param>> params_provider;
    Provider<std::string> auth_token;
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::string> subprotocols;
    Vsn vsn;
    Millis timeout, connect_timeout, heartbeat_interval, heartbeat_timeout;
    RetryOptions retry;
    InFlight in_flight;
    std::size_t max_message_bytes, max_buffered_messages, max_buffered_bytes;
    TlsOptions tls;
    NetworkOptions network;
    TransportOptions transport;
    Logger logger;
    LogLevel log_level;
    Function<void(Direction, Opcode, std::string_view)> frame_tap;

    explicit SocketSetup(SocketOptions options)
        : params(query_params(options.params)),
          params_provider(param_list(std::move(options.params_provider))),
          auth_token(std::move(options.auth_token)), headers(std::move(options.headers)),
          subprotocols(std::move(options.subprotocols)), vsn(options.vsn), timeout(options.timeout),
          connect_timeout(options.connect_timeout), heartbeat_interval(options.heartbeat_interval),
          heartbeat_timeout(options.heartbeat_timeout), retry(std::move(options.retry)),
          in_flight(options.in_flight), max_message_bytes(options.max_message_bytes),
          max_buffered_messages(options.max_buffered_messages),
          max_buffered_bytes(options.max_buffered_bytes), tls(std::move(options.tls)),
          network(std::move(options.network)), transport(options.transport),
          logger(std::move(options.logger)), log_level(options.log_level),
          frame_tap(std::move(options.frame_tap)) {}

    /// Throws std::invalid_argument when `params` is no object, or a string in it is not UTF-8.
    static std::vector<protocol::Param> query_params(const Json& params) {
        std::vector<protocol::Param> list;
        if (params.is_null()) return list;
        if (!params.is_object()) throw std::invalid_argument("the params of a socket must be a JSON object");
        for (const auto& [name, value] : params.items()) {
            list.push_back({name, value.is_null() ? std::string("null") : payload_argument(value)});
        }
        return list;
    }
    static Provider<std::vector<protocol::Param>> param_list(Provider<Json> provider) {
        return std::move(provider).mapped<std::vector<protocol::Param>>(
            [](const Json& given) -> Result<std::vector<protocol::Param>> {
                try {
                    return query_params(given);
                } catch (const std::invalid_argument& e) {
                    return fail(Errc::invalid_argument, e.what());
                }
            });
    }
};

} // namespace phx
