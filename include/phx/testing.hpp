#pragma once

#include "phx/export.hpp"
#include "phx/json.hpp"
#include "phx/loop.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/server/server.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Tests of your own code in virtual time: the real client and the real server, a clock that passes only when
/// nothing is left to do, and a network that fails when it is told to. One thread, no socket, no sleep.
///
///     phx::testing::World world(42);                   // a seed
///     world.server().channel("room:*", room);          // phx::server::Handlers
///     phx::Socket socket(world.loop(), world.url());   // the code under test
///     auto lobby = socket.channel("room:lobby");
///     socket.connect();
///     EXPECT_TRUE(lobby.join().wait());
///     world.drop_connections();
///     world.run_for(30s);                              // at once
///     EXPECT_EQ(lobby.state(), phx::ChannelState::joined);
///
/// What is not virtual: threads and clocks of your own (`World::wall_clock()` is the one that the library
/// goes by). What they do is safe, but no longer the same each time.
namespace phx::testing {

/// How connections behave. Bytes are never lost or reordered without a fault.
struct Conditions {
    Millis latency{1};  ///< one way
    Millis jitter{1};   ///< up to this much more
    Millis lifetime{0}; ///< connections break after this long on average; zero: they do not
};

struct Options {
    server::Options server = {}; ///< host and port mean nothing here
    Conditions network = {};
};

/// A frame as the server's end of a connection saw it.
struct Frame {
    Micros at{0}; ///< World::now() then
    protocol::Direction direction = protocol::Direction::to_server;
    std::size_t connection = 0;    ///< 1: the first that was accepted, and so on
    std::string join_ref = "null"; ///< JSON text: a string has its quotes
    std::string ref = "null";
    std::string topic = {};
    std::string event = {};
    std::string status = {}; ///< of replies
    protocol::Opcode kind = protocol::Opcode::text;
    std::string payload = {}; ///< JSON text or bytes; of a reply its response

    Result<Json> json() const { return parse_json(payload); }
};

/// The server of a World: the real one, with the same handlers, dialects and `realtime:*`. Use it on the
/// thread of the World; handlers may call it too, and it acts when they have returned.
class PHX_API Server {
public:
    /// As server::Server::channel(). Throws std::logic_error while the server runs, which it does from the
    /// first connection on: make your channels before, or between stop() and start().
    void channel(std::string pattern, server::Handlers);
    /// As server::Server::effect(); it runs on the thread of the World. Throws as channel() does.
    void effect(std::string name, std::function<void(std::string_view json)>);
    /// To every member of a topic.
    void broadcast(std::string topic, std::string event, server::Payload payload = {});
    /// As server::Server::send(); on the thread of the World it has gone out when this returns.
    server::Delivery send(server::Route, std::string event, server::Payload payload = {},
                          std::function<void(std::size_t count)> on_delivered = {});
    /// As server::Server::request(); `done` is called while time passes.
    void request(server::ClientRequest, std::function<void(const Result<server::Payload>&)> done);
    /// Who is there, to know whom to ask; as server::Server::connections().
    std::vector<std::shared_ptr<const server::Connection>> connections(const server::Route&) const;
    /// As server::Server::emit_change().
    Result<void> emit_change(server::Change);
    /// Closes every connection with this code.
    void disconnect_all(std::uint16_t code = 1012, std::string reason = {});

    /// As server::Server::drain(), while time passes: new connections are refused until stop() and start().
    void drain(Millis spread = Millis(5'000), Millis timeout = Millis(30'000));
    /// Closes every connection with 1012; nobody listens until start(). What channels and presence knew is
    /// gone.
    void stop();
    void start();
    /// A deploy: stop(), and start() after this long.
    void restart(Millis downtime = Millis(1'000));

    /// Frames of clients in the order in which they arrived, heartbeats too.
    std::vector<Frame> received() const;
    std::vector<Frame> received(std::string_view topic, std::string_view event) const;
    /// Frames to clients, also of a script.
    std::vector<Frame> sent() const;
    std::vector<Frame> sent(std::string_view topic, std::string_view event) const;
    /// WebSockets that are open, as far as the server knows.
    std::size_t connections() const;

private:
    friend class World;
    struct Impl;
    explicit Server(Impl& impl) : impl_(impl) {}
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    Impl& impl_;
};

/// The server's end of a connection, in the hands of a script. A handle that may be copied and kept; after
/// the end of the connection its calls do nothing.
class PHX_API Peer {
public:
    /// Answers a push, a join, a leave or a heartbeat; as often as you like.
    void reply(const Frame& to, std::string_view status = "ok", std::string_view json = "{}");
    void push(std::string_view topic, std::string_view event, std::string_view json = "{}");
    /// A WebSocket message as it is, which may be no frame at all.
    void send(std::string_view text);
    void send_binary(Binary bytes);
    void close(std::uint16_t code = 1000, std::string_view reason = {});
    /// Ends the connection without a close frame.
    void drop();

    /// @internal
    struct State;
    /// @internal
    explicit Peer(std::weak_ptr<State> state) : state_(std::move(state)) {}

private:
    std::weak_ptr<State> state_;
};

/// A loop in virtual time, a network and a server. It belongs to one thread. Two Worlds of one seed in which
/// the same happens are the same to the byte and the microsecond, on any machine.
class PHX_API World {
public:
    explicit World(std::uint64_t seed = 0, Options options = {});
    /// As ~Loop: closes every socket, whose pushes finish with `Errc::socket_closed`. Handles and sockets may
    /// outlive it. Must not run inside a handler.
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// For the sockets of the code under test. `Push::wait()` lets time pass; if nothing finishes the push
    /// within a day it gives `Errc::would_deadlock`. `future().get()` would wait for ever: nobody runs the
    /// loop meanwhile.
    Loop& loop() noexcept;
    /// Any other host leads here too, with ws and wss alike: there is no TLS and no proxy.
    std::string url(std::string_view path = "/socket") const;
    Server& server() noexcept;

    // ---- time
    /// Since the World began.
    Micros now() const noexcept;
    /// What the calendar says on both ends: 2026-01-01 00:00 UTC when the World begins. Tokens that the
    /// server is to take are to be made by it.
    std::chrono::system_clock::time_point wall_clock() const noexcept;
    /// As `run_until()` not in handlers: that throws std::logic_error.
    void run_for(Micros);
    /// Until `done`, which is asked whenever something has happened. False after `limit`, or when nothing
    /// happens any more.
    bool run_until(Function<bool()> done, Micros limit = std::chrono::hours(1));

    // ---- faults
    /// Every connection breaks; both ends hear of it, without a close frame.
    void drop_connections();
    /// Every connection breaks and nobody hears of it; only heartbeats and timeouts tell.
    void half_open();
    /// New connections are answered with this HTTP status, 300 to 599, ...
    void refuse(int http_status, std::optional<std::chrono::seconds> retry_after = {});
    /// ... no longer.
    void accept();
    /// For what is sent from now on; the lifetime, for connections from now on.
    void set(Conditions);

    /// Instead of the server: called with each frame of a client, heartbeats too; what it does not answer
    /// stays without an answer. For connections from now on, until it is empty again. What it throws closes
    /// the connection with 1011 and stands in the trace.
    void script(std::function<void(Peer&, const Frame&)>);

    // ---- what happened
    /// Connections that were dialled, with those that were refused.
    std::size_t dialled() const noexcept;
    /// A line for each connection, frame and end, with its time. Print it when a test fails.
    const std::string& trace() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace phx::testing
