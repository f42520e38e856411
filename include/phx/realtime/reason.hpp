#pragma once

#include "phx/export.hpp"

#include <optional>
#include <string_view>
#include <system_error>

/// What is particular to Supabase Realtime.
namespace phx::realtime {

/// Why Supabase refused a join, a postgres_changes subscription or a push, or ended a channel. The names are
/// Supabase's codes; where it sends none, they say what its text says. Compare with `error.code ==
/// Reason::unauthorized`.
enum class Reason {
    // About the token. needs_new_token() is true for all of them.

    /// The token's time is over. Give a fresh one; a provider of tokens does that before the time is over.
    token_expired = 1,
    /// The token lacks the claims `role` or `exp`, or `exp` is no number. Correct whatever signs the tokens.
    invalid_jwt_token,
    /// What was given as a token is no JWT. Look for a key of another kind, or a text that was cut.
    malformed_jwt,
    /// The signature is wrong: signed with another secret, or for another project.
    jwt_signature_error,
    /// The server has no key for the token's algorithm or key id. Check the project's JWT keys.
    jwt_signer_error,
    /// The row level security policies on `realtime.messages` do not allow this user to read this topic.
    /// Check the policies, or join as another user.
    unauthorized,

    // About what was asked for. The same request fails again.

    /// The topic is `realtime:` and nothing else.
    topic_name_required,
    /// The project allows private channels only. Join with `private` set.
    private_only,
    /// Replay was asked of a public channel, or with a bad `since` or `limit`, or the messages could not be
    /// read; the text says which.
    unable_to_replay_messages,
    /// No project of this name. Check the host.
    tenant_not_found,
    /// Realtime is switched off for the project, or the project is suspended.
    realtime_disabled_for_tenant,
    /// This client has as many channels as the project allows (100 by default). Leave some, or have the limit
    /// raised.
    channel_rate_limit_reached,
    /// Phoenix' own limit of channels on one socket. Leave some.
    too_many_channels_joined,
    /// The server knows no such topic, or the channel is not joined there any more.
    unmatched_topic,
    /// A broadcast larger than the project allows (3 MB by default). Send less, or have the limit raised.
    payload_size_exceeded,
    /// The payload of a presence is no object.
    track_payload_not_a_map,
    /// The payload of a presence is larger than the project allows; the channel is closed.
    track_too_large,
    /// Neither schema nor table was named.
    postgres_params_missing,
    /// The server cannot read the filter: an unknown operator, an empty part, a comma without quotes.
    postgres_filter_invalid,
    /// `select` is no list of column names.
    postgres_select_invalid,
    /// `select` needs one schema and one table by name.
    postgres_select_on_wildcard,
    /// No table of this name is in the publication `supabase_realtime`. Enable Realtime for the table.
    postgres_table_not_enabled,
    /// The database refused the subscription: no such column, no right to it, or a value that is not of the
    /// column's type. The text ends with its error.
    postgres_subscription_refused,
    /// An error of the server that has no code of its own.
    unknown_error_on_channel,
    /// The channel crashed while it was joined.
    join_crashed,

    // About the moment. is_temporary() is true for all of them: the same request may succeed later.

    /// As many users are connected as the project allows (200 by default).
    connection_rate_limit_reached,
    /// Too many joins per second in the project (100 by default); the server closes the socket too.
    client_join_rate_limit_reached,
    /// Too many messages per second in the project (100 by default): each channel that sends or receives one
    /// is closed.
    message_rate_limit,
    /// Too many presence messages per second in the project.
    presence_rate_limit,
    /// This client called track too often (5 calls in 30 seconds by default).
    client_presence_rate_limit,
    /// The server restarts.
    realtime_restarting,
    /// The server is connecting to the project's database.
    initializing_project_connection,
    /// The server could not connect to the project's database. It may be paused.
    unable_to_connect_to_project,
    /// All connections that Realtime may have to the database are busy. If it stays, enlarge its pool.
    increase_connection_pool,
    /// The database accepts no more connections.
    database_lack_of_connections,
    /// The server connects to the database too often.
    database_connection_rate_limit_reached,
    /// The database cancelled the query that checks the rights.
    query_canceled,
    /// `realtime.messages` has no partition for today; the server makes one.
    missing_partition,
    /// Another node of the server did not answer in time.
    timeout_on_rpc_call,
    /// Another node of the server failed.
    error_on_rpc_call,
    /// The nodes of the server could not agree on who serves the project.
    muster_join_error,
    /// The replication connection that the join asked for was not there after a minute.
    replication_timeout,
    /// The server ends all connections of the project, as when it is moved or suspended.
    server_requested_disconnect,
};

PHX_API const std::error_category& reason_category() noexcept;
inline std::error_code make_error_code(Reason reason) noexcept {
    return {static_cast<int>(reason), reason_category()};
}

/// Whether the same request may succeed later: wait, then try again.
PHX_API bool is_temporary(Reason) noexcept;
/// Whether it takes another token.
PHX_API bool needs_new_token(Reason) noexcept;

/// The reason in an error reply: of a join, `{"reason":"<Code>: <text>"}`, or what Phoenix and Supabase say
/// without a code. The code decides, whatever follows it. None for a text that nobody knows.
PHX_API std::optional<Reason> reason_of_refusal(std::string_view text) noexcept;
/// The reason in the message of a `system` event; none for the others, as "Subscribed to PostgreSQL".
PHX_API std::optional<Reason> reason_of_system(std::string_view message) noexcept;

} // namespace phx::realtime

template <> struct std::is_error_code_enum<phx::realtime::Reason> : std::true_type {};
