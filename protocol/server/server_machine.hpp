#pragma once

#include "phx/protocol/codec.hpp"
#include "phx/result.hpp"
#include "phx/server/actions.hpp"
#include "phx/server/change.hpp"
#include "phx/server/connection.hpp"
#include "phx/server/history.hpp"
#include "phx/server/limit.hpp"
#include "phx/server/policy.hpp"
#include "phx/server/presence_entry.hpp"
#include "phx/server/rates.hpp"
#include "phx/server/route.hpp"
#include "phx/server/topic_count.hpp"
#include "protocol/server/outputs.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::server {

enum class Dialect : std::uint8_t { phoenix, supabase };

/// Whether other nodes may share what this one has, by a broker. Without, nothing waits and nothing is told.
enum class Peers : std::uint8_t { none, possible };

struct ServerConfig {
    /// First part of connection ids; differs among the machines that know of each other.
    std::string node = "0";
    Peers peers = Peers::none;
    /// The same for the machines of one server, and no other; empty: it is the only one.
    std::string server = {};
    std::uint64_t seed = 0; ///< of presence refs and presence keys, which tell it to every peer
    /// Of topic hashes: drawn independently of `seed`, so that peers cannot choose names that collide.
    std::uint64_t hash_seed = 0;
    bool realtime = true; ///< `realtime:*` is built in
    std::size_t max_channels_per_session = 100;
    std::size_t max_topic_bytes = 255;
    /// Of a ref or join_ref, a string without its quotes; a frame with a longer one is malformed.
    std::size_t max_ref_bytes = 1024;
    std::size_t max_params_bytes_per_session = 1u << 20; ///< sum of the join payloads of its channels
    /// Per channel whose join, or question with a broker key, is not answered yet.
    std::size_t max_held_frames = 64;
    std::size_t max_held_bytes = 1u << 20; ///< likewise
    std::size_t max_held_questions = 1024; ///< of a channel with a broker key; one more crashes it
    /// A join that waits longer for the broker is refused.
    Duration subscribe_timeout = std::chrono::seconds(5);
    /// Per channel, of pushes without a reply. Beyond it the oldest can no longer be answered, which is
    /// reported once per channel: handlers that never reply are no fault.
    std::size_t max_waiting_replies = 256;
    std::size_t max_requests_per_channel = 256;      ///< to a client, without a response yet; one more fails
    std::size_t max_timers_per_channel = 256;        ///< of Actions::after; one more crashes the channel
    std::size_t max_presence_meta_bytes = 64u << 10; ///< of one meta as JSON; a larger one ends the channel
    std::size_t max_presence_keys_per_member = 16;   ///< of Actions::track; one more crashes the channel
    Limits limits = {};

    // ---- what only `realtime:*` has, but for the policies
    bool verifies_tokens = false; ///< asks event::TokenAsked; otherwise tokens of channels are ignored
    bool private_only = false;    ///< refuses public channels
    std::vector<phx::server::Policy> policies = {};
    phx::server::Rates rates = {};
    std::vector<phx::server::History> history = {};
    std::size_t max_history_bytes = 64u << 20; ///< of all topics
    /// Of a broadcast's payload as it travels, so mostly JSON. Supabase: 3000 kB and 500 bytes, counted in
    /// Erlang's external format.
    std::size_t max_broadcast_bytes = 3'000'500;
    std::size_t max_metas_per_topic = 100'000; ///< of presence, of any topic
    /// Of presence_state as JSON, likewise; what other nodes bring counts and is not refused. Who joins is
    /// sent all of it at once, so it has to fit into what may wait for a slow client.
    std::size_t max_presence_bytes_per_topic = 4u << 20;
    /// Of the broadcasts that are replayed to one join, as they are kept; likewise sent at once.
    std::size_t max_replay_bytes = 4u << 20;
    std::size_t max_subscriptions_per_channel = 100; ///< entries of postgres_changes
};

/// What a token is worth.
struct TokenVerdict {
    std::shared_ptr<const phx::server::Identity> identity = {}; ///< null: refused
    std::optional<TimePoint> expires_at = {};
    std::string join_reason = {};    ///< of a refused one: "InvalidJWTToken: Token has expired 5 seconds ago"
    std::string system_message = {}; ///< likewise: "Token has expired 5 seconds ago"
};

struct SessionConfig {
    Vsn vsn = Vsn::v2;
    Dialect dialect = Dialect::phoenix;
    Duration idle_timeout = std::chrono::seconds(60); ///< zero or less: none
    phx::server::Connection record = {};              ///< but for its id, which the machine gives
    std::optional<TimePoint> token_expires_at = {};   ///< Connection::expires_at in the machine's time
};

/// Who hears of a command: this machine, or also those of other servers (ServerConfig::server).
enum class Reach : std::uint8_t { here, other_servers };

/// What the handlers of a pattern want to be asked.
struct ChannelTraits {
    enum class First : std::uint8_t { as_any, judged } first_message = First::as_any;
    enum class Published : std::uint8_t { pushed, asked } published = Published::pushed;
};

/// Whether a message can be sent to somebody at least. Errors: invalid_argument (no event), invalid_utf8 (the
/// event), invalid_payload (no JSON), field_too_long (an event of over 255 bytes with bytes).
Result<void> check_message(std::string_view event, PayloadView);

struct RealtimeBroadcast {
    /// What members that speak version 2 get: text, or Supabase's kind 4. Bytes are always kind 4.
    enum class Form : std::uint8_t { text, user_broadcast };

    std::string_view topic; ///< with `realtime:`
    std::string_view event;
    PayloadView payload;
    bool is_private = false;
    Form form = Form::text;
    /// Whose rights count; null: everything is allowed.
    const phx::server::Identity* writer = nullptr;
};

/// Whether broadcasts that come by HTTP keep to Rates::messages_per_topic.
enum class RateVerdict : std::uint8_t {
    within,
    exceeded,       ///< later they may
    batch_too_large ///< more for one topic than the limit: they never will
};

/// What is wrong with a change, for ServerMachine::emit_change(). Errors: invalid_argument.
Result<void> check(const phx::server::Change&);

/// The whole server without its sockets, for one loop: sessions, topics, presence, `realtime:*`.
///
/// Contract: as ClientMachine. After every non-const call drain poll(); carry out orders in order; answer
/// each question as it comes (the answer's own outputs queue behind what is there). Views in outputs, and
/// what members point to, live until the next handle_*() or command of the shell; answers do not end them,
/// except `state`, which SetState replaces.
/// All sessions share one output queue and one scratch: a session owns neither.
class ServerMachine {
public:
    explicit ServerMachine(const ServerConfig&);
    ~ServerMachine();
    ServerMachine(const ServerMachine&) = delete;
    ServerMachine& operator=(const ServerMachine&) = delete;

    // ---- set-up
    /// First pattern that matches wins; they are asked before the built-in `realtime:*`, which a catch-all
    /// "*" leaves alone.
    PatternId add_channel(std::string pattern, std::vector<std::string> intercepts = {}, ChannelTraits = {});

    // ---- reports of the shell
    SessionId handle_open(TimePoint now, SessionConfig);
    /// Outputs point into `data`: it lives until they are drained.
    void handle_frame(TimePoint now, SessionId, Opcode, std::string_view data);
    /// The transport has received something that is no frame (a ping).
    void handle_activity(TimePoint now, SessionId);
    void handle_closed(TimePoint now, SessionId);

    // ---- reports of the broker
    /// With who is present at other nodes.
    void handle_subscribed(TimePoint now, SubscriptionId,
                           const std::vector<phx::server::PresenceEntry>& present);
    void handle_subscribe_failed(TimePoint now, SubscriptionId);
    void handle_history(TimePoint now, MemberId, std::vector<std::shared_ptr<const std::string>>);
    void handle_history_failed(TimePoint now, MemberId);
    void handle_publication(TimePoint now, std::string_view ns, std::string_view key, std::string_view bytes);
    void handle_presence(TimePoint now, std::string_view ns, std::string_view key,
                         const std::vector<phx::server::PresenceEntry>& joined,
                         const std::vector<phx::server::PresenceEntry>& left);

    // ---- answers of the handlers
    /// Of a member whose JoinAsked is not answered yet.
    void set_broker_key(MemberId, std::string key);
    void answer_join(TimePoint now, MemberId, phx::server::JoinAnswer);
    /// Its delay is ignored.
    void answer_first(TimePoint now, MemberId, ReplyTo message, const phx::server::JoinAnswer&);
    /// `message`: what the question was about, so that Actions::reply answers it; ReplyTo{} if it was no
    /// push.
    void apply(TimePoint now, MemberId, ReplyTo message, const phx::server::Actions&);
    void answer_token(TimePoint now, MemberId, TokenVerdict);
    /// Of Ended: what needs a client is ignored.
    void apply_closed(TimePoint now, MemberId, const phx::server::Actions&);
    /// The handler threw, or what `reason` says: phx_error to the client, the membership ends. Of a join: an
    /// error reply, by default "join crashed".
    void crash(TimePoint now, MemberId, std::string_view reason = {});

    // ---- commands
    /// What a calendar says now, since 1970: for the times of history and changes. Without it `now` counts
    /// from there.
    void set_unix_time(TimePoint now, std::chrono::microseconds since_1970);
    /// Every member is judged anew; who may no longer be where it is, is told and out.
    void set_policies(TimePoint now, std::vector<phx::server::Policy>);
    void set_rates(const phx::server::Rates&);
    void broadcast(TimePoint now, std::string_view topic, std::string_view event, PayloadView);
    /// To the members of a topic, or to the inboxes of the connections that the route names: how many of this
    /// machine get it. Nobody does what it cannot be encoded for: bytes over v1, an event of over 255 bytes
    /// with them.
    std::size_t send(TimePoint now, const phx::server::Route&, std::string_view event, PayloadView,
                     Reach = Reach::here);
    /// Closes what the route names; how many there were in this machine.
    std::size_t disconnect(TimePoint now, const phx::server::Route&, std::uint16_t code, Reach = Reach::here);
    /// As REST does: to the members of the public or the private room of a built-in `realtime:*` topic, or,
    /// where users serve that topic, as broadcast(); kept where there is history. How many got it; none: the
    /// policies do not allow it. Other nodes hear of it and are not counted.
    std::optional<std::size_t> broadcast_realtime(TimePoint now, const RealtimeBroadcast&);
    /// Before broadcast_realtime() of what came in one request: counts all of it in the rates of its topics,
    /// or, if it does not keep to them, nothing. What its writer may not send does not count. A topic that
    /// nobody is in has no rate.
    RateVerdict admit(TimePoint now, std::span<const RealtimeBroadcast>);
    /// Asks a client that has joined the topic (protocol/wire/rpc.hpp); ends in one RequestFinished. Errors:
    /// not_joined, buffer_full (max_requests_per_channel), and those of build_rpc_request(); of the end:
    /// rejected (the client says so), timeout, channel_closed, disconnected.
    Result<RequestId> request(TimePoint now, std::string_view connection_id, std::string_view topic,
                              std::string_view method, PayloadView params, Duration timeout);
    /// A request that nobody answers. Errors: likewise.
    Result<void> notify(TimePoint now, std::string_view connection_id, std::string_view topic,
                        std::string_view method, PayloadView params);
    /// A row changed: to those who subscribed to it. Errors: invalid_argument.
    Result<void> emit_change(TimePoint now, phx::server::Change);
    /// Closes every session with this socket id: 1001 as Phoenix 1.8. Channels of `realtime:*` are told
    /// "Server requested disconnect" before.
    void disconnect(TimePoint now, std::string_view socket_id);
    void disconnect_user(TimePoint now, std::string_view user_id);
    /// Refuses joins from now on, and closes the sessions with 1012, each at a moment of its own within
    /// `spread`. One that something accepted is still to be answered for is closed when that is done: a join,
    /// a request to it, a question with a broker key, a push whose handler left it unanswered and asked to be
    /// called later. Who is left at
    /// `timeout` is closed then. A second call does nothing.
    void drain(TimePoint now, Duration spread, Duration timeout);
    bool is_draining() const noexcept;
    /// The drain came to its timeout.
    bool has_cut_off() const noexcept;
    /// Closes every session with 1012, as Phoenix and Supabase do on SIGTERM.
    void close_all(TimePoint now);

    // ---- time
    /// The shell has reported what there was, and is about to wait. Changes of presence are told now, those
    /// of a topic in one diff. True: there may be outputs; drain poll(), and call it again.
    bool handle_turn_end();
    void handle_timeout(TimePoint now);
    std::optional<TimePoint> next_timeout() const;

    // ---- outputs
    /// Gives no question about a membership that has ended since it arose.
    std::optional<Output> poll();

    // ---- look-ups
    struct Member {
        SessionId session;
        const phx::server::Connection* connection;
        std::string_view topic;
        std::string_view params;
        std::string_view state;
        std::string_view join_ref;     ///< JSON text
        const std::string* broker_key; ///< null: none
    };
    std::optional<Member> member(MemberId) const;
    /// Of an open session; null for any other.
    std::shared_ptr<const phx::server::Connection> connection(SessionId) const;
    /// Null if it is not open.
    std::shared_ptr<const phx::server::Connection> connection(std::string_view id) const;
    /// Who is open and named by the route, in no order; of a topic its members.
    std::vector<std::shared_ptr<const phx::server::Connection>> connections(const phx::server::Route&) const;
    /// By name, those behind `after`.
    std::vector<phx::server::TopicCount> topics(std::string_view after, std::size_t limit) const;
    std::size_t sessions() const noexcept;
    std::size_t topics() const noexcept;
    std::size_t members() const noexcept;
    /// Which limits were hit since the last call; none: no limit.
    std::optional<phx::server::LimitHits> take_limit_hits() noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace phx::protocol::server
