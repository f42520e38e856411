#pragma once

#include "phx/channel.hpp"
#include "phx/function.hpp"
#include "phx/message.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace phx::shell {

/// What off() needs of a handler. `is_alive` and `running` are sequentially consistent: either who runs it
/// sees that the handler is dead, or whoever killed it sees that it runs.
struct HandlerSlot {
    std::atomic<bool> is_alive{true};
    std::atomic<std::uint32_t> running{0};
    std::atomic<std::thread::id> runner{}; ///< of one that was dispatched: not the loop thread

    /// Until it does not run on another thread.
    void wait() const noexcept {
        while (running != 0 && runner.load() != std::this_thread::get_id()) running.wait(1);
    }
};

/// What a handler is given, as something that owns its bytes: for handlers that run later, elsewhere.
template <class T> struct Owned {
    T value;
    const T& get() const noexcept { return value; }
};
template <> struct Owned<Message> {
    Message value;
    explicit Owned(const Message& message) : value(message.own()) {}
    const Message& get() const noexcept { return value; }
};
template <> struct Owned<std::string_view> {
    std::string value;
    explicit Owned(std::string_view text) : value(text) {}
    std::string_view get() const noexcept { return value; }
};
template <> struct Owned<const Error*> {
    std::optional<Error> value;
    explicit Owned(const Error* error) : value(error ? std::optional(*error) : std::nullopt) {}
    const Error* get() const noexcept { return value ? &*value : nullptr; }
};

/// Registered handlers by id. It owns none: a handler lives as long as its list has it. Any thread.
class HandlerIds {
public:
    HandlerId add(const std::shared_ptr<HandlerSlot>& slot) {
        static std::atomic<std::uint64_t> last{
            0}; // of the process: an id of another socket means nothing here
        const HandlerId id{++last};
        const std::lock_guard lock(mutex_);
        if (slots_.size() >= next_prune_) {
            std::erase_if(slots_, [](const auto& entry) { return entry.second.expired(); });
            next_prune_ = std::max(min_prune, 2 * slots_.size());
        }
        slots_.emplace(id.value, slot);
        return id;
    }
    /// The handler, dead from now on, for who wants to wait until it does not run; null if it is gone.
    std::shared_ptr<HandlerSlot> kill(HandlerId id) {
        const std::lock_guard lock(mutex_);
        const auto found = slots_.find(id.value);
        std::shared_ptr<HandlerSlot> slot = found == slots_.end() ? nullptr : found->second.lock();
        if (slot) slot->is_alive = false;
        return slot;
    }
    void kill_all() {
        for (const auto& slot : all()) slot->is_alive = false;
    }
    /// Until none runs on another thread. All must be dead.
    void wait_for_running() {
        for (const auto& slot : all()) slot->wait();
    }

private:
    std::vector<std::shared_ptr<HandlerSlot>> all() {
        std::vector<std::shared_ptr<HandlerSlot>>
            slots; // without the lock: a handler may die and remove others
        const std::lock_guard lock(mutex_);
        for (const auto& [id, entry] : slots_) {
            if (auto slot = entry.lock()) slots.push_back(std::move(slot));
        }
        return slots;
    }

    static constexpr std::size_t min_prune = 64;
    std::mutex mutex_;
    std::unordered_map<std::uint64_t, std::weak_ptr<HandlerSlot>> slots_;
    std::size_t next_prune_ = min_prune; // doubles with what lives, so that pruning costs nothing per handler
};

template <class Signature> class HandlerList;

/// The handlers of one kind of event, in the order they were added. Loop thread only. Handlers never change a
/// list while it runs: their calls of on() and off() only post.
template <class... Args> class HandlerList<void(Args...)> {
public:
    struct Slot : HandlerSlot {
        explicit Slot(Function<void(Args...)> function) : call(std::move(function)) {}
        Function<void(Args...)> call;
    };

    void add(std::shared_ptr<Slot> slot) { slots_.push_back(std::move(slot)); }
    void sweep() {
        std::erase_if(slots_, [](const auto& slot) { return !slot->is_alive; });
    }
    void clear() { slots_.clear(); }
    void kill() {
        for (const auto& slot : slots_) slot->is_alive = false;
    }
    bool empty() const noexcept { return slots_.empty(); }

    /// `guard` calls its argument and sees to exceptions.
    template <class Guard, class... Values> void run(Guard&& guard, const Values&... values) {
        for (const auto& slot : slots_) call(*slot, guard, values...);
    }

    /// The same as one call for later, which owns what it needs.
    template <class Guard, class... Values> Function<void()> bind(Guard guard, const Values&... values) {
        return [slots = slots_, guard = std::move(guard),
                owned = std::tuple<Owned<Values>...>(Owned<Values>{values}...)]() mutable {
            for (const auto& slot : slots) {
                slot->runner = std::this_thread::get_id();
                std::apply([&](const auto&... each) { call(*slot, guard, each.get()...); }, owned);
                slot->runner = std::thread::id{};
            }
        };
    }

private:
    template <class Guard, class... Values>
    static void call(Slot& slot, Guard&& guard, const Values&... values) {
        slot.running = 1;
        if (slot.is_alive) guard([&] { slot.call(values...); });
        slot.running = 0;
        slot.running.notify_all();
    }

    std::vector<std::shared_ptr<Slot>> slots_;
};

} // namespace phx::shell
