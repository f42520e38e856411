#include "phx/realtime/reason.hpp"

#include <string>

namespace phx::realtime {
namespace {

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "phx.realtime"; }
    std::string message(int value) const override {
        switch (static_cast<Reason>(value)) {
        case Reason::token_expired: return "token expired";
        case Reason::invalid_jwt_token: return "token without the claims it needs";
        case Reason::malformed_jwt: return "malformed token";
        case Reason::jwt_signature_error: return "wrong signature of the token";
        case Reason::jwt_signer_error: return "no key for the token";
        case Reason::unauthorized: return "not allowed to read the topic";
        case Reason::topic_name_required: return "topic without a name";
        case Reason::private_only: return "private channels only";
        case Reason::unable_to_replay_messages: return "unable to replay messages";
        case Reason::tenant_not_found: return "no such project";
        case Reason::realtime_disabled_for_tenant: return "Realtime is disabled for the project";
        case Reason::channel_rate_limit_reached: return "too many channels of this client";
        case Reason::too_many_channels_joined: return "too many channels on this socket";
        case Reason::unmatched_topic: return "unmatched topic";
        case Reason::payload_size_exceeded: return "payload too large";
        case Reason::track_payload_not_a_map: return "presence payload is no object";
        case Reason::track_too_large: return "presence payload too large";
        case Reason::postgres_params_missing: return "neither schema nor table";
        case Reason::postgres_filter_invalid: return "invalid filter";
        case Reason::postgres_select_invalid: return "invalid select";
        case Reason::postgres_select_on_wildcard: return "select without one table";
        case Reason::postgres_table_not_enabled: return "Realtime is not enabled for the table";
        case Reason::postgres_subscription_refused: return "subscription refused by the database";
        case Reason::unknown_error_on_channel: return "unknown error of the server";
        case Reason::join_crashed: return "join crashed";
        case Reason::connection_rate_limit_reached: return "too many connected users";
        case Reason::client_join_rate_limit_reached: return "too many joins per second";
        case Reason::message_rate_limit: return "too many messages per second";
        case Reason::presence_rate_limit: return "too many presence messages per second";
        case Reason::client_presence_rate_limit: return "too many presence calls of this client";
        case Reason::realtime_restarting: return "Realtime is restarting";
        case Reason::initializing_project_connection: return "connecting to the project's database";
        case Reason::unable_to_connect_to_project: return "no connection to the project's database";
        case Reason::increase_connection_pool: return "connection pool too small";
        case Reason::database_lack_of_connections: return "database out of connections";
        case Reason::database_connection_rate_limit_reached:
            return "too many attempts to connect to the database";
        case Reason::query_canceled: return "query cancelled";
        case Reason::missing_partition: return "missing partition";
        case Reason::timeout_on_rpc_call: return "timeout between nodes of the server";
        case Reason::error_on_rpc_call: return "error between nodes of the server";
        case Reason::muster_join_error: return "nodes of the server disagree";
        case Reason::replication_timeout: return "no replication connection in time";
        case Reason::server_requested_disconnect: return "disconnect requested by the server";
        }
        return "unknown reason";
    }
};

struct Row {
    std::string_view text;
    Reason reason;
};

// realtime_channel.ex: the code of a refusal, before the colon.
constexpr Row codes[] = {
    {"TopicNameRequired", Reason::topic_name_required},
    {"InvalidJWTToken", Reason::invalid_jwt_token},
    {"MalformedJWT", Reason::malformed_jwt},
    {"JwtSignatureError", Reason::jwt_signature_error},
    {"JwtSignerError", Reason::jwt_signer_error},
    {"Unauthorized", Reason::unauthorized},
    {"PrivateOnly", Reason::private_only},
    {"ChannelRateLimitReached", Reason::channel_rate_limit_reached},
    {"ConnectionRateLimitReached", Reason::connection_rate_limit_reached},
    {"ClientJoinRateLimitReached", Reason::client_join_rate_limit_reached},
    {"UnableToReplayMessages", Reason::unable_to_replay_messages},
    {"TenantNotFound", Reason::tenant_not_found},
    {"RealtimeDisabledForTenant", Reason::realtime_disabled_for_tenant},
    {"RealtimeRestarting", Reason::realtime_restarting},
    {"IncreaseConnectionPool", Reason::increase_connection_pool},
    {"DatabaseLackOfConnections", Reason::database_lack_of_connections},
    {"DatabaseConnectionRateLimitReached", Reason::database_connection_rate_limit_reached},
    {"UnableToConnectToProject", Reason::unable_to_connect_to_project},
    {"InitializingProjectConnection", Reason::initializing_project_connection},
    {"QueryCanceled", Reason::query_canceled},
    {"MissingPartition", Reason::missing_partition},
    {"TimeoutOnRpcCall", Reason::timeout_on_rpc_call},
    {"ErrorOnRpcCall", Reason::error_on_rpc_call},
    {"MusterJoinError", Reason::muster_join_error},
    {"UnknownErrorOnChannel", Reason::unknown_error_on_channel},
};

// Replies without a code: Supabase's, then Phoenix' own (socket.ex).
constexpr Row bare_replies[] = {
    {"Realtime was unable to connect to the project database", Reason::unable_to_connect_to_project},
    {"Unknown Error on Channel", Reason::unknown_error_on_channel},
    {"payload_size_exceeded", Reason::payload_size_exceeded},
    {"Presence track payload must be a map", Reason::track_payload_not_a_map},
    {"too many channels joined", Reason::too_many_channels_joined},
    {"unmatched topic", Reason::unmatched_topic},
    {"join crashed", Reason::join_crashed},
};

constexpr std::string_view expired = "Token has expired";

// How the messages of system events begin.
constexpr Row system_messages[] = {
    {"Too many messages per second", Reason::message_rate_limit},
    {"Too many presence messages per second", Reason::presence_rate_limit},
    {"Client presence rate limit exceeded", Reason::client_presence_rate_limit},
    {"Track message size exceeded", Reason::track_too_large},
    {expired, Reason::token_expired},
    {"The token provided is not a valid JWT", Reason::malformed_jwt},
    {":signature_error", Reason::jwt_signature_error},
    {"Failed to validate JWT signature", Reason::jwt_signature_error},
    {"Failed to generate JWT signer", Reason::jwt_signer_error},
    {"Fields `role` and `exp` are required in JWT", Reason::invalid_jwt_token},
    {"Token expiration time is invalid", Reason::invalid_jwt_token},
    {"You do not have permissions to read", Reason::unauthorized},
    {"You no longer have permission to read", Reason::unauthorized},
    {"Realtime was unable to connect to the project database", Reason::unable_to_connect_to_project},
    {"Query was cancelled", Reason::query_canceled},
    {"Node request timeout", Reason::timeout_on_rpc_call},
    {"RPC call error", Reason::error_on_rpc_call},
    {"Replication connection was not established in time", Reason::replication_timeout},
    {"Server requested disconnect", Reason::server_requested_disconnect},
    {"Unable to subscribe to changes with given parameters. Please check Realtime is enabled",
     Reason::postgres_table_not_enabled},
    {"Unable to subscribe to changes with given parameters", Reason::postgres_subscription_refused},
    {"Error parsing `filter` params", Reason::postgres_filter_invalid},
    {"Error parsing `select` params", Reason::postgres_select_invalid},
    {"Column selection is not supported for wildcard subscriptions", Reason::postgres_select_on_wildcard},
    {"No subscription params provided", Reason::postgres_params_missing},
};

} // namespace

const std::error_category& reason_category() noexcept {
    static const Category category;
    return category;
}

bool is_temporary(Reason reason) noexcept {
    return reason >= Reason::connection_rate_limit_reached && reason <= Reason::server_requested_disconnect;
}

bool needs_new_token(Reason reason) noexcept {
    return reason >= Reason::token_expired && reason <= Reason::unauthorized;
}

std::optional<Reason> reason_of_refusal(std::string_view text) noexcept {
    const std::string_view code = text.substr(0, text.find(':'));
    for (const Row& row : codes) {
        if (code != row.text) continue;
        // The one code that stands for two remedies: a fresh token of the same kind, or one of another kind.
        const bool is_old = row.reason == Reason::invalid_jwt_token && text.find(expired) != text.npos;
        return is_old ? Reason::token_expired : row.reason;
    }
    for (const Row& row : bare_replies)
        if (text == row.text) return row.reason;
    return std::nullopt;
}

std::optional<Reason> reason_of_system(std::string_view message) noexcept {
    for (const Row& row : system_messages)
        if (message.starts_with(row.text)) return row.reason;
    return std::nullopt;
}

} // namespace phx::realtime
