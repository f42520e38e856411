#include "tests/client/client_fixture.hpp"

#include <atomic>

namespace phx::test {
namespace {

TEST(Socket, FinishesPendingPushesWhenItIsDestroyed) {
    ScriptedServer server;
    Inbox<Errc> ends;
    Loop loop;
    std::optional<Socket> socket(std::in_place, loop, server.url(), quick());
    std::optional<Channel> room = socket->channel("room:1");
    socket->connect();
    const Push joined = room->join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(result_of(joined));
    bool finished_before_return = false;
    const Push pushed = room->push("slow");
    Push(pushed).then([&](const Result<Reply>& result) {
        finished_before_return = !result && result.error().code == Errc::socket_closed;
    });
    peer.expect("slow");
    socket.reset();
    EXPECT_TRUE(finished_before_return);
    const WsFrame close = peer.receive(); // a farewell, not a reset
    EXPECT_EQ(close.opcode, 8);
    EXPECT_EQ(close.payload, std::string("\x03\xe8", 2));

    // Handles outlive it.
    EXPECT_EQ(result_of(pushed).error().code, Errc::socket_closed);
    EXPECT_EQ(pushed.wait().error().code, Errc::socket_closed);
    EXPECT_EQ(result_of(room->push("a")).error().code, Errc::socket_closed);
    EXPECT_EQ(result_of(room->join()).error().code, Errc::socket_closed);
    EXPECT_EQ(room->state(), ChannelState::closed);
    room->off(room->on("a", [](const Message&) {}));
    room.reset();
}

TEST(Socket, MayDieInsideItsHandler) {
    ScriptedServer server;
    Inbox<std::string> seen;
    Inbox<Errc> ends;
    Loop loop;
    std::optional<Socket> socket(std::in_place, loop, server.url(), quick());
    Channel room = socket->channel("room:1");
    room.on("end", [&](const Message&) {
        room.push("too late").then([&](const Result<Reply>& result) {
            ends.add(Errc(result.error().code.value()));
        });
        socket.reset();
        seen.add("died");
        EXPECT_FALSE(room.send("a", "{}"));
    });
    room.on("end", [&](const Message&) { seen.add("another handler"); });
    room.on_state([&](ChannelState, ChannelState to, const Error*) {
        if (to == ChannelState::closed) seen.add("closed");
    });
    socket->connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(result_of(joined));
    Push(room.push("slow")).then([&](const Result<Reply>& result) {
        ends.add(Errc(result.error().code.value()));
    });
    peer.expect("slow");
    peer.broadcast("room:1", "end", json::object());
    EXPECT_EQ(ends.wait_for(2), (std::vector{Errc::socket_closed, Errc::socket_closed}));
    EXPECT_EQ(seen.all(), std::vector<std::string>{"died"});
    Socket next(loop, server.url(), quick()); // the loop lives on
    next.connect();
    Peer second = server.accept_upgraded();
}

TEST(Socket, IsClosedByItsLoop) {
    ScriptedServer server;
    std::optional<Loop> loop(std::in_place);
    Socket socket(*loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    peer.expect("phx_join");
    loop.reset();
    EXPECT_EQ(result_of(joined).error().code, Errc::socket_closed);
    EXPECT_EQ(peer.receive().opcode, 8);
    EXPECT_TRUE(peer.wait_for_end());
    EXPECT_EQ(result_of(room.push("a")).error().code, Errc::socket_closed);
    EXPECT_EQ(room.push("a").wait().error().code, Errc::socket_closed);
    EXPECT_FALSE(room.send("a", "{}"));
    socket.connect();
    socket.disconnect();
    EXPECT_EQ(socket.state(), SocketState::idle);
}

TEST(Socket, EndsWithItsLoopInEveryStage) {
    for (int stage = 0; stage < 4; ++stage) {
        ScriptedServer server;
        std::optional<Loop> loop(std::in_place);
        Socket socket(*loop, server.url(), quick());
        socket.connect();
        std::optional<Peer> peer;
        if (stage > 0) peer.emplace(server.accept());
        if (stage > 1) peer->read_request();
        if (stage > 2) peer->write("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf a body");
        loop.reset();
        if (peer) {
            EXPECT_TRUE(peer->wait_for_end());
        }
    }
}

TEST(Socket, IsNotRetriedForEverWhenItIsDestroyed) {
    ScriptedServer server;
    std::optional<Loop> loop(std::in_place);
    std::optional<Socket> socket(std::in_place, *loop, server.url(), quick());
    Channel room = socket->channel("room:1");
    std::atomic<int> calls{0};
    Function<void()> again = [&] {
        ++calls;
        room.push("again").then([&](const Result<Reply>&) { again(); });
    };
    socket->connect();
    Push joined = room.join();
    joined.then([&](const Result<Reply>&) { again(); });
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(result_of(joined));
    socket.reset();
    const int calls_of_socket = calls;
    EXPECT_GT(calls_of_socket, 1);
    for (int turn = 0; turn < 3; ++turn) {
        std::promise<void> done;
        loop->post([&] { done.set_value(); });
        get(done.get_future());
    }
    EXPECT_EQ(calls, calls_of_socket); // no handler after ~Socket
    loop.reset();
    EXPECT_EQ(calls, calls_of_socket);
}

TEST(Socket, FinishesEveryPushOfARetryThatItCutsOff) {
    ScriptedServer server;
    Loop loop;
    std::optional<Socket> socket(std::in_place, loop, server.url(), quick());
    Channel room = socket->channel("room:1");
    std::vector<Push> kept;
    int calls = 0;
    Function<void()> again = [&] {
        ++calls;
        kept.push_back(room.push("again"));
        kept.back().then([&](const Result<Reply>&) { again(); });
    };
    room.join().then([&](const Result<Reply>&) { again(); });
    socket.reset();
    for (const Push& push : kept) { // each has an end, also the one that nobody is told of
        ASSERT_TRUE(push.finished());
        EXPECT_EQ(push.wait().error().code, Errc::socket_closed);
    }
    EXPECT_EQ(static_cast<int>(kept.size()), calls);
}

TEST(Socket, RefusesToSendWhenItIsGone) {
    ScriptedServer server;
    Loop loop;
    std::optional<Socket> socket(std::in_place, loop, server.url(), quick());
    const Channel room = socket->channel("room:1");
    socket.reset();
    for (const auto& sent : {Channel(room).send("a", "{}"), Channel(room).send_binary("a", {})}) {
        ASSERT_FALSE(sent);
        EXPECT_EQ(sent.error().code, Errc::socket_closed);
    }
}

TEST(Socket, LetsGoOfChannelsMadeAfterItsLoop) {
    std::optional<Loop> loop(std::in_place);
    std::optional<Socket> socket(std::in_place, *loop, "ws://127.0.0.1:1/socket", quick());
    loop.reset();
    const std::weak_ptr<shell::ChannelCore> late = socket->channel("room:late").core();
    EXPECT_FALSE(late.expired());
    socket.reset();
    EXPECT_TRUE(late.expired());
}

TEST(Socket, LetsGoOfAChannelWhoseRemovalItOvertakes) {
    Loop loop({.run = LoopOptions::Run::caller});
    std::optional<Socket> socket(std::in_place, loop, "ws://127.0.0.1:1/socket", quick());
    std::optional<Channel> room = socket->channel("room:1");
    room->on("a", [channel = *room](const Message&) {}); // it owns itself until it is cleared
    const std::weak_ptr<shell::ChannelCore> core = room->core();
    loop.poll();
    loop.post([&, self = &*socket] { self->remove(*room); }); // in the turn in which the socket ends
    socket.reset();
    room.reset();
    loop.poll();
    loop.poll();
    EXPECT_TRUE(core.expired());
}

TEST(Socket, MadeRightBeforeItsLoopEndsIsClosedByIt) {
    std::optional<Loop> loop(std::in_place, LoopOptions{.run = LoopOptions::Run::caller});
    Socket socket(*loop, "ws://localhost:1/socket"); // nobody has run the loop since
    const Push joined = socket.channel("room:1").join();
    loop.reset();
    EXPECT_EQ(result_of(joined).error().code, Errc::socket_closed);
}

TEST(Socket, MadeWhileItsLoopEndsIsClosedByIt) {
    std::optional<Socket> last;
    std::promise<void> made;
    std::optional<Loop> loop(std::in_place);
    Socket first(*loop, "ws://localhost:1/socket");
    first.channel("room:1").join().then([&](const Result<Reply>&) { // at the end of the loop
        last.emplace(*loop, "ws://localhost:1/socket");
        made.set_value();
    });
    loop.reset();
    get(made.get_future());
    EXPECT_EQ(result_of(last->ping()).error().code, Errc::socket_closed);
}

} // namespace
} // namespace phx::test
