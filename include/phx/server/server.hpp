#pragma once

#include "phx/export.hpp"
#include "phx/result.hpp"
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

/// How a connection behaves where the real servers differ (malformed frames, stale refs, refusals, idle close).
enum class Dialect : std::uint8_t { phoenix, supabase };

/// A path that WebSockets connect to; `/websocket` is appended.
struct Endpoint {
    std::string path = "/socket";
    Dialect dialect = Dialect::phoenix;
    std::size_t max_message_bytes = 5'000'000;                ///< larger: close 1009
    std::chrono::milliseconds idle_timeout{60'000};           ///< without anything from the client; zero: none
};

/// What a connect is told before it is upgraded.
struct ConnectRequest {
    const Endpoint& endpoint;
    std::string_view params; ///< query parameters as a JSON object of strings
    std::string_view peer;
};
struct ConnectAnswer {
    int http_status = 0; ///< 0: accept; otherwise the upgrade is refused with it
    std::string body = {};
    std::string socket_id = {}; ///< of an accepted connection
};

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0; ///< 0: any free one; start() says which
    std::vector<Endpoint> endpoints = {{}, {"/realtime/v1", Dialect::supabase}};
    /// Judges each connect, on the server's thread. Without one everybody may connect, and then only a loopback
    /// address can be listened on.
    std::function<ConnectAnswer(const ConnectRequest&)> authorize = {};
    bool realtime = true; ///< serve `realtime:*` with Supabase's semantics
    std::size_t max_channels_per_connection = 100;
    std::size_t max_pending_bytes = 8u << 20; ///< of one slow connection; more closes it with 1013
    /// Malformed frames, crashes of handlers, failures of sockets; one line, without secrets. On the server's thread.
    std::function<void(const Error&)> on_error = {};
};

struct Stats {
    std::size_t connections = 0;
    std::size_t topics = 0;
    std::size_t channels = 0; ///< memberships of all topics
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t frames_dropped = 0; ///< malformed ones
};

/// A server for phoenix.js, realtime-js and phx. It runs on a thread of its own from start() to stop(). All members
/// are safe from any thread, except that stop() and the destructor must not be called inside a handler.
class PHX_API Server {
public:
    explicit Server(Options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Serves the topics of a pattern ("room:*", "lobby"). REQUIRES: before start().
    void channel(std::string pattern, Handlers);

    /// Listens and serves; the port. Errors: system_failure (address in use), invalid_argument (open to the network
    /// without `authorize`).
    Result<std::uint16_t> start();
    /// Closes every connection with 1012 and ends the thread. Idempotent.
    void stop();

    /// To every member of a topic.
    void broadcast(std::string topic, std::string event, Payload payload);
    Stats stats() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace phx::server
