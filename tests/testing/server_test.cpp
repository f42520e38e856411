#include "world_fixture.hpp"

namespace phx::test {
namespace {

TEST(WorldServer, TellsWhatClientsSent) {
    Joined client;
    EXPECT_TRUE(client.lobby.push("echo", {{"n", 1}}).wait());
    const auto frames = client.world.server().received("room:lobby", "echo");
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].connection, 1U);
    EXPECT_EQ(frames[0].direction, protocol::Direction::to_server);
    EXPECT_EQ((*frames[0].json())["n"], 1);
    EXPECT_EQ(client.world.server().received().size(), 2U);
    const auto replies = client.world.server().sent("room:lobby", "phx_reply");
    ASSERT_EQ(replies.size(), 2U);
    EXPECT_EQ(replies[1].status, "ok");
    EXPECT_EQ(replies[1].ref, frames[0].ref);
    EXPECT_EQ(replies[1].payload, R"({"n":1})");
    EXPECT_EQ(client.world.server().sent().size(), 2U);
}

TEST(WorldServer, TellsWhatClientsSentOverVersion1) {
    World world;
    world.server().channel("room:*", room());
    SocketOptions options;
    options.vsn = protocol::Vsn::v1;
    Socket socket(world.loop(), world.url(), std::move(options));
    auto lobby = socket.channel("room:lobby");
    socket.connect();
    EXPECT_TRUE(lobby.join().wait());
    EXPECT_EQ(world.server().received("room:lobby", "phx_join").size(), 1U);
}

TEST(WorldServer, BroadcastsToItsMembers) {
    Joined client;
    client.world.server().broadcast("room:lobby", "shout", R"({"from":"test"})");
    client.world.run_for(1s);
    EXPECT_EQ(client.heard, std::vector<std::string>{R"({"from":"test"})"});
}

TEST(WorldServer, SendsToWhomARouteNames) {
    Joined client;
    auto inbox = client.socket.channel("realtime:$inbox");
    std::vector<std::string> news;
    inbox.on("broadcast", [&](const Message& message) { news.emplace_back(message.text()); });
    EXPECT_TRUE(inbox.join().wait());
    std::size_t count = 0;
    EXPECT_TRUE(client.world.server().send(server::Route::all(), "hello", R"({"n":1})",
                                           [&](std::size_t number) { count = number; }));
    EXPECT_EQ(count, 1U);
    EXPECT_FALSE(client.world.server().send(server::Route::all(), "hello", "{"));
    client.world.run_for(1s);
    const std::string expected =
        R"({"type":"broadcast","event":"hello","payload":{"n":1},"meta":{"route":"all"}})";
    EXPECT_EQ(news, std::vector<std::string>{expected});
}

TEST(WorldServer, EmitsChanges) {
    World world;
    Socket socket(world.loop(), world.url("/realtime/v1"));
    auto todos = socket.channel("realtime:todos");
    todos.set_params(parse_json(R"({"config":{"postgres_changes":[{"table":"todos"}]}})").value());
    std::vector<std::string> tasks;
    todos.on("postgres_changes", [&](const Message& message) {
        tasks.push_back((*message.json())["data"]["record"]["task"].get<std::string>());
    });
    socket.connect();
    EXPECT_TRUE(todos.join().wait());
    EXPECT_TRUE(world.server().emit_change({.table = "todos", .record = R"({"task":"write"})"}));
    EXPECT_FALSE(world.server().emit_change({.record = R"({"task":"write"})"}));
    world.run_for(1s);
    EXPECT_EQ(tasks, std::vector<std::string>{"write"});
}

TEST(WorldServer, SharesEntitiesAndRunsEffects) {
    World world;
    server::Handlers handlers;
    handlers.broker_key = [](const server::Context&) { return "count"; };
    handlers.handle_in = [](const server::Context& context, std::string_view, server::PayloadView) {
        const std::string count = std::to_string((context.entity ? std::stoi(*context.entity) : 0) + 1);
        return server::Actions().update_entity(count).effect("counted", count).ok(count);
    };
    world.server().channel("room:*", handlers);
    std::vector<std::string> counted;
    world.server().effect("counted", [&](std::string_view json) { counted.emplace_back(json); });
    Socket socket(world.loop(), world.url());
    auto first = socket.channel("room:1"), second = socket.channel("room:2");
    socket.connect();
    first.join();
    second.join();
    EXPECT_EQ(first.push("add").wait()->text(), "1");
    EXPECT_EQ(second.push("add").wait()->text(), "2");
    EXPECT_EQ(counted, (std::vector<std::string>{"1", "2"}));
}

TEST(WorldServer, MayBeUsedInItsOwnHandlers) {
    World world;
    server::Handlers handlers;
    handlers.handle_in = [&](const server::Context&, std::string_view event, server::PayloadView payload) {
        if (event == "everybody") world.server().broadcast("room:lobby", "news", payload);
        if (event == "restart") world.server().restart();
        return server::Actions().ok();
    };
    world.server().channel("room:*", handlers);
    Socket socket(world.loop(), world.url());
    auto lobby = socket.channel("room:lobby");
    int news = 0;
    lobby.on("news", [&](const Message&) { ++news; });
    socket.connect();
    lobby.join();
    EXPECT_TRUE(lobby.push("everybody").wait());
    world.run_for(1s);
    EXPECT_EQ(news, 1);
    lobby.push("restart");
    world.run_for(1min);
    EXPECT_GE(world.dialled(), 2U);
    EXPECT_EQ(lobby.state(), ChannelState::joined);
}

TEST(WorldServer, ClosesWithTheCodeOfTheTest) {
    Joined client;
    client.world.server().disconnect_all(4001, "over");
    client.world.run_for(20s);
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{4001});
    EXPECT_TRUE(client.is_joined());
}

TEST(WorldServer, KnowsPresence) {
    Joined client;
    Socket other(client.world.loop(), client.world.url());
    auto second = other.channel("room:lobby");
    other.connect();
    second.join();
    Presence presence(client.lobby);
    EXPECT_TRUE(client.lobby.push("here", "ada").wait());
    EXPECT_TRUE(second.push("here", "bob").wait());
    client.world.run_for(1s);
    EXPECT_EQ(presence.state().size(), 2U);
    client.world.drop_connections();
    client.world.run_for(30s);
    EXPECT_TRUE(client.is_joined());
}

TEST(WorldServer, ServesRealtimeTopics) {
    World world;
    Socket first(world.loop(), world.url("/realtime/v1"));
    Socket second(world.loop(), world.url("/realtime/v1"));
    auto a = first.channel("realtime:lobby");
    auto b = second.channel("realtime:lobby");
    std::string heard;
    b.on("broadcast", [&](const Message& message) { heard = message.text(); });
    first.connect();
    second.connect();
    EXPECT_TRUE(a.join().wait());
    EXPECT_TRUE(b.join().wait());
    ASSERT_TRUE(a.send("broadcast", R"({"type":"broadcast","event":"greeting","payload":{"n":1}})"));
    EXPECT_TRUE(world.run_until([&] { return !heard.empty(); }));
    EXPECT_NE(heard.find("greeting"), std::string::npos);
}

TEST(WorldServer, ReportsHandlersThatThrowAndLivesOn) {
    std::vector<Error> reported;
    testing::Options options;
    options.server.on_error = [&](const Error& error) { reported.push_back(error); };
    Joined client(1, options);
    const auto crashed = client.lobby.push("crash").wait();
    ASSERT_FALSE(crashed);
    EXPECT_EQ(crashed.error().code, Errc::channel_closed);
    ASSERT_EQ(reported.size(), 1U);
    EXPECT_EQ(reported[0].code, Errc::handler_failed);
    EXPECT_TRUE(client.world.run_until([&] { return client.is_joined(); }, 10s));
    EXPECT_EQ(client.world.dialled(), 1U);
}

TEST(WorldServer, ReportsClientHandlersThatThrow) {
    Joined client;
    client.lobby.on("shout", [](const Message&) { throw std::runtime_error("mine"); });
    EXPECT_TRUE(client.lobby.push("shout").wait());
    client.world.run_for(1s);
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::handler_failed);
}

TEST(WorldServer, JudgesConnectsAsARealOne) {
    testing::Options options;
    options.server.authorize = [](const server::ConnectRequest& request) {
        server::ConnectAnswer answer;
        if (request.params.find("good") == request.params.npos) answer.http_status = 403;
        return answer;
    };
    World world(1, options);
    SocketOptions with_token;
    with_token.params = {{"key", "good"}};
    Socket good(world.loop(), world.url(), std::move(with_token));
    Socket bad(world.loop(), world.url());
    std::vector<Error> errors;
    bad.on_error([&](const Error& error) { errors.push_back(error); });
    good.connect();
    bad.connect();
    world.run_for(1s);
    EXPECT_EQ(good.state(), SocketState::open);
    ASSERT_FALSE(errors.empty());
    EXPECT_EQ(errors[0].code, Errc::bad_auth);
}

} // namespace
} // namespace phx::test
