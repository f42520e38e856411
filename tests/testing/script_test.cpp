#include "world_fixture.hpp"

namespace phx::test {
namespace {

/// A client of a script, with a push under way.
struct Scripted {
    explicit Scripted(std::function<void(Peer&, const Frame&)> script) {
        world.script(std::move(script));
        socket.on_error([this](const Error& error) { errors.push_back(error); });
        socket.on_close([this](std::uint16_t code, std::string_view) { closes.push_back(code); });
        socket.on_message([this](const Message& message) { messages.emplace_back(message.event()); });
        socket.connect();
        lobby.join();
    }
    std::vector<Error> errors;
    std::vector<std::uint16_t> closes;
    std::vector<std::string> messages;
    World world{5};
    Socket socket{world.loop(), world.url()};
    Channel lobby = socket.channel("room:lobby");
};

bool is_routine(const Frame& frame) { return frame.event == "phx_join" || frame.event == "heartbeat"; }

TEST(WorldScript, AServerThatNeverAnswersAPush) {
    Scripted client([](Peer& peer, const Frame& frame) {
        if (is_routine(frame)) peer.reply(frame);
    });
    const auto reply = client.lobby.push("ask").wait();
    EXPECT_EQ(reply.error().code, Errc::timeout);
    EXPECT_GE(client.world.now(), 10s);
}

TEST(WorldScript, AServerThatNeverAnswersAnything) {
    Scripted client([](Peer&, const Frame&) {});
    client.world.run_for(5min);
    EXPECT_GT(client.world.dialled(), 3U); // heartbeats are not answered either
    EXPECT_EQ(client.lobby.state() == ChannelState::joined, false);
}

TEST(WorldScript, AServerThatAnswersTwice) {
    Scripted client([](Peer& peer, const Frame& frame) {
        peer.reply(frame);
        if (!is_routine(frame)) peer.reply(frame, "error");
    });
    int answers = 0;
    client.lobby.push("ask").then([&](const Result<Reply>& reply) {
        ++answers;
        EXPECT_TRUE(reply);
    });
    client.world.run_for(1s);
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(client.messages, std::vector<std::string>{"phx_reply"}); // the late one belongs to nobody
}

TEST(WorldScript, AServerThatClosesWithACode) {
    Scripted client([](Peer& peer, const Frame& frame) {
        if (is_routine(frame)) return peer.reply(frame);
        peer.close(4002, "no");
    });
    EXPECT_EQ(client.lobby.push("ask").wait().error().code, Errc::disconnected);
    client.world.run_for(10s);
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{4002});
    EXPECT_EQ(client.lobby.state(), ChannelState::joined); // again
}

TEST(WorldScript, AServerThatHangsUp) {
    Scripted client([](Peer& peer, const Frame& frame) {
        if (is_routine(frame)) return peer.reply(frame);
        peer.drop();
        peer.reply(frame); // nobody hears it
    });
    EXPECT_EQ(client.lobby.push("ask").wait().error().code, Errc::disconnected);
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{1006});
}

TEST(WorldScript, AServerThatTalksNonsense) {
    Scripted client([](Peer& peer, const Frame& frame) {
        peer.reply(frame);
        if (!is_routine(frame)) peer.send("[1,2");
    });
    EXPECT_TRUE(client.lobby.push("ask").wait());
    client.world.run_for(1s);
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::malformed_frame);
}

TEST(WorldScript, AScriptThatThrowsClosesTheConnection) {
    Scripted client([](Peer& peer, const Frame& frame) {
        if (!is_routine(frame)) throw std::runtime_error("mine");
        peer.reply(frame);
    });
    EXPECT_EQ(client.lobby.push("ask").wait().error().code, Errc::disconnected);
    EXPECT_EQ(client.closes, std::vector<std::uint16_t>{1011});
    EXPECT_NE(client.world.trace().find("mine"), std::string::npos);
}

TEST(WorldScript, AServerThatPushes) {
    std::vector<Peer> kept;
    Scripted client([&](Peer& peer, const Frame& frame) {
        peer.reply(frame);
        kept.push_back(peer);
    });
    EXPECT_TRUE(client.world.run_until([&] { return client.lobby.state() == ChannelState::joined; }));
    kept[0].push("room:lobby", "news", R"({"n":1})"); // from outside
    client.world.run_for(1s);
    EXPECT_EQ(client.messages, std::vector<std::string>{"news"});
    client.world.drop_connections();
    client.world.run_for(1s);
    kept[0].push("room:lobby", "news"); // to nobody
}

TEST(WorldScript, AServerThatSendsBytes) {
    Scripted client([](Peer& peer, const Frame& frame) {
        peer.reply(frame);
        if (!is_routine(frame)) peer.send_binary(as_binary("\2\012\3room:lobbywinbytes")); // kind 2
    });
    EXPECT_TRUE(client.lobby.push("ask").wait());
    client.world.run_for(1s);
    EXPECT_EQ(client.messages, std::vector<std::string>{"win"});
}

TEST(WorldScript, TheServerComesBackWhenTheScriptIsOver) {
    Scripted client([](Peer& peer, const Frame& frame) { peer.reply(frame); });
    client.world.server().channel("room:*", room());
    EXPECT_TRUE(client.lobby.push("ask").wait());
    client.world.script({});
    client.world.server().disconnect_all(1012);
    client.world.run_for(30s);
    const auto reply = client.lobby.push("ask", {{"n", 2}}).wait();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text(), R"({"n":2})");
}

TEST(WorldScript, EndsWithPeersThatAreOpen) {
    Scripted client([](Peer& peer, const Frame& frame) { peer.reply(frame); });
    EXPECT_TRUE(client.lobby.push("ask").wait());
}

} // namespace
} // namespace phx::test
