#include "tests/realtime/realtime_world.hpp"

// What becomes of a subscription.
namespace phx::test {
namespace {

TEST(RealtimeSubscribe, JoinsAsRealtimeJsDoesAndTellsSubscribed) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    EXPECT_EQ(room.topic(), "realtime:room");
    EXPECT_EQ(room.state(), ChannelState::joined);
    const Json wanted = {{"config",
                          {{"broadcast", {{"ack", false}, {"self", false}}},
                           {"presence", {{"key", ""}, {"enabled", false}}},
                           {"postgres_changes", Json::array()},
                           {"private", false}}}};
    EXPECT_EQ(supabase.join(0), wanted); // no token is known: no access_token
    EXPECT_EQ(supabase.lines, Lines{"SUBSCRIBED"});
    EXPECT_TRUE(supabase.errors.empty());
}

TEST(RealtimeSubscribe, AsksForWhatTheOptionsSay) {
    Supabase supabase;
    supabase.client->set_auth("a-token");
    RealtimeChannelOptions options;
    options.broadcast_self = options.broadcast_ack = options.is_private = true;
    options.presence_key = "ada";
    const RealtimeChannel room = supabase.client->channel("room", std::move(options));
    room.on_presence_sync([] {});
    room.on_postgres_changes({realtime::ChangeKind::insert, "public", "todos", realtime::column("id").gt(5)},
                             [](const PostgresChange&) {});
    ASSERT_TRUE(room.subscribe().wait());
    const Json wanted = {
        {"config",
         {{"broadcast", {{"ack", true}, {"self", true}}},
          {"presence", {{"key", "ada"}, {"enabled", true}}},
          {"postgres_changes",
           Json::array(
               {{{"event", "INSERT"}, {"schema", "public"}, {"table", "todos"}, {"filter", "id=gt.5"}}})},
          {"private", true}}},
        {"access_token", "a-token"}};
    EXPECT_EQ(supabase.join(0), wanted);
}

TEST(RealtimeSubscribe, TwiceJoinsOnce) {
    Supabase supabase;
    const RealtimeChannel room = supabase.client->channel("room");
    const Push first = room.subscribe(supabase.told());
    const Push second = room.subscribe(); // while it joins
    EXPECT_FALSE(second.finished());
    EXPECT_TRUE(second.wait());
    EXPECT_TRUE(first.wait());
    EXPECT_TRUE(room.subscribe().wait()); // joined
    supabase.settle();
    EXPECT_EQ(supabase.sent("phx_join").size(), 1U);
    EXPECT_EQ(supabase.lines, Lines{"SUBSCRIBED"});
}

TEST(RealtimeSubscribe, ARefusalSaysWhyAndIsTriedAgainIfItMayPass) {
    Supabase supabase;
    supabase.backend.refuse("IncreaseConnectionPool: Please increase your connection pool size");
    const RealtimeChannel room = supabase.client->channel("room");
    const auto result = room.subscribe(supabase.told()).wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Reason::increase_connection_pool);
    ASSERT_TRUE(supabase.until([&] { return room.state() == ChannelState::joined; }));
    supabase.settle();
    EXPECT_EQ(supabase.lines,
              (Lines{"CHANNEL_ERROR: IncreaseConnectionPool: Please increase your connection pool size",
                     "SUBSCRIBED"}));
    EXPECT_EQ(supabase.codes[0], Reason::increase_connection_pool);
    EXPECT_TRUE(supabase.errors.empty());
}

struct Refusal {
    const char* text;
    std::optional<Reason> reason;
    bool is_retried;
};

class RealtimeRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(RealtimeRefusal, HasItsReasonAndIsRetriedWhereThatMayHelp) {
    const auto& [text, reason, is_retried] = GetParam();
    Supabase supabase;
    supabase.backend.refuse(text);
    const RealtimeChannel room = supabase.client->channel("room");
    const auto result = room.subscribe(supabase.told()).wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, text);
    EXPECT_EQ(result.error().code, reason ? make_error_code(*reason) : make_error_code(Errc::join_refused));
    ASSERT_TRUE(supabase.until([&] { return supabase.lines.size() >= 2; }));
    EXPECT_EQ(supabase.lines[0], std::string("CHANNEL_ERROR: ") + text);
    EXPECT_EQ(supabase.codes[0], result.error().code);
    EXPECT_EQ(supabase.lines[1], is_retried ? "SUBSCRIBED" : std::string("CLOSED: ") + text);
    supabase.world.run_for(5min);
    EXPECT_EQ(supabase.sent("phx_join").size(), is_retried ? 2U : 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, RealtimeRefusal,
    ::testing::Values(
        Refusal{"TopicNameRequired: You must provide a topic name", Reason::topic_name_required, false},
        Refusal{"InvalidJWTToken: Token has expired 7 seconds ago", Reason::token_expired, false},
        Refusal{"InvalidJWTToken: Fields `role` and `exp` are required in JWT", Reason::invalid_jwt_token,
                false},
        Refusal{"MalformedJWT: The token provided is not a valid JWT", Reason::malformed_jwt, false},
        Refusal{"JwtSignatureError: Failed to validate JWT signature", Reason::jwt_signature_error, false},
        Refusal{"JwtSignerError: Failed to generate JWT signer, check your JWT secret or JWKS configuration",
                Reason::jwt_signer_error, false},
        Refusal{"Unauthorized: You do not have permissions to read from this Channel topic: room",
                Reason::unauthorized, false},
        Refusal{"PrivateOnly: This project only allows private channels", Reason::private_only, false},
        Refusal{"ChannelRateLimitReached: Too many channels", Reason::channel_rate_limit_reached, false},
        Refusal{"ConnectionRateLimitReached: Too many connected users", Reason::connection_rate_limit_reached,
                true},
        Refusal{"ClientJoinRateLimitReached: Too many joins per second",
                Reason::client_join_rate_limit_reached, true},
        Refusal{"TenantNotFound: Tenant with the given ID does not exist", Reason::tenant_not_found, false},
        Refusal{"RealtimeDisabledForTenant: Realtime disabled for this tenant",
                Reason::realtime_disabled_for_tenant, false},
        Refusal{"RealtimeRestarting: Realtime is restarting, please standby", Reason::realtime_restarting,
                true},
        Refusal{"DatabaseLackOfConnections: Database can't accept more connections, Realtime won't connect",
                Reason::database_lack_of_connections, true},
        Refusal{"DatabaseConnectionRateLimitReached: Too many database connections attempts per second",
                Reason::database_connection_rate_limit_reached, true},
        Refusal{"UnableToConnectToProject: Realtime was unable to connect to the project database",
                Reason::unable_to_connect_to_project, true},
        Refusal{"Realtime was unable to connect to the project database",
                Reason::unable_to_connect_to_project, true},
        Refusal{"InitializingProjectConnection: Connecting to the project database",
                Reason::initializing_project_connection, true},
        Refusal{"QueryCanceled: please try again", Reason::query_canceled, true},
        Refusal{"MissingPartition: today", Reason::missing_partition, true},
        Refusal{"TimeoutOnRpcCall: Node request timeout", Reason::timeout_on_rpc_call, true},
        Refusal{"ErrorOnRpcCall: RPC call error: nodedown", Reason::error_on_rpc_call, true},
        Refusal{"MusterJoinError: x", Reason::muster_join_error, true},
        Refusal{"UnknownErrorOnChannel: x", Reason::unknown_error_on_channel, true},
        Refusal{"Unknown Error on Channel", Reason::unknown_error_on_channel, true},
        Refusal{"too many channels joined", Reason::too_many_channels_joined, false},
        Refusal{"something that nobody knows", std::nullopt, true}));

TEST(RealtimeSubscribe, ARefusedTokenIsTriedAgainOnlyWhereAProviderCanGiveAnother) {
    int asked = 0;
    RealtimeOptions options = options_with_key();
    options.access_token = [&] { return "token-" + std::to_string(++asked); };
    Supabase supabase(std::move(options));
    supabase.backend.refuse(
        "Unauthorized: You do not have permissions to read from this Channel topic: room");
    const RealtimeChannel room = supabase.client->channel("room");
    EXPECT_FALSE(room.subscribe(supabase.told()).wait());
    ASSERT_TRUE(supabase.until([&] { return room.state() == ChannelState::joined; }));
    EXPECT_NE(supabase.join(0)["access_token"], supabase.join(1)["access_token"]);
}

TEST(RealtimeSubscribe, TheProgramDecidesWhatIsTriedAgain) {
    std::vector<std::error_code> asked;
    Supabase supabase;
    supabase.backend.refuse("PrivateOnly: This project only allows private channels");
    supabase.backend.refuse("RealtimeRestarting: Realtime is restarting, please standby");
    RealtimeChannelOptions options;
    options.should_resubscribe = [&](const Error& why) {
        asked.push_back(why.code);
        return why.code == Reason::private_only;
    };
    const RealtimeChannel room = supabase.client->channel("room", std::move(options));
    EXPECT_FALSE(room.subscribe(supabase.told()).wait());
    ASSERT_TRUE(supabase.until([&] { return supabase.lines.size() == 3; }));
    EXPECT_EQ(asked, (std::vector<std::error_code>{Reason::private_only, Reason::realtime_restarting}));
    EXPECT_EQ(supabase.statuses, (std::vector{SubscribeStatus::channel_error, SubscribeStatus::channel_error,
                                              SubscribeStatus::closed}));
    EXPECT_EQ(supabase.codes[2], Reason::realtime_restarting);
    EXPECT_TRUE(room.subscribe().wait()); // closed until somebody asks
}

TEST(RealtimeSubscribe, NoAnswerIsTimedOutAndTriedAgain) {
    Supabase supabase;
    supabase.backend.answers_joins = false;
    const RealtimeChannel room = supabase.client->channel("room");
    const auto result = room.subscribe(supabase.told(), 3s).wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::timeout);
    EXPECT_LT(supabase.world.now(), 5s);
    EXPECT_EQ(supabase.statuses, std::vector{SubscribeStatus::timed_out});
    supabase.backend.answers_joins = true;
    ASSERT_TRUE(supabase.until([&] { return room.state() == ChannelState::joined; }));
    supabase.settle();
    EXPECT_EQ(supabase.statuses, (std::vector{SubscribeStatus::timed_out, SubscribeStatus::subscribed}));
}

TEST(RealtimeSubscribe, SubscribesAgainAfterTheConnectionWasLost) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    supabase.world.drop_connections();
    ASSERT_TRUE(supabase.until([&] { return supabase.statuses.size() == 3; }));
    EXPECT_EQ(supabase.statuses, (std::vector{SubscribeStatus::subscribed, SubscribeStatus::channel_error,
                                              SubscribeStatus::subscribed}));
    EXPECT_TRUE(supabase.codes[1]);
    EXPECT_EQ(supabase.join(1), supabase.join(0));
}

TEST(RealtimeSubscribe, SubscribesAgainAfterTheServersCrash) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    supabase.backend.push_joined("realtime:room", "phx_error", R"({"reason":"channel_crash"})");
    ASSERT_TRUE(supabase.until([&] { return supabase.statuses.size() == 3; }));
    EXPECT_EQ(supabase.statuses[1], SubscribeStatus::channel_error);
    EXPECT_EQ(supabase.statuses[2], SubscribeStatus::subscribed);
}

TEST(RealtimeSubscribe, WhatTheServerEndsIsSubscribedAgainIfItMayPass) {
    Supabase supabase;
    std::vector<std::string> heard;
    const RealtimeChannel room = supabase.joined();
    room.on_system([&](const SystemMessage& system) { heard.push_back(system.message); });
    supabase.settle();
    supabase.backend.shut_down("realtime:room", "Too many messages per second");
    ASSERT_TRUE(supabase.until([&] { return supabase.statuses.size() == 3; }));
    EXPECT_EQ(supabase.lines,
              (Lines{"SUBSCRIBED", "CHANNEL_ERROR: Too many messages per second", "SUBSCRIBED"}));
    EXPECT_EQ(supabase.codes[1], Reason::message_rate_limit);
    EXPECT_EQ(heard, Lines{"Too many messages per second"});
    // A later end has reasons of its own.
    supabase.backend.push_joined("realtime:room", "phx_close", "{}");
    ASSERT_TRUE(supabase.until([&] { return supabase.statuses.size() == 5; }));
    EXPECT_EQ(supabase.codes[3], Errc::channel_closed);
}

TEST(RealtimeSubscribe, WhatTheServerEndsForGoodIsClosed) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    supabase.backend.shut_down("realtime:room", "Token has expired 0 seconds ago");
    ASSERT_TRUE(supabase.until([&] { return supabase.statuses.size() == 3; }));
    EXPECT_EQ(supabase.lines, (Lines{"SUBSCRIBED", "CHANNEL_ERROR: Token has expired 0 seconds ago",
                                     "CLOSED: Token has expired 0 seconds ago"}));
    EXPECT_EQ(supabase.codes[2], Reason::token_expired);
    EXPECT_TRUE(room.subscribe().wait());
}

TEST(RealtimeSubscribe, UnsubscribesAndMaySubscribeAgain) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    EXPECT_TRUE(room.unsubscribe().wait());
    EXPECT_EQ(supabase.lines, (Lines{"SUBSCRIBED", "CLOSED"}));
    EXPECT_EQ(supabase.sent("phx_leave").size(), 1U);
    EXPECT_TRUE(room.subscribe().wait());
    EXPECT_EQ(room.state(), ChannelState::joined);
    EXPECT_EQ(supabase.world.dialled(), 1U);
}

TEST(RealtimeSubscribe, ASubscribeRightBehindAnUnsubscribeIsAboutTheNewJoin) {
    Supabase supabase;
    supabase.backend.answers_leaves = false;
    const RealtimeChannel room = supabase.joined();
    room.unsubscribe();
    const auto result = room.subscribe().wait();
    EXPECT_TRUE(result) << result.error().message;
    EXPECT_EQ(supabase.sent("phx_join").size(), 2U);
    EXPECT_EQ(supabase.lines, (Lines{"SUBSCRIBED", "CLOSED", "SUBSCRIBED"}));
}

TEST(RealtimeSubscribe, ASubscribeInTheHandlerThatHearsTheEndIsAboutTheNewJoin) {
    Supabase supabase;
    std::optional<Result<Reply>> answer;
    const RealtimeChannel room = supabase.client->channel("room");
    ASSERT_TRUE(room.subscribe([&](SubscribeStatus status, const Error*) {
                        if (status != SubscribeStatus::closed) return;
                        room.subscribe().then([&](const Result<Reply>& result) { answer = result; });
                    })
                    .wait());
    room.unsubscribe();
    ASSERT_TRUE(supabase.until([&] { return answer.has_value(); }));
    EXPECT_TRUE(*answer);
}

TEST(RealtimeSubscribe, AnUnsubscribeWhileJoiningEndsTheSubscribe) {
    Supabase supabase;
    supabase.backend.answers_joins = false;
    const RealtimeChannel room = supabase.client->channel("room");
    const Push asked = room.subscribe(supabase.told());
    supabase.settle();
    EXPECT_TRUE(room.unsubscribe().wait());
    const auto result = asked.wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::channel_closed);
    EXPECT_EQ(supabase.lines, Lines{"CLOSED"});
}

TEST(RealtimeSubscribe, ASubscribeBehindAnUnsubscribeWhileJoiningIsAboutTheNewJoin) {
    Supabase supabase;
    supabase.backend.answers_joins = false;
    const RealtimeChannel room = supabase.client->channel("room");
    const Push old = room.subscribe(supabase.told());
    supabase.settle();
    supabase.backend.answers_joins = true;
    std::optional<Push> asked;
    supabase.world.loop().post([&] { // in one go
        room.unsubscribe();
        asked = room.subscribe();
    });
    supabase.settle();
    EXPECT_TRUE(asked->wait());
    EXPECT_EQ(old.wait().error().code, Errc::channel_closed);
}

TEST(RealtimeSubscribe, CanBeCancelledWhileItWaits) {
    Supabase supabase;
    supabase.backend.answers_joins = false;
    const RealtimeChannel room = supabase.client->channel("room");
    const Push asked = room.subscribe();
    supabase.settle();
    asked.cancel();
    supabase.settle();
    ASSERT_TRUE(asked.finished());
    EXPECT_EQ(asked.wait().error().code, Errc::cancelled);
}

TEST(RealtimeSubscribe, BindingsThatTheServerDoesNotHaveEndTheSubscription) {
    Supabase supabase;
    const RealtimeChannel room = supabase.client->channel("room");
    room.on_postgres_changes({realtime::ChangeKind::all, "public", "todos"}, [](const PostgresChange&) {});
    supabase.backend.joins.push_back({"ok", R"({"postgres_changes":[]})"});
    const auto result = room.subscribe(supabase.told()).wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::binding_mismatch);
    ASSERT_TRUE(supabase.until([&] { return supabase.statuses.size() == 2; }));
    EXPECT_EQ(supabase.statuses, (std::vector{SubscribeStatus::channel_error, SubscribeStatus::closed}));
    EXPECT_EQ(supabase.codes[0], Errc::binding_mismatch);
    EXPECT_EQ(supabase.sent("phx_leave").size(), 1U);
    supabase.world.run_for(5min);
    EXPECT_EQ(supabase.sent("phx_join").size(), 1U);
}

/// The real server's socket sleeps for 5 s at a refused join, and answers nothing meanwhile.
TEST(RealtimeSubscribe, NothingTimesOutWhileARefusedJoinBlocksTheServersSocket) {
    Supabase supabase;
    std::vector<HeartbeatStatus> beats;
    supabase.client->socket().on_heartbeat([&](HeartbeatStatus status, Micros) { beats.push_back(status); });
    const RealtimeChannel good = supabase.joined("good");
    bool is_blocked = false;
    std::vector<Frame> waiting;
    supabase.backend.takes = [&](const Frame& frame) {
        if (frame.topic == "realtime:bad" && frame.event == "phx_join") is_blocked = true;
        if (is_blocked) waiting.push_back(frame);
        return is_blocked;
    };
    supabase.world.run_for(24s); // a heartbeat falls into it
    const Push bad = supabase.client->channel("bad").subscribe();
    const Push other = supabase.client->channel("other").subscribe();
    supabase.world.run_for(5s);
    ASSERT_TRUE(is_blocked);
    is_blocked = false;
    for (const Frame& frame : waiting) {
        if (frame.topic == "realtime:bad") {
            supabase.backend.peer->reply(frame, "error", R"({"reason":"Unauthorized: no"})");
        } else {
            supabase.backend.peer->reply(frame);
        }
    }
    EXPECT_GE(waiting.size(), 3U);
    EXPECT_EQ(bad.wait().error().code, Reason::unauthorized);
    EXPECT_TRUE(other.wait());
    supabase.world.run_for(1min);
    EXPECT_EQ(supabase.world.dialled(), 1U);
    EXPECT_EQ(good.state(), ChannelState::joined);
    for (const HeartbeatStatus status : beats) EXPECT_NE(status, HeartbeatStatus::timeout);
}

} // namespace
} // namespace phx::test
