#pragma once

#include "phx/server/server.hpp"
#include "protocol/server/server_machine.hpp"
#include "protocol/wire/websocket_frame.hpp"
#include "src/loop/loop_core.hpp"
#include "src/lws/server_stream.hpp"
#include "src/server/broker_port.hpp"
#include "src/server/connection.hpp"
#include "src/server/deadlines.hpp"
#include "src/server/listener.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace phx::shell {

/// Written by the loop thread alone, read by any.
struct Counters {
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> topics{0};
    std::atomic<std::size_t> channels{0};
    std::atomic<std::uint64_t> frames_in{0};
    std::atomic<std::uint64_t> frames_out{0};
    std::atomic<std::uint64_t> frames_dropped{0};
    std::atomic<std::uint64_t> slow_consumers{0};
};

using Patterns = std::vector<std::pair<std::string, phx::server::Handlers>>;
using Effects = std::map<std::string, std::function<void(std::string_view)>, std::less<>>;

/// What the user made of the server.
struct Application {
    Patterns patterns = {};
    Effects effects = {};
};

/// The server on one loop: drives the machine, runs the handlers, owns the connections. Loop thread only.
/// Exported for phx_testing.
///
///     bytes -> Connection -> ServerMachine -> handler -> ServerMachine -> Connection -> one write per turn
class PHX_API Shard final : public LoopMember {
public:
    Shard(LoopCore&, const phx::server::Options&, Application, std::shared_ptr<Counters>);
    ~Shard() override;

    /// Before the first accept() of a descriptor. Throws std::system_error.
    void open_sockets();
    /// `accepted` gets what connects, for a shard of its choice.
    void listen(ListeningSocket, Function<void(AcceptedSocket, std::string peer)> accepted);
    void accept(AcceptedSocket, std::string peer);
    void accept(std::unique_ptr<VirtualStream>, std::string peer);
    void broadcast(std::string_view topic, std::string_view event, phx::server::PayloadView);
    /// Closes every WebSocket.
    void close_all(std::uint16_t code, std::string_view reason);
    /// Closes every WebSocket with 1012; waits for their answers no longer than Timeouts::stop.
    void loop_stopping() override;

    // ---- for its connections
    LoopCore& loop() noexcept { return loop_; }
    BufferPool& buffers() noexcept { return buffers_; }
    const phx::server::Options& options() const noexcept { return options_; }
    protocol::FrameWriter& close_writer() noexcept { return close_writer_; }
    void set_deadline(Connection&, DeadlineKind);
    phx::server::ConnectAnswer judge(const phx::server::ConnectRequest&) noexcept;
    void open_session(Connection&, UpgradeRequest, phx::server::ConnectAnswer);
    void receive(Connection&, protocol::Opcode, std::string_view payload);
    void note_activity(Connection&);
    /// Once per session; its members end before the next output, or before this returns.
    void end_session(Connection&);
    void report_broken_frame(const Connection&, const protocol::WebSocketEvent&);
    void count_slow_consumer(const Connection&);
    /// Destroys it.
    void remove(Connection&);

private:
    struct Later {
        enum class What : std::uint8_t { activity, closed } what;
        protocol::server::SessionId session;
    };

    Connection& add_connection(std::string peer);
    Connection* find(protocol::server::SessionId) const noexcept;
    void pump();
    void carry_out_later(Later);
    /// Stopping: when nobody is connected and every entity is stored, or the time is over.
    void leave_if_done();
    void tick();
    void arm_timer();
    void publish_sizes() noexcept;
    void log(LogLevel, const std::string& line) noexcept;
    void log_connection(const Connection&, const char* what) noexcept;
    void report(const Error&) noexcept;
    void report(const Connection*, const Error&) noexcept;

    // orders and questions of the machine
    void on(const protocol::server::act::Send&);
    void on(const protocol::server::act::Fanout&);
    void on(const protocol::server::act::Close&);
    void on(const protocol::server::act::CloseIfIdle&);
    void on(const protocol::server::event::JoinAsked&);
    void on(const protocol::server::event::MessageIn&);
    void on(const protocol::server::event::MessageOut&);
    void on(const protocol::server::event::InfoDue&);
    void on(const protocol::server::event::Ended&);
    void on(const protocol::server::event::FrameDropped&);
    void on(const protocol::server::RareOutput& rare) {
        std::visit([this](const auto& item) { on(item); }, rare);
    }
    void on(const protocol::server::event::FirstMessage&);
    void on(const protocol::server::event::BrokerMessage&);
    void on(const protocol::server::act::Subscribe& order) { broker_port_.on(order); }
    void on(const protocol::server::act::Unsubscribe& order) { broker_port_.on(order); }
    void on(const protocol::server::act::Publish& order) { broker_port_.on(order); }
    void on(const protocol::server::act::PutPresence& order) { broker_port_.on(order); }
    void on(const protocol::server::act::DropPresence& order) { broker_port_.on(order); }
    void on(const protocol::server::act::RunEffect&);

    /// What a handler is asked: see shard_handlers.cpp.
    struct Call;
    /// Calls `handler(context, handlers)` for a member. False if the member is gone or the handler threw,
    /// which is reported.
    template <class Handler> bool run_handler(const Call&, Handler&&);
    /// Runs a handler, inside a swap of the entity if the channel has a broker key, and gives its answer to
    /// `apply`.
    template <class Answer, class Handler, class Apply> void run(Call, Handler, Apply);
    template <class Answer, class Handler, class Apply>
    void run_in_swap(Call, const std::string& key, Handler, Apply);
    template <class Message, class CallHandler> void run_message(const Message&, Call, CallHandler);

    LoopCore& loop_;
    const phx::server::Options& options_;
    const std::shared_ptr<Counters> counters_;
    const protocol::server::ServerConfig config_;
    protocol::server::ServerMachine machine_;
    const Patterns patterns_; // by PatternId, see add_patterns()
    const Effects effects_;
    const std::shared_ptr<phx::server::Broker> broker_;
    BrokerPort broker_port_;
    protocol::FrameWriter close_writer_{protocol::WebSocketRole::server};
    BufferPool buffers_;
    Deadlines deadlines_;
    LoopTimer timer_;
    lws_vhost* vhost_ = nullptr;
    std::optional<Acceptor> acceptor_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> by_slot_;
    std::vector<Later> later_;
    std::string fanout_frame_;
    std::optional<protocol::TimePoint> stop_deadline_;
    std::size_t pending_swaps_ = 0;
    bool has_left_ = false;
    bool is_pumping_ = false;
};

} // namespace phx::shell
