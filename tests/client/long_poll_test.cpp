#include "tests/client/attempt.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/long_poll_server.hpp"
#include "tests/support/tls_files.hpp"

#include <array>

namespace phx::test {
namespace {

SocketOptions polling() {
    SocketOptions options = quick();
    options.transport.transport = Transport::long_poll;
    return options;
}

/// A socket whose channel has joined over long poll.
struct Joined {
    explicit Joined(SocketOptions options = polling()) : Joined(nullptr, {}, std::move(options)) {}
    Joined(ScriptedServer* other, const std::string& url, SocketOptions options)
        : server(other ? *other : own), poll(server),
          socket(std::in_place, loop, url.empty() ? server.url() : url, std::move(options)),
          room(socket->channel("room:1")) {
        socket->on_error([this](const Error& error) { errors.add(error); });
        socket->on_close([this](std::uint16_t code, std::string_view) { closes.add(code); });
        socket->connect();
        const Push joined = room.join();
        poll.open_session();
        poll.accept_join();
        EXPECT_TRUE(result_of(joined));
    }
    /// Handlers that were added are there.
    void settle() {
        std::promise<void> done;
        loop.post([&] { done.set_value(); });
        get(done.get_future());
    }

    ScriptedServer own;
    ScriptedServer& server;
    LongPollServer poll;
    Inbox<Error> errors;
    Inbox<std::uint16_t> closes;
    Loop loop;
    std::optional<Socket> socket;
    Channel room;
};

TEST(LongPollSocket, EstablishesLongPollConnectionWithEndpoint) {
    ScriptedServer server;
    LongPollServer poll(server);
    Loop loop;
    SocketOptions options = polling();
    options.params = {{"user", "ada"}};
    options.headers = {{"Origin", "http://x"}, {"Accept", "never"}};
    Socket socket(loop, server.url(), std::move(options));
    Inbox<int> opened;
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    const LongPollRequest first = poll.open_session("a/b");
    EXPECT_TRUE(
        first.head.starts_with("GET /socket/longpoll?user=ada&vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1:" +
                               std::to_string(server.port()) + "\r\nUser-Agent: phx/"))
        << first.head;
    EXPECT_TRUE(first.head.ends_with("\r\nAccept: application/json\r\nOrigin: http://x\r\n\r\n"))
        << first.head;
    EXPECT_TRUE(opened.first());
    const LongPollRequest second = poll.next("GET");
    EXPECT_EQ(second.target(), "/socket/longpoll?user=ada&vsn=2.0.0&token=a%2Fb");
    EXPECT_EQ(second.header("X-Phoenix-Longpoll-Token"), "a/b");
    EXPECT_EQ(second.header("X-Phoenix-AuthToken"), "");
    EXPECT_EQ(poll.connections(), 1u) << "kept alive";
}

TEST(LongPollSocket, SendsItsAuthTokenInAHeader) {
    ScriptedServer server;
    LongPollServer poll(server);
    Loop loop;
    SocketOptions options = polling();
    options.auth_token = [] { return std::string("se/cret+é"); };
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    const LongPollRequest request = poll.open_session();
    EXPECT_EQ(request.header("X-Phoenix-AuthToken"), "se/cret+é");
    EXPECT_EQ(request.head.find("Sec-WebSocket"), request.head.npos);
}

TEST(LongPollSocket, PushesAndHearsRepliesAndBroadcasts) {
    Joined client;
    Inbox<std::string> news;
    client.room.on("news", [&](const Message& message) { news.add(std::string(message.text())); });
    const Push pushed = client.room.push_text("echo", R"({"a":1})");
    const LongPollRequest request = client.poll.take_push();
    EXPECT_EQ(request.header("Content-Type"), "application/json");
    const PhxFrame frame = request.frames().at(0);
    EXPECT_EQ(frame.event, "echo");
    client.poll.deliver({json::array({nullptr, nullptr, "room:1", "news", 1}),
                         json::array({frame.join_ref,
                                      frame.ref,
                                      "room:1",
                                      "phx_reply",
                                      {{"status", "ok"}, {"response", frame.payload}}}),
                         json::array({nullptr, nullptr, "room:1", "news", "é"})});
    const auto reply = result_of(pushed);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text(), R"({"a":1})");
    EXPECT_EQ(news.wait_for(2), (std::vector<std::string>{"1", "\"é\""}));
    LongPollServer::answer(client.poll.next("GET"), {{"status", 204}, {"token", "T"}});
    client.poll.deliver({json::array({nullptr, nullptr, "room:1", "news", 3})});
    EXPECT_EQ(news.wait_for(3).size(), 3u);
    EXPECT_EQ(client.poll.connections(), 2u) << "one for polls, one for pushes";
}

TEST(LongPollSocket, SendsBinaryPushesAsBase64) {
    Joined client;
    const std::array<std::byte, 2> bytes{std::byte{2}, std::byte{255}};
    const Push pushed = client.room.push_binary("binary", bytes);
    const LongPollRequest request = client.poll.take_push();
    EXPECT_EQ(request.header("Content-Type"), "application/x-ndjson");
    // Kind 0, four lengths, join_ref 1, ref 2, topic, event and payload, as in tests/vectors.
    EXPECT_EQ(request.body, "AAEBBgYxMnJvb206MWJpbmFyeQL/");
}

TEST(LongPollSocket, SendsWhatIsSentInOneTurnInBatchesOfAHundred) {
    Joined client;
    client.loop.post([&] {
        for (int i = 0; i < 150; ++i) (void)client.room.send("n", std::to_string(i));
    });
    int expected = 0;
    for (const std::size_t size : {100u, 50u}) {
        const LongPollRequest request = client.poll.take_push();
        EXPECT_EQ(request.header("Content-Type"), "application/x-ndjson");
        const auto frames = request.frames();
        EXPECT_EQ(frames.size(), size);
        for (const PhxFrame& frame : frames) EXPECT_EQ(frame.payload, expected++);
    }
}

TEST(LongPollSocket, RejoinsWhenTheSessionIsGone) {
    Joined client;
    LongPollServer::answer(client.poll.next("GET"), {{"status", 410}, {"token", "U"}});
    EXPECT_EQ(client.closes.first(), 3410);
    EXPECT_EQ(client.errors.first()->code, Errc::server_closed);
    EXPECT_EQ(client.poll.open_session("V").target(), "/socket/longpoll?vsn=2.0.0");
    const LongPollRequest join = client.poll.take_push();
    EXPECT_EQ(join.frames().at(0).event, "phx_join");
    EXPECT_EQ(join.header("X-Phoenix-Longpoll-Token"), "V");
}

TEST(LongPollSocket, ReconnectsWhenAPollIsNotAnswered) {
    SocketOptions options = polling();
    options.transport.long_poll_timeout = 1s;
    ScriptedServer server;
    LongPollServer poll(server);
    Loop loop;
    Socket socket(loop, server.url(), std::move(options));
    Inbox<std::uint16_t> closes;
    socket.on_close([&](std::uint16_t code, std::string_view) { closes.add(code); });
    socket.connect();
    poll.open_session();
    const LongPollRequest unanswered = poll.next("GET");
    EXPECT_EQ(closes.first(), 1005);
    EXPECT_TRUE(unanswered.peer->wait_for_end());
    poll.open_session();
}

TEST(LongPollSocket, SaysWhyItIsRefused) {
    struct Case {
        std::string answer;
        Errc code;
    };
    const Case cases[] = {
        {LongPollServer::response({{"status", 403}}), Errc::bad_auth},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Errc::bad_auth},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", Errc::upgrade_refused},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Errc::upgrade_refused},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", Errc::malformed_frame},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Errc::malformed_frame},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'), Errc::connect_failed},
        {"SSH-2.0-OpenSSH_9.2\r\n", Errc::connect_failed},
    };
    for (const auto& [answer, code] : cases) {
        ScriptedServer server;
        Attempt attempt(server.url() + "?secret=1", polling());
        Peer peer = server.accept();
        peer.read_request();
        peer.write(answer);
        const Error error = attempt.error();
        EXPECT_EQ(error.code, code) << answer.substr(0, 80) << '\n' << error.message;
        EXPECT_EQ(error.origin, Origin::peer);
        EXPECT_EQ(error.message.find("secret"), error.message.npos);
        EXPECT_EQ(attempt.errors.all().size(), 1u);
    }
}

TEST(LongPollSocket, SaysThatAnAnswerIsTooLarge) {
    ScriptedServer server;
    SocketOptions options = polling();
    options.max_message_bytes = 1000;
    Attempt attempt(server.url(), std::move(options));
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n\r\n" + std::string((4u << 20) + 1, 'x'));
    EXPECT_EQ(attempt.error().code, Errc::frame_too_large);
}

TEST(LongPollSocket, SaysThatItWasNotAnswered) {
    ScriptedServer server;
    Attempt attempt(server.url(), polling());
    {
        Peer peer = server.accept();
        peer.read_request();
        peer.write("HTTP/1.1 200");
    }
    EXPECT_EQ(attempt.error().code, Errc::disconnected);
}

TEST(LongPollSocket, TakesAnswersOfEveryFraming) {
    Joined client;
    Inbox<std::string> news;
    client.room.on("news", [&](const Message& message) { news.add(std::string(message.text())); });
    client.settle();
    const std::string body =
        json({{"status", 200}, {"messages", {R"([null,null,"room:1","news",1])"}}}).dump();
    const std::string cut = body.substr(0, 20), rest = body.substr(20);
    client.poll.next("GET").peer->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + cut +
                                        "\r\n100\r\n" + rest + std::string(256 - rest.size(), ' ') +
                                        "\r\n0\r\nX: 1\r\n\r\n");
    EXPECT_EQ(news.wait_for(1).size(), 1u);
    EXPECT_EQ(client.poll.connections(), 2u);
    client.poll.next("GET").peer->write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                        std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_EQ(news.wait_for(2).size(), 2u);
    const LongPollRequest third = client.poll.next("GET");
    EXPECT_EQ(client.poll.connections(), 3u);
    third.peer->write("HTTP/1.0 200 OK\r\n\r\n" + body);
    third.peer->close();
    EXPECT_EQ(news.wait_for(3).size(), 3u);
    client.poll.next("GET").peer->write(LongPollServer::response(json::parse(body)) +
                                        "what nobody asked for");
    EXPECT_EQ(news.wait_for(4).size(), 4u);
    client.poll.next("GET");
    EXPECT_EQ(client.poll.connections(), 5u);
}

TEST(LongPollSocket, RepeatsAPollOfAKeptConnectionThatTheServerHadClosed) {
    Joined client;
    const LongPollRequest poll = client.poll.next("GET");
    poll.peer->close(); // unread, as far as the client can tell
    const LongPollRequest again = client.poll.next("GET");
    EXPECT_EQ(again.target(), poll.target());
    again.peer->close();
    EXPECT_EQ(client.closes.first(), 1011) << "but a new connection is believed";
}

TEST(LongPollSocket, EndsItsPollAtOnceWhenItIsDisconnected) {
    Joined client;
    const LongPollRequest poll = client.poll.next("GET");
    client.socket->disconnect();
    EXPECT_EQ(client.closes.first(), 1000);
    EXPECT_TRUE(poll.peer->wait_for_end());
    EXPECT_TRUE(client.errors.all().empty());
}

TEST(LongPollSocket, BringsItsLastWordsWhenItIsDisconnected) {
    Joined client;
    const LongPollRequest poll = client.poll.next("GET");
    client.loop.post([&] {
        (void)client.room.send("last", "1");
        client.socket->disconnect();
    });
    EXPECT_TRUE(poll.peer->wait_for_end());
    poll.peer->close();
    EXPECT_EQ(client.poll.take_push().frames().at(0).event, "last");
    EXPECT_EQ(client.closes.first(), 1000);
}

TEST(LongPollSocket, EndsWithItsSocketAndItsLoopInEveryStage) {
    for (const bool by_loop : {false, true}) {
        for (int stage = 0; stage < 4; ++stage) {
            ScriptedServer server;
            LongPollServer poll(server);
            std::optional<Loop> loop(std::in_place);
            std::optional<Socket> socket(std::in_place, *loop, server.url(), polling());
            Channel room = socket->channel("room:1");
            const Push joined = room.join();
            socket->connect();
            std::optional<LongPollRequest> last;
            if (stage == 1) last = poll.next("GET");
            if (stage > 1) poll.open_session();
            if (stage > 2) last = poll.next("GET");
            if (by_loop) {
                loop.reset();
            } else {
                socket.reset();
            }
            EXPECT_EQ(result_of(joined).error().code, Errc::socket_closed);
            if (last) {
                EXPECT_TRUE(last->peer->wait_for_end());
            }
        }
    }
}

TEST(LongPollSocket, WorksOverTls) {
    const TlsFiles files;
    ScriptedServer server(files.server_cert(), files.server_key());
    SocketOptions options = polling();
    options.tls = {.ca_file = files.ca(), .server_name = "localhost"};
    Joined client(&server, {}, std::move(options));
    const Push pushed = client.room.push_text("big", '"' + std::string(1u << 20, 'x') + '"');
    const PhxFrame frame = client.poll.take_push().frames().at(0);
    client.poll.reply(frame, "ok", frame.payload);
    EXPECT_EQ(result_of(pushed)->text().size(), (1u << 20) + 2);
}

TEST(LongPollSocket, WorksThroughAProxy) {
    ScriptedServer server;
    ConnectProxy proxy(server.port());
    SocketOptions options = polling();
    options.network.proxy = proxy.url();
    Joined client(&server, "http://phoenix.invalid:" + std::to_string(server.port()) + "/socket",
                  std::move(options));
    EXPECT_EQ(proxy.requests(2).size(), 2u);
}

TEST(LongPollSocket, ReconnectsWhenTheServerTakesNothing) {
    SocketOptions options = polling();
    options.max_buffered_bytes = 1000;
    Joined client(std::move(options));
    client.poll.next("GET");
    client.loop.post([&] { (void)client.room.send("big", '"' + std::string(1000, 'x') + '"'); });
    EXPECT_EQ(client.errors.first()->code, Errc::buffer_full);
    EXPECT_EQ(client.closes.first(), 1006);
    EXPECT_EQ(client.poll.open_session().target(), "/socket/longpoll?vsn=2.0.0");
}

TEST(LongPollSocket, NeedsProtocolVersion2) {
    Loop loop;
    auto make = [&](TransportOptions transport) {
        SocketOptions options;
        options.vsn = Vsn::v1;
        options.transport = transport;
        Socket socket(loop, "ws://localhost/socket", std::move(options));
    };
    EXPECT_THROW(make({.transport = Transport::long_poll}), std::invalid_argument);
    EXPECT_THROW(make({.long_poll_fallback = 1s}), std::invalid_argument);
    EXPECT_NO_THROW(make({}));
}

} // namespace
} // namespace phx::test
