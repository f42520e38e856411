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

} // namespace
} // namespace phx::test
