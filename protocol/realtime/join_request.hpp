#pragma once

#include "protocol/realtime/postgres_subscription.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::protocol::realtime {

/// What a Supabase phx_join asks for, with the server's defaults for all that is missing or of a wrong type:
/// such a join is not refused (Supabase: InvalidJoinPayload is only logged). Booleans may also be "true" and
/// "false".
struct JoinRequest {
    bool broadcast_self = false;
    bool broadcast_ack = false;
    bool presence_enabled = false;
    bool is_private = false;
    bool replication_ready = false; ///< wants to be told when there is replication
    std::string presence_key = {};  ///< empty: the server makes one
    /// Which kept broadcasts are asked for.
    struct Replay {
        std::int64_t since_ms = 0; ///< since 1970
        std::size_t limit = 25;    ///< Supabase's most
    };
    std::optional<Replay> replay = {};
    /// `user_token`, or else `access_token`. None: it goes by the connection's, as with a key (`sb_...`).
    std::optional<std::string> token = {};
    std::vector<PostgresSubscription> subscriptions = {};
    /// Why there are none of them, as Supabase tells it in a system event.
    std::string subscription_error = {};
    /// The response of the ok reply: `{"postgres_changes":[...]}`, each entry as it came and with its id.
    std::string response = {};
    /// Why the join is refused, as Supabase words it; empty: accepted.
    std::string refusal = {};
};

inline constexpr std::string_view topic_name_required = "TopicNameRequired: You must provide a topic name";
inline constexpr std::string_view too_many_channels = "ChannelRateLimitReached: Too many channels";
inline constexpr std::string_view history_unavailable = "UnableToReplayMessages: broker unavailable";
inline constexpr std::string_view too_many_joins = "ClientJoinRateLimitReached: Too many joins per second";
inline constexpr std::string_view too_many_subscriptions =
    "UnknownErrorOnChannel: too many entries of postgres_changes";
inline constexpr std::string_view private_only = "PrivateOnly: This project only allows private channels";

/// `subtopic`: what follows `realtime:`. `payload`: JSON text; binary payloads are no object.
JoinRequest read_join(std::string_view subtopic, std::string_view payload);

} // namespace phx::protocol::realtime
