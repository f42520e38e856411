#pragma once

#include "phx/server/server.hpp"
#include "src/loop/counter.hpp"

#include <array>
#include <cstddef>

namespace phx::shell {

/// Of one shard.
struct Counters {
    Counter connections, topics, channels;
    Counter frames_in, frames_out, frames_dropped;
    Counter slow_consumers, timed_out, late_responses;
    Counter refused_for_server, refused_for_address;
    Counter refused_tokens, handler_failures;
    std::array<Counter, phx::server::limit_count> limit_hits;

    void add_to(phx::server::Stats& stats) const noexcept {
        stats.connections += connections.get();
        stats.topics += topics.get();
        stats.channels += channels.get();
        stats.frames_in += frames_in.get();
        stats.frames_out += frames_out.get();
        stats.frames_dropped += frames_dropped.get();
        stats.slow_consumers += slow_consumers.get();
        stats.timed_out += timed_out.get();
        stats.late_responses += late_responses.get();
        stats.refused_for_server += refused_for_server.get();
        stats.refused_for_address += refused_for_address.get();
        stats.refused_tokens += refused_tokens.get();
        stats.handler_failures += handler_failures.get();
        for (std::size_t i = 0; i < limit_hits.size(); ++i) stats.limit_hits[i] += limit_hits[i].get();
    }
};

} // namespace phx::shell
