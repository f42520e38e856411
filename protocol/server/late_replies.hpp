#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/server/actions.hpp"
#include "protocol/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::protocol::server {

/// The pushes of one channel that are not answered yet, by their ReplyTo. Answered once: what was taken is
/// gone.
class LateReplies {
public:
    enum class Added : std::uint8_t { kept_all, forgot_oldest };

    /// `id` rises from call to call. When `limit` pushes wait already (0 is as 1), the oldest of them is
    /// forgotten: it can no longer be answered.
    Added add(std::uint64_t id, JsonToken ref, std::size_t limit) {
        const bool is_full = living_ >= std::max<std::size_t>(limit, 1);
        if (is_full) clear(entries_[head_]);
        entries_.push_back({id, std::string(ref.text), TimePoint::max(), false});
        ++living_;
        trim();
        return is_full ? Added::forgot_oldest : Added::kept_all;
    }

    /// The ref of the push as a JSON token; empty if it was answered or forgotten.
    std::string_view ref(phx::server::ReplyTo to) const {
        const Entry* const entry = find(to);
        return entry != nullptr ? std::string_view(entry->ref) : std::string_view();
    }

    /// Somebody means to answer this push later. Ignored if it was answered.
    void promise(phx::server::ReplyTo to) {
        Entry* const entry = find(to);
        if (entry == nullptr || entry->ref.empty() || entry->is_promised) return;
        entry->is_promised = true;
        ++promised_;
    }
    /// How many of those wait.
    std::size_t promised() const noexcept { return promised_; }

    /// When it counts as not answered. False if it is already.
    bool set_deadline(phx::server::ReplyTo to, TimePoint at) {
        Entry* const found = find(to);
        if (found == nullptr || found->ref.empty()) return false;
        found->deadline = at;
        return true;
    }

    /// One that is past its time.
    std::optional<phx::server::ReplyTo> find_late(TimePoint now) const {
        for (const Entry& entry : entries_)
            if (!entry.ref.empty() && entry.deadline <= now) return phx::server::ReplyTo{entry.id};
        return std::nullopt;
    }

    TimePoint next_deadline() const {
        TimePoint next = TimePoint::max();
        for (const Entry& entry : entries_)
            if (!entry.ref.empty()) next = std::min(next, entry.deadline);
        return next;
    }

    std::optional<std::string> take(phx::server::ReplyTo to) {
        Entry* const found = find(to);
        if (found == nullptr || found->ref.empty()) return std::nullopt;
        std::optional<std::string> ref(std::move(found->ref));
        clear(*found);
        trim();
        return ref;
    }

private:
    /// An empty ref, which no JSON token is, marks a hole: a push that was answered or forgotten.
    struct Entry {
        std::uint64_t id;
        std::string ref;
        TimePoint deadline;
        bool is_promised;
    };
    static constexpr std::size_t tolerated_holes = 16;

    const Entry* find(phx::server::ReplyTo to) const {
        const auto by_id = [](const Entry& entry, std::uint64_t id) { return entry.id < id; };
        const auto found = std::lower_bound(entries_.begin(), entries_.end(), to.id, by_id);
        return found != entries_.end() && found->id == to.id ? &*found : nullptr;
    }
    Entry* find(phx::server::ReplyTo to) {
        const Entry* const found = std::as_const(*this).find(to);
        return found != nullptr ? &entries_[static_cast<std::size_t>(found - entries_.data())] : nullptr;
    }

    void clear(Entry& entry) {
        entry.ref.clear();
        --living_;
        if (std::exchange(entry.is_promised, false)) --promised_;
    }

    /// Both ends live. Holes are at most as many as what lives, or few: each costs one move at the most.
    void trim() {
        while (!entries_.empty() && entries_.back().ref.empty()) entries_.pop_back();
        head_ = std::min(head_, entries_.size());
        while (head_ < entries_.size() && entries_[head_].ref.empty()) ++head_;
        if (entries_.size() - living_ <= std::max<std::size_t>(living_, tolerated_holes)) return;
        std::erase_if(entries_, [](const Entry& entry) { return entry.ref.empty(); });
        head_ = 0;
    }

    std::vector<Entry> entries_;
    std::size_t head_ = 0;     ///< the oldest that waits
    std::uint32_t living_ = 0; ///< how many wait
    std::uint32_t promised_ = 0;
};

} // namespace phx::protocol::server
