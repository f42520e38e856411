#include "tests/client/client_fixture.hpp"

// The hooks of a push, in the words of phoenix.js' channel tests.
namespace phx::test {
namespace {

class PushHooks : public testing::Test {
protected:
    void SetUp() override {
        socket.connect();
        joined.emplace(room.join());
        peer.emplace(server.accept_upgraded());
        join = peer->expect("phx_join");
    }
    void hook(const Push& push) {
        Push copy = push;
        for (const char* status : {"ok", "error", "timeout", "custom"})
            copy.receive(status, [this, status](const Reply& reply) {
                heard.add(std::string(status) + ' ' + std::string(reply.text()));
            });
    }
    /// Returns when everything that was posted before has been done.
    void settle() {
        std::promise<void> done;
        loop.post([&] { done.set_value(); });
        get(done.get_future());
    }
    /// What was heard, once nothing more is to come: a reply to a later push comes behind it.
    std::vector<std::string> all_heard() {
        const Push last = socket.ping();
        peer->reply(peer->expect("heartbeat"), "ok");
        EXPECT_TRUE(result_of(last));
        return heard.all();
    }

    using Strings = std::vector<std::string>;
    ScriptedServer server;
    Inbox<std::string> heard;
    Loop loop;
    Socket socket{loop, server.url(), quick()};
    Channel room = socket.channel("room:1");
    std::optional<Peer> peer;
    std::optional<Push> joined;
    PhxFrame join;
};

TEST_F(PushHooks, TriggersReceiveOkAfterOkResponseAndNoOther) {
    hook(*joined);
    peer->reply(join, "ok", {{"id", 1}});
    EXPECT_EQ(all_heard(), Strings{R"(ok {"id":1})"});
}

TEST_F(PushHooks, TriggersReceiveOkIfOkResponseAlreadyReceived) {
    peer->reply(join, "ok", {{"id", 1}});
    EXPECT_TRUE(result_of(*joined));
    hook(*joined);
    EXPECT_EQ(all_heard(), Strings{R"(ok {"id":1})"});
}

TEST_F(PushHooks, TriggersReceiveErrorAfterErrorResponseAndNoOther) {
    hook(*joined);
    peer->reply(join, "error", {{"reason", "full"}});
    EXPECT_EQ(heard.wait_for(1), Strings{R"(error {"reason":"full"})"});
}

TEST_F(PushHooks, TriggersReceiveErrorIfErrorResponseAlreadyReceived) {
    peer->reply(join, "error", {{"reason", "full"}});
    EXPECT_FALSE(result_of(*joined));
    hook(*joined);
    EXPECT_EQ(heard.wait_for(1), Strings{R"(error {"reason":"full"})"});
}

TEST_F(PushHooks, TriggersReceiveTimeoutAndNoOther) {
    peer->reply(join, "ok");
    const Push push = room.push("ask", Json::object(), 10ms);
    hook(push);
    const PhxFrame asked = peer->expect("ask");
    EXPECT_EQ(heard.wait_for(1), Strings{"timeout "});
    peer->reply(asked, "ok"); // too late
    EXPECT_EQ(all_heard(), Strings{"timeout "});
}

TEST_F(PushHooks, KnowsStatusesOfTheApplication) {
    peer->reply(join, "ok");
    const Push push = room.push("ask");
    hook(push);
    peer->reply(peer->expect("ask"), "custom", {{"n", 1}});
    EXPECT_EQ(all_heard(), Strings{R"(custom {"n":1})"});
}

TEST_F(PushHooks, CallsHooksOfTheJoinOnceThoughItJoinsAgain) {
    hook(*joined);
    peer->reply(join, "ok");
    peer->send_phx(join.ref, join.ref, "room:1", "phx_error", json::object());
    peer->reply(peer->expect("phx_join"), "ok");
    EXPECT_EQ(all_heard(), Strings{"ok {}"});
}

TEST_F(PushHooks, HandlersHaveUniqueIds) {
    const auto none = [](const Message&) {};
    const HandlerId a = room.on("a", none), b = room.on("a", none), c = room.on_any(none);
    EXPECT_NE(a, b);
    EXPECT_NE(b, c);
    EXPECT_NE(a, HandlerId{});
}

TEST_F(PushHooks, OffRemovesAllHandlersOfAnEvent) {
    peer->reply(join, "ok");
    for (int i = 0; i < 2; ++i) room.on("gone", [this](const Message&) { heard.add("gone"); });
    room.on("stays", [this](const Message&) { heard.add("stays"); });
    room.off("gone");
    settle();
    peer->broadcast("room:1", "gone", json::object());
    peer->broadcast("room:1", "stays", json::object());
    EXPECT_EQ(all_heard(), Strings{"stays"});
    room.on("gone", [this](const Message&) { heard.add("back"); });
    settle();
    peer->broadcast("room:1", "gone", json::object());
    EXPECT_EQ(heard.wait_for(2).back(), "back");
}

TEST_F(PushHooks, TheLongestTimeoutIsForEver) {
    peer->reply(join, "ok");
    const Push push = room.push("ask", Json::object(), Millis::max());
    peer->reply(peer->expect("ask"), "ok");
    EXPECT_TRUE(result_of(push));
}

TEST_F(PushHooks, ACancelMayOvertakeItsPush) {
    peer->reply(join, "ok");
    ASSERT_TRUE(result_of(*joined));
    std::promise<Push> made;
    std::promise<void> inside, cancelled;
    room.on("go", [&](const Message&) { // what it posts comes before what other threads do
        inside.set_value();
        made.get_future().get().cancel();
        cancelled.set_value();
    });
    settle();
    peer->broadcast("room:1", "go", json::object());
    inside.get_future().get();
    const Push push = room.push("never");
    made.set_value(push);
    cancelled.get_future().get();
    EXPECT_EQ(result_of(push).error().code, Errc::cancelled);
    const Push next = room.push("next");
    peer->reply(peer->expect("next"), "ok"); // the other one was not sent
    EXPECT_TRUE(result_of(next));
}

TEST_F(PushHooks, AChannelMayBeUsedByWhoeverFindsItFirst) {
    std::promise<Channel> made;
    Inbox<bool> joined_there;
    std::promise<void> done;
    loop.post([&] {
        (void)made.get_future().get();
        socket.channel("room:new").join().then([&](const Result<Reply>& result) {
            joined_there.add(result.has_value());
        });
        done.set_value();
    });
    made.set_value(socket.channel("room:new")); // its making still waits for the loop
    done.get_future().get();
    peer->reply(join, "ok");
    peer->accept_join();
    EXPECT_EQ(joined_there.first(), true);
}

} // namespace
} // namespace phx::test
