#include "tests/support/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Servers that share a broker, with real sockets and real threads; and one server whose channels share
// entities.
namespace phx::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using server::Actions;
using server::JoinAnswer;
using server::PayloadView;
using testing::ElementsAre;

const std::string join = R"(["1","1","room:1","phx_join",{}])";
const std::string joined = R"(["1","1","room:1","phx_reply",{"status":"ok","response":{}}])";

server::Options on(const std::shared_ptr<server::Broker>& broker) {
    server::Options options;
    options.broker = broker;
    return options;
}

/// Counts under one key: "add" answers with the new count; on_close takes one back.
server::Handlers counter() {
    server::Handlers handlers;
    handlers.broker_key = [](const server::Context&) { return "count"; };
    const auto plus = [](const server::Context& context, int n) {
        return std::to_string((context.entity ? std::stoi(*context.entity) : 0) + n);
    };
    handlers.handle_in = [plus](const server::Context& context, std::string_view event, PayloadView payload) {
        if (event == "add") return Actions().update_entity(plus(context, 1)).ok(plus(context, 1));
        if (event == "get") return Actions().ok(context.entity ? *context.entity : "null");
        if (event == "erase") return Actions().erase_entity().ok();
        if (event == "throw") throw std::runtime_error("on purpose");
        return Actions().publish(server::Route::all(), "told", payload).ok();
    };
    return handlers;
}

TEST(Entities, AreSharedByAllChannelsOfAKeyAndKeptBetweenCalls) {
    TestServer server({}, counter());
    WsClient one(server.port()), two(server.port());
    EXPECT_EQ(one.call(join), joined);
    EXPECT_EQ(two.call(join), joined);
    const auto call = [](WsClient& client, const std::string& event) {
        return json::parse(client.call(R"(["1","2","room:1",")" + event + R"(",{}])"))[4]["response"].dump();
    };
    EXPECT_EQ(call(one, "get"), "null");
    EXPECT_EQ(call(one, "add"), "1");
    EXPECT_EQ(call(two, "add"), "2");
    EXPECT_EQ(call(one, "get"), "2");
    EXPECT_EQ(call(two, "erase"), "{}");
    EXPECT_EQ(call(one, "get"), "null");
    EXPECT_EQ(two.call(R"(["1","3","room:1","throw",{}])"),
              R"(["1","1","room:1","phx_error",{"reason":"channel_crash"}])");
    EXPECT_EQ(server.errors().size(), 1u);
}

TEST(Entities, CountEveryPushOfManyClientsAtTwoServers) {
    const auto broker = server::make_local_broker();
    TestServer first(on(broker), counter()), second(on(broker), counter());
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&, i] {
            WsClient client(i % 2 == 0 ? first.port() : second.port());
            EXPECT_EQ(client.call(join), joined);
            for (int n = 0; n < 50; ++n) client.send(R"(["1","2","room:1","add",{}])");
            for (int n = 0; n < 50; ++n) EXPECT_NE(client.receive_text().find("\"ok\""), std::string::npos);
        });
    }
    for (auto& client : clients) client.join();
    WsClient client(second.port());
    EXPECT_EQ(client.call(join), joined);
    EXPECT_EQ(client.call(R"(["1","2","room:1","get",{}])"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":200}])");
}

TEST(Entities, TakeBackWhatAClientDidWhenItIsGone) {
    server::Handlers handlers;
    handlers.broker_key = [](const server::Context&) { return "members"; };
    handlers.join = [](const server::Context& context, PayloadView) {
        const int count = context.entity ? std::stoi(*context.entity) : 0;
        JoinAnswer answer = JoinAnswer::ok(std::to_string(count));
        answer.then.update_entity(std::to_string(count + 1));
        return answer;
    };
    handlers.on_close = [](const server::Context& context) {
        return Actions()
            .update_entity(std::to_string(std::stoi(*context.entity) - 1))
            .publish(server::Route::all(), "left")
            .effect("closed", std::string(context.connection.params));
    };
    TestServer server({}, std::move(handlers), {"closed"});
    WsClient one(server.port());
    EXPECT_EQ(json::parse(one.call(join))[4]["response"], 0);
    {
        WsClient two(server.port());
        EXPECT_EQ(json::parse(two.call(join))[4]["response"], 1);
        two.tcp().reset();
    }
    EXPECT_EQ(one.receive_text(), R"(["1",null,"room:1","left",{}])");
    WsClient three(server.port());
    EXPECT_EQ(json::parse(three.call(join))[4]["response"], 1);
    EXPECT_THAT(server.effects(), ElementsAre(R"(closed {"vsn":"2.0.0"})"));
}

TEST(Entities, AreTakenBackWhenTheServerStops) {
    const auto broker = server::make_local_broker();
    server::Handlers handlers;
    handlers.broker_key = [](const server::Context&) { return "members"; };
    handlers.on_close = [](const server::Context&) {
        return Actions().update_entity("taken back").effect("closed");
    };
    TestServer server(on(broker), std::move(handlers), {"closed"});
    WsClient client(server.port()), other(server.port());
    EXPECT_EQ(client.call(join), joined);
    EXPECT_EQ(other.call(join), joined);
    std::thread stopping([&] { server->stop(); });
    for (WsClient* const each : {&client, &other}) {
        EXPECT_TRUE(each->receive_until_close().is_close(1012));
        each->tcp().reset();
    }
    stopping.join();
    EXPECT_THAT(server.effects(), ElementsAre("closed {}", "closed {}"));
}

TEST(Effects, RunInOrderAndSurviveWhatTheyThrow) {
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view, PayloadView payload) {
        return Actions().effect("throws").effect("nobody").effect("mail", std::string(payload.data)).ok();
    };
    TestServer server({}, std::move(handlers), {"mail", "throws"});
    WsClient client(server.port());
    EXPECT_EQ(client.call(join), joined);
    EXPECT_EQ(client.call(R"(["1","2","room:1","say",{"to":"ada"}])"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_THAT(server.effects(), ElementsAre(R"(mail {"to":"ada"})"));
    ASSERT_EQ(server.errors().size(), 2u);
    EXPECT_EQ(server.errors()[0].code, Errc::handler_failed);
    EXPECT_EQ(server.errors()[1].code, Errc::invalid_argument);
    EXPECT_THROW(server->effect("late", [](std::string_view) {}), std::logic_error);
    server::Server fresh;
    fresh.effect("a", [](std::string_view) {});
    EXPECT_THROW(fresh.effect("a", [](std::string_view) {}), std::invalid_argument);
}

TEST(Effects, NeedABrokerKeyToStoreAnEntity) {
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view, PayloadView) {
        return Actions().push("never").update_entity("x");
    };
    TestServer server({}, std::move(handlers));
    WsClient client(server.port());
    EXPECT_EQ(client.call(join), joined);
    EXPECT_EQ(client.call(R"(["1","2","room:1","say",{}])"),
              R"(["1","1","room:1","phx_error",{"reason":"channel_crash"}])");
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_NE(server.errors()[0].message.find("broker_key"), std::string::npos);
}

TEST(FirstMessages, AreJudgedBeforeAnythingElse) {
    server::Handlers handlers = TestServer::echo();
    handlers.initial_authorisation = [](const server::Context&, std::string_view, PayloadView payload) {
        return payload.data == "7" ? JoinAnswer::ok("\"in\"") : JoinAnswer::refuse(R"({"reason":"no"})");
    };
    TestServer server({}, std::move(handlers));
    WsClient client(server.port());
    EXPECT_EQ(client.call(join), joined);
    EXPECT_EQ(client.call(R"(["1","2","room:1","auth",8])"),
              R"(["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"no"}}])");
    EXPECT_EQ(client.receive_text(), R"(["1","1","room:1","phx_close",{}])");
    EXPECT_EQ(client.call(join), joined);
    EXPECT_EQ(client.call(R"(["1","2","room:1","auth",7])"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":"in"}])");
    EXPECT_EQ(client.call(R"(["1","3","room:1","echo",8])"),
              R"(["1","3","room:1","phx_reply",{"status":"ok","response":8}])");
}

TEST(TwoServers, ShareBroadcastsPublishesPresenceAndDisconnects) {
    const auto broker = server::make_local_broker();
    const auto handlers = [] {
        server::Handlers made;
        made.broker_key = [](const server::Context&) { return "k"; };
        made.join = [](const server::Context&, PayloadView) {
            JoinAnswer answer = JoinAnswer::ok();
            answer.then.presence_state();
            return answer;
        };
        made.handle_in = [](const server::Context&, std::string_view event, PayloadView payload) {
            if (event == "track") return Actions().track("ada");
            if (event == "publish") return Actions().publish(server::Route::all(), "told", payload);
            if (event == "kick") return Actions().disconnect_user("u");
            return Actions().broadcast("news", payload);
        };
        return made;
    };
    server::Options options = on(broker);
    options.authorize = [](const server::ConnectRequest&) {
        server::ConnectAnswer answer;
        answer.identity.user_id = "u";
        return answer;
    };
    TestServer first(on(broker), handlers()), second(options, handlers());
    WsClient a(first.port()), b(second.port());
    EXPECT_EQ(a.call(join), joined);
    EXPECT_EQ(a.receive_text(), R"(["1",null,"room:1","presence_state",{}])");
    a.send(R"(["1","2","room:1","track",{}])");
    const json came = json::parse(a.receive_text());
    EXPECT_EQ(b.call(join), joined);
    EXPECT_EQ(json::parse(b.receive_text())[4], came[4]["joins"]); // the state
    EXPECT_EQ(a.call(R"(["1","3","room:1","say",1])"), R"([null,null,"room:1","news",1])");
    EXPECT_EQ(b.receive_text(), R"([null,null,"room:1","news",1])");
    b.send(R"(["1","3","room:1","publish",2])");
    EXPECT_EQ(a.receive_text(), R"(["1",null,"room:1","told",2])");
    second->broadcast("room:1", "notice", "3");
    EXPECT_EQ(a.receive_text(), R"([null,null,"room:1","notice",3])");
    EXPECT_EQ(b.receive_text(), R"([null,null,"room:1","notice",3])"); // not its own publish
    b.send(R"(["1","4","room:1","track",{}])");
    const json other = json::parse(a.receive_text());
    EXPECT_EQ(json::parse(b.receive_text()), other);
    a.send(R"(["1","5","room:1","kick",{}])");
    EXPECT_TRUE(b.receive_until_close().is_close(1001));
    const json left = json::parse(a.receive_text());
    EXPECT_EQ(left[3], "presence_diff");
    EXPECT_EQ(left[4]["leaves"], other[4]["joins"]);
    EXPECT_TRUE(first.errors().empty());
}

TEST(TwoServers, SeeTheMembersOfOneThatStopsLeave) {
    const auto broker = server::make_local_broker();
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view, PayloadView) {
        return Actions().track("me").ok();
    };
    TestServer first(on(broker), handlers), second(on(broker), handlers);
    WsClient a(first.port()), b(second.port());
    EXPECT_EQ(a.call(join), joined);
    EXPECT_EQ(b.call(join), joined);
    b.send(R"(["1","2","room:1","track",{}])");
    const json came = json::parse(a.receive_text());
    std::thread stopping([&] { second->stop(); });
    const json left = json::parse(a.receive_text());
    EXPECT_EQ(left[4]["leaves"], came[4]["joins"]);
    b.receive_until_close();
    b.close(1000);
    stopping.join();
    EXPECT_TRUE(is_served(a)); // nothing more came
}

TEST(ThreadsOfAServer, ServeAsOne) {
    server::Options options;
    options.threads = 3;
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view event, PayloadView payload) {
        return event == "track" ? Actions().track("me") : Actions().broadcast("news", payload);
    };
    TestServer server(options, std::move(handlers));
    std::vector<std::unique_ptr<WsClient>> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(std::make_unique<WsClient>(server.port()));
        EXPECT_EQ(clients.back()->call(join), joined);
    }
    for (int i = 0; i < 6; ++i) {
        const std::string payload = std::to_string(i);
        clients[static_cast<std::size_t>(i)]->send(R"(["1","2","room:1","say",)" + payload + "]");
        for (const auto& client : clients)
            EXPECT_EQ(client->receive_text(), R"([null,null,"room:1","news",)" + payload + "]");
    }
    server->broadcast("room:1", "notice", "{}");
    for (const auto& client : clients)
        EXPECT_EQ(client->receive_text(), R"([null,null,"room:1","notice",{}])");
    clients[0]->send(R"(["1","3","room:1","track",{}])");
    const std::string diff = clients[0]->receive_text();
    for (std::size_t i = 1; i < clients.size(); ++i) EXPECT_EQ(clients[i]->receive_text(), diff);
    EXPECT_EQ(server->stats().connections, 6u);
    EXPECT_EQ(server->stats().channels, 6u);
    EXPECT_EQ(server->stats().topics, 3u); // of each thread
    std::thread stopping([&] { server->stop(); });
    for (const auto& client : clients) {
        EXPECT_TRUE(client->receive_until_close().is_close(1012));
        client->close(1012);
    }
    stopping.join();
    EXPECT_TRUE(server.errors().empty());
}

/// A broker that says no to everything.
class BrokenBroker final : public server::Broker {
public:
    std::unique_ptr<server::BrokerNode> attach(server::NodeConfig config) override {
        return std::make_unique<Node>(std::move(config));
    }

private:
    class Node final : public server::BrokerNode {
    public:
        explicit Node(server::NodeConfig config) : config_(std::move(config)) {}
        void publish(std::string_view, std::string_view, std::string_view, Done) override {}
        void publish_kept(std::string_view, std::string_view, std::int64_t, std::string_view,
                          const server::History&, Done) override {}
        void read_history(std::string_view, std::string_view, std::int64_t, std::size_t,
                          Function<void(Result<std::vector<Bytes>>)>) override {}
        void subscribe(std::string_view ns, std::string_view,
                       Function<void(Result<std::vector<server::PresenceEntry>>)> confirmed) override {
            if (ns == "node") return;
            config_.post([confirmed = std::move(confirmed)]() mutable {
                confirmed(fail(Errc::disconnected, "down"));
            });
        }
        void unsubscribe(std::string_view, std::string_view) override {}
        void update_entity(std::string_view, std::string_view,
                           Function<server::Swap(const std::string*, bool)>, Done done) override {
            config_.post([done = std::move(done)]() mutable { done(fail(Errc::disconnected, "down")); });
        }
        void put_presence(std::string_view, std::string_view, std::string_view, std::string_view) override {}
        void drop_presence(std::string_view, std::string_view, std::string_view) override {}

    private:
        server::NodeConfig config_;
    };
};

TEST(ABrokerThatIsDown, RefusesJoinsWithAReasonAndIsReported) {
    const std::string refused =
        R"(["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"broker unavailable"}}])";
    TestServer plain(on(std::make_shared<BrokenBroker>())),
        keyed(on(std::make_shared<BrokenBroker>()), counter());
    for (TestServer* const server : {&plain, &keyed}) {
        WsClient client(server->port());
        EXPECT_EQ(client.call(join), refused);
        EXPECT_TRUE(is_served(client));
        EXPECT_EQ(server->errors().size(), 1u);
    }
}

TEST(ConnectionErrors, HaveAStreamOfTheirOwnAndLinesInTheLog) {
    std::mutex mutex;
    std::vector<std::string> seen;
    server::Options options;
    options.on_connection_error = [&](const server::Connection* connection, const Error&) {
        const std::lock_guard lock(mutex);
        seen.push_back(connection ? connection->id : "gone");
    };
    std::vector<std::string> lines;
    options.on_log = [&](LogLevel level, std::string_view line) {
        const std::lock_guard lock(mutex);
        lines.push_back((level == LogLevel::info ? "info " : "warning ") + std::string(line.substr(0, 11)));
        throw std::runtime_error("on purpose");
    };
    TestServer server(options);
    WsClient client(server.port());
    client.send("nonsense");
    EXPECT_TRUE(client.receive_until_close().is_close(1011));
    const std::lock_guard lock(mutex);
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0], "info connection ");
    EXPECT_EQ(lines[1].substr(0, 8), "warning ");
    EXPECT_EQ(lines[2], "info connection ");
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_NE(seen[0], "gone");
    EXPECT_TRUE(server.errors().empty());
}

} // namespace
} // namespace phx::test
