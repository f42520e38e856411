#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace phx::protocol::server {

/// Values under ids that are never reused: the low half is a slot, the high half says how often it was
/// filled. Values do not move while they live. Id is an enum over std::uint64_t; zero is no id.
template <class Id, class T> class SlotTable {
public:
    struct Inserted {
        Id id;
        T& value;
    };

    Inserted insert() {
        std::uint32_t index;
        if (free_.empty()) {
            index = static_cast<std::uint32_t>(slots_.size());
            slots_.emplace_back();
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Slot& slot = slots_[index];
        slot.used = true;
        ++size_;
        return {Id{(std::uint64_t{slot.generation} << 32) | index}, slot.value};
    }

    T* find(Id id) noexcept {
        Slot* slot = used_slot(id);
        return slot != nullptr ? &slot->value : nullptr;
    }

    void erase(Id id) {
        Slot* slot = used_slot(id);
        if (slot == nullptr) return;
        slot->value = T{};
        slot->used = false;
        ++slot->generation;
        free_.push_back(static_cast<std::uint32_t>(id));
        --size_;
    }

    template <class F> void for_each(F f) {
        for (Slot& slot : slots_)
            if (slot.used) f(slot.value);
    }

    std::size_t size() const noexcept { return size_; }

private:
    struct Slot {
        T value = {};
        std::uint32_t generation = 1;
        bool used = false;
    };

    Slot* used_slot(Id id) noexcept {
        const auto index = static_cast<std::uint32_t>(id);
        if (index >= slots_.size()) return nullptr;
        Slot& slot = slots_[index];
        const bool current = slot.used && slot.generation == static_cast<std::uint64_t>(id) >> 32;
        return current ? &slot : nullptr;
    }

    std::deque<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

} // namespace phx::protocol::server
