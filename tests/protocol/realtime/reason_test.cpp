#include "phx/realtime/reason.hpp"

#include "phx/error.hpp"
#include "protocol/realtime/json_members.hpp"
#include "tests/protocol/realtime/recordings.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace phx::realtime {
namespace {

constexpr int first = static_cast<int>(Reason::token_expired);
constexpr int last = static_cast<int>(Reason::server_requested_disconnect);

TEST(Reason, KnowsEveryRefusalOfAJoin) {
    const std::pair<const char*, Reason> cases[] = {
        {"TopicNameRequired: You must provide a topic name", Reason::topic_name_required},
        {"InvalidJWTToken: Token has expired 31 seconds ago", Reason::token_expired},
        {"InvalidJWTToken: Fields `role` and `exp` are required in JWT", Reason::invalid_jwt_token},
        {"InvalidJWTToken: Token expiration time is invalid", Reason::invalid_jwt_token},
        {"InvalidJWTToken", Reason::invalid_jwt_token},
        {"MalformedJWT: The token provided is not a valid JWT", Reason::malformed_jwt},
        {"JwtSignatureError: Failed to validate JWT signature", Reason::jwt_signature_error},
        {"JwtSignerError: Failed to generate JWT signer for key ID (kid) \"X\", check your JWT secret",
         Reason::jwt_signer_error},
        {"Unauthorized: You do not have permissions to read from this Channel topic: a:b",
         Reason::unauthorized},
        {"PrivateOnly: This project only allows private channels", Reason::private_only},
        {"ChannelRateLimitReached: Too many channels", Reason::channel_rate_limit_reached},
        {"ConnectionRateLimitReached: Too many connected users", Reason::connection_rate_limit_reached},
        {"ClientJoinRateLimitReached: Too many joins per second", Reason::client_join_rate_limit_reached},
        {"UnableToReplayMessages: Replay params are not valid", Reason::unable_to_replay_messages},
        {"TenantNotFound: Tenant with the given ID does not exist", Reason::tenant_not_found},
        {"RealtimeDisabledForTenant: Realtime disabled for this tenant",
         Reason::realtime_disabled_for_tenant},
        {"RealtimeRestarting: Realtime is restarting, please standby", Reason::realtime_restarting},
        {"IncreaseConnectionPool: Please increase your connection pool size",
         Reason::increase_connection_pool},
        {"DatabaseLackOfConnections: Database can't accept more connections, Realtime won't connect",
         Reason::database_lack_of_connections},
        {"DatabaseConnectionRateLimitReached: Too many database connections attempts per second",
         Reason::database_connection_rate_limit_reached},
        {"UnableToConnectToProject: Realtime was unable to connect to the project database",
         Reason::unable_to_connect_to_project},
        {"InitializingProjectConnection: Connecting to the project database",
         Reason::initializing_project_connection},
        {"QueryCanceled: another text", Reason::query_canceled},
        {"MissingPartition: ...", Reason::missing_partition},
        {"TimeoutOnRpcCall: Node request timeout", Reason::timeout_on_rpc_call},
        {"ErrorOnRpcCall: RPC call error: :nodedown", Reason::error_on_rpc_call},
        {"MusterJoinError: ...", Reason::muster_join_error},
        {"UnknownErrorOnChannel: expected params to be a :map, got: `nil`", Reason::unknown_error_on_channel},
        {"Realtime was unable to connect to the project database", Reason::unable_to_connect_to_project},
        {"Unknown Error on Channel", Reason::unknown_error_on_channel},
        {"too many channels joined", Reason::too_many_channels_joined},
        {"unmatched topic", Reason::unmatched_topic},
        {"join crashed", Reason::join_crashed},
        {"payload_size_exceeded", Reason::payload_size_exceeded},
        {"Presence track payload must be a map", Reason::track_payload_not_a_map},
    };
    for (const auto& [text, reason] : cases) EXPECT_EQ(reason_of_refusal(text), reason) << text;
}

TEST(Reason, KnowsEverySystemMessageThatIsAReason) {
    const std::pair<const char*, Reason> cases[] = {
        {"Too many messages per second", Reason::message_rate_limit},
        {"Too many presence messages per second", Reason::presence_rate_limit},
        {"Client presence rate limit exceeded", Reason::client_presence_rate_limit},
        {"Track message size exceeded", Reason::track_too_large},
        {"Token has expired 0 seconds ago", Reason::token_expired},
        {"The token provided is not a valid JWT", Reason::malformed_jwt},
        {":signature_error", Reason::jwt_signature_error},
        {"Failed to validate JWT signature", Reason::jwt_signature_error},
        {"Failed to generate JWT signer, check your JWT secret", Reason::jwt_signer_error},
        {"Fields `role` and `exp` are required in JWT", Reason::invalid_jwt_token},
        {"Token expiration time is invalid", Reason::invalid_jwt_token},
        {"You do not have permissions to read from this Channel topic: X", Reason::unauthorized},
        {"You no longer have permission to read from this Channel topic: X", Reason::unauthorized},
        {"Realtime was unable to connect to the project database", Reason::unable_to_connect_to_project},
        {"Query was cancelled, please try again", Reason::query_canceled},
        {"Node request timeout", Reason::timeout_on_rpc_call},
        {"RPC call error: :nodedown", Reason::error_on_rpc_call},
        {"Replication connection was not established in time", Reason::replication_timeout},
        {"Server requested disconnect", Reason::server_requested_disconnect},
        {"Unable to subscribe to changes with given parameters. Please check Realtime is enabled for ...",
         Reason::postgres_table_not_enabled},
        {"Unable to subscribe to changes with given parameters. An exception happened so ...",
         Reason::postgres_subscription_refused},
        {"Error parsing `filter` params: [\"task\"]", Reason::postgres_filter_invalid},
        {"Error parsing `select` params: expected a list", Reason::postgres_select_invalid},
        {"Column selection is not supported for wildcard subscriptions. Provide ...",
         Reason::postgres_select_on_wildcard},
        {"No subscription params provided. Please provide ...", Reason::postgres_params_missing},
    };
    for (const auto& [text, reason] : cases) EXPECT_EQ(reason_of_system(text), reason) << text;
}

TEST(Reason, SaysNothingAboutATextThatNobodyKnows) {
    for (const char* const text :
         {"", ":", "Unauthorize", "unauthorized: x", "Unauthorized2: x", " Unauthorized: x",
          "unmatched topics", "NewCodeOfNextYear: text", "Token has expired 3 seconds ago"})
        EXPECT_EQ(reason_of_refusal(text), std::nullopt) << text;
    for (const char* const text : {"", "Subscribed to PostgreSQL", "Replication connection established",
                                   "Unauthorized: x", "too many messages per second"})
        EXPECT_EQ(reason_of_system(text), std::nullopt) << text;
}

TEST(Reason, TheCodeDecidesWhateverTheTextSays) {
    EXPECT_EQ(reason_of_refusal("Unauthorized"), Reason::unauthorized);
    EXPECT_EQ(reason_of_refusal("Unauthorized:Token has expired"), Reason::unauthorized);
    EXPECT_EQ(reason_of_refusal("InvalidJWTToken:Token has expired"), Reason::token_expired);
}

TEST(Reason, IsAnErrorCodeOfItsOwnCategory) {
    const std::error_code code = Reason::unauthorized;
    EXPECT_STREQ(code.category().name(), "phx.realtime");
    EXPECT_EQ(&code.category(), &reason_category());
    EXPECT_TRUE(code == Reason::unauthorized);
    EXPECT_FALSE(code == Reason::private_only);
    EXPECT_NE(code, std::error_code(static_cast<int>(Reason::unauthorized), error_category()));
    std::set<std::string> messages;
    for (int value = first; value <= last; ++value)
        messages.insert(make_error_code(static_cast<Reason>(value)).message());
    EXPECT_EQ(messages.size(), static_cast<std::size_t>(last - first + 1));
    EXPECT_EQ(messages.count("unknown reason"), 0u);
    EXPECT_EQ(reason_category().message(0), "unknown reason");
    EXPECT_EQ(reason_category().message(last + 1), "unknown reason");
}

TEST(Reason, SaysWhatToDo) {
    for (const Reason reason : {Reason::token_expired, Reason::invalid_jwt_token, Reason::malformed_jwt,
                                Reason::jwt_signature_error, Reason::jwt_signer_error, Reason::unauthorized})
        EXPECT_TRUE(needs_new_token(reason)) << make_error_code(reason);
    for (const Reason reason :
         {Reason::connection_rate_limit_reached, Reason::client_join_rate_limit_reached,
          Reason::message_rate_limit, Reason::presence_rate_limit, Reason::client_presence_rate_limit,
          Reason::realtime_restarting, Reason::database_lack_of_connections, Reason::query_canceled,
          Reason::timeout_on_rpc_call, Reason::replication_timeout, Reason::server_requested_disconnect})
        EXPECT_TRUE(is_temporary(reason)) << make_error_code(reason);
    for (const Reason reason :
         {Reason::private_only, Reason::tenant_not_found, Reason::channel_rate_limit_reached,
          Reason::unmatched_topic, Reason::postgres_filter_invalid, Reason::unknown_error_on_channel}) {
        EXPECT_FALSE(is_temporary(reason)) << make_error_code(reason);
        EXPECT_FALSE(needs_new_token(reason)) << make_error_code(reason);
    }
    for (int value = first; value <= last; ++value)
        EXPECT_FALSE(is_temporary(static_cast<Reason>(value)) && needs_new_token(static_cast<Reason>(value)));
}

TEST(Reason, KnowsEveryRefusalInTheRecordings) {
    using protocol::realtime::json_member;
    using protocol::realtime::json_string;
    std::map<Reason, int> found;
    for (const auto& frame : protocol::realtime::all_recorded_frames()) {
        if (frame.event != "phx_reply" || frame.status != "error" || frame.payload == "{}") continue;
        const auto text = json_string(json_member(frame.payload, "reason").value_or(frame.payload));
        ASSERT_TRUE(text) << frame.where;
        const auto reason = reason_of_refusal(*text);
        ASSERT_TRUE(reason) << frame.where << " " << *text;
        ++found[*reason];
    }
    const std::map<Reason, int> expected = {
        {Reason::topic_name_required, 1},
        {Reason::unmatched_topic, 69},
        {Reason::invalid_jwt_token, 1},
        {Reason::token_expired, 3},
        {Reason::jwt_signature_error, 1},
        {Reason::malformed_jwt, 1},
        {Reason::unable_to_replay_messages, 3},
        {Reason::unauthorized, 8},
        {Reason::client_join_rate_limit_reached, 1},
        {Reason::payload_size_exceeded, 2},
        {Reason::channel_rate_limit_reached, 1},
        {Reason::connection_rate_limit_reached, 1},
        {Reason::private_only, 1},
    };
    EXPECT_EQ(found, expected);
}

} // namespace
} // namespace phx::realtime
