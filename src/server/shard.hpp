#pragma once

#include "phx/server/server.hpp"
#include "protocol/server/server_machine.hpp"
#include "protocol/wire/websocket_frame.hpp"
#include "src/loop/loop_core.hpp"
#include "src/lws/server_stream.hpp"
#include "src/server/broker_port.hpp"
#include "src/server/connection.hpp"
#include "src/server/connection_limits.hpp"
#include "src/server/deadlines.hpp"
#include "src/server/listener.hpp"
#include "src/server/polling_client.hpp"
#include "src/server/shard_group.hpp"
#include "src/server/token_slot.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace phx::shell {

using Patterns = std::vector<std::pair<std::string, phx::server::Handlers>>;
using Effects = std::map<std::string, std::function<void(std::string_view)>, std::less<>>;

/// What the user made of the server.
struct Application {
    Patterns patterns = {};
    Effects effects = {};
    std::string server =
        {}; ///< differs from those of the broker's other servers; empty: a server of one shard
};

/// The server on one loop: drives the machine, runs the handlers, owns the connections. Loop thread only.
/// Exported for phx_testing.
///
///     bytes -> Connection -> ServerMachine -> handler -> ServerMachine -> Connection -> one write per turn
class PHX_API Shard final : public LoopMember {
public:
    /// Connections come by accept().
    Shard(LoopCore&, const phx::server::Options&, Application, std::shared_ptr<const TokenSlot>,
          std::shared_ptr<ConnectionLimits>, std::shared_ptr<Counters>);
    ~Shard() override;

    /// What the ids of its connections begin with.
    const std::string& node() const noexcept { return config_.node; }
    /// Of a server with several shards: which of them this one is.
    void join_group(std::shared_ptr<const ShardGroup> group, std::size_t index) {
        group_ = std::move(group);
        index_ = index;
    }
    /// Before the first accept() of a descriptor. Throws std::system_error.
    void open_sockets();
    /// `accepted` gets what connects, for a shard of its choice.
    void listen(ListeningSocket, Function<void(AcceptedSocket, std::string peer)> accepted);
    void accept(AcceptedSocket, std::string peer, ConnectionLimits::Place);
    /// Not counted: it has no address.
    void accept(std::unique_ptr<VirtualStream>, std::string peer);
    /// Of connections from now on; null: plain ones.
    void set_tls(TlsContext context) { tls_ = std::move(context); }
    void set_policies(std::vector<phx::server::Policy>);
    void set_rates(const phx::server::Rates& rates) { machine_.set_rates(rates); }
    void set_allowed_origins(std::vector<std::string> origins) {
        options_.allowed_origins = std::move(origins);
    }
    void broadcast(std::string_view topic, std::string_view event, phx::server::PayloadView);
    using Reach = protocol::server::Reach;
    /// Not inside a handler, whose views it would end; to how many.
    std::size_t send(const phx::server::Route&, std::string_view event, phx::server::PayloadView, Reach);
    void tell_delivered(const std::function<void(std::size_t)>& on_delivered, std::size_t count) noexcept;
    std::size_t disconnect(const phx::server::Route&, std::uint16_t code, Reach);
    using AnswerHandler = std::function<void(const Result<phx::server::Payload>&)>;
    void request(const phx::server::ClientRequest&, AnswerHandler);
    void notify(const phx::server::ClientRequest&);
    /// `done(true)` when every session was closed in order, `done(false)` when the rest was cut off.
    void drain(protocol::Duration spread, protocol::Duration timeout, Function<void(bool)> done);
    bool is_draining() const noexcept { return machine_.is_draining(); }
    const protocol::server::ServerMachine& machine() const noexcept { return machine_; }
    void emit_change(phx::server::Change); // a valid one
    /// Closes every WebSocket.
    void close_all(std::uint16_t code, std::string_view reason);
    /// Closes every WebSocket with 1012; waits for their answers no longer than Timeouts::stop.
    void loop_stopping() override;

    // ---- for its connections
    LoopCore& loop() noexcept { return loop_; }
    BufferPool& buffers() noexcept { return buffers_; }
    const phx::server::Options& options() const noexcept { return options_; }
    protocol::FrameWriter& close_writer() noexcept { return close_writer_; }
    void set_deadline(Deadline&, DeadlineKind);
    /// Whether tokens are verified, and so taken out of the params.
    TokenUse token_use() const { return tokens_->get() ? TokenUse::verified : TokenUse::none; }
    phx::server::ConnectAnswer judge(const ConnectAttempt&, const std::string& peer);
    void open_session(Transport&, ConnectAttempt, const std::string& peer, phx::server::ConnectAnswer);
    void receive(Transport&, protocol::Opcode, std::string_view payload);
    void note_activity(Transport&);
    /// Once per session; its members end before the next output, or before this returns.
    void end_session(Transport&);
    /// Before the body of a request is read: why there is no use in it. Finds the caller.
    std::optional<HttpAnswer> admit(const ServiceRequest&, HttpExchange&);
    /// REQUIRES admit()
    void serve(const ServiceRequest&, const std::shared_ptr<HttpExchange>&);
    void report_broken_frame(const Connection&, const protocol::WebSocketEvent&);
    void report_tls_failure(const Connection&, std::string_view reason);
    /// Of one that is closed unheard.
    void count_refusal(Crowded);
    void report_refusal(Crowded, const std::string& peer);
    void count_slow_consumer(const Transport&, std::size_t pending_bytes);
    void count_timeout(DeadlineKind) noexcept;
    void count_hit(phx::server::Limit limit) noexcept {
        counters_->limit_hits[static_cast<std::size_t>(limit)].add();
    }
    void report_bad_post(const Transport&, std::string_view what);
    /// Long poll carries text alone.
    void report_unpollable(const Transport&);
    /// These destroy it.
    void remove(Connection&);
    void remove(PollingClient&);

private:
    // the HTTP API
    /// Why the caller is refused.
    std::optional<HttpAnswer> judge_caller(Service, const HttpExchange&, Caller&);
    HttpAnswer serve_status_page();
    void serve_broadcast(const std::shared_ptr<HttpExchange>&);
    struct Batch;
    /// The next part of it, and the others in the turns to come: between them those who get it take what
    /// there is, and others are served.
    void send_batch(const std::shared_ptr<Batch>&);
    HttpAnswer serve_broadcast_one(const ServiceRequest&, const HttpExchange&, const Caller&);
    HttpAnswer serve_ready() const;
    HttpAnswer serve_metrics() const;
    // These ask all shards of the server.
    void serve_send(const std::shared_ptr<HttpExchange>&);
    void serve_disconnect(const std::shared_ptr<HttpExchange>&);
    void serve_changes(const std::shared_ptr<HttpExchange>&);
    using Changes = std::shared_ptr<const std::vector<phx::server::Change>>;
    /// From that one on, in parts as send_batch().
    void emit_changes(const std::shared_ptr<HttpExchange>&, const Changes&, std::size_t first);
    void serve_connections(const std::shared_ptr<HttpExchange>&);
    void serve_topics(const std::shared_ptr<HttpExchange>&);
    /// As ShardGroup::gather(), of a single shard at once.
    template <class Answer, class Question, class Done> void gather(Question question, Done done) {
        if (group_) return group_->gather<Answer>(index_, std::move(question), std::move(done));
        std::vector<Answer> answers;
        answers.push_back(question(*this, 0));
        done(*this, std::move(answers));
    }
    void serve_poll(const ConnectAttempt&, const std::shared_ptr<HttpExchange>&);
    HttpAnswer open_poll(const ConnectAttempt&, const HttpExchange&);
    std::optional<HttpAnswer> admit_post(const HttpExchange&) const;
    /// To the shard that has the session.
    void forward_poll(const Worker& owner, const std::shared_ptr<HttpExchange>&);
    void take_forwarded_poll(const std::shared_ptr<HttpExchange>&);

    struct Later {
        enum class What : std::uint8_t { activity, closed } what;
        protocol::server::SessionId session;
    };

    Connection& add_connection(std::string peer, ConnectionLimits::Place);
    Transport* find(protocol::server::SessionId) const noexcept;
    /// Each may be closed, which removes it.
    std::vector<PollingClient*> polling_clients() const;
    void pump();
    void carry_out_later(Later);
    /// What is done once for all the calls of a turn.
    void end_turn();
    /// Stopping: when nobody is connected and every entity is stored, or the time is over.
    void leave_if_done();
    void tick();
    void tell_unix_time();
    protocol::TimePoint loop_time(std::chrono::system_clock::time_point) const noexcept;
    protocol::server::TokenVerdict judge_token(protocol::server::MemberId, std::string_view token);
    /// For the machine: the time of the read at hand, for all its messages and what they cause, so that the
    /// clock is read once for many; outside of a read what the clock says. A timer that a handler asks for
    /// may so be early by what the messages before took, never late.
    protocol::TimePoint now() const noexcept;
    void arm_timer();
    void publish_sizes() noexcept;
    void publish_limit_hits() noexcept;
    bool serves_http() const;
    void look_at_drain();
    void finish_drain(bool is_in_order);
    void log(LogLevel, const std::string& line) noexcept;
    void tell_connection(const Transport&, phx::server::ConnectionChange) noexcept;
    void report(const Error&) noexcept;
    void report(const Transport*, const Error&) noexcept;
    /// Calls what a user gave; what it throws is reported.
    template <class Callback> void call_back(const char* name, Callback&&) noexcept;
    phx::server::ConnectAnswer refuse_token(const phx::server::TokenRefusal&, phx::server::Dialect,
                                            const std::string& peer);
    phx::server::ConnectAnswer ask_user(const phx::server::ConnectRequest&) noexcept;

    // orders and questions of the machine
    void on(const protocol::server::act::Send&);
    void on(const protocol::server::act::Fanout&);
    void on(const protocol::server::act::Close&);
    void on(const protocol::server::act::CloseIfIdle&);
    void on(const protocol::server::event::JoinAsked&);
    void on(const protocol::server::event::MessageIn&);
    void on(const protocol::server::event::MessageOut&);
    void on(const protocol::server::event::InfoDue&);
    void on(const protocol::server::event::ResponseIn&);
    void on(const protocol::server::event::RequestFinished&);
    void on(const protocol::server::event::LateResponse&);
    void on(const protocol::server::event::Ended&);
    void on(const protocol::server::event::TokenAsked&);
    void on(const protocol::server::event::FrameDropped&);
    void on(const protocol::server::RareOutput& rare) {
        std::visit([this](const auto& item) { on(item); }, rare);
    }
    void on(const protocol::server::event::FirstMessage&);
    void on(const protocol::server::event::BrokerMessage&);
    void on(const protocol::server::act::Subscribe& order) { broker_port_.on(order); }
    void on(const protocol::server::act::Unsubscribe& order) { broker_port_.on(order); }
    void on(const protocol::server::act::Publish& order) { broker_port_.on(order); }
    void on(const protocol::server::act::ReadHistory& order) { broker_port_.on(order); }
    void on(const protocol::server::act::PutPresence& order) { broker_port_.on(order); }
    void on(const protocol::server::act::DropPresence& order) { broker_port_.on(order); }
    void on(const protocol::server::act::RunEffect&);

    /// What a handler is asked: see shard_handlers.cpp.
    struct Call;
    /// Calls `handler(context, handlers)` for a member. False if the member is gone or the handler threw,
    /// which is reported.
    template <class Handler> bool run_handler(const Call&, Handler&&);
    template <class Handler>
    bool run_handler(const Call&, const protocol::server::ServerMachine::Member&, Handler&&);
    /// Runs a handler, inside a swap of the entity if the channel has a broker key, and gives its answer to
    /// `apply`.
    template <class Answer, class Handler, class Apply> void run(Call, Handler, Apply);
    template <class Answer, class Handler, class Apply>
    void run_here(const Call&, const protocol::server::ServerMachine::Member&, Handler&, Apply&);
    template <class Answer, class Handler, class Apply>
    void run_in_swap(Call, const std::string& key, Handler, Apply);
    template <class Message, class CallHandler> void run_message(const Message&, Call, CallHandler);

    LoopCore& loop_;
    phx::server::Options options_; // its own: the allowed origins change while it runs
    const std::shared_ptr<const TokenSlot> tokens_;
    const std::shared_ptr<ConnectionLimits> limits_; // of all shards
    const std::shared_ptr<Counters> counters_;
    const protocol::server::ServerConfig config_;
    protocol::server::ServerMachine machine_;
    const Patterns patterns_; // by PatternId, see add_patterns()
    const Effects effects_;
    const std::shared_ptr<phx::server::Broker> broker_;
    BrokerPort broker_port_;
    std::shared_ptr<const ShardGroup> group_; // null: this is the only one
    std::size_t index_ = 0;                   // in it
    protocol::FrameWriter close_writer_{protocol::WebSocketRole::server};
    BufferPool buffers_;
    Deadlines deadlines_;
    LoopTimer timer_;
    lws_vhost* vhost_ = nullptr;
    TlsContext tls_;
    std::optional<Acceptor> acceptor_;
    std::vector<std::unique_ptr<Connection>> connections_;
    /// By token. Shared with the request at hand, in which a session may end.
    std::unordered_map<std::string, std::shared_ptr<PollingClient>> polling_;
    std::vector<Transport*> by_slot_;
    std::vector<Later> later_;
    std::unordered_map<protocol::server::RequestId, AnswerHandler> requests_; // that have not finished
    std::string fanout_frame_;
    std::vector<Function<void(bool)>> drains_; // that wait for the end of the drain
    std::optional<protocol::TimePoint> stop_deadline_;
    std::size_t pending_swaps_ = 0;
    std::optional<protocol::TimePoint> read_at_; // what is being received
    bool has_left_ = false;
    bool is_pumping_ = false;
    protocol::TimePoint drain_end_{}; // of drains_
    std::optional<protocol::TimePoint> next_drain_look_;
    bool has_turn_end_ = false; // posted
};

} // namespace phx::shell
