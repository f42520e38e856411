#include "tests/client/client_fixture.hpp"
#include "tests/support/long_poll_server.hpp"

namespace phx::test {
namespace {

constexpr auto not_now = 1h;

SocketOptions falling_back(Millis after) {
    SocketOptions options = quick();
    options.transport.long_poll_fallback = after;
    return options;
}

struct Client {
    explicit Client(SocketOptions options) : socket(loop, server.url(), std::move(options)) {
        socket.on_error([this](const Error& error) { errors.add(error); });
        socket.on_open([this] { opens.add(1); });
        socket.connect();
    }
    Peer refuse_websocket(const std::string& status = "404 Not Found") {
        Peer peer = server.accept();
        EXPECT_TRUE(peer.read_request().starts_with("GET /socket/websocket?"));
        peer.write("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n");
        return peer;
    }

    ScriptedServer server;
    LongPollServer poll{server};
    Inbox<Error> errors;
    Inbox<int> opens;
    Loop loop;
    Socket socket;
};

TEST(TransportFallback, FallsBackToLongpollWhenSetAfterPrimaryTransportFailure) {
    Client client(falling_back(not_now));
    client.refuse_websocket();
    client.poll.open_session();
    EXPECT_TRUE(client.opens.first());
    EXPECT_EQ(client.errors.wait_for(1).front().code, Errc::upgrade_refused);
    Channel room = client.socket.channel("room:1");
    const Push joined = room.join();
    client.poll.accept_join();
    EXPECT_TRUE(result_of(joined));
}

TEST(TransportFallback, IsOffUnlessItIsAskedFor) {
    Client client(quick());
    client.refuse_websocket();
    client.refuse_websocket();
    Peer peer = client.server.accept_upgraded();
    EXPECT_TRUE(client.opens.first());
}

TEST(TransportFallback, TakesThePlaceOfAWebSocketThatHangs) {
    Client client(falling_back(500ms));
    Peer hanging = client.server.accept();
    hanging.read_request();
    EXPECT_TRUE(hanging.wait_for_end());
    client.poll.open_session();
    EXPECT_TRUE(client.opens.first());
    EXPECT_EQ(client.errors.first()->code, Errc::timeout);
}

TEST(TransportFallback, TakesThePlaceOfAWebSocketThatAnswersNothing) {
    Client client(falling_back(1s));
    Channel room = client.socket.channel("room:1");
    const Push joined = room.join(Millis(generous));
    Peer silent = client.server.accept_upgraded();
    EXPECT_TRUE(silent.wait_for_end());
    client.poll.open_session();
    client.poll.accept_join();
    EXPECT_EQ(client.opens.wait_for(2).size(), 2u);
    EXPECT_EQ(client.errors.first()->code, Errc::timeout);
    EXPECT_EQ(result_of(joined).error().code, Errc::disconnected) << "that one was lost with the WebSocket";
}

TEST(TransportFallback, NeverTakesThePlaceOfAWebSocketThatHasWorked) {
    Client client(falling_back(not_now));
    {
        Peer peer = client.server.accept_upgraded();
        const PhxFrame ping = peer.expect("heartbeat");
        EXPECT_EQ(ping.topic, "phoenix");
        peer.reply(ping, "ok");
        Channel room = client.socket.channel("room:1");
        const Push joined = room.join();
        peer.accept_join();
        EXPECT_TRUE(result_of(joined));
    }
    client.refuse_websocket();
    client.refuse_websocket();
    Peer peer = client.server.accept_upgraded();
    EXPECT_EQ(client.opens.wait_for(2).size(), 2u);
    EXPECT_EQ(peer.expect("phx_join").topic, "room:1") << "no ping is needed any more";
}

TEST(TransportFallback, ReturnsToWebSocketAtAReconnectAfterAWhile) {
    SocketOptions options = falling_back(not_now);
    options.transport.retry_websocket = Millis(0);
    Client client(std::move(options));
    client.refuse_websocket();
    client.poll.open_session();
    LongPollServer::answer(client.poll.next("GET"), {{"status", 410}, {"token", "U"}});
    Peer peer = client.server.accept_upgraded();
    peer.reply(peer.expect("heartbeat"), "ok");
    EXPECT_EQ(client.opens.wait_for(2).size(), 2u);
}

TEST(TransportFallback, StaysWithALongPollThatWorks) {
    Client client(falling_back(not_now));
    client.refuse_websocket();
    client.poll.open_session();
    LongPollServer::answer(client.poll.next("GET"), {{"status", 410}, {"token", "U"}});
    EXPECT_EQ(client.poll.open_session().target(), "/socket/longpoll?vsn=2.0.0") << "retry_websocket is far";
    EXPECT_EQ(client.opens.wait_for(2).size(), 2u);
}

TEST(TransportFallback, ReturnsToWebSocketWhenLongPollIsNoBetter) {
    Client client(falling_back(not_now));
    for (int round = 0; round < 2; ++round) {
        client.refuse_websocket("502 Bad Gateway");
        const LongPollRequest request = client.poll.next("GET");
        EXPECT_TRUE(request.target().starts_with("/socket/longpoll"));
        request.peer->write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        request.peer->close();
    }
    Peer peer = client.server.accept_upgraded();
    EXPECT_TRUE(client.opens.first());
}

TEST(TransportFallback, DoesNotGoOnWhenTheProgramForbidsReconnects) {
    SocketOptions options = falling_back(not_now);
    options.retry.should_reconnect = [](const Error&) { return false; };
    Client client(std::move(options));
    client.refuse_websocket();
    EXPECT_TRUE(client.errors.first());
    Inbox<SocketState> states;
    client.loop.post([&] { states.add(client.socket.state()); });
    EXPECT_EQ(states.first(), SocketState::idle);
}

TEST(TransportFallback, IsNotTheAnswerToADisconnect) {
    Client client(falling_back(not_now));
    Peer hanging = client.server.accept();
    hanging.read_request();
    client.socket.disconnect();
    EXPECT_TRUE(hanging.wait_for_end());
    client.socket.connect();
    Peer peer = client.server.accept();
    EXPECT_TRUE(peer.read_request().starts_with("GET /socket/websocket?"));
}

} // namespace
} // namespace phx::test
