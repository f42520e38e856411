#pragma once

#include "phx/presence.hpp"
#include "phx/protocol/builders.hpp"
#include "phx/realtime/realtime_channel.hpp"
#include "src/client/handler_list.hpp"
#include "src/client/push_state.hpp"
#include "src/client/socket_core.hpp"
#include "src/realtime/replay_window.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::shell {

template <> struct Owned<realtime::Broadcast> {
    realtime::Broadcast value;
    explicit Owned(const realtime::Broadcast& broadcast) : value(broadcast.own()) {}
    const realtime::Broadcast& get() const noexcept { return value; }
};

class RealtimeDriver;
class RealtimeHub;

/// What Supabase says where it refuses: {"reason":"..."}, or a text alone.
std::optional<std::string> refusal_text(const Error&);

/// What the handles of a RealtimeChannel share. The first part belongs to every thread, the second to the
/// loop thread.
class RealtimeCore final : public ChannelObserver, public std::enable_shared_from_this<RealtimeCore> {
public:
    RealtimeCore(std::shared_ptr<RealtimeHub>, Channel, realtime::RealtimeChannelOptions);
    ~RealtimeCore() override;

    const Channel& channel() const noexcept { return channel_; }
    SocketCore& socket() const noexcept { return channel_.core()->socket(); }
    RealtimeHub& hub() const noexcept { return *hub_; }
    /// Null while nobody wants it: the server sends diffs to everybody, the state only to who asked.
    Presence* presence() const noexcept { return presence_.load(std::memory_order_acquire); }
    /// Wanted from the next join on. If that comes too late for the current one, it is reported.
    Presence& want_presence();
    const realtime::RealtimeChannelOptions& options() const noexcept { return options_; }
    /// A handler of presence, which is let go with its channel, as the others are: what it owns may own the
    /// channel. off() of `id` takes `other` along.
    void keep(HandlerId id, std::shared_ptr<void> handler, HandlerId other = {});
    /// The other, once; its handler goes.
    HandlerId let_go(HandlerId);

    // ---- loop thread
    struct Binding {
        protocol::PostgresBinding asked = {};
        realtime::ChangeKind kind = realtime::ChangeKind::all;
        std::optional<std::uint64_t> id = {}; // the server's, of the current join
        HandlerList<void(const realtime::PostgresChange&)> handlers = {};
    };
    using BroadcastHandlers = HandlerList<void(const realtime::Broadcast&)>;

    /// To be told, and asked for the params of joins, from now on.
    void attach(Driver&);
    BroadcastHandlers& broadcast_handlers(std::string_view event);
    /// Null if it is too late.
    Binding* binding(const realtime::PostgresFilter&);
    HandlerList<void(const realtime::SystemMessage&)> systems;
    HandlerList<void(Millis)> gaps;
    HandlerList<void(realtime::SubscribeStatus, const Error*)> statuses;
    void sweep();

    void subscribe(Driver&, std::shared_ptr<PushState>, Duration timeout);
    /// What `push`, which is about to be made, asks for, for the joins that follow; none: untrack().
    void set_tracked(std::optional<std::string> meta, const std::shared_ptr<PushState>& push);
    bool should_rejoin(const Error&);
    /// The token of the moment goes to the server, unless that has it.
    void give_token();
    /// The channel or the client is gone: what waits ends, and the handlers are let go.
    void end();

private:
    void channel_joined(const Reply&) override;
    void channel_received(const Message&) override;
    void channel_changed(ChannelState from, ChannelState to, const Error* why) override;
    void channel_missed(Millis offline) override;
    void channel_ended() override { end(); }

    void receive_broadcast(const Message&);
    void receive_change(const Message&);
    void receive_system(const Message&);

    protocol::JoinConfig config();
    Error explained(const Error&) const;
    void tell(realtime::SubscribeStatus, const Error* why);
    void ask_now();
    void finish_asking(const std::optional<Error>&);
    Presence& make_presence();
    void check_presence();
    void report(Error);

    const std::shared_ptr<RealtimeHub> hub_;
    Channel channel_;
    realtime::RealtimeChannelOptions options_;
    struct Kept {
        std::shared_ptr<void> handler;
        HandlerId other;
    };
    std::mutex mutex_; // of kept_, has_ended_ and the making of presence_
    std::map<std::uint64_t, Kept> kept_;
    bool has_ended_ = false;
    std::unique_ptr<Presence> made_presence_;
    std::atomic<Presence*> presence_{nullptr};

    std::map<std::string, BroadcastHandlers, std::less<>> broadcasts_; // by event, in lower case
    std::vector<std::unique_ptr<Binding>> bindings_;
    std::vector<std::shared_ptr<PushState>> asking_;      // subscribe() that nobody has answered
    std::vector<std::shared_ptr<PushState>> asking_next_; // of a join whose beginning is still to be told
    ReplayWindow window_;
    std::optional<std::string> tracked_;
    std::shared_ptr<PushState> waiting_track_;   // what asks for it, if it waits for a join itself
    std::optional<std::string> given_token_;     // to the server, for this channel
    std::optional<realtime::SystemMessage> end_; // what the server said before it ends the channel
    std::optional<Millis> missed_;
    std::string scratch_;
    bool is_used_ = false;
    bool was_joined_ = false;
    bool is_without_presence_ = false; // the current join
    bool may_replay_ = true;
};

} // namespace phx::shell
