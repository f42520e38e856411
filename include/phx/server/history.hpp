#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace phx::server {

/// Which broadcasts of private `realtime:*` channels are kept, so that who joins later may ask for them
/// (Supabase: `broadcast.replay {since, limit}` in the join, at most 25; of these the newest that fit into
/// half of Options::max_pending_bytes). They live in the memory of this server, or at its broker
/// (Options::broker) for all servers that share it; also while nobody is in the topic.
struct History {
    std::string pattern = "realtime:*";           ///< of topics; the first that matches counts
    std::size_t max_messages = 100;               ///< of each topic; the oldest go first
    std::chrono::seconds max_age{3 * 24 * 3'600}; ///< Supabase: 3 days
};

} // namespace phx::server
