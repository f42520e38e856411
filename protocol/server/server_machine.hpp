#pragma once

#include "phx/protocol/codec.hpp"
#include "phx/server/actions.hpp"
#include "phx/server/connection.hpp"
#include "phx/server/presence_entry.hpp"
#include "protocol/server/outputs.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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
    std::size_t max_timers_per_channel = 256;        ///< of Actions::after; one more crashes the channel
    std::size_t max_presence_meta_bytes = 64u << 10; ///< of one meta as JSON; a larger one ends the channel
    std::size_t max_presence_keys_per_member = 16;   ///< of Actions::track; one more crashes the channel
    Limits limits = {};
};

struct SessionConfig {
    Vsn vsn = Vsn::v2;
    Dialect dialect = Dialect::phoenix;
    Duration idle_timeout = std::chrono::seconds(60); ///< zero or less: none
    phx::server::Connection record = {};              ///< but for its id, which the machine gives
    std::optional<TimePoint> token_expires_at = {};   ///< Connection::expires_at in the machine's time
};

/// What the handlers of a pattern want to be asked.
struct ChannelTraits {
    enum class First : std::uint8_t { as_any, judged } first_message = First::as_any;
    enum class Published : std::uint8_t { pushed, asked } published = Published::pushed;
};

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
    void handle_frame(TimePoint now, SessionId, Opcode, std::string_view data);
    /// The transport has received something that is no frame (a ping).
    void handle_activity(TimePoint now, SessionId);
    void handle_closed(TimePoint now, SessionId);

    // ---- reports of the broker
    /// With who is present at other nodes.
    void handle_subscribed(TimePoint now, SubscriptionId,
                           const std::vector<phx::server::PresenceEntry>& present);
    void handle_subscribe_failed(TimePoint now, SubscriptionId);
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
    /// Of Ended: what needs a client is ignored.
    void apply_closed(TimePoint now, MemberId, const phx::server::Actions&);
    /// The handler threw, or what `reason` says: phx_error to the client, the membership ends. Of a join: an
    /// error reply, by default "join crashed".
    void crash(TimePoint now, MemberId, std::string_view reason = {});

    // ---- commands
    void broadcast(TimePoint now, std::string_view topic, std::string_view event, PayloadView);
    /// Closes every session with this socket id: 1001 as Phoenix 1.8.
    void disconnect(TimePoint now, std::string_view socket_id);
    void disconnect_user(TimePoint now, std::string_view user_id);
    /// Closes every session with 1012, as Phoenix and Supabase do on SIGTERM.
    void close_all(TimePoint now);

    // ---- time
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
    std::size_t sessions() const noexcept;
    std::size_t topics() const noexcept;
    std::size_t members() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace phx::protocol::server
