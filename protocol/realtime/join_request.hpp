#pragma once

#include <string>
#include <string_view>

namespace phx::protocol::realtime {

/// What a Supabase phx_join asks for, with the server's defaults for all that is missing or of a wrong type:
/// such a join is not refused (Supabase: InvalidJoinPayload is only logged). Booleans may also be "true" and
/// "false".
struct JoinRequest {
    bool broadcast_self = false;
    bool broadcast_ack = false;
    bool presence_enabled = false;
    bool is_private = false;
    std::string presence_key = {}; ///< empty: the server makes one
    /// The response of the ok reply: `{"postgres_changes":[...]}`, each entry as it came and with its id.
    std::string response = {};
    /// Why the join is refused, as Supabase words it; empty: accepted.
    std::string refusal = {};
};

inline constexpr std::string_view topic_name_required = "TopicNameRequired: You must provide a topic name";
inline constexpr std::string_view too_many_channels = "ChannelRateLimitReached: Too many channels";

/// `subtopic`: what follows `realtime:`. `payload`: JSON text; binary payloads are no object.
JoinRequest read_join(std::string_view subtopic, std::string_view payload);

} // namespace phx::protocol::realtime
