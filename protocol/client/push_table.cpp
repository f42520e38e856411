#include "protocol/client/push_table.hpp"

namespace phx::protocol {
namespace {

std::uint64_t number(PushId id) noexcept { return static_cast<std::uint64_t>(id); }

std::optional<std::uint32_t> slot(std::uint32_t index) noexcept {
    return index == PushList::none ? std::nullopt : std::optional(index);
}

} // namespace

PushId PushTable::add(PushKind kind, ChannelId channel, PushList& list, TimePoint deadline) {
    const PushId id = next_id();
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    PushRecord& r = slots_[index];
    r = {};
    r.id = id;
    r.kind = kind;
    r.channel = channel;
    r.deadline = deadline;
    r.list = &list;
    r.prev = list.last;
    (list.last == PushList::none ? list.first : slots_[list.last].next) = index;
    list.last = index;
    ids_.insert(number(id), index);
    timers_.add(deadline, id);
    return id;
}

void PushTable::mark_sent(PushId id, std::uint64_t ref, TimePoint now) {
    const std::uint32_t index = *ids_.find(number(id));
    slots_[index].ref = ref;
    slots_[index].sent_at = now;
    refs_.insert(ref, index);
}

PushRecord PushTable::take(PushId id) {
    const std::uint32_t index = *ids_.find(number(id));
    const PushRecord taken = slots_[index];
    (taken.prev == PushList::none ? taken.list->first : slots_[taken.prev].next) = taken.next;
    (taken.next == PushList::none ? taken.list->last : slots_[taken.next].prev) = taken.prev;
    ids_.erase(number(id));
    if (taken.ref != 0) refs_.erase(taken.ref);
    free_.push_back(index);
    timers_.settle(ids_.size(), [this](PushId key, TimePoint) { return ids_.find(number(key)).has_value(); });
    return taken;
}

const PushRecord* PushTable::find(PushId id) const noexcept { return at(ids_.find(number(id))); }
const PushRecord* PushTable::find_ref(std::uint64_t ref) const noexcept { return at(refs_.find(ref)); }
const PushRecord* PushTable::first(const PushList& list) const noexcept { return at(slot(list.first)); }
const PushRecord* PushTable::following(const PushRecord& r) const noexcept { return at(slot(r.next)); }

} // namespace phx::protocol
