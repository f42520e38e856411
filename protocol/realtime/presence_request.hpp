#pragma once

#include <cstdint>
#include <string_view>

namespace phx::protocol::realtime {

enum class PresenceAction : std::uint8_t {
    track,
    untrack,
    nothing,  ///< no event named: answered with ok
    bad_meta, ///< a track whose payload is no object
    unknown,
};

/// The payload of a `presence` push: `{"type":"presence","event":"track","payload":{...}}`.
struct PresenceRequest {
    PresenceAction action = PresenceAction::unknown;
    std::string_view meta = "{}"; ///< of a track
};

PresenceRequest read_presence(std::string_view payload);

inline constexpr std::string_view bad_meta_response = "{\"reason\":\"Presence track payload must be a map\"}";

} // namespace phx::protocol::realtime
