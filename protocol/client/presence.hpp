#pragma once

#include "phx/error.hpp"
#include "phx/protocol/presence.hpp"
#include "protocol/client/presence_payload.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol {

/// What happened to one key.
struct PresenceChange {
    enum class Kind : std::uint8_t {
        joined,  ///< metas came: `before` (null if the key is new), and `changed` has those metas alone
        updated, ///< some came and some went, and the key stayed: `before` and `now`
        left,    ///< metas went: `now` (without metas if the key is gone), and `changed` has those that went
    };
    Kind kind = Kind::joined;
    PresencePtr before = {};
    PresencePtr now = {};
    PresencePtr changed = {};
};

/// What payloads brought about.
struct PresenceNews {
    std::vector<PresenceChange> changes = {}; ///< of each payload joins and updates, then leaves
    /// What was left out of payloads, all of Origin::peer: invalid_payload for what is malformed, buffer_full
    /// for what exceeds the limits. Everything else has been applied.
    std::vector<Error> errors = {};
    bool is_synced = false; ///< phoenix.js onSync: something was applied
};

/// Who is present, by key: phoenix.js Presence.syncState and Presence.syncDiff. A diff costs what is in it
/// and the metas of its keys, a state as much as there is.
class PresenceStore {
public:
    /// `hash_seed` of an unpredictable source: peers choose the keys.
    explicit PresenceStore(PresenceLimits limits = {}, std::uint64_t hash_seed = 0);

    /// Adds the differences to what was there. False, with an error, if the payload is no state at all.
    bool sync_state(std::string_view payload, PresenceNews&);
    /// Likewise. What is joined though it is there, or leaves though it is not, is no change.
    bool sync_diff(std::string_view payload, PresenceNews&);

    /// Null if nobody is present under the key.
    PresencePtr find(std::string_view key) const;
    /// Costs as much as there are keys.
    PresenceState state() const;
    std::size_t size() const noexcept { return members_.size(); }
    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct Member {
        std::string key;
        PresencePtr entry;
    };
    using Members = std::list<Member>; // in the order of arrival
    struct Report;

    void sync_entry(const PresencePtr& fresh, Report&);
    void apply(const PresencePtr& joins, const PresencePtr& leaves, Report&);
    bool fits(const PresenceEntry* before, const PresenceEntry& now) const noexcept;
    void put(PresencePtr);
    Members::iterator erase(Members::iterator);

    PresenceLimits limits_;
    std::size_t bytes_ = 0;
    Members members_;
    KeyMap<Members::iterator> by_key_; // views of Member::key
};

/// The presence of one channel over its joins: diffs wait for the state of the current join.
class PresenceSync {
public:
    explicit PresenceSync(PresenceLimits limits = {}, std::uint64_t hash_seed = 0)
        : limits_(limits), store_(limits, hash_seed) {}

    /// The channel joins, or joins again: what is there stays until the state comes.
    void handle_joining();
    PresenceNews handle_state(std::string_view payload);
    PresenceNews handle_diff(std::string_view payload);

    /// Whether the state of the current join is still to come; phoenix.js inPendingSyncState.
    bool is_pending() const noexcept { return is_pending_; }
    const PresenceStore& store() const noexcept { return store_; }

private:
    void keep(std::string_view diff, PresenceNews&);

    PresenceLimits limits_;
    PresenceStore store_;
    bool is_pending_ = true;
    bool has_dropped_ = false;
    std::deque<std::string> pending_;
    std::size_t pending_bytes_ = 0;
};

} // namespace phx::protocol
