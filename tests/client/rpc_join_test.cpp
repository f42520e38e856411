#include "tests/client/rpc_fixture.hpp"

#include <map>
#include <thread>

// Requests and their answers: over one join, or not at all; and where handlers run.
namespace phx::test {
namespace {

TEST_F(Rpc, AnAnswerDoesNotGoOutOnALaterJoin) {
    serve_later("slow");
    join();
    request({{"id", 1}, {"method", "slow"}});
    const auto responder = later.first();
    ASSERT_TRUE(responder);
    peer->send_phx(accepted.join_ref, accepted.ref, "room:1", "phx_error", json::object());
    accepted = peer->accept_join();
    expect_quiet(); // joined again
    (**responder)(Json("stale"));
    settle();
    expect_quiet();
    EXPECT_EQ(error().code, Errc::channel_closed);
    EXPECT_EQ(error().origin, Origin::local);
    EXPECT_TRUE(error().message.starts_with("room:1: the channel ended before"));
}

TEST_F(Rpc, AnAnswerDoesNotGoOutOnALaterConnection) {
    serve_later("slow");
    join();
    request({{"id", 1}, {"method", "slow"}});
    const auto responder = later.first();
    ASSERT_TRUE(responder);
    peer->close();
    peer.emplace(server.accept_upgraded());
    accepted = peer->accept_join();
    expect_quiet();
    const std::size_t before = errors.all().size();
    (**responder)(Json("stale"));
    settle();
    expect_quiet();
    const auto reported = errors.wait_for(before + 1);
    ASSERT_EQ(reported.size(), before + 1);
    EXPECT_EQ(reported.back().code, Errc::disconnected);
    EXPECT_TRUE(reported.back().message.starts_with("room:1: the connection was lost before"));
}

TEST_F(Rpc, AnAnswerAfterTheChannelWasLeftIsDropped) {
    serve_later("slow");
    join();
    request({{"id", 1}, {"method", "slow"}});
    const auto responder = later.first();
    ASSERT_TRUE(responder);
    const Push left = room.leave();
    const PhxFrame leave = peer->expect("phx_leave");
    (**responder)(Json("too late"));
    peer->reply(leave, "ok");
    EXPECT_TRUE(result_of(left));
    EXPECT_EQ(error().code, Errc::channel_closed);
}

TEST_F(Rpc, AnAnswerAfterTheChannelWasRemovedIsDropped) {
    serve_later("slow");
    join();
    request({{"id", 1}, {"method", "slow"}});
    const auto responder = later.first();
    ASSERT_TRUE(responder);
    socket->remove(room);
    peer->expect("phx_leave");
    (**responder)(Json("too late"));
    EXPECT_EQ(error().code, Errc::channel_closed);
}

TEST_F(Rpc, AnAnswerAfterTheSocketOrTheLoopIsGoneIsHarmless) {
    serve_later("slow");
    join();
    request({{"id", 1}, {"method", "slow"}});
    request({{"id", 2}, {"method", "slow"}});
    const auto responders = later.wait_for(2);
    ASSERT_EQ(responders.size(), 2u);
    socket.reset();
    (*responders[0])(Json("too late"));
    settle();
    EXPECT_TRUE(errors.all().empty());
    // The other one ends unanswered, with the test and after the loop.
}

TEST_F(Rpc, AnAnswerToARequestBeforeTheReplyToTheJoinWaitsForIt) {
    serve_echo();
    open();
    accepted = peer->expect("phx_join");
    peer->broadcast("room:1", "rpc:request", {{"id", 1}, {"method", "echo"}, {"params", "early"}});
    peer->reply(accepted, "ok");
    EXPECT_EQ(response(), json({{"id", 1}, {"ok", "early"}}));
    EXPECT_TRUE(errors.all().empty());
}

TEST_F(Rpc, AnAnswerThatWaitsForAJoinThatIsRefusedIsDropped) {
    serve_echo();
    open();
    accepted = peer->expect("phx_join");
    for (int i = 0; i <= 100; ++i) peer->broadcast("room:1", "rpc:request", {{"id", i}, {"method", "echo"}});
    peer->reply(accepted, "error", {{"reason", "not yet"}});
    accepted = peer->accept_join();
    expect_quiet();
    std::size_t dropped = 0, too_many = 0;
    for (const Error& each : errors.wait_for(101)) {
        dropped += each.code == Errc::channel_closed;
        too_many += each.code == Errc::buffer_full;
    }
    EXPECT_EQ(dropped, 100u);
    EXPECT_EQ(too_many, 1u);
}

// ---- elsewhere

TEST(RpcDispatched, HandlersRunWhereTheProgramWantsThem) {
    using Call = std::shared_ptr<Function<void()>>;
    ScriptedServer server;
    Inbox<Call> queue;
    LoopOptions dispatching;
    dispatching.dispatch = [&](Function<void()> call) {
        queue.add(std::make_shared<Function<void()>>(std::move(call)));
    };
    Loop loop(std::move(dispatching));
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    const auto here = std::this_thread::get_id();
    room.serve("where", [here](const Request& request) -> Json {
        EXPECT_EQ(std::this_thread::get_id(), here);
        if (request.text() == "1") throw 1;
        return request.json().value();
    });
    const HandlerId gone = room.serve("gone", [](const Request&) { return Json(1); });
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    ASSERT_TRUE(joined.wait());
    for (int i = 0; i < 2; ++i)
        peer.broadcast("room:1", "rpc:request", {{"id", i}, {"method", "where"}, {"params", i}});
    peer.broadcast("room:1", "rpc:request", {{"id", 2}, {"method", "gone"}});
    ASSERT_EQ(queue.wait_for(3).size(), 3u);
    room.off(gone); // it has not run yet, and never will
    for (const Call& call : queue.all()) {
        (*call)();
        *call = nullptr;
    }
    std::map<int, json> responses; // those of two threads come in any order
    for (int i = 0; i < 3; ++i) {
        const json payload = peer.expect("rpc:response").payload;
        responses[payload.at("id").get<int>()] = payload;
    }
    EXPECT_EQ(responses[0], json({{"id", 0}, {"ok", 0}}));
    EXPECT_EQ(responses[1], refused(1, "handler failed"));
    EXPECT_EQ(responses[2], refused(2, "no answer"));
}

} // namespace
} // namespace phx::test
