#include "protocol/client/presence.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace phx::protocol {
namespace {

using Metas = std::vector<PresenceMeta>;

/// The refs of some metas, sorted: a payload with many metas under one key costs no square of them.
class RefSet {
public:
    explicit RefSet(const Metas& metas) : metas_(metas) {
        refs_.reserve(metas.size());
        for (const PresenceMeta& meta : metas) refs_.push_back({meta.ref(), false});
        std::sort(refs_.begin(), refs_.end(), [](const Ref& a, const Ref& b) { return a.text < b.text; });
    }

    /// Whether it is one of them, which is remembered.
    bool take(std::string_view ref) noexcept {
        Ref* const found = find(ref);
        return found != nullptr && (found->taken = true);
    }
    Metas taken() { return select(true); }
    Metas not_taken() { return select(false); }

private:
    struct Ref {
        std::string_view text;
        bool taken;
    };
    Ref* find(std::string_view ref) noexcept {
        const auto at = std::lower_bound(refs_.begin(), refs_.end(), ref,
                                         [](const Ref& a, std::string_view b) { return a.text < b; });
        return at != refs_.end() && at->text == ref ? &*at : nullptr;
    }
    Metas select(bool taken) {
        Metas some;
        for (const PresenceMeta& meta : metas_)
            if (find(meta.ref())->taken == taken) some.push_back(meta);
        return some;
    }

    const Metas& metas_;
    std::vector<Ref> refs_;
};

PresencePtr make_entry(const PresenceEntry& like, Metas metas) {
    return std::make_shared<const PresenceEntry>(PresenceEntry{like.key, std::move(metas), like.fields});
}

/// `entry` with only these of its metas; null without any.
PresencePtr narrow(const PresencePtr& entry, Metas metas) {
    if (metas.empty()) return nullptr;
    return metas.size() == entry->metas.size() ? entry : make_entry(*entry, std::move(metas));
}

} // namespace

/// Joins are reported before leaves, whatever order they are applied in.
struct PresenceStore::Report {
    PresenceNews& news;
    std::vector<PresenceChange> leaves = {};
    PresenceFaults faults = {};

    void add(const PresencePtr& before, const PresencePtr& now, PresencePtr joined, PresencePtr left) {
        using Kind = PresenceChange::Kind;
        if (before && joined && left && !now->metas.empty()) {
            news.changes.push_back({Kind::updated, before, now, nullptr});
            return;
        }
        if (joined) news.changes.push_back({Kind::joined, before, now, std::move(joined)});
        if (left) leaves.push_back({Kind::left, before, now, std::move(left)});
    }
    bool finish(bool was_read) {
        news.changes.insert(news.changes.end(), std::make_move_iterator(leaves.begin()),
                            std::make_move_iterator(leaves.end()));
        if (faults.any()) news.errors.push_back(faults.error());
        news.is_synced |= was_read;
        return was_read;
    }
};

PresenceStore::PresenceStore(PresenceLimits limits, std::uint64_t hash_seed)
    : limits_(limits), by_key_(0, KeyHash{hash_seed}) {}

bool PresenceStore::sync_state(std::string_view payload, PresenceNews& news) {
    Report report{news};
    PresenceList fresh(by_key_.hash_function());
    if (!PresenceReader(limits_, report.faults).read_state(payload, fresh)) return report.finish(false);
    for (auto member = members_.begin(); member != members_.end();) {
        if (fresh.index.contains(member->key)) {
            ++member;
            continue;
        }
        const PresencePtr& gone = member->entry;
        report.add(gone, make_entry(*gone, {}), nullptr, gone);
        member = erase(member);
    }
    for (const PresencePtr& entry : fresh.entries) sync_entry(entry, report);
    return report.finish(true);
}

void PresenceStore::sync_entry(const PresencePtr& fresh, Report& report) {
    const PresencePtr before = find(fresh->key);
    put(fresh);
    if (!before) return report.add(nullptr, fresh, fresh, nullptr);
    RefSet now_refs(fresh->metas);
    Metas left;
    for (const PresenceMeta& meta : before->metas)
        if (!now_refs.take(meta.ref())) left.push_back(meta);
    report.add(before, fresh, narrow(fresh, now_refs.not_taken()), narrow(before, std::move(left)));
}

bool PresenceStore::sync_diff(std::string_view payload, PresenceNews& news) {
    Report report{news};
    PresenceList joins(by_key_.hash_function()), leaves(by_key_.hash_function());
    if (!PresenceReader(limits_, report.faults).read_diff(payload, joins, leaves))
        return report.finish(false);
    for (const PresencePtr& entry : leaves.entries) { // they make room
        if (!joins.index.contains(entry->key)) apply(nullptr, entry, report);
    }
    for (const PresencePtr& entry : joins.entries) apply(entry, leaves.find(entry->key), report);
    return report.finish(true);
}

// phoenix.js Presence.syncDiff, for one key: first the joins, in front of which the other metas keep their
// place, then the leaves.
void PresenceStore::apply(const PresencePtr& joins, const PresencePtr& leaves, Report& report) {
    const PresencePtr before = find((joins ? joins : leaves)->key);
    if (!before && !joins) return;
    Metas metas, left;
    PresencePtr joined;
    if (joins) {
        RefSet incoming(joins->metas);
        if (before) {
            for (const PresenceMeta& meta : before->metas)
                if (!incoming.take(meta.ref())) metas.push_back(meta);
        }
        metas.insert(metas.end(), joins->metas.begin(), joins->metas.end());
        joined = narrow(joins, incoming.not_taken());
    } else {
        metas = before->metas;
    }
    if (leaves) {
        RefSet outgoing(leaves->metas);
        std::erase_if(metas, [&](const PresenceMeta& meta) { return outgoing.take(meta.ref()); });
        left = outgoing.taken();
    }
    const PresencePtr now = make_entry(joins ? *joins : *before, std::move(metas));
    if (joins && !fits(before.get(), *now)) {
        report.faults.add(Errc::buffer_full, "joins of a presence diff", 0, "PresenceLimits are exceeded");
        if (leaves) apply(nullptr, leaves, report);
        return;
    }
    put(now);
    report.add(before, now, std::move(joined), leaves ? narrow(leaves, std::move(left)) : nullptr);
}

bool PresenceStore::fits(const PresenceEntry* before, const PresenceEntry& now) const noexcept {
    if (now.metas.empty()) return true;
    if (!before && members_.size() >= limits_.max_entries) return false;
    return bytes_ - (before ? presence_bytes(*before) : 0) + presence_bytes(now) <= limits_.max_bytes;
}

/// In the place of the entry of that key, or at the end; without metas it is removed.
void PresenceStore::put(PresencePtr entry) {
    const auto found = by_key_.find(entry->key);
    if (found == by_key_.end()) {
        if (entry->metas.empty()) return;
        bytes_ += presence_bytes(*entry);
        members_.push_back({entry->key, std::move(entry)});
        by_key_.emplace(members_.back().key, std::prev(members_.end()));
    } else if (entry->metas.empty()) {
        erase(found->second);
    } else {
        Member& member = *found->second;
        bytes_ += presence_bytes(*entry) - presence_bytes(*member.entry);
        member.entry = std::move(entry);
    }
}

PresenceStore::Members::iterator PresenceStore::erase(Members::iterator member) {
    bytes_ -= presence_bytes(*member->entry);
    by_key_.erase(member->key);
    return members_.erase(member);
}

PresencePtr PresenceStore::find(std::string_view key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second->entry;
}

PresenceState PresenceStore::state() const {
    std::vector<PresencePtr> entries;
    entries.reserve(members_.size());
    for (const Member& member : members_) entries.push_back(member.entry);
    return PresenceState(std::move(entries));
}

// ---- over the joins

void PresenceSync::handle_joining() {
    is_pending_ = true;
    has_dropped_ = false;
    pending_.clear(); // of an older join, and older than the state that comes
    pending_bytes_ = 0;
}

PresenceNews PresenceSync::handle_state(std::string_view payload) {
    PresenceNews news;
    if (!store_.sync_state(payload, news)) return news;
    is_pending_ = false;
    for (const std::string& diff : std::exchange(pending_, {})) store_.sync_diff(diff, news);
    pending_bytes_ = 0;
    return news;
}

PresenceNews PresenceSync::handle_diff(std::string_view payload) {
    PresenceNews news;
    if (is_pending_) {
        keep(payload, news);
    } else {
        store_.sync_diff(payload, news);
    }
    return news;
}

void PresenceSync::keep(std::string_view diff, PresenceNews& news) {
    pending_.emplace_back(diff);
    pending_bytes_ += diff.size();
    while (pending_.size() > limits_.max_pending_diffs || pending_bytes_ > limits_.max_pending_bytes) {
        pending_bytes_ -= pending_.front().size();
        pending_.pop_front();
        if (std::exchange(has_dropped_, true)) continue; // one error for each join
        news.errors.push_back(fail(Errc::buffer_full,
                                   "more presence diffs than PresenceLimits allows wait for the state",
                                   Origin::peer)
                                  .error);
    }
}

} // namespace phx::protocol
