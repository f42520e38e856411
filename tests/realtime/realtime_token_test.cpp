#include "phx/protocol/base64.hpp"
#include "tests/realtime/realtime_world.hpp"

// The user's token: when it is asked for, and where it goes.
namespace phx::test {
namespace {

/// One whose time is over so long after the beginning of the World.
std::string token_for(std::chrono::seconds left, std::string_view name = "jwt") {
    using namespace std::chrono;
    static const auto begin = World().wall_clock();
    const auto exp = (duration_cast<seconds>(begin.time_since_epoch()) + left).count();
    const std::string claims = Json{{"exp", exp}, {"role", name}}.dump();
    return "e30." +
           protocol::base64_encode(claims, protocol::Base64Alphabet::url, protocol::Base64Padding::unpadded) +
           ".signature";
}

/// A provider whose answers the test gives.
struct Asked {
    auto provider() {
        return [this](Answer<std::string> answer) { questions.push_back(std::move(answer)); };
    }
    void answer(Result<std::string> token) {
        auto all = std::exchange(questions, {});
        for (auto& question : all) question(token);
    }
    std::vector<Answer<std::string>> questions;
};

RealtimeOptions options_with(Provider<std::string> provider) {
    RealtimeOptions options = options_with_key();
    options.access_token = std::move(provider);
    return options;
}

TEST(RealtimeToken, IsAskedForBeforeTheConnectionEachJoinAndAtHeartbeats) {
    int asked = 0;
    Supabase supabase(options_with([&] { return "token-" + std::to_string(++asked); }));
    supabase.client->connect();
    supabase.settle();
    EXPECT_EQ(asked, 1);
    supabase.joined();
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(supabase.join(0)["access_token"], "token-2");
    EXPECT_TRUE(supabase.sent("access_token").empty());
    supabase.world.run_for(26s); // a heartbeat
    EXPECT_EQ(asked, 3);
    const auto sent = supabase.sent("access_token");
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].payload, R"({"access_token":"token-3"})");
    EXPECT_EQ(sent[0].join_ref, supabase.sent("phx_join")[0].join_ref);
}

TEST(RealtimeToken, ThatIsTheSameIsNotSentAgain) {
    Supabase supabase(options_with([] { return std::string("always"); }));
    supabase.joined();
    supabase.world.run_for(5min);
    EXPECT_TRUE(supabase.sent("access_token").empty());
}

TEST(RealtimeToken, NoJoinGoesOutBeforeItIsThere) {
    Asked asked;
    Supabase supabase(options_with(asked.provider()));
    const Push a = supabase.client->channel("a").subscribe();
    const Push b = supabase.client->channel("b").subscribe();
    supabase.world.run_for(1s);
    EXPECT_EQ(supabase.world.dialled(), 0U);
    ASSERT_EQ(asked.questions.size(), 1U);
    asked.answer(std::string("first"));
    supabase.settle();
    EXPECT_EQ(supabase.world.dialled(), 1U);
    EXPECT_EQ(asked.questions.size(), 1U); // both joins wait for one answer
    EXPECT_TRUE(supabase.sent("phx_join", "realtime:a").empty());
    asked.answer(std::string("second"));
    EXPECT_TRUE(a.wait());
    EXPECT_TRUE(b.wait());
    EXPECT_EQ(supabase.join(0, "realtime:a")["access_token"], "second");
    EXPECT_EQ(supabase.join(0, "realtime:b")["access_token"], "second");
}

TEST(RealtimeToken, GoesToJoinedChannelsWhenItChangesAndIntoLaterJoins) {
    Supabase supabase;
    supabase.client->set_auth("one");
    const RealtimeChannel room = supabase.joined();
    const RealtimeChannel left = supabase.joined("left");
    supabase.client->channel("never");
    left.unsubscribe();
    supabase.settle();
    supabase.client->set_auth("two");
    supabase.client->set_auth("two");
    supabase.settle();
    ASSERT_EQ(supabase.sent("access_token").size(), 1U);
    EXPECT_EQ(supabase.sent("access_token")[0].payload, R"({"access_token":"two"})");
    EXPECT_TRUE(supabase.sent("access_token", "realtime:left").empty());
    EXPECT_TRUE(supabase.sent("access_token", "realtime:never").empty());
    EXPECT_TRUE(left.subscribe().wait());
    EXPECT_EQ(supabase.join(1, "realtime:left")["access_token"], "two");
    supabase.world.drop_connections();
    ASSERT_TRUE(supabase.until([&] { return supabase.sent("phx_join").size() == 2; }));
    EXPECT_EQ(supabase.join(1)["access_token"], "two");
    supabase.settle();
    EXPECT_EQ(supabase.sent("access_token").size(), 1U);
}

TEST(RealtimeToken, ThatComesWhileAJoinIsOutFollowsTheJoin) {
    Supabase supabase;
    supabase.backend.answers_joins = false;
    supabase.client->set_auth("one");
    const Push joined = supabase.client->channel("room").subscribe();
    supabase.settle();
    supabase.client->set_auth("two");
    supabase.settle();
    EXPECT_TRUE(supabase.sent("access_token").empty());
    supabase.backend.peer->reply(supabase.backend.last_join["realtime:room"]);
    EXPECT_TRUE(joined.wait());
    supabase.settle();
    ASSERT_EQ(supabase.sent("access_token").size(), 1U);
    EXPECT_EQ(supabase.sent("access_token")[0].payload, R"({"access_token":"two"})");
}

TEST(RealtimeToken, MayBeTakenAwayForLaterJoins) {
    Supabase supabase;
    supabase.client->set_auth("one");
    supabase.joined();
    supabase.client->set_auth("");
    supabase.joined("other");
    EXPECT_TRUE(supabase.sent("access_token").empty());
    EXPECT_FALSE(supabase.join(0, "realtime:other").contains("access_token"));
}

TEST(RealtimeToken, AProviderThatFailsIsReportedAndAskedAgain) {
    int asked = 0;
    Supabase supabase(options_with([&]() -> Result<std::string> {
        if (++asked < 3) return fail(Errc::bad_auth, "signed out");
        return std::string("token");
    }));
    const RealtimeChannel room = supabase.client->channel("room");
    room.subscribe(supabase.told());
    ASSERT_TRUE(supabase.until([&] { return room.state() == ChannelState::joined; }));
    ASSERT_FALSE(supabase.errors.empty());
    EXPECT_EQ(supabase.errors[0].message, "signed out");
    EXPECT_EQ(supabase.join(0)["access_token"], "token");
}

TEST(RealtimeToken, AProviderThatFailsAtAJoinIsToldAsAChannelError) {
    int asked = 0;
    Supabase supabase(options_with([&]() -> Result<std::string> {
        if (++asked == 2) return fail(Errc::bad_auth, "signed out");
        return std::string("token");
    }));
    const RealtimeChannel room = supabase.client->channel("room");
    const auto result = room.subscribe(supabase.told()).wait();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "signed out");
    ASSERT_TRUE(supabase.until([&] { return room.state() == ChannelState::joined; }));
    supabase.settle();
    EXPECT_EQ(supabase.lines, (Lines{"CHANNEL_ERROR: signed out", "SUBSCRIBED"}));
}

TEST(RealtimeToken, AProviderThatThrowsOrFailsAtAHeartbeatIsReportedOnceEach) {
    int asked = 0;
    Supabase supabase(options_with([&]() -> Result<std::string> {
        if (++asked == 3) throw std::runtime_error("secret-token");
        return std::string("token");
    }));
    const RealtimeChannel room = supabase.joined();
    supabase.world.run_for(26s);
    ASSERT_EQ(supabase.errors.size(), 1U);
    EXPECT_EQ(supabase.errors[0].code, Errc::handler_failed);
    EXPECT_EQ(supabase.errors[0].message.find("secret"), std::string::npos);
    EXPECT_EQ(room.state(), ChannelState::joined);
    supabase.world.run_for(26s);
    EXPECT_EQ(asked, 4);
    EXPECT_EQ(supabase.errors.size(), 1U);
}

TEST(RealtimeToken, IsRefreshedBeforeItsTimeIsOver) {
    int asked = 0;
    RealtimeOptions options = options_with([&] { return token_for(++asked < 3 ? 600s : 86'400s); });
    options.socket.heartbeat_interval = Millis(0);
    Supabase supabase(std::move(options));
    supabase.joined();
    EXPECT_EQ(asked, 2);
    supabase.world.run_for(530s);
    EXPECT_EQ(asked, 2);
    supabase.world.run_for(15s); // a minute before the end
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(supabase.sent("access_token").size(), 1U);
    EXPECT_TRUE(supabase.errors.empty());
}

TEST(RealtimeToken, OfAShortTimeIsRefreshedATenthOfItBefore) {
    int asked = 0;
    RealtimeOptions options = options_with([&] { return token_for(++asked < 3 ? 100s : 86'400s); });
    options.socket.heartbeat_interval = Millis(0);
    Supabase supabase(std::move(options));
    supabase.joined();
    supabase.world.run_for(86s);
    EXPECT_EQ(asked, 2);
    supabase.world.run_for(5s);
    EXPECT_EQ(asked, 3);
}

TEST(RealtimeToken, IsAskedForAgainWhereTheProviderFailsOrHasNoNewOne) {
    int asked = 0;
    RealtimeOptions options = options_with([&]() -> Result<std::string> {
        ++asked;
        if (asked == 3) return fail(Errc::timeout, "the identity provider is down");
        return token_for(asked < 5 ? 600s : 86'400s); // the fourth answer is from a cache
    });
    options.socket.heartbeat_interval = Millis(0);
    Supabase supabase(std::move(options));
    supabase.joined();
    supabase.world.run_for(550s);
    EXPECT_EQ(asked, 3);
    supabase.world.run_for(45s);
    EXPECT_EQ(asked, 4);
    supabase.world.run_for(5s);
    EXPECT_EQ(asked, 5);
    EXPECT_EQ(supabase.errors.size(), 1U);
    EXPECT_EQ(supabase.sent("access_token").size(), 1U);
}

TEST(RealtimeToken, OfTheWorldsServerIsGoodInTheWorld) {
    using namespace std::chrono;
    const std::string secret = "a secret of at least thirty-two bytes";
    testing::Options of_world;
    of_world.server.tokens = server::TokenOptions{.keys = {.secrets = {secret}}};
    for (server::Endpoint& endpoint : of_world.server.endpoints) endpoint.idle_timeout = 24h;
    World world(7, std::move(of_world));
    int asked = 0;
    RealtimeOptions options = options_with_key();
    const auto sign = [&] {
        ++asked;
        const auto now = duration_cast<seconds>(world.wall_clock().time_since_epoch()).count();
        return server::sign_token(Json{{"role", "authenticated"}, {"exp", now + 600}}.dump(), {.key = secret})
            .value();
    };
    options.api_key = sign();
    options.access_token = [&] { return sign(); };
    options.socket.heartbeat_interval = Millis(0);
    RealtimeClient client(world.loop(), world.url("/realtime/v1"), std::move(options));
    RealtimeChannel room = client.channel("room");
    std::vector<SubscribeStatus> statuses;
    ASSERT_TRUE(
        room.subscribe([&](SubscribeStatus status, const Error*) { statuses.push_back(status); }).wait());
    world.run_for(30min); // refreshed each time before the server ends the channel
    EXPECT_EQ(statuses, std::vector<SubscribeStatus>{SubscribeStatus::subscribed});
    EXPECT_EQ(asked, 6); // the key, the connection, the join, and a minute before each end
}

TEST(RealtimeToken, MeansNothingWhereTheServersProgramSaysWhoSomebodyIsAndForHowLong) {
    std::optional<World> world;
    testing::Options of_world;
    of_world.server.authorize = [&](const server::ConnectRequest&) {
        server::ConnectAnswer answer;
        answer.identity.user_id = "ada";
        answer.identity.expires_at = world->wall_clock() + 5s;
        return answer;
    };
    world.emplace(7, std::move(of_world));
    RealtimeOptions options = options_with_key();
    options.access_token = [] { return std::string("anything"); };
    RealtimeClient client(world->loop(), world->url("/realtime/v1"), std::move(options));
    RealtimeChannelOptions once;
    once.should_resubscribe = [](const Error&) { return false; };
    RealtimeChannel room = client.channel("room", std::move(once));
    ASSERT_TRUE(room.subscribe().wait());
    world->run_for(4s);
    EXPECT_EQ(room.state(), ChannelState::joined);
    world->run_for(2s);
    EXPECT_EQ(room.state(), ChannelState::closed);
}

TEST(RealtimeToken, WithoutAProviderTheProgramIsToldBeforeItsTimeIsOver) {
    Supabase supabase;
    supabase.client->set_auth(token_for(600s));
    supabase.joined();
    supabase.world.run_for(545s);
    ASSERT_EQ(supabase.errors.size(), 1U);
    EXPECT_EQ(supabase.errors[0].code, Errc::bad_auth);
    EXPECT_NE(supabase.errors[0].message.find("set_auth()"), std::string::npos);
}

TEST(RealtimeToken, ThatLivesForCenturiesNeedsNoRefresh) {
    using namespace std::chrono;
    for (const auto left : {hours(24 * 365 * 300), hours(24 * 365 * 1000), hours(24 * 365 * 7000)}) {
        int asked = 0;
        RealtimeOptions options = options_with([&] {
            ++asked;
            return token_for(left, std::to_string(asked));
        });
        options.socket.heartbeat_interval = Millis(0);
        Supabase supabase(std::move(options));
        supabase.joined();
        supabase.world.run_for(1h);
        EXPECT_EQ(asked, 2) << left.count();
        EXPECT_TRUE(supabase.errors.empty());
    }
}

TEST(RealtimeToken, WhoseTimeIsOverIsLeftToTheServer) {
    Supabase supabase;
    supabase.client->set_auth(token_for(-600s));
    supabase.joined();
    supabase.world.run_for(1min);
    EXPECT_TRUE(supabase.errors.empty());
}

TEST(RealtimeToken, AnAnswerOfBeforeADisconnectIsNotWaitedFor) {
    Asked asked;
    Supabase supabase(options_with(asked.provider()));
    supabase.client->channel("room").subscribe();
    supabase.settle();
    ASSERT_EQ(asked.questions.size(), 1U);
    Answer<std::string> old = std::move(asked.questions[0]);
    asked.questions.clear();
    supabase.client->disconnect(); // signed out, and in again as somebody else
    supabase.client->connect();
    supabase.settle();
    ASSERT_EQ(asked.questions.size(), 1U);
    asked.answer(std::string("of the new user"));
    supabase.settle();
    old(std::string("of the old user"));
    supabase.settle();
    asked.answer(std::string("of the new user"));
    supabase.settle();
    EXPECT_EQ(supabase.join(0)["access_token"], "of the new user");
    EXPECT_TRUE(supabase.sent("access_token").empty());
}

TEST(RealtimeToken, AnAnswerOfBeforeADisconnectOfAnOpenSocketIsNotWaitedForEither) {
    Asked asked;
    Supabase supabase(options_with(asked.provider()));
    supabase.client->connect();
    supabase.settle();
    asked.answer(std::string("of the old user"));
    supabase.settle();
    supabase.client->channel("room").subscribe();
    supabase.settle();
    ASSERT_EQ(asked.questions.size(), 1U); // for the join
    Answer<std::string> old = std::move(asked.questions[0]);
    asked.questions.clear();
    supabase.client->disconnect();
    supabase.client->connect(); // while the old connection closes
    supabase.settle();
    ASSERT_EQ(asked.questions.size(), 1U);
    old(std::string("of the old user"));
    supabase.settle();
    for (int i = 0; i < 3; ++i) {
        asked.answer(std::string("of the new user"));
        supabase.settle();
    }
    ASSERT_EQ(supabase.sent("phx_join").size(), 1U);
    EXPECT_EQ(supabase.join(0)["access_token"], "of the new user");
}

TEST(RealtimeToken, NoSecretStandsInALogOrAnError) {
    std::string log;
    std::string token = token_for(600s);
    RealtimeOptions options = options_with([&] { return token; });
    options.socket.log_level = LogLevel::trace;
    options.socket.logger = [&](LogLevel, std::string_view line) { log.append(line).append("\n"); };
    Supabase supabase(std::move(options));
    supabase.backend.refuse("InvalidJWTToken: Token has expired 7 seconds ago");
    const RealtimeChannel room = supabase.client->channel("room");
    room.subscribe(supabase.told());
    supabase.world.run_for(1min);
    supabase.world.refuse(401);
    supabase.world.drop_connections();
    supabase.world.run_for(1min);
    supabase.world.accept();
    token = token_for(1200s);
    supabase.world.run_for(1min);
    EXPECT_EQ(room.state(), ChannelState::joined);
    for (const std::string& line : supabase.lines) log.append(line).append("\n");
    for (const Error& error : supabase.errors) log.append(error.message).append("\n");
    EXPECT_NE(log.find("realtime:room"), std::string::npos);
    EXPECT_EQ(log.find(api_key), std::string::npos) << log;
    EXPECT_EQ(log.find("signature"), std::string::npos) << log;
}

} // namespace
} // namespace phx::test
