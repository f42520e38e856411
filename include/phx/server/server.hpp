#pragma once

#include "phx/export.hpp"
#include "phx/logger.hpp"
#include "phx/network_options.hpp"
#include "phx/result.hpp"
#include "phx/server/broker.hpp"
#include "phx/server/change.hpp"
#include "phx/server/client_request.hpp"
#include "phx/server/handlers.hpp"
#include "phx/server/history.hpp"
#include "phx/server/limit.hpp"
#include "phx/server/policy.hpp"
#include "phx/server/rates.hpp"
#include "phx/server/route.hpp"
#include "phx/server/token.hpp"
#include "phx/server/topic_count.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
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
    /// Where Options::tokens are set, without `apikey` and `token`.
    std::string_view params;
    std::string_view peer;    ///< address
    const Identity& identity; ///< of the token that was verified; anonymous without Options::tokens
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
    Identity identity = {};     ///< of an accepted connection; an anonymous one stands for that of the token
};

/// What the server shows to clients that speak TLS. An encrypted key is refused.
struct TlsCertificate {
    std::string cert_file = {}; ///< PEM: the certificate, and behind it those that signed it
    std::string key_file = {};  ///< PEM; empty: the key is in `cert_file`
    TlsVersion min_version = TlsVersion::v1_2;
};

/// How long the server waits for a client.
struct Timeouts {
    /// From the connect, or the last answer, to a whole HTTP request.
    std::chrono::milliseconds request{10'000};
    /// For it to take what waits; then the connection is cut.
    std::chrono::milliseconds write{10'000};
    /// For it to answer a close frame, or to end a connection that is over.
    std::chrono::milliseconds close{5'000};
    /// How long a long poll is held open when there is nothing to say, and how long a client that polls may
    /// stay away before its session ends.
    std::chrono::milliseconds poll{10'000};
    /// For all of them, when the server stops.
    std::chrono::milliseconds stop{1'000};
};

struct Options {
    std::string host = "127.0.0.1";         ///< an address of this machine, or a name of one
    std::uint16_t port = 0;                 ///< 0: any free one; start() says which
    std::optional<TlsCertificate> tls = {}; ///< set: every connection is https or wss
    std::vector<Endpoint> endpoints = {{}, {"/realtime/v1", Dialect::supabase}};
    /// If set, each connect needs a token that is good, found in this order: header `x-api-key`, header
    /// `Authorization: Bearer`, query `apikey`, query `token`, subprotocol `base64url.bearer.phx.` (authToken
    /// of phoenix.js). Others are refused: on a Phoenix endpoint with 403 and nothing else, on a Supabase one
    /// with its status and `{"error":text}`; on_error says why.
    std::optional<TokenOptions> tokens = {};
    std::string service_role = "service_role"; ///< may use all of the HTTP API; others may broadcast
    /// Judges each connect, after its token, on the server's thread. Without it and without `tokens`
    /// everybody may connect, and then only a loopback address can be listened on.
    std::function<ConnectAnswer(const ConnectRequest&)> authorize = {};
    /// Of browsers' pages that may connect and use the HTTP API, beside those of the server's own address:
    /// "https://app.example.com", "https://*.example.com", "*" (any). Who sends no Origin is no browser and
    /// not asked. Anything else in it makes start() fail. Without `tokens` and `authorize` the own address is
    /// an IP address, a name without a dot or one below localhost: any other name may have been pointed here
    /// by a page (DNS rebinding), and must be in this list.
    std::vector<std::string> allowed_origins = {};
    /// `GET /` is a page that shows what the server does, live, and inspects topics. Its figures come from
    /// the reserved topic `realtime:$status`, which needs the service role (where nobody is asked for
    /// anything: none).
    bool status_page = false;
    /// Each serves a share of the connections. With more than one, handlers, effects, `authorize` and the
    /// error handlers are called on all of them, at the same time; rates and limits count for each thread by
    /// itself, but for those of connections and of history.
    std::size_t threads = 1;
    bool realtime = true;              ///< serve `realtime:*` with Supabase's semantics
    std::vector<Policy> policies = {}; ///< without any, private `realtime:*` channels are closed
    bool private_only = false;         ///< refuses public `realtime:*` channels
    Rates rates = {};
    std::vector<History> history = {}; ///< without any, nothing is kept for replay
    /// Of all topics; the oldest broadcasts go first. With a `broker` it is the broker's to say.
    std::size_t max_history_bytes = 64u << 20;
    /// Of a `realtime:*` broadcast as it travels, and of a payload by HTTP; a larger one is refused with
    /// "payload_size_exceeded" if it waits for a reply, and dropped if not. Supabase: the same number, of
    /// Erlang's external format.
    std::size_t max_broadcast_bytes = 3'000'500;
    /// Open connections in all, over all threads: sockets, also those that have not said anything yet, and
    /// sessions of long poll. 0: no limit. Beyond it upgrades and new sessions of long poll are refused, with
    /// 503 and `Retry-After`, unless somebody has left meanwhile; of other HTTP requests one is answered and
    /// then the connection closed, so that `/health` and `/metrics` go on. No more than 256 sockets may be in
    /// that state, others are closed at once. The default is Phoenix', with Cowboy.
    std::uint32_t max_connections = 16'384;
    /// Likewise from one address (IPv6: one network of 64 bits), with 429. Who polls has up to three.
    /// Behind a proxy all clients have the proxy's address: leave it at 0 there, and let the proxy count.
    std::uint32_t max_connections_per_address = 0;
    std::size_t max_channels_per_connection = 100;
    /// That wait for one slow client; more closes it with 1013. Who is present on one topic takes no more
    /// than half of it as JSON (by default 20,000 members with small metas), so that whoever joins can be
    /// told: a track beyond is answered on `realtime:*` with the error "Too many members are present", and
    /// crashes a channel with handlers. A join has no more than half of it replayed: the newest broadcasts
    /// that fit.
    std::size_t max_pending_bytes = 8u << 20;
    Timeouts timeouts = {};
    /// Servers with the same broker serve as one. None: this server is alone, and its entities are its own.
    std::shared_ptr<Broker> broker = {};
    /// Refused tokens, exceptions of handlers and effects, failures of the broker, and without an
    /// on_connection_error what is told there; one line, without secrets. On the server's thread; what it
    /// throws is ignored.
    std::function<void(const Error&)> on_error = {};
    /// Connections that come and go (info), and what the error handlers are told (warning): lines without
    /// newlines and secrets. On the server's thread; what it throws is ignored.
    std::function<void(LogLevel, std::string_view line)> on_log = {};
    /// Connections that come and go: WebSockets, and sessions of long poll. On the server's thread; what it
    /// throws is ignored.
    std::function<void(const Connection&, ConnectionChange)> on_connection = {};
    /// What is a client's fault: malformed frames, one that reads too slowly. Null: its connection is gone.
    std::function<void(const Connection*, const Error&)> on_connection_error = {};
};

/// What the constructor and start() would say of the policies, the origins, the keys, the certificate, and of
/// a host that is open to the network where nobody is asked for anything, without listening: for programs
/// that read their options from files. Blocks while such a host is looked up; not to find it is no error
/// here. Errors: invalid_argument, tls_failed.
PHX_API Result<void> check(const Options&);

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
    /// Connections cut because their client took too long (Timeouts::request, write and close); silent ones
    /// are in hits(Limit::idle_timeout).
    std::uint64_t timed_out = 0;
    std::uint64_t late_responses = 0; ///< to requests that are over, or that nobody asked
    /// Refused, or closed unheard, for Options::max_connections.
    std::uint64_t refused_for_server = 0;
    std::uint64_t refused_for_address = 0; ///< likewise for Options::max_connections_per_address
    std::uint64_t refused_tokens = 0;      ///< missing ones too; of connects, channels and HTTP requests
    std::uint64_t handler_failures = 0;    ///< exceptions of handlers, effects, `authorize` and callbacks
    LimitHits limit_hits{};

    /// How often this limit refused, dropped or ended something.
    std::uint64_t hits(Limit limit) const noexcept { return limit_hits[static_cast<std::size_t>(limit)]; }
};

/// Whether a message is on its way.
struct Delivery {
    bool accepted = false;
    Error why = {}; ///< if it is not

    explicit operator bool() const noexcept { return accepted; }
};

/// A server for phoenix.js, realtime-js and phx, on the WebSocket paths of its endpoints; it also answers
/// `GET /health` (200 while it runs) and `GET /ready` (503 while it drains). It runs on threads of its own,
/// Options::threads, from start() to stop(). All members are safe from any thread, except that stop() and the
/// destructor must not be called inside a handler.
///
///     phx::server::Server server({.port = 4000});
///     server.channel("room:*", {.handle_in = [](auto&, auto event, auto payload) {
///         return phx::server::Actions().broadcast(event, payload).ok();
///     }});
///     server.start().value();
class PHX_API Server {
public:
    /// Throws std::invalid_argument for a policy whose `{sub}` does not stand between colons.
    explicit Server(Options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Serves the topics of a pattern ("room:*", "lobby"). The first pattern that matches wins. The built-in
    /// `realtime:*` comes last, but the pattern "*" is every topic except those; none serves the reserved
    /// `realtime:$inbox`. Throws std::logic_error after start(), and std::invalid_argument for `intercepts`
    /// without a handle_out or an empty function in `requests` or `around`.
    void channel(std::string pattern, Handlers);

    /// What Actions::effect calls by this name: on the server's thread, in the order of the actions, after
    /// the entity was stored. It must not block; what it throws is reported. A name is registered once.
    /// Throws std::logic_error after start(), and std::invalid_argument for a name that is taken.
    void effect(std::string name, std::function<void(std::string_view json)>);

    /// Listens and serves; the port. A server starts once. Errors: system_failure (address in use, no
    /// descriptors or threads left), invalid_argument (no such address; open to the network without
    /// `tokens` or `authorize`; keys that cannot be used; started before), tls_failed (the certificate).
    Result<std::uint16_t> start();
    /// Connections from now on get this certificate (after a call inside a handler: soon); those that are
    /// open keep theirs. Errors: tls_failed (then nothing has changed), invalid_argument (the server runs
    /// without TLS, or does not run).
    Result<void> set_tls(const TlsCertificate&);
    /// The graceful half of a stop; call stop() after it. From now on upgrades are refused with 503 and
    /// `Retry-After: 1`, joins with `{"reason":"server draining"}`, and `GET /ready` is 503. Connections are
    /// closed with 1012, each at a moment of its own within `spread`, so that their clients do not come to
    /// another server all at once. One that something accepted is still to be answered for is closed when
    /// that is done: a join, a request to its client, or a push whose handler has not replied but asked to be
    /// called later (Actions::after, Actions::request); its further pushes are refused as joins are. HTTP
    /// requests that are under way are answered. Blocks until all is done, or until `timeout`: then the
    /// connections that are left are closed at once (HTTP requests by stop()), and it returns false. Throws
    /// std::logic_error inside a handler.
    bool drain(std::chrono::milliseconds spread = std::chrono::seconds(5),
               std::chrono::milliseconds timeout = std::chrono::seconds(30));
    /// Options::allowed_origins of requests from now on; connections that are open stay. Errors:
    /// invalid_argument (no origin; then nothing has changed, or the server does not run).
    Result<void> set_allowed_origins(const std::vector<std::string>&);
    /// Options::policies from now on. Every channel that is open is judged anew: who may no longer read it is
    /// told so and loses it, as when its token loses the right. Errors: invalid_argument (a policy whose
    /// `{sub}` does not stand between colons: then nothing has changed; or the server does not run).
    Result<void> set_policies(const std::vector<Policy>&);
    /// Options::rates from now on. Errors: invalid_argument (the server does not run).
    Result<void> set_rates(const Rates&);
    /// Closes every connection with 1012, waits for the clients' answers no longer than Timeouts::stop, and
    /// ends the thread. Idempotent.
    void stop();

    /// Verifies the tokens of connects from now on with these, also where there were none: for the rotation
    /// of keys. Connections that are open stay. Errors: invalid_argument (a key that cannot be used); then
    /// what there was stays.
    Result<void> set_tokens(const TokenOptions&);

    /// To every member of a topic, also at other servers of the broker. Ignored unless the server runs.
    void broadcast(std::string topic, std::string event, Payload payload);

    /// To whom the route names. `Route::topic` is as broadcast(), and on a built-in `realtime:*` topic a
    /// broadcast as clients of Supabase send it. The others arrive at the reserved topic `realtime:$inbox`,
    /// at the connections that have joined it (any may), as the event "broadcast" with
    /// `{"type":"broadcast","event":EVENT,"payload":PAYLOAD,"meta":{"route":"user"}}`; bytes as a binary
    /// broadcast (Supabase's kind 4), which clients of protocol version 1 cannot get.
    ///
    /// Other servers of the broker deliver it too.
    ///
    /// Returns at once. `on_delivered` is told, on the server's thread, to how many connections of this
    /// server the message went; not if the server stops before. Errors: socket_closed (the server does not
    /// run), invalid_argument (no event), invalid_utf8, invalid_payload (no JSON), field_too_long (an event
    /// of over 255 bytes with bytes).
    Delivery send(Route, std::string event, Payload payload = {},
                  std::function<void(std::size_t count)> on_delivered = {});
    /// Closes the connections that the route names, of a topic its members; also at other servers of the
    /// broker.
    void disconnect(const Route&, std::uint16_t code = 1001);

    /// Asks a client of this server. `done` is called once, on the server's thread (on this one if the server
    /// does not run), with the answer or why there is none. Errors: rejected (the client says so, see
    /// Error::detail), timeout, channel_closed, disconnected, not_joined, buffer_full (256 requests of the
    /// channel wait), invalid_argument (no method), invalid_payload (no JSON; bytes over protocol version 1),
    /// invalid_utf8, field_too_long (a method of over 255 bytes with bytes), socket_closed (the server does
    /// not run).
    void request(ClientRequest, std::function<void(const Result<Payload>&)> done);
    /// The same; do not wait for it inside a handler.
    std::future<Result<Payload>> request(ClientRequest);
    /// A request without an answer. What fails is reported to Options::on_error.
    void notify(ClientRequest);

    // ---- who is there, at this server; these wait for its threads. Nobody and nothing unless it runs.
    // Inside handlers they do not wait, but with several threads, whose handlers would wait for each other,
    // they throw std::logic_error.
    /// The open connections that the route names, in no order; of a topic its members.
    std::vector<std::shared_ptr<const Connection>> connections(const Route& = Route::all()) const;
    /// Those of the ids that are open, in the order of the ids.
    std::vector<std::shared_ptr<const Connection>> connections(std::span<const std::string> ids) const;
    /// Null if it is not open.
    std::shared_ptr<const Connection> connection(std::string_view id) const;
    /// Topics that somebody has joined, by name; the next page begins `after` the last name of this one.
    std::vector<TopicCount> topics(std::string_view after = {}, std::size_t limit = 100) const;
    /// To the `postgres_changes` subscribers of `realtime:*`, whose filters and columns are as with a
    /// database; of this server. Errors: invalid_argument (no table, a row that is no JSON object). Ignored
    /// unless the server runs.
    Result<void> emit_change(const Change&);
    Stats stats() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace phx::server
