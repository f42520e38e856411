#include "tests/client/client_fixture.hpp"

#include <map>

// What a program can see of its socket: log, numbers, back pressure, typed payloads.
namespace phx::test {
namespace {

struct Shout {
    std::string body;
    int volume = 0;
};
void from_json(const Json& json, Shout& shout) {
    json.at("body").get_to(shout.body);
    json.at("volume").get_to(shout.volume);
}
void to_json(Json& json, const Shout& shout) { json = {{"body", shout.body}, {"volume", shout.volume}}; }

TEST(Observe, TellsInWordsWhatItDoesAndNoSecrets) {
    ScriptedServer server;
    Inbox<std::pair<LogLevel, std::string>> lines;
    Loop loop;
    SocketOptions options = quick();
    options.params = {{"apikey", "secret-key"}};
    options.auth_token = [] { return std::string("secret-token"); };
    options.logger = [&](LogLevel level, std::string_view line) { lines.add({level, std::string(line)}); };
    options.log_level = LogLevel::trace;
    Socket socket(loop, server.url(), std::move(options));
    auto room = socket.channel("room:1", {{"access_token", "secret-join"}});
    socket.connect();
    room.join();
    Peer peer = server.accept();
    peer.upgrade("Sec-WebSocket-Protocol: phoenix\r\n");
    peer.accept_join();
    const Push push = room.push("ask", {{"password", "secret-payload"}});
    peer.reply(peer.expect("ask"), "error", {{"reason", "secret-reply"}});
    EXPECT_FALSE(result_of(push));
    peer.send_close(1012, "deploy\r\nforged line");
    peer.receive();
    peer.close();
    Peer second = server.accept();
    std::map<std::string, LogLevel> seen;
    for (const auto& [level, line] : lines.all()) {
        EXPECT_EQ(line.find("secret"), line.npos) << line;
        EXPECT_EQ(line.find('\n'), line.npos) << line;
        seen.emplace(line.substr(0, line.find_first_of(";[")), level);
    }
    const std::string place = "ws://127.0.0.1:" + std::to_string(server.port()) + "/socket/websocket";
    EXPECT_EQ(seen.at("connecting to " + place), LogLevel::info);
    EXPECT_EQ(seen.at("connected"), LogLevel::info);
    EXPECT_EQ(seen.at("room:1 joined"), LogLevel::info);
    EXPECT_EQ(seen.at("push failed: the server refused the push"), LogLevel::debug);
    EXPECT_EQ(seen.at("connection lost: close code 1012 (deploy??forged line)"), LogLevel::warning);
    EXPECT_EQ(seen.at("room:1 errored: the server closed the connection"), LogLevel::warning);
    EXPECT_EQ(seen.at("sent room:1 ask "), LogLevel::trace);
}

TEST(Observe, LogsOnlyFromItsLevelOnAndSurvivesALoggerThatThrows) {
    ScriptedServer server;
    std::atomic<int> warnings{0};
    Loop loop;
    SocketOptions options = quick();
    options.log_level = LogLevel::warning;
    options.logger = [&](LogLevel level, std::string_view) {
        EXPECT_GE(level, LogLevel::warning);
        ++warnings;
        throw std::runtime_error("disk full");
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    server.accept_upgraded().reset();
    Peer peer = server.accept_upgraded();
    EXPECT_EQ(warnings, 1);
}

TEST(Observe, CountsWhatItDoes) {
    ScriptedServer server;
    Inbox<std::string> heard;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    room.on("shout", [&](const Message& message) { heard.add(std::string(message.text())); });
    socket.connect();
    room.join();
    std::optional<Peer> peer(server.accept_upgraded());
    peer->accept_join();
    const Push good = room.push("good");
    const Push bad = room.push("bad");
    peer->reply(peer->expect("good"), "ok");
    peer->reply(peer->expect("bad"), "error");
    peer->broadcast("room:1", "shout", {{"n", 1}});
    peer->send(1, "not a frame");
    peer->broadcast("room:1", "shout", {{"n", 2}});
    heard.wait_for(2);
    EXPECT_TRUE(result_of(good));
    EXPECT_FALSE(result_of(bad));
    const Push open = room.push("open");
    peer->expect("open");
    SocketStats stats = socket.stats();
    EXPECT_EQ(stats.connects, 1u);
    EXPECT_EQ(stats.opens, 1u);
    EXPECT_EQ(stats.frames_sent, 4u);
    EXPECT_EQ(stats.frames_received, 6u);
    EXPECT_GT(stats.bytes_sent, 100u);
    EXPECT_GT(stats.bytes_received, 100u);
    EXPECT_EQ(stats.messages, 2u);
    EXPECT_EQ(stats.frames_dropped, 1u);
    EXPECT_EQ(stats.pushes, 4u); // with the join
    EXPECT_EQ(stats.pushes_failed, 1u);
    EXPECT_EQ(stats.pushes_waiting, 1u);
    peer->reset();
    EXPECT_FALSE(result_of(open));
    peer.emplace(server.accept_upgraded());
    peer->expect("phx_join");
    stats = socket.stats();
    EXPECT_EQ(stats.losses, 1u);
    EXPECT_EQ(stats.opens, 2u);
    EXPECT_EQ(stats.pushes_waiting, 0u);
}

TEST(Observe, TellsWhenMuchThatWaitedHasLeft) {
    ScriptedServer server;
    Inbox<std::size_t> drained;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.on_drain([&] { drained.add(socket.buffered_bytes()); });
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(result_of(room.join()));
    const std::string big = '"' + std::string(8u << 20, 'x') + '"'; // more than the kernel takes at once
    ASSERT_TRUE(room.send("big", big));
    EXPECT_EQ(drained.all().size(), 0u);
    EXPECT_EQ(peer.receive_phx().event, "big");
    EXPECT_EQ(drained.wait_for(1), std::vector<std::size_t>{0});
}

TEST(Observe, GivesTypedPayloads) {
    ScriptedServer server;
    Inbox<std::string> heard;
    Inbox<Error> errors;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_error([&](const Error& error) { errors.add(error); });
    auto room = socket.channel("room:1");
    room.on<Shout>("shout",
                   [&](const Shout& shout) { heard.add(shout.body + std::to_string(shout.volume)); });
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    peer.broadcast("room:1", "shout", {{"body", "too short"}});
    peer.broadcast("room:1", "shout", {{"body", "hi"}, {"volume", 7}});
    EXPECT_EQ(heard.wait_for(1), std::vector<std::string>{"hi7"});
    ASSERT_TRUE(errors.first());
    EXPECT_EQ(errors.first()->code, Errc::invalid_payload);
    EXPECT_EQ(errors.first()->origin, Origin::peer);
    const Push push = room.push("shout", Shout{"ho", 3});
    const PhxFrame asked = peer.expect("shout");
    EXPECT_EQ(asked.payload, json({{"body", "ho"}, {"volume", 3}}));
    peer.reply(asked, "ok", {{"body", "back"}, {"volume", 1}});
    const auto reply = result_of(push);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->as<Shout>()->body, "back");
    EXPECT_FALSE(reply->as<std::vector<int>>());
}

} // namespace
} // namespace phx::test
