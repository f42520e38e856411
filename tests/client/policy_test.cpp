#include "tests/client/client_fixture.hpp"

#include <algorithm>
#include <stdexcept>

// What the program decides about coming back.
namespace phx::test {
namespace {

TEST(Policy, StopsWhenShouldReconnectSaysNo) {
    ScriptedServer server;
    Inbox<Error> asked;
    Inbox<SocketState> states;
    Loop loop;
    SocketOptions options = quick();
    options.retry.should_reconnect = [&](const Error& why) {
        asked.add(why);
        return false;
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.on_state([&](SocketState, SocketState to) { states.add(to); });
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nexpired");
    const auto result = result_of(joined);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::bad_auth);
    ASSERT_EQ(asked.wait_for(1).size(), 1u);
    EXPECT_EQ(asked.first()->detail->http_status, 401);
    EXPECT_EQ(asked.first()->detail->http_body, "expired");
    using enum SocketState;
    EXPECT_EQ(states.wait_for(3), (std::vector{connecting, waiting, idle}));
    socket.connect(); // it can be tried again
    Peer second = server.accept_upgraded();
    EXPECT_EQ(states.wait_for(5).back(), open);
}

TEST(Policy, ShouldReconnectSeesTheCloseCode) {
    ScriptedServer server;
    Inbox<Error> asked;
    Loop loop;
    SocketOptions options = quick();
    options.retry.should_reconnect = [&](const Error& why) {
        asked.add(why);
        return why.detail->close_code < 4000;
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    {
        Peer peer = server.accept_upgraded();
        peer.send_close(1012, "restart");
        peer.receive();
        peer.close();
    }
    Peer peer = server.accept_upgraded();
    peer.send_close(4004, "banned");
    peer.receive();
    peer.close();
    const auto whys = asked.wait_for(2);
    ASSERT_EQ(whys.size(), 2u);
    EXPECT_EQ(whys[0].code, Errc::server_closed);
    EXPECT_EQ(whys[0].detail->close_reason, "restart");
    EXPECT_EQ(whys[1].detail->close_code, 4004);
}

TEST(Policy, APredicateThatThrowsCountsAsYes) {
    ScriptedServer server;
    Inbox<Error> errors;
    Loop loop;
    SocketOptions options = quick();
    options.retry.should_reconnect = [](const Error&) -> bool { throw std::runtime_error("no idea"); };
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    server.accept_upgraded().reset();
    Peer peer = server.accept_upgraded();
    const auto seen = errors.wait_for(1);
    EXPECT_TRUE(std::any_of(seen.begin(), seen.end(),
                            [](const Error& error) { return error.code == Errc::handler_failed; }));
}

/// The next join is refused with this reason.
void refuse_join(Peer& peer, std::string_view reason) {
    peer.reply(peer.expect("phx_join"), "error", {{"reason", reason}});
}

TEST(Policy, DoesNotRejoinAChannelThatIsUnauthorized) {
    ScriptedServer server;
    Inbox<ChannelState> states;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:secret");
    room.on_state([&](ChannelState, ChannelState to, const Error* why) {
        EXPECT_EQ(why != nullptr, to == ChannelState::errored || to == ChannelState::closed);
        states.add(to);
    });
    socket.connect();
    const Push refused = room.join();
    Peer peer = server.accept_upgraded();
    refuse_join(peer, "unauthorized");
    EXPECT_EQ(result_of(refused).error().code, Errc::join_refused);
    using enum ChannelState;
    EXPECT_EQ(states.wait_for(3), (std::vector{joining, errored, closed}));
    EXPECT_EQ(result_of(room.push("ask")).error().code, Errc::not_joined);
    const Push again = room.join(); // the rights have changed
    peer.accept_join();
    EXPECT_TRUE(result_of(again));
}

TEST(Policy, RejoinsAnUnauthorizedChannelForEverWhenToldTo) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room =
        socket.channel("room:secret", Json::object(), {.should_rejoin = [](const Error&) { return true; }});
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    for (int i = 0; i < 3; ++i) refuse_join(peer, "unauthorized");
    peer.accept_join();
}

TEST(Policy, ShouldRejoinSeesTheAnswerOfTheServer) {
    ScriptedServer server;
    Inbox<std::string> replies;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    ChannelOptions options;
    options.should_rejoin = [&](const Error& why) {
        replies.add(why.detail->reply);
        return why.detail->reply.find("banned") == std::string::npos;
    };
    auto room = socket.channel("room:1", Json::object(), std::move(options));
    Inbox<ChannelState> states;
    room.on_state([&](ChannelState, ChannelState to, const Error*) { states.add(to); });
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    refuse_join(peer, "full");
    refuse_join(peer, "banned");
    EXPECT_EQ(replies.wait_for(2),
              (std::vector<std::string>{R"({"reason":"full"})", R"({"reason":"banned"})"}));
    EXPECT_EQ(states.wait_for(5).back(), ChannelState::closed);
}

TEST(Policy, RejoinsAfterAnUnexpectedCloseWhenToldTo) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1", Json::object(), {.after_close = AfterClose::rejoin});
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    const PhxFrame join = peer.accept_join();
    peer.send_phx(join.ref, join.ref, "room:1", "phx_close", json::object());
    peer.accept_join();
}

TEST(Policy, DropsTheOldestWaitingPushWhenToldTo) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1", Json::object(),
                               {.max_buffered_messages = 1, .overflow = Overflow::drop_oldest});
    room.join();
    const Push first = room.push("first");
    const Push second = room.push("second");
    EXPECT_EQ(result_of(first).error().code, Errc::buffer_full);
    socket.connect();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    peer.reply(peer.expect("second"), "ok");
    EXPECT_TRUE(result_of(second));
}

TEST(Policy, LeavesPushesInFlightToTheirTimeoutWhenToldTo) {
    ScriptedServer server;
    Loop loop;
    SocketOptions options = quick();
    options.in_flight = InFlight::wait;
    Socket socket(loop, server.url(), std::move(options));
    auto room = socket.channel("room:1");
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    const Push push = room.push("ask", Json::object(), 50ms);
    peer.expect("ask");
    peer.reset();
    EXPECT_EQ(result_of(push).error().code, Errc::timeout);
}

TEST(Policy, ThrowsForAChannelThatCouldNeverRejoin) {
    Loop loop;
    Socket socket(loop, "ws://localhost/socket");
    EXPECT_THROW(socket.channel("room:1", Json::object(), {.rejoin = Ladder{}}), std::invalid_argument);
}

} // namespace
} // namespace phx::test
