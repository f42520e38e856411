#include "phx/realtime/system_message.hpp"

#include "phx/error.hpp"
#include "tests/protocol/realtime/recordings.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace phx::realtime {
namespace {

TEST(SystemMessage, ReadsWhatTheServerSays) {
    const std::string payload =
        R"({"message":"Subscribed to PostgreSQL","status":"ok","extension":"postgres_changes","channel":"a:\u00e9"})";
    const auto message = SystemMessage::parse(payload);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->ok);
    EXPECT_EQ(message->extension, "postgres_changes");
    EXPECT_EQ(message->message, "Subscribed to PostgreSQL");
    EXPECT_EQ(message->channel, "a:\xC3\xA9");
    EXPECT_EQ(message->text, payload);
    EXPECT_EQ(message->reason(), std::nullopt);
    EXPECT_TRUE(message->is_subscribed_to_postgres());
    EXPECT_FALSE(message->ends_channel());
}

TEST(SystemMessage, TellsTheEndOfAChannelFromAFailedSubscription) {
    const auto end = SystemMessage::parse(
        R"({"message":"Too many messages per second","status":"error","extension":"system","channel":"c"})");
    ASSERT_TRUE(end);
    EXPECT_TRUE(end->ends_channel());
    EXPECT_EQ(end->reason(), Reason::message_rate_limit);
    EXPECT_FALSE(end->is_subscribed_to_postgres());
    const auto failed = SystemMessage::parse(
        R"({"message":"Error parsing `filter` params: []","status":"error","extension":"postgres_changes"})");
    ASSERT_TRUE(failed);
    EXPECT_FALSE(failed->ends_channel());
    EXPECT_EQ(failed->reason(), Reason::postgres_filter_invalid);
    EXPECT_EQ(failed->channel, "");
    const auto disconnect = SystemMessage::parse(
        R"({"message":"Server requested disconnect","status":"ok","extension":"system"})");
    ASSERT_TRUE(disconnect);
    EXPECT_FALSE(disconnect->ends_channel());
    EXPECT_EQ(disconnect->reason(), Reason::server_requested_disconnect);
}

TEST(SystemMessage, RefusesPayloadsOfAnotherShape) {
    for (const std::string payload :
         {"", "null", "[]", "{}", "\"ok\"", R"({"message":"m","status":"ok"})",
          R"({"message":"m","extension":"system"})", R"({"status":"ok","extension":"system"})",
          R"({"message":"m","status":"good","extension":"system"})",
          R"({"message":5,"status":"ok","extension":"system"})",
          R"({"message":"m","status":true,"extension":"system"})",
          R"({"message":"m","status":"ok","extension":null})",
          R"({"message":"m","status":"ok","extension":"system")",
          R"({"message":"m","status":"ok","extension":"system"}})"}) {
        const auto message = SystemMessage::parse(payload);
        ASSERT_FALSE(message) << payload;
        EXPECT_EQ(message.error().code, Errc::invalid_payload);
        EXPECT_EQ(message.error().origin, Origin::peer);
        EXPECT_TRUE(message.error().message.starts_with("a system message ")) << message.error().message;
    }
}

TEST(SystemMessage, ReadsEveryOneInTheRecordings) {
    std::map<Reason, int> reasons;
    int subscribed = 0, others = 0, ends = 0;
    for (const auto& frame : protocol::realtime::all_recorded_frames()) {
        if (frame.event != "system") continue;
        const auto message = SystemMessage::parse(frame.payload);
        ASSERT_TRUE(message) << frame.where << message.error().message;
        ASSERT_TRUE(message->ok || message->reason()) << frame.where << message->message;
        ends += message->ends_channel();
        if (message->reason()) {
            ++reasons[*message->reason()];
        } else {
            ++(message->is_subscribed_to_postgres() ? subscribed : others);
        }
    }
    EXPECT_EQ(subscribed, 48);
    EXPECT_EQ(others, 1); // "Replication connection established"
    EXPECT_EQ(ends, 12);
    const std::map<Reason, int> expected = {
        {Reason::jwt_signature_error, 1},
        {Reason::invalid_jwt_token, 1},
        {Reason::malformed_jwt, 1},
        {Reason::token_expired, 3},
        {Reason::unauthorized, 1},
        {Reason::message_rate_limit, 3},
        {Reason::presence_rate_limit, 1},
        {Reason::track_too_large, 1},
        {Reason::postgres_select_on_wildcard, 1},
        {Reason::postgres_filter_invalid, 6},
        {Reason::postgres_select_invalid, 1},
        {Reason::postgres_params_missing, 1},
        {Reason::postgres_subscription_refused, 6},
        {Reason::postgres_table_not_enabled, 1},
    };
    EXPECT_EQ(reasons, expected);
}

} // namespace
} // namespace phx::realtime
