#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/server/actions.hpp"

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
    /// `id` rises from call to call. Beyond `limit` the oldest push is forgotten: it can no longer be
    /// answered.
    void add(std::uint64_t id, JsonToken ref, std::size_t limit) {
        if (entries_.size() - head_ >= limit && head_ < entries_.size()) entries_[head_].ref.clear();
        entries_.push_back({id, std::string(ref.text)});
        trim();
    }

    /// The ref of the push as a JSON token; empty if it was answered or forgotten.
    std::string_view ref(phx::server::ReplyTo to) const {
        const Entry* const entry = find(to);
        return entry != nullptr ? std::string_view(entry->ref) : std::string_view();
    }

    std::optional<std::string> take(phx::server::ReplyTo to) {
        const Entry* const found = find(to);
        if (found == nullptr || found->ref.empty()) return std::nullopt;
        std::optional<std::string> ref(
            std::exchange(entries_[static_cast<std::size_t>(found - entries_.data())].ref, {}));
        trim();
        return ref;
    }

private:
    /// An empty ref, which no JSON token is, marks a push that was answered or forgotten.
    struct Entry {
        std::uint64_t id;
        std::string ref;
    };

    const Entry* find(phx::server::ReplyTo to) const {
        const auto by_id = [](const Entry& entry, std::uint64_t id) { return entry.id < id; };
        const auto found = std::lower_bound(entries_.begin(), entries_.end(), to.id, by_id);
        return found != entries_.end() && found->id == to.id ? &*found : nullptr;
    }

    void trim() {
        while (!entries_.empty() && entries_.back().ref.empty()) entries_.pop_back();
        head_ = std::min(head_, entries_.size());
        while (head_ < entries_.size() && entries_[head_].ref.empty()) ++head_;
        if (head_ > 16 && head_ > entries_.size() / 2) {
            entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }

    std::vector<Entry> entries_;
    std::size_t head_ = 0;
};

} // namespace phx::protocol::server
