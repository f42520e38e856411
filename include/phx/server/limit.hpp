#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace phx::server {

/// What is too much, too many or too late: something is refused, dropped or ended then, and counted
/// (Stats::hits). Malformed frames have a counter of their own, those with too deep JSON or too long refs
/// among them; HTTP requests that are too large (413) are answered and not counted.
enum class Limit : std::uint8_t {
    // ---- Options
    max_connections,
    max_connections_per_address,
    max_channels_per_connection,
    max_pending_bytes,
    max_broadcast_bytes,
    // ---- Endpoint
    max_message_bytes,
    idle_timeout,
    // ---- Rates
    messages_per_connection,
    messages_per_topic, ///< by HTTP once for each request
    joins_per_connection,
    presence_per_topic,
    presence_calls,
    // ---- Timeouts
    request_timeout,
    write_timeout,
    close_timeout,
    poll_timeout, ///< a client that polls has stayed away: the way such a session ends as a rule
    // ---- fixed
    max_topic_bytes,               ///< 255, of a join
    max_params_bytes_per_session,  ///< 1 MiB: the join payloads of one connection
    max_held_frames,               ///< 64, or 1 MiB, of a channel while its join, or its broker, is awaited
    max_held_questions,            ///< 1024, likewise, of what else its handlers are to be asked
    max_subscriptions_per_channel, ///< 100 entries of postgres_changes
    max_presence_meta_bytes,       ///< 64 KiB
    max_presence_keys_per_member,  ///< 16, of Actions::track
    max_presence_per_topic,        ///< 100,000 metas, or half of Options::max_pending_bytes
    max_waiting_replies,           ///< 256 pushes of a channel without a reply; once for each channel
    max_requests_per_channel,      ///< 256 requests to a client without a response
    max_timers_per_channel,        ///< 256, of Actions::after
    max_rest_broadcasts,           ///< 1000, of one `POST /api/broadcast`
};

inline constexpr std::size_t limit_count = static_cast<std::size_t>(Limit::max_rest_broadcasts) + 1;

/// By Limit.
using LimitHits = std::array<std::uint64_t, limit_count>;

/// The setting as phx-server has it ("limits.max_pending_bytes"); a limit that is fixed has no dot.
constexpr std::string_view to_string(Limit limit) noexcept {
    switch (limit) {
    case Limit::max_connections: return "limits.max_connections";
    case Limit::max_connections_per_address: return "limits.max_connections_per_address";
    case Limit::max_channels_per_connection: return "limits.max_channels_per_connection";
    case Limit::max_pending_bytes: return "limits.max_pending_bytes";
    case Limit::max_broadcast_bytes: return "limits.max_broadcast_bytes";
    case Limit::max_message_bytes: return "endpoints.max_message_bytes";
    case Limit::idle_timeout: return "endpoints.idle_timeout";
    case Limit::messages_per_connection: return "rates.messages_per_connection";
    case Limit::messages_per_topic: return "rates.messages_per_topic";
    case Limit::joins_per_connection: return "rates.joins_per_connection";
    case Limit::presence_per_topic: return "rates.presence_per_topic";
    case Limit::presence_calls: return "rates.presence_calls";
    case Limit::request_timeout: return "timeouts.request";
    case Limit::write_timeout: return "timeouts.write";
    case Limit::close_timeout: return "timeouts.close";
    case Limit::poll_timeout: return "timeouts.poll";
    case Limit::max_topic_bytes: return "max_topic_bytes";
    case Limit::max_params_bytes_per_session: return "max_params_bytes_per_session";
    case Limit::max_held_frames: return "max_held_frames";
    case Limit::max_held_questions: return "max_held_questions";
    case Limit::max_subscriptions_per_channel: return "max_subscriptions_per_channel";
    case Limit::max_presence_meta_bytes: return "max_presence_meta_bytes";
    case Limit::max_presence_keys_per_member: return "max_presence_keys_per_member";
    case Limit::max_presence_per_topic: return "max_presence_per_topic";
    case Limit::max_waiting_replies: return "max_waiting_replies";
    case Limit::max_requests_per_channel: return "max_requests_per_channel";
    case Limit::max_timers_per_channel: return "max_timers_per_channel";
    case Limit::max_rest_broadcasts: return "max_rest_broadcasts";
    }
    return {};
}

} // namespace phx::server
