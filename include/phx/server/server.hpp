#pragma once

#include "phx/export.hpp"
#include "phx/logger.hpp"
#include "phx/result.hpp"
#include "phx/server/broker.hpp"
#include "phx/server/handlers.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::server {

/// How a connection behaves where the real servers differ (malformed frames, stale refs, refusals, idle
/// close).
enum class Dialect : std::uint8_t { phoenix, supabase };

/// A path that WebSockets connect to; `/websocket` is appended.
struct Endpoint {
    std::string path = "/socket";
    Dialect dialect = Dialect::phoenix;
    std::size_t max_message_bytes = 5'000'000;      ///< larger: close 1009
    std::chrono::milliseconds idle_timeout{60'000}; ///< without anything from the client; zero: none
};

/// What is known of a client before its WebSocket is accepted. Valid during the call.
struct ConnectRequest {
    const Endpoint& endpoint;
    /// Query parameters, decoded, as a JSON object of strings; the last of equal names.
    std::string_view params;
    std::string_view peer; ///< address
};

/// Whether it is accepted.
struct ConnectAnswer {
    /// 0: accepted; 300 to 599: the upgrade is refused with it (Phoenix 403, Supabase 401). Anything else
    /// counts as 500.
    int http_status = 0;
    /// Of a refusal; JSON is labelled as such. On a Supabase endpoint other text becomes `{"error":text}`,
    /// and no text the name of the status.
    std::string body = {};
    std::string socket_id = {}; ///< of an accepted connection: Actions::disconnect finds it by this
    Identity identity = {};     ///< of an accepted connection
};

/// How long the server waits for a client.
struct Timeouts {
    /// From the connect, or the last answer, to a whole HTTP request.
    std::chrono::milliseconds request{10'000};
    /// For it to take what waits; then the connection is cut.
    std::chrono::milliseconds write{10'000};
    /// For it to answer a close frame, or to end a connection that is over.
    std::chrono::milliseconds close{5'000};
    /// For all of them, when the server stops.
    std::chrono::milliseconds stop{1'000};
};

struct Options {
    std::string host = "127.0.0.1"; ///< an address of this machine, or a name of one
    std::uint16_t port = 0;         ///< 0: any free one; start() says which
    std::vector<Endpoint> endpoints = {{}, {"/realtime/v1", Dialect::supabase}};
    /// Judges each connect, on the server's thread. Without one everybody may connect, and then only a
    /// loopback address can be listened on.
    std::function<ConnectAnswer(const ConnectRequest&)> authorize = {};
    /// Each serves a share of the connections. With more than one, handlers, effects, `authorize` and the
    /// error handlers are called on all of them, at the same time.
    std::size_t threads = 1;
    bool realtime = true; ///< serve `realtime:*` with Supabase's semantics
    std::size_t max_channels_per_connection = 100;
    std::size_t max_pending_bytes = 8u << 20; ///< that wait for one slow client; more closes it with 1013
    Timeouts timeouts = {};
    /// Servers with the same broker serve as one. None: this server is alone, and its entities are its own.
    std::shared_ptr<Broker> broker = {};
    /// Exceptions of handlers and effects, failures of the broker, and without an on_connection_error what is
    /// told there; one line, without secrets. On the server's thread; what it throws is ignored.
    std::function<void(const Error&)> on_error = {};
    /// Connections that come and go (info), and what the error handlers are told (warning): lines without
    /// newlines and secrets. On the server's thread; what it throws is ignored.
    std::function<void(LogLevel, std::string_view line)> on_log = {};
    /// What is a client's fault: malformed frames, one that reads too slowly. Null: its connection is gone.
    std::function<void(const Connection*, const Error&)> on_connection_error = {};
};

/// Numbers of the moment, and totals since start(). They are read one after the other: no sum of them is
/// exact.
struct Stats {
    std::size_t connections = 0; ///< WebSockets
    std::size_t topics = 0;      ///< of each thread, where it has members
    std::size_t channels = 0;    ///< memberships of all topics
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t frames_dropped = 0; ///< malformed ones
    std::uint64_t slow_consumers = 0; ///< connections closed with 1013
};

/// A server for phoenix.js, realtime-js and phx, on the WebSocket paths of its endpoints; it also answers
/// `GET /health`. It runs on threads of its own, Options::threads, from start() to stop(). All members are
/// safe from any thread, except that stop() and the destructor must not be called inside a handler.
///
///     phx::server::Server server({.port = 4000});
///     server.channel("room:*", {.handle_in = [](auto&, auto event, auto payload) {
///         return phx::server::Actions().broadcast(event, payload).ok();
///     }});
///     server.start().value();
class PHX_API Server {
public:
    explicit Server(Options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Serves the topics of a pattern ("room:*", "lobby"). The first pattern that matches wins. The built-in
    /// `realtime:*` comes last, but the pattern "*" is every topic except those. Throws std::logic_error
    /// after start(), and std::invalid_argument for `intercepts` without a handle_out.
    void channel(std::string pattern, Handlers);

    /// What Actions::effect calls by this name: on the server's thread, in the order of the actions, after
    /// the entity was stored. It must not block; what it throws is reported. A name is registered once.
    /// Throws std::logic_error after start(), and std::invalid_argument for a name that is taken.
    void effect(std::string name, std::function<void(std::string_view json)>);

    /// Listens and serves; the port. A server starts once. Errors: system_failure (address in use, no
    /// descriptors or threads left), invalid_argument (no such address; open to the network without
    /// `authorize`; started before).
    Result<std::uint16_t> start();
    /// Closes every connection with 1012, waits for the clients' answers no longer than Timeouts::stop, and
    /// ends the thread. Idempotent.
    void stop();

    /// To every member of a topic, also at other servers of the broker. Ignored unless the server runs.
    void broadcast(std::string topic, std::string event, Payload payload);
    Stats stats() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace phx::server
