#include "tests/support/test_server.hpp"

#include <condition_variable>
#include <gtest/gtest.h>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

namespace phx::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* join_v2 = R"(["1","1","room:1","phx_join",{}])";
constexpr const char* joined_v2 = R"(["1","1","room:1","phx_reply",{"status":"ok","response":{}}])";

json v1(const char* event, const char* payload, const char* ref, const char* topic = "room:1") {
    return {{"event", event},
            {"payload", json::parse(payload)},
            {"ref", ref ? json(ref) : json(nullptr)},
            {"topic", topic}};
}

/// Counts what handlers on the server's thread tell, for the test to wait for.
class Tally {
public:
    void add(std::string what) {
        std::lock_guard lock(mutex_);
        told_.push_back(std::move(what));
        changed_.notify_all();
    }
    std::vector<std::string> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 10s, [&] { return told_.size() >= count; });
        return told_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> told_;
};

TEST(ServerChannels, JoinPushReplyAndBroadcastWithBothVersionsOnOneTopic) {
    TestServer server;
    WsClient one(server.port(), WsClient::v1);
    WsClient two(server.port(), WsClient::v2);
    EXPECT_EQ(json::parse(one.call(v1("phx_join", "{}", "1").dump())),
              v1("phx_reply", R"({"status":"ok","response":{}})", "1"));
    EXPECT_EQ(two.call(join_v2), joined_v2);
    EXPECT_EQ(json::parse(one.call(v1("echo", R"({"a":1.50})", "2").dump())),
              v1("phx_reply", R"({"status":"ok","response":{"a":1.5}})", "2"));
    EXPECT_EQ(two.call(R"(["1","2","room:1","echo",{"a":1.50}])"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":{"a":1.50}}])");
    EXPECT_EQ(two.call(R"(["1","3","room:1","broadcast",{"b":"é"}])"),
              R"([null,null,"room:1","news",{"b":"é"}])");
    EXPECT_EQ(two.receive_text(), R"(["1","3","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(json::parse(one.receive_text()), v1("news", R"({"b":"é"})", nullptr));
    const server::Stats stats = server->stats();
    EXPECT_EQ(stats.connections, 2u);
    EXPECT_EQ(stats.topics, 1u);
    EXPECT_EQ(stats.channels, 2u);
    EXPECT_EQ(stats.frames_in, 5u);
    EXPECT_EQ(stats.frames_out, 7u);
    EXPECT_EQ(stats.frames_dropped, 0u);
}

TEST(ServerChannels, TellOfChangesOfPresenceOnceATurn) {
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view event, server::PayloadView) {
        return server::Actions().track(std::string(event));
    };
    TestServer server({}, handlers);
    WsClient client(server.port());
    EXPECT_EQ(client.call(join_v2), joined_v2);
    const std::string one_read =
        raw_frame(0x81, R"(["1","2","room:1","a",{}])") + raw_frame(0x81, R"(["1","3","room:1","b",{}])");
    client.tcp().send(one_read);
    const json diff = json::parse(client.receive_text());
    EXPECT_EQ(diff[3], "presence_diff");
    EXPECT_TRUE(diff[4]["joins"].contains("a") && diff[4]["joins"].contains("b")) << diff;
}

TEST(ServerChannels, AnswerHeartbeatsUnmatchedTopicsAndDuplicateJoinsAsPhoenix) {
    TestServer server;
    WsClient client(server.port());
    EXPECT_TRUE(is_served(client));
    EXPECT_EQ(
        client.call(R"(["1","1","nowhere","phx_join",{}])"),
        R"([null,"1","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])");
    EXPECT_EQ(client.call(join_v2), joined_v2);
    EXPECT_EQ(client.call(R"(["2","2","room:1","phx_join",{}])"),
              R"(["2","2","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.receive_text(), R"(["1","1","room:1","phx_close",{}])");
    EXPECT_EQ(client.call(R"(["2","3","room:1","phx_leave",{}])"),
              R"(["2","3","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.receive_text(), R"(["2","2","room:1","phx_close",{}])");
}

TEST(ServerChannels, CrashAloneWhenAHandlerThrows) {
    TestServer server;
    WsClient client(server.port());
    WsClient bystander(server.port());
    EXPECT_EQ(bystander.call(join_v2), joined_v2);
    EXPECT_EQ(client.call(join_v2), joined_v2);
    EXPECT_EQ(client.call(R"(["2","2","room:2","phx_join",{}])"),
              R"(["2","2","room:2","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.call(R"(["1","3","room:1","crash",{}])"),
              R"(["1","1","room:1","phx_error",{"reason":"channel_crash"}])");
    EXPECT_EQ(client.call(R"(["2","4","room:2","echo",1])"),
              R"(["2","4","room:2","phx_reply",{"status":"ok","response":1}])");
    EXPECT_EQ(bystander.call(R"(["1","5","room:1","echo",2])"),
              R"(["1","5","room:1","phx_reply",{"status":"ok","response":2}])");
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_EQ(server.errors()[0].message, "handle_in of topic \"room:1\" threw: on purpose");
    EXPECT_EQ(server.errors()[0].code, Errc::handler_failed);
    EXPECT_EQ(server.errors()[0].origin, Origin::local);
}

TEST(ServerChannels, RefuseAJoinWhoseHandlerThrowsOrSaysNo) {
    server::Handlers handlers;
    handlers.join = [](const server::Context& context, server::PayloadView params) {
        EXPECT_EQ(context.params, params.data);
        if (params.data == R"("throw")") throw 1;
        return server::JoinAnswer::refuse(R"({"reason":"no"})");
    };
    TestServer server({}, std::move(handlers));
    WsClient client(server.port());
    EXPECT_EQ(client.call(R"(["1","1","room:1","phx_join",null])"),
              R"(["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"no"}}])");
    EXPECT_EQ(client.call(R"(["1","1","room:1","phx_join","throw"])"),
              R"(["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"join crashed"}}])");
}

TEST(ServerChannels, RunAllTheirHandlersWithTheirContext) {
    Tally tally;
    server::Options options;
    options.authorize = [](const server::ConnectRequest&) { return server::ConnectAnswer{0, "", "users:7"}; };
    server::Handlers handlers;
    handlers.join = [](const server::Context& context, server::PayloadView) {
        EXPECT_EQ(context.connection.socket_id, "users:7");
        EXPECT_EQ(context.connection.params, R"({"vsn":"2.0.0"})");
        EXPECT_EQ(context.connection.peer, "127.0.0.1");
        server::JoinAnswer answer = server::JoinAnswer::ok(R"({"hello":1})");
        answer.then.state("kept").after(1ms, "tick");
        return answer;
    };
    handlers.handle_info = [](const server::Context& context, std::string_view info) {
        return server::Actions().push("info", "\"" + std::string(context.state) + std::string(info) + "\"");
    };
    handlers.intercepts = {"news"};
    handlers.handle_out = [](const server::Context&, std::string_view event, server::PayloadView payload) {
        return server::Actions().push(std::string(event) + "!", payload);
    };
    handlers.handle_in = [](const server::Context&, std::string_view event, server::PayloadView payload) {
        if (event == "kick") return server::Actions().disconnect("users:7");
        return server::Actions().broadcast("news", payload);
    };
    handlers.on_close = [&](const server::Context& context) {
        EXPECT_EQ(context.connection.socket_id, "users:7");
        tally.add(std::string(context.topic) + std::string(context.state));
        return server::Actions();
    };
    TestServer server(options, std::move(handlers));
    WsClient client(server.port());
    EXPECT_EQ(client.call(join_v2),
              R"(["1","1","room:1","phx_reply",{"status":"ok","response":{"hello":1}}])");
    EXPECT_EQ(client.receive_text(), R"(["1",null,"room:1","info","kepttick"])");
    EXPECT_EQ(client.call(R"(["1","2","room:1","say",3])"), R"(["1",null,"room:1","news!",3])");
    WsClient other(server.port());
    other.send(join_v2);
    other.receive_text();
    client.send(R"(["1","3","room:1","kick",{}])");
    EXPECT_TRUE(client.receive_until_close().is_close(1001));
    EXPECT_TRUE(other.receive_until_close().is_close(1001));
    EXPECT_EQ(tally.wait_for(2), (std::vector<std::string>{"room:1kept", "room:1kept"}));
    EXPECT_TRUE(server.errors().empty());
}

TEST(ServerChannels, EndOnceForClosesResetsAndHalfOpenConnections) {
    Tally tally;
    server::Handlers handlers;
    handlers.on_close = [&](const server::Context& context) {
        tally.add(std::string(context.topic));
        return server::Actions();
    };
    server::Options options;
    options.timeouts.stop = 10ms;
    TestServer server(options, std::move(handlers));
    WsClient bystander(server.port());
    EXPECT_EQ(bystander.call(R"(["1","1","room:b","phx_join",{}])").substr(0, 18), R"(["1","1","room:b",)");
    const auto join = [&](WsClient& client) { EXPECT_EQ(client.call(join_v2), joined_v2); };
    {
        WsClient reset(server.port());
        join(reset);
        reset.tcp().send("\x81\xff"); // in the middle of a frame
        reset.tcp().reset();
    }
    EXPECT_EQ(tally.wait_for(1).size(), 1u);
    { // dropped without a close frame
        WsClient dropped(server.port());
        join(dropped);
    }
    EXPECT_EQ(tally.wait_for(2).size(), 2u);
    WsClient closed(server.port());
    join(closed);
    closed.close(1000);
    EXPECT_TRUE(closed.receive_until_close().is_close(1000));
    EXPECT_TRUE(closed.ends());
    EXPECT_EQ(tally.wait_for(3).size(), 3u);
    EXPECT_TRUE(is_served(bystander));
    EXPECT_EQ(server->stats().channels, 1u);
    EXPECT_EQ(server->stats().connections, 1u);
    server->stop();
    EXPECT_EQ(tally.wait_for(4).size(), 4u);
}

TEST(ServerChannels, ReachTwoHundredClients) {
    TestServer server;
    std::vector<WsClient> clients;
    clients.reserve(200);
    for (int i = 0; i < 200; ++i) {
        clients.emplace_back(server.port(), i % 2 == 0 ? WsClient::v2 : WsClient::v1);
        clients.back().send(i % 2 == 0 ? join_v2 : v1("phx_join", "{}", "1").dump());
    }
    for (WsClient& client : clients) client.receive_text();
    EXPECT_EQ(server->stats().channels, 200u);
    for (int round = 0; round < 5; ++round) {
        server->broadcast("room:1", "news", std::to_string(round));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
        for (int round = 0; round < 5; ++round) {
            const std::string text = clients[i].receive_text();
            if (i % 2 == 0) {
                ASSERT_EQ(text, R"([null,null,"room:1","news",)" + std::to_string(round) + "]");
            } else {
                ASSERT_EQ(json::parse(text), v1("news", std::to_string(round).c_str(), nullptr));
            }
        }
    }
}

TEST(ServerChannels, TakeBroadcastsFromAnyThreadAndFromHandlers) {
    server::Server* self = nullptr;
    server::Handlers handlers;
    handlers.handle_in = [&](const server::Context&, std::string_view, server::PayloadView) {
        self->broadcast("room:1", "inside", "{}");
        return server::Actions().ok();
    };
    TestServer server({}, std::move(handlers));
    self = &*server;
    WsClient client(server.port());
    EXPECT_EQ(client.call(join_v2), joined_v2);
    EXPECT_EQ(client.call(R"(["1","2","room:1","go",{}])"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.receive_text(), R"([null,null,"room:1","inside",{}])");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 50; ++k) server->broadcast("room:1", "outside", server::Payload::binary("x"));
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (int i = 0; i < 200; ++i) ASSERT_EQ(client.receive().opcode, protocol::FrameOpcode::binary);
    EXPECT_TRUE(is_served(client));
}

} // namespace
} // namespace phx::test
