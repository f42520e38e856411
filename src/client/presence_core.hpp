#pragma once

#include "phx/presence.hpp"
#include "protocol/client/presence.hpp"
#include "src/client/socket_core.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace phx::shell {

/// What a Presence shares with the handlers that it has on its channel.
class PresenceCore {
public:
    PresenceCore(Channel channel, PresenceLimits limits, std::uint64_t hash_seed)
        : channel_(std::move(channel)), sync_(limits, hash_seed) {}

    // ---- any thread
    const Channel& channel() const noexcept { return channel_; }
    SocketCore& socket() const noexcept { return channel_.core()->socket(); }
    PresenceState state();
    PresencePtr get(std::string_view key);
    bool is_pending();
    /// No handler is called any more, not even about what is just being told.
    void end() noexcept { is_ended_ = true; }
    bool is_ended() const noexcept { return is_ended_; }

    // ---- loop thread
    using Handle = protocol::PresenceNews (protocol::PresenceSync::*)(std::string_view payload);
    void receive(const Message&, Handle);
    void channel_changed(ChannelState to);
    void sweep();

    /// With LoopOptions::dispatch they run on another thread than the one that adds and sweeps: under the
    /// lock.
    struct Handlers {
        HandlerList<void(const PresenceEntry*, const PresenceEntry&)> joined = {};
        HandlerList<void(const PresenceEntry&, const PresenceEntry&)> updated = {};
        HandlerList<void(const PresenceEntry&, const PresenceEntry&)> left = {};
        HandlerList<void()> synced = {};
    };
    template <class List> void add(List Handlers::*list, std::shared_ptr<typename List::Slot> slot) {
        const std::lock_guard lock(mutex_);
        (handlers_.*list).add(std::move(slot));
    }

private:
    void tell(Handlers&, const protocol::PresenceNews&);
    void report(Error);

    const Channel channel_;
    std::atomic<bool> is_ended_{false};
    std::mutex mutex_; // of what follows
    protocol::PresenceSync sync_;
    std::optional<PresenceState> state_; // until the next change
    Handlers handlers_;
};

} // namespace phx::shell
