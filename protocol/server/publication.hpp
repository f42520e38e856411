#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/server/route.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phx::protocol::server {

/// Namespaces of publications and subscriptions.
inline constexpr std::string_view open_topic_ns = "topic";
inline constexpr std::string_view restricted_topic_ns = "private";
inline constexpr std::string_view channel_ns_prefix = "channel:"; ///< and the pattern
/// What concerns whole nodes: each subscribes to it, with the key "all", before it serves anybody.
inline constexpr std::string_view node_ns = "node";
inline constexpr std::string_view all_nodes = "all";

inline constexpr std::string_view broker_unavailable = "broker unavailable";

/// What the nodes of a broker tell each other, in the bytes of a publish:
///
///     u8 version (1) | u8 kind | u8 opcode | u8 route kind | u8 fields | field...
///     field: u32 length, least byte first | bytes
///
/// Fields: event, payload, target, skipped server, metadata, and of a user broadcast the user event.
struct Publication {
    /// `send` and `disconnect` are what a route names; the payload of a disconnect is the code in decimal.
    enum class Kind : std::uint8_t {
        broadcast,
        to_channels,
        disconnect_socket,
        disconnect_user,
        send,
        disconnect
    };

    Kind kind = Kind::broadcast;
    Opcode opcode = Opcode::text;
    phx::server::Route::Kind route = phx::server::Route::Kind::all;
    std::string_view event = {};
    std::string_view payload = {};
    std::string_view target = {};         ///< of the route, or who is disconnected
    std::string_view skipped_server = {}; ///< its machines know already; empty: none
    std::string_view metadata = {};       ///< of a user broadcast; JSON
    std::optional<std::string_view> user_event = {};
};

void append_publication(std::string& out, const Publication&);
/// None: not what append_publication() writes. The views point into `bytes`.
std::optional<Publication> read_publication(std::string_view bytes);

/// What a node tells of a presence meta.
struct PresenceValue {
    std::string_view key = {};
    std::string_view members = {}; ///< JSON members without the braces
    std::string_view ref = {};
    std::string_view previous_ref = {};
};

void append_presence_value(std::string& out, const PresenceValue&);
std::optional<PresenceValue> read_presence_value(std::string_view bytes);

} // namespace phx::protocol::server
