#pragma once

#include "phx/export.hpp"
#include "phx/protocol/frame.hpp"
#include "phx/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Builders make the JSON payloads and complete frames of the protocol. They are pure: same arguments, same
/// bytes. Every `json` argument must be JSON text; every other string is plain UTF-8 and is escaped here.
namespace phx::protocol {

/// One entry of `config.postgres_changes`.
struct PostgresBinding {
    std::string event = "*"; ///< "*", "INSERT", "UPDATE" or "DELETE"
    std::string schema = "public";
    std::string table = {};               ///< empty: all tables of the schema
    std::string filter = {};              ///< "column=op.value"; empty: none
    std::vector<std::string> select = {}; ///< columns; empty: all

    friend bool operator==(const PostgresBinding&, const PostgresBinding&) = default;
};

/// `config` of a Supabase join. Defaults are realtime-js'.
struct JoinConfig {
    bool broadcast_self = false;
    bool broadcast_ack = false;
    std::optional<std::int64_t> replay_since_ms = {}; ///< unix time; private channels only
    std::optional<int> replay_limit = {};             ///< 1 to 25; left out without `replay_since_ms`
    std::string presence_key = {};                    ///< empty: the server makes one
    bool presence_enabled = false;
    bool is_private = false;
    std::vector<PostgresBinding> postgres_changes = {};
};

/// `{"config":{...},"access_token":...}`, the payload of a Supabase phx_join; without a token the key is left
/// out.
PHX_API std::string join_payload(const JoinConfig&, std::optional<std::string_view> access_token = {});
/// `{"type":"broadcast","event":EVENT,"payload":JSON}`
PHX_API std::string broadcast_payload(std::string_view event, std::string_view json);
/// `{"type":"presence","event":"track","payload":JSON}`
PHX_API std::string presence_track_payload(std::string_view json);
/// `{"type":"presence","event":"untrack"}`
PHX_API std::string presence_untrack_payload();
/// `{"access_token":TOKEN}`
PHX_API std::string access_token_payload(std::string_view token);

/// Where a frame belongs: refs are JSON tokens as `FrameView` has them; pass `std::nullopt` for null.
struct Address {
    std::string_view topic;
    std::optional<JsonToken> join_ref = {};
    std::optional<JsonToken> ref = {};
};

// Client to server. `out` gets the frame appended; text frames cannot fail. An empty payload is sent as `{}`.
PHX_API void build_join(Vsn, const Address&, std::string_view json, std::string& out);
PHX_API void build_leave(Vsn, const Address&, std::string& out);
PHX_API void build_heartbeat(Vsn, JsonToken ref, std::string& out);
PHX_API void build_broadcast(Vsn, const Address&, std::string_view event, std::string_view json,
                             std::string& out);
PHX_API void build_presence_track(Vsn, const Address&, std::string_view json, std::string& out);
PHX_API void build_presence_untrack(Vsn, const Address&, std::string& out);
PHX_API void build_access_token(Vsn, const Address&, std::string_view token, std::string& out);
PHX_API Result<Opcode> build_push(Vsn, const Address&, std::string_view event, Opcode,
                                  std::string_view payload, std::string& out);
/// A Supabase broadcast: kind 3 over v2; over v1 the JSON of `build_broadcast`, with `metadata` as "meta".
PHX_API Result<Opcode> build_user_push(Vsn, const Address&, std::string_view user_event,
                                       std::string_view metadata, Opcode, std::string_view payload,
                                       std::string& out);

// Server to client. Over v1 the join_ref is left out, as real servers do.
PHX_API Result<Opcode> build_reply(Vsn, const Address&, std::string_view status, Opcode,
                                   std::string_view response, std::string& out);
/// Also phx_close and phx_error, whose ref is the join_ref. A binary push has no room for the ref.
PHX_API Result<Opcode> build_server_push(Vsn, const Address&, std::string_view event, Opcode,
                                         std::string_view payload, std::string& out);
/// To every member of a topic: both refs are null (Phoenix' fastlane), kind 2 when binary.
PHX_API Result<Opcode> build_server_broadcast(Vsn, std::string_view topic, std::string_view event, Opcode,
                                              std::string_view payload, std::string& out);
/// Supabase kind 4 over v2; a `{"type":"broadcast",...}` text frame over v1.
PHX_API Result<Opcode> build_user_broadcast(Vsn, std::string_view topic, std::string_view user_event,
                                            std::string_view metadata, Opcode, std::string_view payload,
                                            std::string& out);

} // namespace phx::protocol
