#pragma once

#include "protocol/server/deadline_heap.hpp"
#include "protocol/server/history_store.hpp"
#include "protocol/server/output_queue.hpp"
#include "protocol/server/presence_tracker.hpp"
#include "protocol/server/publication.hpp"
#include "protocol/server/registry.hpp"
#include "protocol/server/reserved_topics.hpp"
#include "protocol/server/server_machine.hpp"
#include "protocol/server/session.hpp"
#include "protocol/server/slot_table.hpp"
#include "protocol/server/subscription_table.hpp"
#include "protocol/server/topic_table.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace phx::protocol::server {

using phx::server::Limit;
using phx::server::Route;

inline constexpr JsonToken null_token{"null"};

/// The tables of a machine and what works on them; each group of functions is a file of that name.
struct ServerMachine::State {
    explicit State(const ServerConfig&);

    struct Pattern {
        std::string text;
        std::vector<std::string> intercepts;
        ChannelTraits traits;
    };
    /// A frame as it came, for a join that is not settled.
    struct RawFrame {
        Opcode opcode;
        std::string_view data;
    };
    /// What was held, to be fed one by one: like frames from the transport, each when the outputs of the one
    /// before are drained.
    struct Replay {
        SessionId session;
        std::vector<HeldFrame> held;
        std::size_t next;
    };
    /// Who is told of a response: a handler, by its tag, or (none) the shell.
    using Asker = std::optional<std::string>;
    struct Request {
        MemberId member;
        bool has_timeout; ///< in the heap
        Asker asker;
    };
    enum class Verdict : std::uint8_t { going_on, ended };

    // ---- frames: what goes to clients. False: the frame cannot be encoded, nothing was sent.
    bool send(Session&, FrameView);
    bool reply(Session&, JsonToken join_ref, const FrameView& question, std::string_view status, PayloadView);
    void refuse(Session&, JsonToken join_ref, const FrameView& question, std::string_view reason);
    bool push(Session&, const Membership&, std::string_view event, PayloadView);
    void end_frame(Session&, std::string_view topic, JsonToken join_ref, std::string_view event,
                   std::string_view json);
    bool fan_out(Vsn, std::span<const SessionId>, std::optional<std::uint32_t> skipped, const FrameView&);
    enum class Receivers : std::uint8_t { everybody, those_who_see_presence };
    bool fan_out(Topic&, FrameView, const Membership* except, Receivers = Receivers::everybody);
    /// To sessions of one version.
    void send_to(const std::vector<SessionId>&, Vsn, const FrameView&);
    bool sees_presence(MemberId);
    void push_system(Session&, const Membership&, std::string_view status, std::string_view extension,
                     std::string_view message);
    /// Intercepted events become questions, one per receiver.
    void ask_receivers(const Topic&, std::string_view event, PayloadView, const Membership* except);
    bool broadcast(Topic&, std::string_view event, PayloadView, const Membership* except);

    // ---- routing: what comes from clients
    void receive(Session&, RawFrame, std::string& decode_scratch);
    void drop(Session&, const Error&);
    bool is_too_long(const std::optional<JsonToken>& ref) const noexcept;
    static bool is_push(const Membership&, const FrameView&);
    void route(Session&, const FrameView&, RawFrame);
    void hold(Session&, Membership&, const FrameView&, RawFrame);
    void deliver(Session&, Membership&, const FrameView&);
    void leave(Session&, Membership&, const FrameView&);
    void tell_of_forgotten(const Session&, Membership&);

    void take_user_broadcast(Session&, Membership&, const FrameView&);
    void ask_handler(Session&, Membership&, const FrameView&, PayloadView, std::string_view user_event);

    // ---- joining
    void join(Session&, std::uint64_t topic_hash, const FrameView&);
    std::optional<PatternId> match(std::string_view topic) const;
    /// Refuses a join that asked for too much; `replaced`: as PendingJoin's.
    void refuse_join(Session&, const FrameView&, std::string_view reason,
                     const std::optional<std::string>& replaced);
    Membership& add_member(Session&, std::uint64_t topic_hash, const FrameView&, Visibility,
                           std::optional<PatternId>);
    void enter_topic(Session&, Membership&);
    void settle(TimePoint, Membership&, const phx::server::JoinAnswer&);
    /// Feeds the next held frame; false when there is none.
    bool replay_next();

    // ---- acting: what handlers want
    void act_all(TimePoint, Membership&, ReplyTo message, const phx::server::Actions&);
    Verdict act(TimePoint, Session&, Membership&, ReplyTo message, const phx::server::Action&);
    Verdict act_reply(Session&, Membership&, ReplyTo, std::string_view status, const Payload&);
    Verdict act_late_reply(Session&, Membership&, const phx::server::action::LateReply&);
    Verdict act_track(Membership&, const phx::server::action::Track&);
    Verdict act_after(TimePoint, Membership&, const phx::server::action::After&);
    /// REQUIRES a joined member
    void crash(Membership&, std::string_view reason = "channel_crash");
    Verdict act_reply_later(TimePoint, Membership&, ReplyTo, const phx::server::action::ReplyLater&);
    void fire_reply(TimePoint now, Membership&, TimePoint deadline);
    /// What on_close wanted; also what is left to do of other handlers when their channel has ended
    /// meanwhile.
    void act_closed(Membership&, std::span<const phx::server::Action>);

    // ---- judging: the first message of a channel
    void take_verdict(TimePoint, Membership&, ReplyTo message, const phx::server::JoinAnswer&);

    // ---- keyed: channels with a broker key, which are asked one question at a time
    /// False: it has ended meanwhile.
    bool note_join_answer(Membership&, bool is_accepted);
    bool must_wait(const Membership&) const noexcept;
    /// Asks, or lets the question wait for the answer to another one.
    void ask(Membership&, WaitingQuestion);
    void push_question(Membership&, WaitingQuestion);
    /// The question at hand is answered: the next one, or what was held.
    void go_on(Membership&);
    void hold_keyed(Session&, Membership&, const FrameView&, RawFrame);
    void push_ended(Membership&, EndReason);
    void enter_group(Membership&);
    void leave_group(Membership&);

    // ---- cluster: what is shared with other nodes
    /// True: the member waits for the broker, and is settled later with this answer.
    bool subscribe(TimePoint, Membership&, const phx::server::JoinAnswer&);
    void subscribe_to(Membership&, std::string_view ns, std::string_view key);
    void unsubscribe(Membership&);
    void stop_waiting(TimePoint, Membership&, const phx::server::JoinAnswer&);
    void go_on_joining(TimePoint, Membership&);
    static phx::server::JoinAnswer refusal(std::string_view reason);
    static Publication publication_of(std::string_view event, PayloadView);
    static Publication publication_of(const FrameView&);
    /// `kept`: by the broker too.
    void tell_peers(std::string_view ns, std::string_view key, const Publication&,
                    const phx::server::History* kept = nullptr);
    void tell_peers_of_broadcast(const Topic&, std::string_view event, PayloadView);
    void disconnect_everywhere(Publication::Kind, std::string_view target);
    /// To the receivers here and at all other nodes. False: it cannot be encoded, nobody gets it.
    bool send_everywhere(const Route&, std::string_view event, PayloadView, Session* source);
    static Publication publication_of(Publication::Kind, const Route&);
    void tell_other_servers(Publication);
    void tell_presence(const Membership&, std::string_view key);
    void tell_absence(const Membership&, std::string_view key);
    static std::string_view topic_ns(const Topic&) noexcept;
    Topic* find_topic(std::string_view ns, std::string_view key);
    void take_broadcast(Topic&, const Publication&);
    void take_publication(std::string_view ns, std::string_view key, const Publication&);
    void take_presence(Topic&, const std::vector<phx::server::PresenceEntry>& joined,
                       const std::vector<phx::server::PresenceEntry>& left);

    // ---- publishing
    void publish(const Membership& source, const phx::server::action::Publish&);
    bool is_for(const Publication&, const Membership&);
    /// REQUIRES receivers that nobody changes meanwhile
    void publish_here(const std::vector<MemberId>& receivers, const Publication&, MemberId source);
    std::vector<MemberId> unkeyed_members(PatternId, const phx::server::Route&);
    std::vector<MemberId> group(PatternId, std::string_view key) const;
    static std::string group_name(PatternId, std::string_view key);

    // ---- presence
    void tell_presence_changes(Topic&);
    /// If some of them are this member's.
    void tell_own_presence_changes(const Membership&);
    void note_presence_change(Membership&);
    bool has_room(const Membership&, std::string_view key, std::string_view meta);
    bool track(Membership&, std::string_view key, std::string_view meta, Repeat);
    void untrack(Membership&, std::string_view key);
    void untrack_all(Membership&);
    std::string_view presence_state(const Membership&); ///< until `text` is used again
    void push_presence_state(Session&, Membership&);

    // ---- inbox: what a Route brings, and the reserved topic where it arrives
    void join_inbox(Session&, std::uint64_t topic_hash, const FrameView&,
                    std::optional<std::string> replaced);
    void accept_inbox(Membership&);
    void name_inbox(Session&, const phx::server::Identity*);
    void deliver_inbox(Session&, Membership&, const FrameView&);
    /// How many get it; none: it cannot be encoded. `source` does not get it.
    std::optional<std::size_t> send_to(const Route&, std::string_view event, PayloadView, Session* source);
    std::optional<std::size_t> send_to_topic(std::string_view name, std::string_view event, PayloadView,
                                             Session* source);
    std::optional<std::size_t> send_to_topic(Topic&, std::string_view event, PayloadView,
                                             const Membership* except);
    /// Which of these connections have joined the inbox, by version.
    std::array<std::vector<SessionId>, 2> inboxes(std::span<const SessionId>, const Session* source);
    /// A broadcast as Supabase's clients read it; until `text` and `metadata` are used again.
    std::size_t broadcast_from_outside(Topic&, const RealtimeBroadcast&);
    FrameView broadcast_frame(std::string_view event, PayloadView, std::string_view meta);

    // ---- rpc: requests to clients
    Result<void> push_request(Session&, const Membership&, RequestId, std::string_view method,
                              PayloadView params);
    Result<RequestId> ask(TimePoint, Session&, Membership&, Asker, std::string_view method,
                          PayloadView params, Duration timeout);
    void take_response(Session&, Membership&, const FrameView&);
    void finish_request(RequestId, Result<Payload>);
    void tell(Membership&, RequestId, const Asker&, Result<Payload>);
    void fail_requests(Membership&, EndReason);
    void time_out(RequestId);
    void act_request(TimePoint, Session&, Membership&, const phx::server::action::Request&);
    Result<Membership*> joined_member(std::string_view connection_id, std::string_view topic);

    // ---- drain
    void drain(TimePoint, Duration spread, Duration timeout);
    void drain_session(TimePoint, SessionId);
    void end_drain();
    // What was accepted of a session and is not over yet.
    bool is_joining(const Session&);
    bool is_answering(const Session&);
    void note_promise(Membership&, ReplyTo message, const phx::server::Actions&);

    // ---- look-ups
    std::optional<SessionId> session_id(std::string_view connection_id);
    /// A user or a role: of connections, or of the tokens of their inboxes.
    std::vector<SessionId> sessions_of(const Route&);
    /// Whether a user or a role is his.
    static bool is_about(Route::Kind, std::string_view target, const phx::server::Identity&);
    /// The open connections that a route names; of a topic its members.
    std::vector<SessionId> connections(const Route&);

    // ---- realtime: the built-in channel
    void join_realtime(Session&, std::uint64_t topic_hash, const FrameView&,
                       std::optional<std::string> replaced);
    /// Goes on with a join whose token, if it had one, is good.
    void admit_realtime(Session&, Membership&);
    void begin_realtime(Session&, Membership&, const PendingJoin&);
    void deliver_realtime(Session&, Membership&, const FrameView&);
    void relay(Session&, Membership&, const FrameView&);
    /// To the members here and at other nodes. False: it cannot be encoded.
    bool fan_out_everywhere(Topic&, const FrameView&, const Membership* except);
    void answer_presence(Session&, Membership&, const FrameView&);
    bool may_call_presence(Session&, Membership&);
    /// As Supabase: no reply, a system event that says why, and the channel is closed.
    void end_with_system(Session&, Membership&, std::string_view message);
    void tell_of_disconnect(Session&);

    // ---- realtime_tokens: who the members are
    const phx::server::Identity& identity(const Session&, const Membership&) const;
    std::optional<TimePoint> token_end(const Session&, const Membership&) const;
    /// Why a join is refused whose token has expired, or whose user has no right to enter.
    phx::server::JoinAnswer no_entry(const Session&, const Membership&);
    bool token_has_expired(const Session&, const Membership&) const;
    void judge(const Session&, Membership&);
    void judge_all();
    void ask_about_token(Membership&, std::string_view token);
    static std::optional<std::string> token_in(const FrameView&);
    void receive_token(Membership&, const FrameView&);
    void renew_token(Session&, Membership&, TokenVerdict);
    void wait_for_token(Membership&);
    void end_expired(Session&);

    // ---- realtime_limits
    bool may_send(const RealtimeBroadcast&) const;
    bool may_push(Session&, Membership&, const FrameView&);
    bool may_join(Session&, const FrameView&, bool built_in);
    void note_hit(Limit limit) noexcept {
        ++limit_hits[static_cast<std::size_t>(limit)];
        has_limit_hits = true;
    }

    // ---- realtime_history
    const phx::server::History* history_rule(const Topic&) const;
    /// As fan_out_everywhere(), where there is history with an id, and it is kept.
    bool relay_everywhere(Topic&, FrameView copy, const Membership* except);
    void keep(const Topic&, const phx::server::History&, const FrameView&);
    void remember_for_readers(const Topic&, const Publication&);
    /// True: the join waits for what the broker has kept of its topic.
    bool ask_history(Membership&);
    /// A member whose join waits for an answer to that; null: none, or no longer.
    Membership* find_reader(MemberId);
    /// From when on a message is replayed: it was asked for, and is not too old.
    std::int64_t replayed_since(const phx::server::History&, std::int64_t since_ms) const;
    void replay_history(Session&, const Membership&, const PendingJoin&);
    void replay(Session&, const Membership&, std::string_view publication);
    std::int64_t unix_ms() const;

    // ---- realtime_changes
    void subscribe_to_changes(Session&, Membership&, const realtime::JoinRequest&);
    void emit(const phx::server::Change&);

    // ---- lifecycle
    std::string connection_id(SessionId) const;
    void begin_call();
    void end(Membership&, EndReason);
    /// end() without untrack_all(): true if that is still to be done.
    bool leave_topic(Membership&, EndReason);
    void close(Session&, std::uint16_t code, std::string_view reason);
    /// The first half of close(), of each session that is to be closed: after it none of them gets an output.
    void begin_close(Session&, std::uint16_t code, std::string_view reason);
    /// The second half: drops the presence of the members that ended since `ended` had that size.
    void finish_close(std::size_t ended_before);
    void close_all(std::uint16_t code);
    void end_all(Session&);
    /// Closes the sessions of the list that are open; how many.
    std::size_t disconnect(const std::vector<SessionId>&, std::uint16_t code);
    /// Of the built-in channel and the inbox too.
    ChannelTraits traits(const Membership&) const;
    Membership* find_join(Session&, std::uint64_t topic_hash, std::string_view topic);
    std::string_view topic_name(const Membership& member) { return topics[member.topic].name; }

    // ---- time
    /// A question about a membership that has ended since it was queued.
    bool is_moot(const Output&);
    /// Of a timer or a response: its handler is called now.
    void note_asked(const Output&);
    bool is_dead(const Deadline&);
    void add_dead(std::size_t count);
    void prune();
    void fire(TimePoint, Deadline);
    void wait_for_idle(Session&, TimePoint from);

    ServerConfig config;
    OutputQueue out;
    SessionTable sessions;
    Registry registry;
    SlotTable<MemberId, Membership> members;
    TopicTable topics;
    DeadlineHeap deadlines;
    std::size_t dead_deadlines = 0; ///< in the heap; their owner has ended
    PresenceIds ids;
    std::vector<Pattern> patterns;
    std::unordered_map<std::string, std::vector<MemberId>> groups; ///< joined members by pattern and key
    SubscriptionTable subscriptions;
    std::vector<MemberId> ended; ///< freed by the next call
    std::deque<Replay> replays;
    std::deque<HeldFrame> replayed; ///< outputs point into them
    std::string scratch;            ///< of the frame at hand: outputs point into it
    std::string text;               ///< for payloads that are made here; encoded at once
    std::string presence_diff;      ///< likewise
    std::vector<TopicIndex> untold; ///< topics whose presence may have changed since the turn began
    std::uint64_t last_reply = 0;
    std::unordered_map<RequestId, Request> requests;
    std::uint64_t last_request = 0;
    bool is_draining = false;
    bool has_cut_off = false;  ///< the drain took too long
    TimePoint time = {};       ///< of the call at hand
    Duration unix_offset = {}; ///< to `time`, for the time since 1970
    HistoryStore history;
    std::set<MemberId> subscribers; ///< of postgres_changes
    phx::server::LimitHits limit_hits{};
    bool has_limit_hits = false;
};

} // namespace phx::protocol::server
