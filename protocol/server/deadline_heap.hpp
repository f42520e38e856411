#pragma once

#include "protocol/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace phx::protocol::server {

enum class DeadlineKind : std::uint8_t {
    idle,          ///< of a session
    join,          ///< a delayed answer takes effect
    info,          ///< Actions::after
    subscription,  ///< a join gives up waiting for the broker
    reply,         ///< Actions::reply_later
    request,       ///< of the server to a client: its response is awaited no longer
    session_token, ///< of a connection expires
    member_token,  ///< of a channel expires
    drain,         ///< of a session: it is closed, unless it is busy
    drain_end,     ///< of all
};

struct Deadline {
    TimePoint at = {};
    std::uint64_t order = 0; ///< deadlines of one moment fire in the order they were set
    DeadlineKind kind = DeadlineKind::idle;
    std::uint64_t id = 0; ///< a SessionId, a MemberId or a RequestId
    std::string info = {};
};

/// What is to happen when. Nothing is taken out when its owner dies: the caller skips what is dead at the
/// top, and sweeps when most of the heap is.
class DeadlineHeap {
public:
    /// False: `at` is never (TimePoint::max()), and nothing was kept.
    bool push(TimePoint at, DeadlineKind kind, std::uint64_t id, std::string info = {}) {
        if (at == TimePoint::max()) return false;
        heap_.push_back(Deadline{at, ++order_, kind, id, std::move(info)});
        std::push_heap(heap_.begin(), heap_.end(), later);
        return true;
    }

    bool empty() const noexcept { return heap_.empty(); }
    std::size_t size() const noexcept { return heap_.size(); }
    const Deadline& top() const noexcept { return heap_.front(); }

    Deadline pop() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        Deadline deadline = std::move(heap_.back());
        heap_.pop_back();
        return deadline;
    }

    template <class Predicate> void remove_if(Predicate dead) {
        std::erase_if(heap_, dead);
        std::make_heap(heap_.begin(), heap_.end(), later);
    }

private:
    static bool later(const Deadline& a, const Deadline& b) noexcept {
        return a.at != b.at ? a.at > b.at : a.order > b.order;
    }

    std::vector<Deadline> heap_;
    std::uint64_t order_ = 0;
};

} // namespace phx::protocol::server
