#pragma once

#include "phx/server/server.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace phx::shell {

/// Written by the loop thread alone, read by any.
struct Counters {
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> topics{0};
    std::atomic<std::size_t> channels{0};
    std::atomic<std::uint64_t> frames_in{0};
    std::atomic<std::uint64_t> frames_out{0};
    std::atomic<std::uint64_t> frames_dropped{0};
    std::atomic<std::uint64_t> slow_consumers{0};
    std::atomic<std::uint64_t> timed_out{0};
    std::atomic<std::uint64_t> late_responses{0};
    std::atomic<std::uint64_t> refused_for_server{0};
    std::atomic<std::uint64_t> refused_for_address{0};

    void add_to(phx::server::Stats& stats) const noexcept {
        const auto relaxed = std::memory_order_relaxed;
        stats.connections += connections.load(relaxed);
        stats.topics += topics.load(relaxed);
        stats.channels += channels.load(relaxed);
        stats.frames_in += frames_in.load(relaxed);
        stats.frames_out += frames_out.load(relaxed);
        stats.frames_dropped += frames_dropped.load(relaxed);
        stats.slow_consumers += slow_consumers.load(relaxed);
        stats.timed_out += timed_out.load(relaxed);
        stats.late_responses += late_responses.load(relaxed);
        stats.refused_for_server += refused_for_server.load(relaxed);
        stats.refused_for_address += refused_for_address.load(relaxed);
    }
};

/// With one writer no read-modify-write is needed, which locks the bus.
inline void count(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

} // namespace phx::shell
