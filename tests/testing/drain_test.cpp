#include "world_fixture.hpp"

#include <algorithm>

// A graceful stop, with the real client, in virtual time.
namespace phx::test {
namespace {

/// As room(), but "slow" is answered after five seconds.
server::Handlers slow_room() {
    server::Handlers handlers = room();
    handlers.requests["slow"] = [](const server::Context& context, std::string_view, server::PayloadView) {
        return server::Actions().after(5s, std::to_string(context.reply_to.id));
    };
    handlers.handle_info = [](const server::Context&, std::string_view info) {
        return server::Actions().reply_to({std::stoull(std::string(info))}, "ok", "\"done\"");
    };
    return handlers;
}

TEST(WorldDrain, AnswersWhatWasAcceptedRefusesTheRestAndThenCloses) {
    World world;
    world.server().channel("room:*", slow_room());
    Socket socket(world.loop(), world.url());
    auto lobby = socket.channel("room:lobby");
    std::vector<std::uint16_t> closes;
    socket.on_close([&](std::uint16_t code, std::string_view) { closes.push_back(code); });
    socket.connect();
    EXPECT_TRUE(lobby.join().wait());
    const auto slow = lobby.call("slow");
    world.run_for(1s);
    world.server().drain(100ms);
    world.run_for(1s);
    EXPECT_FALSE(slow.finished());
    EXPECT_TRUE(closes.empty());

    Socket late(world.loop(), world.url());
    std::vector<Error> errors;
    late.on_error([&](const Error& error) { errors.push_back(error); });
    late.connect();
    auto other = socket.channel("room:other");
    const auto refused = other.join().wait();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail->reply, R"({"reason":"server draining"})");
    ASSERT_TRUE(world.run_until([&] { return !errors.empty(); }, 1s)) << world.trace();
    EXPECT_EQ(errors[0].code, Errc::upgrade_refused);
    EXPECT_EQ(errors[0].detail->http_status, 503);
    const std::pair<std::string, std::string> retry_after("retry-after", "1");
    const auto& headers = errors[0].detail->http_headers;
    EXPECT_EQ(std::count(headers.begin(), headers.end(), retry_after), 1);

    const auto done = slow.wait();
    ASSERT_TRUE(done) << world.trace();
    EXPECT_EQ(done->text(), "\"done\"");
    EXPECT_TRUE(world.run_until([&] { return !closes.empty(); }, 1s));
    EXPECT_EQ(closes[0], 1012);
    EXPECT_EQ(world.server().connections(), 0U);
    world.server().stop();
    world.server().start(); // the next one
    EXPECT_TRUE(world.run_until([&] { return lobby.state() == ChannelState::joined; }));
}

TEST(WorldDrain, StopsHardAtItsTimeout) {
    Joined client;
    auto silent = client.lobby.push("silence"); // which is never answered, and not waited for
    client.world.server().drain(3s, 10s);
    client.world.run_for(3100ms);
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{1012});
    EXPECT_FALSE(silent.wait());

    World world;
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view, server::PayloadView) {
        return server::Actions().after(1h, "");
    };
    world.server().channel("room:*", handlers);
    Socket socket(world.loop(), world.url());
    auto lobby = socket.channel("room:lobby");
    Micros closed{0};
    socket.on_close([&](std::uint16_t, std::string_view) { closed = world.now(); });
    socket.connect();
    EXPECT_TRUE(lobby.join().wait());
    lobby.push("long", Json::object(), 1h);
    world.run_for(1s);
    const Micros begin = world.now();
    world.server().drain(1s, 10s);
    EXPECT_TRUE(world.run_until([&] { return closed > begin; }, 11s));
    EXPECT_GE(closed - begin, 10s);
}

} // namespace
} // namespace phx::test
