#include "tests/client/client_fixture.hpp"

#include <utility>

namespace phx::test {
namespace {

TEST(Channel, JoinsPushesAndReceivesTheReply) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), {.params = {{"user", "ada"}}});
    auto room = socket.channel("room:lobby", {{"nick", "ada"}});
    EXPECT_EQ(room.state(), ChannelState::closed);
    socket.connect();
    const Push joined = room.join();
    const Push pushed = room.push("shout", {{"body", "hi"}});

    Peer peer = server.accept();
    const std::string request = peer.upgrade();
    EXPECT_TRUE(request.starts_with("GET /socket/websocket?user=ada&vsn=2.0.0 HTTP/1.1\r\n")) << request;
    EXPECT_EQ(Peer::header_of(request, "Host"), "127.0.0.1:" + std::to_string(server.port()));
    EXPECT_EQ(Peer::header_of(request, "Connection"), "Upgrade");
    EXPECT_EQ(Peer::header_of(request, "Sec-WebSocket-Extensions"), "");
    const PhxFrame join = peer.expect("phx_join");
    EXPECT_EQ(join.topic, "room:lobby");
    EXPECT_EQ(join.payload, json({{"nick", "ada"}}));
    EXPECT_EQ(join.join_ref, join.ref);
    peer.reply(join, "ok", {{"id", 7}});
    const PhxFrame push = peer.expect("shout");
    EXPECT_EQ(push.join_ref, join.ref);
    EXPECT_EQ(push.payload, json({{"body", "hi"}}));
    peer.reply(push, "ok", {{"heard", true}});

    const auto join_reply = result_of(joined);
    ASSERT_TRUE(join_reply) << join_reply.error().message;
    EXPECT_EQ(join_reply->status(), "ok");
    EXPECT_EQ(join_reply->text(), R"({"id":7})");
    EXPECT_EQ(room.state(), ChannelState::joined);
    EXPECT_EQ(socket.state(), SocketState::open);
    const auto push_reply = result_of(pushed);
    ASSERT_TRUE(push_reply) << push_reply.error().message;
    EXPECT_EQ(push_reply->json().value(), json({{"heard", true}}));
    EXPECT_GT(push_reply->elapsed(), Micros(0));
}

} // namespace
} // namespace phx::test
