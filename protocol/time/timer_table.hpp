#pragma once

#include "protocol/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace phx::protocol {

/// Deadlines by key in a binary heap: add() is O(log n), O(1) for deadlines that rise as they usually do.
///
/// Nothing is taken out directly. The owner forgets a key and then calls settle(), which drops the dead from
/// the top and, once they outnumber the living, all of them: memory stays within twice what is alive. Equal
/// deadlines come in the order of their keys.
template <class Key> class TimerTable {
public:
    /// TimePoint::max() means never and is not kept.
    void add(TimePoint deadline, Key key) {
        if (deadline == TimePoint::max()) return;
        heap_.push_back({deadline, key});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }

    /// The earliest; alive if settle() came after the last death.
    std::optional<TimePoint> next() const {
        return heap_.empty() ? std::nullopt : std::optional(heap_.front().deadline);
    }

    /// The key of the earliest deadline if it has come.
    std::optional<Key> due(TimePoint now) const {
        return heap_.empty() || heap_.front().deadline > now ? std::nullopt
                                                             : std::optional(heap_.front().key);
    }

    /// `alive(key, deadline)`; `living` is how many keys are alive at most.
    template <class Alive> void settle(std::size_t living, Alive alive) {
        const auto dead = [&](const Entry& e) { return !alive(e.key, e.deadline); };
        if (heap_.size() > 2 * living + slack) {
            std::erase_if(heap_, dead);
            std::make_heap(heap_.begin(), heap_.end(), later);
        }
        while (!heap_.empty() && dead(heap_.front())) {
            std::pop_heap(heap_.begin(), heap_.end(), later);
            heap_.pop_back();
        }
    }

    std::size_t size() const noexcept { return heap_.size(); }

private:
    static constexpr std::size_t slack = 64; // below this, sweeping costs more than it frees

    struct Entry {
        TimePoint deadline;
        Key key;
    };
    static bool later(const Entry& a, const Entry& b) noexcept {
        return a.deadline != b.deadline ? a.deadline > b.deadline : a.key > b.key;
    }

    std::vector<Entry> heap_;
};

} // namespace phx::protocol
