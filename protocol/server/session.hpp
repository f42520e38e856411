#pragma once

#include "protocol/realtime/join_request.hpp"
#include "protocol/realtime/postgres_subscription.hpp"
#include "protocol/server/late_replies.hpp"
#include "protocol/server/outputs.hpp"
#include "protocol/server/policy.hpp"
#include "protocol/server/rate_meter.hpp"
#include "protocol/server/registry.hpp"
#include "protocol/server/server_machine.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phx::protocol::server {

enum class TopicIndex : std::uint32_t {};

/// Where a connection finds its channels: few per connection, so a flat list that is scanned by hash.
struct JoinEntry {
    std::uint64_t topic_hash;
    MemberId member;
};

/// `open` until an order to close it was given; then it gets no output and its frames are ignored.
enum class SessionPhase : std::uint8_t { open, closing };

struct SessionRates {
    RateMeter messages = {};
    RateMeter joins = {};
};

struct Session {
    SessionId id = {};
    Vsn vsn = Vsn::v2;
    Dialect dialect = Dialect::phoenix;
    SessionPhase phase = SessionPhase::open;
    bool has_token_deadline = false; ///< in the heap
    bool takes_no_pushes = false;    ///< a drain waits for answers, and does not want more to wait for
    Duration idle_timeout = {};
    TimePoint last_activity = {};
    std::shared_ptr<const phx::server::Connection> connection = {};
    std::optional<TimePoint> token_expires_at = {};
    std::unique_ptr<SessionRates> rates = {}; ///< where they are limited
    std::vector<JoinEntry> joins = {};
    std::vector<Registry::Entry> registered = {}; ///< while it is open
    MemberId inbox = {};                          ///< its membership of the inbox; zero: none
    std::size_t params_bytes = 0;                 ///< of its memberships together
};

/// asked -> joined: the handler accepted. On the way, in this order, where they are needed: delayed
/// (JoinAnswer::delay), subscribing (at the broker), and after the reply to the join unjudged (it waits for
/// the first message) and judging. Any -> ended. An ended member can be looked up until the next call,
/// because its Ended may still be queued.
enum class MemberPhase : std::uint8_t { asked, delayed, subscribing, unjudged, judging, joined, ended };

struct HeldFrame {
    Opcode opcode = Opcode::text;
    std::string data = {};
    std::string scratch = {}; ///< of its decoding: the views of its outputs point here
};

/// What only a join that is not settled yet needs.
struct PendingJoin {
    std::string ref = {};                     ///< JSON token: what the reply to the join echoes
    std::optional<std::string> replaced = {}; ///< join_ref of the membership that this join replaces
    std::vector<HeldFrame> held = {};
    std::size_t held_bytes = 0;
    phx::server::JoinAnswer answer = {}; ///< of a delayed or subscribing one
    realtime::JoinRequest request = {};  ///< of the built-in channel
    bool has_asked_history = false;      ///< at the broker
    /// Publications that are to be replayed, oldest first: what the broker has, and behind it what was
    /// published here since it was asked.
    std::deque<std::shared_ptr<const std::string>> history = {};
};

/// What waits for a member that is asked something else.
struct WaitingQuestion {
    enum class Kind : std::uint8_t { info, out, broker, response } kind = Kind::info;
    std::string event = {}; ///< or what handle_info gets, or the tag of a response
    Payload payload = {};
    std::shared_ptr<const Result<Payload>> answer = {}; ///< of a response
};

/// What only a member with a broker key needs.
struct KeyedMember {
    enum class Asked : std::uint8_t { nothing, question, end };

    std::string key = {};
    Asked asked = Asked::question; ///< what its handlers have not answered yet
    bool was_accepted = false;
    std::optional<EndReason> untold_end = {}; ///< its Ended waits for an answer
    std::vector<HeldFrame> held = {};
    std::size_t held_bytes = 0;
    std::deque<WaitingQuestion> questions = {};
    std::size_t question_bytes = 0;
    std::uint32_t position = 0; ///< in its group, when joined
};

/// What only a member of a machine with peers needs.
struct SubscribedMember {
    std::vector<SubscriptionId> ids = {};
    std::size_t awaited = 0; ///< of them
};

/// What only a member of the built-in `realtime:*` needs.
struct RealtimeMember {
    bool self = false;
    bool ack = false;
    /// Supabase: in a private room only who enabled presence, or has tracked, is told who comes and goes.
    bool watches_presence = true;
    std::string presence_key = {};
    std::vector<realtime::PostgresSubscription> subscriptions = {};
    RateMeter presence_rate = {};
};

/// The token that a channel brought itself.
struct ChannelToken {
    std::shared_ptr<const phx::server::Identity> identity = {}; ///< null: the connection's counts
    std::optional<TimePoint> expires_at = {};
    std::optional<TimePoint> deadline = {}; ///< the earliest in the heap
    std::optional<std::uint64_t> hash = {}; ///< of the last one: it comes often
};

/// One channel of one connection.
struct Membership {
    MemberId id = {};
    SessionId session = {};
    TopicIndex topic = {};
    std::uint32_t position = 0;  ///< in its topic's list, when joined
    std::uint32_t timers = 0;    ///< deadlines in the heap
    std::uint32_t untold_in = 0; ///< the diff that its last change of presence is told in
    std::uint32_t due = 0;       ///< handlers to be called that a timer or a response caused: queued
    MemberPhase phase = MemberPhase::asked;
    Opcode params_kind = Opcode::text;
    bool is_inbox = false;              ///< of the reserved topic, which has no pattern
    bool has_told_of_forgotten = false; ///< that `waiting` was full
    PatternId pattern = {};
    Rights rights = {};
    std::unique_ptr<RealtimeMember> realtime = {}; ///< set: the built-in channel, which has no pattern
    std::unique_ptr<ChannelToken> token = {};      ///< where there can be one: `realtime:*`, the inbox
    std::unique_ptr<PendingJoin> pending = {};
    std::unique_ptr<KeyedMember> keyed = {};
    std::unique_ptr<SubscribedMember> subscribed = {};
    std::unique_ptr<phx::server::Actions> then = {}; ///< of the join, of one that is not judged yet
    std::shared_ptr<const phx::server::Connection> connection = {};
    std::string join_ref = {};    ///< JSON token, as sent: what phx_close and phx_error carry
    std::string channel_ref = {}; ///< of replies and pushes: the ref of the join when it had no join_ref
    std::string params = {};
    std::size_t params_bytes = 0; ///< of the join, also where `params` is not kept
    std::string state = {};
    LateReplies waiting = {};
    TimePoint reply_timer = TimePoint::max(); ///< the soonest that is in the heap
    std::vector<std::string> presence_keys = {};
    std::vector<RequestId> requests = {}; ///< to this client, without a response yet
};

} // namespace phx::protocol::server
