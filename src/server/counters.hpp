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
    }
};

} // namespace phx::shell
