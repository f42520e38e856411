#include "world_fixture.hpp"

#include <memory>
#include <thread>

namespace phx::test {
namespace {

TEST(World, RunsClientAndServerInTenLines) {
    World world(42);
    world.server().channel("room:*", room());
    Socket socket(world.loop(), world.url());
    auto lobby = socket.channel("room:lobby");
    socket.connect();
    auto joined = lobby.join();
    EXPECT_TRUE(world.run_until([&] { return joined.finished(); }));
    world.drop_connections();
    world.run_for(30s);
    EXPECT_EQ(lobby.state(), ChannelState::joined);
    EXPECT_EQ(world.dialled(), 2U);
}

TEST(World, LetsTimePassInWait) {
    Joined client;
    const Micros before = client.world.now();
    const auto reply = client.lobby.push("echo", {{"n", 1}}).wait();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text(), R"({"n":1})");
    EXPECT_GE(reply->elapsed(), 2ms); // the latency, both ways
    EXPECT_LE(reply->elapsed(), 4ms);
    EXPECT_EQ(client.world.now() - before, reply->elapsed());
}

TEST(World, TellsThatAWaitWouldNeverEnd) {
    World world;
    Socket socket(world.loop(), world.url());
    const auto reply = socket.channel("room:lobby").push("echo").wait();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Errc::not_joined);
    Joined client;
    const auto late = client.lobby.push("silence", Json::object(), std::chrono::hours(48)).wait();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::would_deadlock);
}

TEST(World, RunsUntilNothingHappensAnyMore) {
    World world;
    Socket socket(world.loop(), world.url());
    EXPECT_FALSE(world.run_until([] { return false; }));
    EXPECT_EQ(world.now(), 0us);
    world.run_for(5s);
    EXPECT_EQ(world.now(), 5s);
}

TEST(World, RunsUntilTheLimit) {
    Joined client;
    const Micros start = client.world.now();
    EXPECT_FALSE(client.world.run_until([] { return false; }, 10min));
    EXPECT_LE(client.world.now() - start, 10min);
    EXPECT_TRUE(client.is_joined());
}

TEST(World, NeedsMillisecondsForADay) {
    Joined client;
    const auto start = std::chrono::steady_clock::now();
    client.world.run_for(24h);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s); // a debugging build on a busy machine
    EXPECT_TRUE(client.is_joined());
    EXPECT_EQ(client.world.dialled(), 1U);
    const auto beats = client.world.server().received("phoenix", "heartbeat").size();
    EXPECT_GE(beats, 2870U); // one each 30 s
    EXPECT_LE(beats, 2881U);
}

TEST(World, TimesPushesOut) {
    Joined client;
    auto push = client.lobby.push("silence", Json::object(), std::chrono::hours(3));
    client.world.run_for(3h - 1s);
    EXPECT_FALSE(push.finished());
    client.world.run_for(2s);
    ASSERT_TRUE(push.finished());
    EXPECT_EQ(push.wait().error().code, Errc::timeout);
}

TEST(World, ThrowsWhatThePredicateThrowsAndGoesOn) {
    Joined client;
    EXPECT_THROW(client.world.run_until([]() -> bool { throw std::runtime_error("mine"); }),
                 std::runtime_error);
    EXPECT_TRUE(client.lobby.push("echo").wait());
}

TEST(World, TakesCallsInThePredicate) {
    Joined client;
    std::optional<Push> push;
    EXPECT_TRUE(client.world.run_until([&] {
        if (!push) push = client.lobby.push("shout");
        return push->finished() && !client.heard.empty();
    }));
}

void post_for_ever(Loop& loop, int& count) {
    loop.post([&] {
        ++count;
        post_for_ever(loop, count);
    });
}

TEST(World, LetsTimePassForTasksThatPostThemselves) {
    int count = 0;
    Joined client;
    post_for_ever(client.world.loop(), count);
    EXPECT_TRUE(client.lobby.push("echo").wait());
    client.world.run_for(1min);
    EXPECT_GT(count, 1000);
}

TEST(World, IsALoopThatCanBePolled) {
    Joined client;
    auto push = client.lobby.push("echo");
    EXPECT_EQ(client.world.loop().next_timeout(), Millis(0));
    client.world.loop().poll();
    EXPECT_FALSE(push.finished()); // time stands
    EXPECT_GT(client.world.loop().next_timeout(), Millis(0));
    client.socket.on_close([&](std::uint16_t, std::string_view) { client.world.loop().stop(); });
    client.world.server().disconnect_all();
    client.world.loop().run();
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{1012});
}

TEST(World, DoesNotLetTimePassInHandlers) {
    Joined client;
    bool has_thrown = false;
    client.lobby.on("shout", [&](const Message&) {
        EXPECT_EQ(client.lobby.push("echo").wait().error().code, Errc::would_deadlock);
        try {
            client.world.run_for(1s);
        } catch (const std::logic_error&) {
            has_thrown = true;
        }
    });
    EXPECT_TRUE(client.lobby.push("shout").wait());
    client.world.run_for(1s);
    EXPECT_TRUE(has_thrown);
}

TEST(World, FinishesPushesWhenItEnds) {
    auto world = std::make_unique<World>();
    world->server().channel("room:*", room());
    auto socket = std::make_unique<Socket>(world->loop(), world->url());
    auto lobby = socket->channel("room:lobby");
    socket->connect();
    auto joined = lobby.join();
    EXPECT_TRUE(joined.wait());
    auto push = lobby.push("silence");
    auto future = push.future();
    world->run_for(1s);
    world.reset();
    ASSERT_TRUE(push.finished());
    EXPECT_EQ(push.wait().error().code, Errc::socket_closed);
    EXPECT_FALSE(future.get());
    EXPECT_EQ(lobby.push("echo").wait().error().code, Errc::socket_closed);
}

TEST(World, EndsWithSocketsInEveryState) {
    for (int steps = 0; steps < 60; ++steps) {
        World world(static_cast<std::uint64_t>(steps));
        world.server().channel("room:*", room());
        Socket socket(world.loop(), world.url());
        auto lobby = socket.channel("room:lobby");
        socket.connect();
        auto joined = lobby.join();
        world.run_for(steps * 200us);
    }
}

TEST(World, TakesSocketsThatComeAndGo) {
    Joined client;
    for (int i = 0; i < 10; ++i) {
        Socket other(client.world.loop(), "wss://example.org/socket"); // every host is the World's
        auto lobby = other.channel("room:lobby");
        other.connect();
        EXPECT_TRUE(lobby.join().wait());
        EXPECT_TRUE(lobby.push("shout", {{"i", i}}).wait());
    }
    client.world.run_for(10s);
    EXPECT_EQ(client.heard.size(), 10U);
    EXPECT_EQ(client.world.server().connections(), 1U);
}

std::string trace_of(std::uint64_t seed) {
    testing::Options options;
    options.network.jitter = 50ms;
    options.network.lifetime = 1min;
    Joined client(seed, options);
    Socket other(client.world.loop(), client.world.url("/realtime/v1"));
    auto lobby = other.channel("room:lobby");
    other.connect();
    lobby.join();
    lobby.push("here", "ada");
    for (int i = 0; i < 20; ++i) {
        client.lobby.push("shout", {{"i", i}});
        client.world.run_for(20s);
    }
    client.world.server().restart();
    client.world.run_for(1min);
    return client.world.trace();
}

TEST(World, IsTheSameForTheSameSeed) {
    const std::string trace = trace_of(7);
    EXPECT_GT(trace.size(), 1000U);
    EXPECT_EQ(trace, trace_of(7));
    EXPECT_NE(trace, trace_of(8));
}

TEST(World, TakesCallsOfOtherThreads) {
    Joined client;
    Push push = std::invoke([&] {
        std::optional<Push> made;
        std::thread([&] { made = client.lobby.push("echo"); }).join();
        return *made;
    });
    EXPECT_TRUE(push.wait());
}

} // namespace
} // namespace phx::test
