#pragma once

#include "protocol/client/id_table.hpp"
#include "protocol/client/outputs.hpp"
#include "protocol/time/timer_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace phx::protocol {

/// What waits for a reply or a deadline. The attempts are the machine's own and never reach the user: a join
/// and a leave go on when whoever asked for them gives up, and rejoins have nobody who asked.
enum class PushKind : std::uint8_t {
    push,
    tell,          ///< expects no reply: in here while it waits for the join
    send,          ///< accepted by send(), waiting for the join; nobody is told unless it is dropped
    join,          ///< waits for the join attempt of its channel
    leave,         ///< waits for the leave attempt of its channel
    ping,          ///< has no channel
    join_attempt,  ///< has the ref of phx_join once that is sent
    leave_attempt, ///< has the ref of phx_leave
};

/// The pushes of one channel, oldest first. Only PushTable touches what is inside.
struct PushList {
    static constexpr std::uint32_t none = UINT32_MAX;
    std::uint32_t first = none;
    std::uint32_t last = none;
};

struct PushRecord {
    PushId id{};
    PushKind kind{};
    ChannelId channel{};
    std::uint64_t ref = 0; ///< 0: not sent
    TimePoint deadline{};
    TimePoint sent_at{};
    PushList* list = nullptr;
    std::uint32_t prev = PushList::none;
    std::uint32_t next = PushList::none;
};

/// Every push that has not finished, found by id, by ref, by channel and by deadline. All of it is O(1), but
/// for the deadlines, which are O(log n); nothing is allocated in the steady state. A list must stay where it
/// is while a push is in it; pointers to records end with the next add().
class PushTable {
public:
    /// An id for a push that finishes before it begins.
    PushId next_id() noexcept { return PushId{++last_id_}; }

    PushId add(PushKind, ChannelId, PushList&, TimePoint deadline);
    /// REQUIRES that it is there, and ref != 0.
    void mark_sent(PushId, std::uint64_t ref, TimePoint now);
    /// REQUIRES that it is there.
    PushRecord take(PushId);

    const PushRecord* find(PushId) const noexcept;
    const PushRecord* find_ref(std::uint64_t ref) const noexcept;
    const PushRecord* first(const PushList&) const noexcept;
    const PushRecord* following(const PushRecord&) const noexcept;

    std::optional<PushId> expired(TimePoint now) const { return timers_.due(now); }
    std::optional<TimePoint> next_timeout() const { return timers_.next(); }
    std::size_t size() const noexcept { return ids_.size(); }
    /// How many timers are kept, dead ones included.
    std::size_t timers() const noexcept { return timers_.size(); }

private:
    const PushRecord* at(std::optional<std::uint32_t> slot) const noexcept {
        return slot ? &slots_[*slot] : nullptr;
    }

    std::vector<PushRecord> slots_;
    std::vector<std::uint32_t> free_;
    IdTable ids_;
    IdTable refs_;
    TimerTable<PushId> timers_;
    std::uint64_t last_id_ = 0;
};

} // namespace phx::protocol
