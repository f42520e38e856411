#pragma once

#include "phx/channel.hpp"
#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/json.hpp"
#include "phx/protocol/presence.hpp"
#include "phx/scoped_handler.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace phx {

namespace shell {
class PresenceCore;
}

using protocol::PresenceEntry;
using protocol::PresenceLimits;
using protocol::PresenceMeta;
using protocol::PresencePtr;
using protocol::PresenceState;

/// Parses a meta. Never throws. Errors: invalid_payload (a number that no double holds).
inline Result<Json> meta_json(const PresenceMeta& meta) { return parse_json(meta.text()); }

/// Who is present on a channel, kept from its presence_state and presence_diff. Make it before `join()`: the
/// server sends the state once for each join, and without it nothing is reported.
///
/// After a rejoin what is known stays until the new state comes; then only the differences are reported.
/// Diffs that come before the state of the current join wait for it.
///
/// Every member may be called from any thread; handlers run as those of the channel do, after the whole
/// payload has been applied: `state()` already contains what they are told. What they are given by reference
/// lives until they return; copies of entries share their texts.
///
/// What the server sends wrong or beyond the limits is left out and reported to `Socket::on_error` with
/// Origin::peer (invalid_payload, buffer_full); everything else of the payload counts.
///
/// It is neither copied nor moved, and may outlive the channel, the socket and the loop. When its destructor
/// returns, no handler of it runs any more: it waits for one that is running on the loop thread, unless it is
/// called on that thread itself, where it may be called inside such a handler. A handler that owns its
/// presence keeps both for ever.
class PHX_API Presence {
public:
    explicit Presence(Channel channel, std::string_view state_event = "presence_state",
                      std::string_view diff_event = "presence_diff", PresenceLimits limits = {});
    ~Presence();
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

    /// Metas came: `before` is null when the key is new; `joined` has the new metas alone.
    HandlerId on_join(Function<void(const PresenceEntry* before, const PresenceEntry& joined)>);
    /// Some metas of a key came and others went, as `Presence.update` does at the server: no departure, and
    /// not told to `on_join` and `on_leave`.
    HandlerId on_update(Function<void(const PresenceEntry& before, const PresenceEntry& now)>);
    /// Metas went: `now.metas` is empty when the key is gone; `left` has the metas that went.
    HandlerId on_leave(Function<void(const PresenceEntry& now, const PresenceEntry& left)>);
    /// A state or a diff was applied, and all its changes have been told.
    HandlerId on_sync(Function<void()>);
    /// The handler is dead at once; only a call that is already running on another thread may finish.
    void off(HandlerId);

    /// Everybody, in the order in which the keys came. The first call after a change copies a pointer for
    /// each key, later ones share what it made.
    PresenceState state() const;
    /// The same, by phoenix.js' name.
    PresenceState list() const { return state(); }
    /// What `chooser` makes of each entry, in the same order.
    template <class Chooser>
    requires std::is_invocable_v<Chooser&, const PresenceEntry&>
    auto list(Chooser chooser) const {
        const PresenceState all = state();
        std::vector<std::decay_t<std::invoke_result_t<Chooser&, const PresenceEntry&>>> chosen;
        chosen.reserve(all.size());
        for (const PresenceEntry& entry : all) chosen.push_back(std::invoke(chooser, entry));
        return chosen;
    }
    /// Who is present under this key; null if nobody is. Costs one look-up.
    PresencePtr get(std::string_view key) const;
    /// Whether the state of the current join is still to come.
    bool in_pending_sync_state() const;

    const Channel& channel() const noexcept;

private:
    std::shared_ptr<shell::PresenceCore> core_;
    ScopedHandler state_handler_; // in the end each waits for a call that is running
    ScopedHandler diff_handler_;
    ScopedHandler joining_handler_;
};

} // namespace phx
