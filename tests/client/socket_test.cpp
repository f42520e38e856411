#include "tests/client/client_fixture.hpp"

#include <tuple>

namespace phx::test {
namespace {

using Closed = std::pair<std::uint16_t, std::string>;

TEST(Socket, KeepsTheCloseCodeOfTheServerAndComesBack) {
    ScriptedServer server;
    Inbox<Closed> closed;
    Inbox<Millis> gaps;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_close([&](std::uint16_t code, std::string_view reason) {
        closed.add({code, std::string(reason)});
    });
    auto room = socket.channel("room:1");
    room.on_gap([&](Millis offline) { gaps.add(offline); });
    socket.connect();
    const Push joined = room.join();
    {
        Peer peer = server.accept_upgraded();
        peer.accept_join();
        ASSERT_TRUE(result_of(joined));
        peer.send_close(1012, "service restart");
        const WsFrame answer = peer.receive();
        EXPECT_EQ(answer.opcode, 8);
        EXPECT_EQ(answer.payload.substr(0, 2), std::string("\x03\xf4"));
    }
    EXPECT_EQ(closed.first(), Closed(1012, "service restart"));
    Peer again = server.accept_upgraded();
    again.accept_join();
    EXPECT_TRUE(gaps.first());
    EXPECT_EQ(room.state(), ChannelState::joined);
}

TEST(Socket, FailsPushesOfALostConnectionAndRejoins) {
    ScriptedServer server;
    Inbox<Closed> closed;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_close([&](std::uint16_t code, std::string_view reason) {
        closed.add({code, std::string(reason)});
    });
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(result_of(joined));
    const Push pushed = room.push("slow");
    peer.expect("slow");
    peer.reset();
    EXPECT_EQ(result_of(pushed).error().code, Errc::disconnected);
    EXPECT_EQ(closed.first(), Closed(1006, ""));
    const Push buffered = room.push("later");
    Peer again = server.accept_upgraded();
    again.accept_join();
    again.reply(again.expect("later"), "ok");
    EXPECT_TRUE(result_of(buffered));
}

TEST(Socket, FailsTheConnectionOnGarbageAfterTheUpgrade) {
    ScriptedServer server;
    Inbox<Error> errors;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    Peer peer = server.accept_upgraded();
    peer.write("\xff\xff\xff\xffgarbage");
    const WsFrame close = peer.receive();
    EXPECT_EQ(close.opcode, 8);
    EXPECT_EQ(close.payload.substr(0, 2), std::string("\x03\xea")); // 1002
    peer.close();
    EXPECT_TRUE(errors.first());
    server.accept_upgraded(); // it comes back
}

TEST(Socket, RefusesMessagesOverItsLimit) {
    ScriptedServer server;
    Inbox<Error> errors;
    Loop loop;
    SocketOptions options = quick();
    options.max_message_bytes = 1000;
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    Peer peer = server.accept_upgraded();
    peer.write(Peer::frame(1, std::string(1001, ' ')).substr(0, 4));         // the header is enough
    EXPECT_EQ(peer.receive().payload.substr(0, 2), std::string("\x03\xf1")); // 1009
    peer.close();
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::frame_too_large);
}

TEST(Socket, ReadsFramesThatDripIn) {
    ScriptedServer server;
    Inbox<std::string> seen;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_message([&](const Message& m) { seen.add(std::string(m.text())); });
    socket.connect();
    Peer peer = server.accept();
    const std::string request = peer.read_request();
    // The first frames come in the packet of the upgrade, the rest byte by byte, a ping between.
    const std::string upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                                "Upgrade\r\nSec-WebSocket-Accept: " +
                                Peer::accept_of(request) + "\r\n\r\n";
    peer.write(upgrade + Peer::frame(1, R"([null,null,"t","e",1])"));
    for (const char byte : Peer::frame(9, "are you there") + Peer::frame(1, R"([null,null,"t","e",2])")) {
        peer.write(std::string_view(&byte, 1));
    }
    EXPECT_EQ(seen.wait_for(2), (std::vector<std::string>{"1", "2"}));
    const WsFrame pong = peer.receive();
    EXPECT_EQ(pong.opcode, 10);
    EXPECT_EQ(pong.payload, "are you there");
}

TEST(Socket, CarriesLargeMessagesBothWays) {
    ScriptedServer server;
    Inbox<std::size_t> sizes;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    room.on("big", [&](const Message& m) { sizes.add(m.text().size()); });
    socket.connect();
    (void)room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    const std::string text = '"' + std::string(5u << 20, 'x') + '"';
    const Push pushed = room.push_text("big", text);
    const PhxFrame frame = peer.expect("big");
    EXPECT_EQ(frame.payload.get_ref<const std::string&>().size(), 5u << 20);
    peer.reply(frame, "ok");
    EXPECT_TRUE(result_of(pushed));
    peer.broadcast("room:1", "big", std::string(5u << 20, 'y'));
    EXPECT_EQ(sizes.first(), (5u << 20) + 2);
}

TEST(Socket, DisconnectsWithACodeAndStaysAway) {
    ScriptedServer server;
    Inbox<Closed> closed;
    Inbox<SocketState> states;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_close([&](std::uint16_t code, std::string_view reason) {
        closed.add({code, std::string(reason)});
    });
    socket.on_state([&](SocketState, SocketState to) { states.add(to); });
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(result_of(joined));
    const Push pushed = room.push("slow");
    peer.expect("slow");
    socket.disconnect(4001, "bye");
    EXPECT_EQ(result_of(pushed).error().code, Errc::socket_closed);
    const WsFrame close = peer.receive();
    EXPECT_EQ(close.opcode, 8);
    EXPECT_EQ(close.payload, "\x0f\xa1"
                             "bye");
    peer.send_close(4001, "bye");
    peer.close();
    EXPECT_EQ(closed.first(), Closed(4001, "bye"));
    using enum SocketState;
    EXPECT_EQ(states.wait_for(4), (std::vector<SocketState>{connecting, open, closing, idle}));
    EXPECT_EQ(socket.state(), idle);
    socket.connect(); // and comes back when asked
    server.accept_upgraded();
}

TEST(Socket, BeatsAndReportsTheRoundTrip) {
    ScriptedServer server;
    Inbox<HeartbeatStatus> beats;
    Loop loop;
    SocketOptions options = quick();
    options.heartbeat_interval = 5ms;
    Socket socket(loop, server.url(), std::move(options));
    socket.on_heartbeat([&](HeartbeatStatus status, Micros round_trip) {
        EXPECT_EQ(status == HeartbeatStatus::ok, round_trip > Micros{0});
        beats.add(status);
    });
    socket.connect();
    Peer peer = server.accept_upgraded();
    for (int i = 0; i < 2; ++i) peer.reply(peer.expect("heartbeat"), "ok");
    using enum HeartbeatStatus;
    auto seen = beats.wait_for(4);
    seen.resize(4);
    EXPECT_EQ(seen, (std::vector{sent, ok, sent, ok}));
}

TEST(Socket, ReconnectsWhenAHeartbeatIsLost) {
    ScriptedServer server;
    Inbox<Error> errors;
    Loop loop;
    SocketOptions options = quick();
    options.heartbeat_interval = 5ms;
    options.heartbeat_timeout = 5ms;
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    Peer deaf = server.accept_upgraded();
    Peer again = server.accept_upgraded(); // while the old one is still there
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::heartbeat_lost);
}

TEST(Socket, ShowsEveryFrameToTheTap) {
    ScriptedServer server;
    Inbox<std::pair<Direction, std::string>> frames;
    Loop loop;
    SocketOptions options = quick();
    options.frame_tap = [&](Direction direction, Opcode, std::string_view frame) {
        frames.add({direction, std::string(frame)});
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    const Push ping = socket.channel("room:1").join();
    Peer peer = server.accept_upgraded();
    const PhxFrame join = peer.accept_join();
    const auto seen = frames.wait_for(2);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].first, Direction::to_server);
    EXPECT_EQ(json::parse(seen[0].second).at(3), "phx_join");
    EXPECT_EQ(seen[1].first, Direction::to_client);
    EXPECT_EQ(json::parse(seen[1].second).at(3), "phx_reply");
}

TEST(Socket, DialsAtOnceWhenTheNetworkIsBack) {
    SocketOptions options = quick();
    options.retry.first_connect = {{Millis(3'600'000)}, Jitter::none};
    const int port = unused_port();
    Inbox<Error> errors;
    Loop loop;
    Socket socket(loop, "ws://127.0.0.1:" + std::to_string(port) + "/socket", std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    ASSERT_TRUE(errors.first());
    EXPECT_EQ(socket.state(), SocketState::waiting);
    socket.reconnect_now();
    EXPECT_EQ(errors.wait_for(2).size(), 2u);
}

TEST(Socket, SpeaksVersionOne) {
    ScriptedServer server;
    Loop loop;
    SocketOptions options = quick();
    options.vsn = Vsn::v1;
    Socket socket(loop, server.url(), std::move(options));
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    const json join = json::parse(peer.receive().payload);
    EXPECT_EQ(join.at("event"), "phx_join");
    peer.send(1, json{{"topic", "room:1"},
                      {"event", "phx_reply"},
                      {"ref", join.at("ref")},
                      {"payload", {{"status", "ok"}, {"response", json::object()}}}}
                     .dump());
    EXPECT_TRUE(result_of(joined));
    EXPECT_EQ(result_of(room.push_binary("a", {})).error().code, Errc::invalid_payload);
}

TEST(Socket, HandlersAddedWithTheReplySeeWhatFollowsInTheSamePacket) {
    ScriptedServer server;
    Inbox<std::string> seen;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.connect();
    Push joined = room.join();
    joined.receive("ok", [&](const Reply&) {
        room.on("welcome", [&](const Message& m) { seen.add(std::string(m.text())); });
    });
    Peer peer = server.accept_upgraded();
    const PhxFrame join = peer.expect("phx_join");
    const json reply = json::array(
        {join.join_ref, join.ref, "room:1", "phx_reply", {{"status", "ok"}, {"response", json::object()}}});
    const json welcome = json::array({nullptr, nullptr, "room:1", "welcome", "hi"});
    peer.write(Peer::frame(1, reply.dump()) + Peer::frame(1, welcome.dump()));
    EXPECT_EQ(seen.first(), "\"hi\"");
}

TEST(Socket, TellsTheCloseOfEachConnectionThatWasOpenAndOfNoOther) {
    ScriptedServer server;
    Inbox<std::string> seen;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    socket.on_open([&] { seen.add("open"); });
    socket.on_close([&](std::uint16_t, std::string_view) { seen.add("close"); });
    socket.connect();
    Peer silent = server.accept();
    socket.disconnect(); // while it dials
    socket.connect();
    Peer peer = server.accept_upgraded();
    seen.wait_for(1);
    socket.disconnect();
    socket.connect(); // while it closes
    Peer second = server.accept_upgraded();
    EXPECT_EQ(seen.wait_for(3), (std::vector<std::string>{"open", "close", "open"}));
}

} // namespace
} // namespace phx::test
