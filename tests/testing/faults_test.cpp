#include "world_fixture.hpp"

namespace phx::test {
namespace {

TEST(WorldFaults, ADroppedConnectionIsOpenedAgainAndTheChannelJoinsAgain) {
    Joined client;
    auto push = client.lobby.push("silence");
    client.world.run_for(100ms);
    client.world.drop_connections();
    EXPECT_TRUE(client.world.run_until([&] { return !client.is_joined(); }));
    EXPECT_EQ(push.wait().error().code, Errc::disconnected);
    EXPECT_TRUE(client.world.run_until([&] { return client.is_joined(); }, 30s));
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{1006});
    EXPECT_EQ(client.gaps, 1);
    EXPECT_EQ(client.world.server().received("room:lobby", "phx_join").size(), 2U);
}

TEST(WorldFaults, AHalfOpenConnectionIsFoundByTheHeartbeat) {
    Joined client;
    client.world.half_open();
    auto push = client.lobby.push("echo", Json::object(), 5min);
    client.world.run_for(20s);
    EXPECT_FALSE(push.finished());
    client.world.run_for(60s);
    EXPECT_TRUE(push.finished());
    EXPECT_TRUE(client.is_joined());
    EXPECT_EQ(client.world.dialled(), 2U);
    ASSERT_FALSE(client.errors.empty());
    EXPECT_EQ(client.errors[0].code, Errc::heartbeat_lost);
    client.world.run_for(2min); // the server finds out, too
    EXPECT_EQ(client.world.server().connections(), 1U);
}

TEST(WorldFaults, ARefusalKeepsClientsAwayForRetryAfter) {
    Joined client;
    client.world.refuse(503, 120s);
    client.world.drop_connections();
    client.world.run_for(100s);
    const auto attempts = client.world.dialled();
    EXPECT_EQ(attempts, 2U);
    client.world.accept();
    client.world.run_for(15s);
    EXPECT_EQ(client.world.dialled(), attempts);
    client.world.run_for(60s);
    EXPECT_TRUE(client.is_joined());
    ASSERT_FALSE(client.errors.empty());
    const Error& refused = client.errors.back();
    EXPECT_EQ(refused.code, Errc::upgrade_refused);
    ASSERT_TRUE(refused.detail);
    EXPECT_EQ(refused.detail->http_status, 503);
}

TEST(WorldFaults, ARefusalNeedsAStatusThatRefuses) {
    World world;
    EXPECT_THROW(world.refuse(200), std::invalid_argument);
}

TEST(WorldFaults, ADeployClosesWith1012AndIsAGap) {
    Joined client;
    client.world.server().restart(5s);
    client.world.run_for(2s);
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{1012});
    EXPECT_EQ(client.world.server().connections(), 0U);
    client.world.run_for(30s);
    EXPECT_TRUE(client.is_joined());
    EXPECT_EQ(client.gaps, 1);
}

TEST(WorldFaults, AStoppedServerIsNotReachedUntilItStarts) {
    Joined client;
    client.world.server().stop();
    client.world.run_for(1min);
    EXPECT_FALSE(client.is_joined());
    ASSERT_FALSE(client.errors.empty());
    EXPECT_EQ(client.errors.back().code, Errc::connect_failed);
    server::Handlers refusing;
    refusing.join = [](const server::Context&, server::PayloadView) {
        return server::JoinAnswer::refuse(R"({"reason":"unauthorized"})");
    };
    client.world.server().channel("closed:*", refusing); // a new version
    client.world.server().start();
    client.world.run_for(30s);
    EXPECT_TRUE(client.is_joined());
    auto closed = client.socket.channel("closed:1").join().wait();
    EXPECT_EQ(closed.error().code, Errc::join_refused);
    EXPECT_THROW(client.world.server().channel("late:*", {}), std::logic_error);
}

TEST(WorldFaults, ConnectionsOfAShortLifeAreOpenedAgainAndAgain) {
    testing::Options options;
    options.network.lifetime = 1min;
    Joined client(3, options);
    client.world.run_for(2h);
    EXPECT_GT(client.world.dialled(), 60U);
    client.world.set({.lifetime = Millis(0)});
    client.world.run_for(5min);
    const auto dialled = client.world.dialled();
    client.world.run_for(1h);
    EXPECT_EQ(client.world.dialled(), dialled);
    EXPECT_TRUE(client.is_joined());
}

TEST(WorldFaults, LatencyIsOneWay) {
    Joined client;
    client.world.set({.latency = 300ms, .jitter = 0ms});
    const auto reply = client.lobby.push("echo").wait();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->elapsed(), 600ms);
}

} // namespace
} // namespace phx::test
