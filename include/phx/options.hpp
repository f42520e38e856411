#pragma once

#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/network_options.hpp"
#include "phx/protocol/endpoint.hpp"
#include "phx/protocol/frame.hpp"

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

/// How the steps of a `Ladder` are spread, so that many clients do not come back in the same moment.
enum class Jitter : std::uint8_t {
    none,  ///< the steps as they are, as phoenix.js
    full,  ///< uniform in [0, step)
    equal, ///< uniform in [step / 2, step)
};

/// Delays between attempts; the last one repeats.
struct Ladder {
    std::vector<Millis> steps = {};
    Jitter jitter = Jitter::full;
};

/// When to dial and to join again. The server's Retry-After, if it sends one, is the least delay.
struct RetryOptions {
    /// Until a connection opened for the first time: phoenix.js reconnectAfterMs, with jitter.
    Ladder first_connect = {{Millis(10), Millis(50), Millis(100), Millis(150), Millis(200), Millis(250),
                             Millis(500), Millis(1000), Millis(2000), Millis(5000)},
                            Jitter::equal};
    /// After a connection that had been open: within a second, then slower; full jitter, so that a restarted
    /// server is not stampeded.
    Ladder reconnect = {{Millis(1000), Millis(1000), Millis(2000), Millis(5000), Millis(10'000)},
                        Jitter::full};
    /// Of a channel that crashed or was refused: phoenix.js rejoinAfterMs, with jitter.
    Ladder rejoin = {{Millis(1000), Millis(2000), Millis(5000), Millis(10'000)}, Jitter::equal};
    /// A connection that lasted this long starts the ladder anew when it ends.
    Millis stable_after{10'000};
    /// Consecutive attempts that may fail; then the socket becomes idle and reports the last error. 0: no
    /// limit.
    unsigned max_attempts = 0;
};

struct SocketOptions {
    /// Query parameters of the URL, an object; nested ones become `a[b]=c`, as in phoenix.js.
    Json params = Json::object();
    /// Evaluated on the loop thread before each attempt to connect, instead of `params`.
    Function<Json()> params_provider = {};
    /// Evaluated on the loop thread before each attempt; the token travels as a subprotocol, not in the URL.
    /// An empty string means no token.
    Function<std::string()> auth_token = {};
    /// Further headers of the upgrade request, in this order (Authorization, Cookie, Origin, ...).
    std::vector<std::pair<std::string, std::string>> headers = {};
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

    /// A larger message from the server closes the connection with 1009.
    std::size_t max_message_bytes = 8u << 20;
    /// Pushes per channel that wait for its join; one more fails with `Errc::buffer_full`.
    std::size_t max_buffered_messages = 1000;
    /// Bytes that wait for the network; a connection whose peer lets more pile up is closed and opened again.
    std::size_t max_buffered_bytes = 64u << 20;
    TlsOptions tls = {};
    NetworkOptions network = {};

    /// Sees every frame of the protocol on the loop thread, as it is on the wire: for debugging. Beware of
    /// tokens in join payloads.
    Function<void(Direction, Opcode, std::string_view frame)> frame_tap = {};
};

/// @internal The options as they cross the compiled interface: without JSON types.
struct SocketSetup {
    std::vector<protocol::Param> params;
    Function<std::vector<protocol::Param>()> params_provider;
    Function<std::string()> auth_token;
    std::vector<std::pair<std::string, std::string>> headers;
    Vsn vsn;
    Millis timeout, connect_timeout, heartbeat_interval, heartbeat_timeout;
    RetryOptions retry;
    std::size_t max_message_bytes, max_buffered_messages, max_buffered_bytes;
    TlsOptions tls;
    NetworkOptions network;
    Function<void(Direction, Opcode, std::string_view)> frame_tap;

    explicit SocketSetup(SocketOptions options)
        : params(query_params(options.params)), auth_token(std::move(options.auth_token)),
          headers(std::move(options.headers)), vsn(options.vsn), timeout(options.timeout),
          connect_timeout(options.connect_timeout), heartbeat_interval(options.heartbeat_interval),
          heartbeat_timeout(options.heartbeat_timeout), retry(std::move(options.retry)),
          max_message_bytes(options.max_message_bytes), max_buffered_messages(options.max_buffered_messages),
          max_buffered_bytes(options.max_buffered_bytes), tls(std::move(options.tls)),
          network(std::move(options.network)), frame_tap(std::move(options.frame_tap)) {
        if (options.params_provider) {
            params_provider = [provider = std::move(options.params_provider)]() mutable {
                return query_params(provider());
            };
        }
    }

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
};

} // namespace phx
