#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace phx::server {

/// How much clients may do in a time. Each is a token bucket: that many at once, and then that many in each
/// second (or `presence_window`). 0 is no limit, which is the default; Supabase's values for a project are
/// named beside. What happens beyond is told with each; the texts are Supabase's.
struct Rates {
    /// Pushes of one connection, joins, leaves and heartbeats not counted. `realtime:*`: the channel is told
    /// "Too many messages per second" and closed; topics with handlers: error reply `rate limited`.
    std::uint32_t messages_per_connection = 0;
    /// Broadcasts to one `realtime:*` topic, whose public and private room count apart, by its channels and
    /// by `POST /api/broadcast`, whoever asks. The sender's channel is closed likewise. By HTTP nothing of
    /// the batch is sent: 429 "Too many messages to broadcast, please reduce the batch size" if it has more
    /// for one topic than this, else 429 "You have exceeded your rate limit". A topic that nobody is in (on
    /// the thread that has the request) is forgotten at once, and with it what it was sent: only the size of
    /// a batch is looked at then. One of more than 1000 messages is refused whatever the rate. `POST
    /// /api/send` and the calls of Server are not limited. Supabase: 100, of the whole project.
    std::uint32_t messages_per_topic = 0;
    /// Joins of one connection; one more is refused ("ClientJoinRateLimitReached: Too many joins per second")
    /// and the connection closed with 1001. Supabase: 100, of the whole project.
    std::uint32_t joins_per_connection = 0;
    /// Tracks and untracks on one `realtime:*` topic: "Too many presence messages per second", closed.
    /// Supabase: 1000, of the whole project.
    std::uint32_t presence_per_topic = 0;
    /// Likewise of one channel within `presence_window`: "Client presence rate limit exceeded", closed.
    /// Supabase: 5 in 30 s.
    std::uint32_t presence_calls = 0;
    std::chrono::milliseconds presence_window{30'000};
};

} // namespace phx::server
