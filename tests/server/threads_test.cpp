#include "tests/support/poller.hpp"
#include "tests/support/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

// What is asked of a server with several threads is asked of all of them, and of its fellows at the broker
// once.
namespace phx::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using server::Actions;
using server::Route;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string inbox = "realtime:$inbox";

/// A client that has joined one topic.
class Member {
public:
    explicit Member(TestServer& server, const std::string& topic = inbox, const json& params = json::object())
        : ws_(server.port()) {
        EXPECT_THAT(call(json::array({"1", "1", topic, "phx_join", params})), HasSubstr("\"ok\""));
    }
    std::string call(const json& frame) { return ws_.call(frame.dump()); }
    json next() { return json::parse(ws_.receive_text()); }
    WsClient& ws() { return ws_; }

private:
    WsClient ws_;
};

/// Connections are dealt out in turn: each of the three is on a thread of its own.
struct Threads : testing::Test {
    static server::Options options(const std::shared_ptr<server::Broker>& broker = {}) {
        server::Options options;
        options.threads = 3;
        options.broker = broker;
        options.timeouts.stop = 10ms;
        return options;
    }
    static server::Handlers handlers() {
        server::Handlers handlers = TestServer::echo();
        handlers.handle_in = [](const server::Context&, std::string_view event, server::PayloadView payload) {
            return Actions().send(Route::all(), event, payload).ok();
        };
        return handlers;
    }
    std::size_t sent(TestServer& to, const std::string& event) {
        std::promise<std::size_t> delivered;
        auto count = delivered.get_future();
        EXPECT_TRUE(to->send(Route::all(), event, {}, [&](std::size_t n) { delivered.set_value(n); }));
        return count.get();
    }
    /// What a member hears, and nothing else, in order.
    void expect_news(Member& member, const std::vector<std::string>& events) {
        for (const std::string& event : events) EXPECT_EQ(member.next()[4]["event"], event);
    }
    HttpResponse get(const std::string& path) { return request(server.port(), "GET " + path + " HTTP/1.1"); }
    HttpResponse post(const std::string& path, const std::string& body) {
        return request(server.port(),
                       "POST " + path + " HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: " +
                           std::to_string(body.size()),
                       body);
    }
    TestServer server{options(), handlers()};
    std::array<Member, 3> members{Member(server), Member(server), Member(server)};
};

TEST_F(Threads, DeliverAMessageToEachMemberOnceAndCountThem) {
    for (const std::string event : {"a", "b", "c"}) EXPECT_EQ(sent(server, event), 3u);
    for (Member& member : members) expect_news(member, {"a", "b", "c"});
}

TEST_F(Threads, ReachOtherServersOfTheBrokerOnceAndDoNotCountThem) {
    const auto broker = server::make_local_broker();
    TestServer one(options(broker)), two(options(broker));
    Member here(one), there(two), also_there(two);
    EXPECT_EQ(sent(one, "a"), 1u);
    EXPECT_EQ(sent(two, "b"), 2u);
    for (Member* const member : {&here, &there, &also_there}) {
        std::set<std::string> heard = {member->next()[4]["event"], member->next()[4]["event"]};
        EXPECT_THAT(heard, ElementsAre("a", "b"));
    }
    EXPECT_EQ(sent(one, "c"), 1u);
    for (Member* const member : {&here, &there, &also_there}) expect_news(*member, {"c"});
    two->disconnect(Route::all());
    for (Member* const member : {&here, &there, &also_there})
        EXPECT_TRUE(member->ws().receive_until_close().is_close(1001));
}

TEST_F(Threads, CarryWhatAHandlerSendsToAllOfThem) {
    Member sender(server, "room:1");
    EXPECT_THAT(sender.call({"1", "2", "room:1", "hello", json::object()}), HasSubstr("\"ok\""));
    for (Member& member : members) expect_news(member, {"hello"});
}

TEST_F(Threads, KnowAllConnectionsAndTopics) {
    const auto connections = server->connections();
    ASSERT_EQ(connections.size(), 3u);
    std::set<std::string> nodes;
    std::vector<std::string> ids;
    for (const auto& connection : connections) {
        nodes.insert(connection->id.substr(0, connection->id.find('.')));
        ids.insert(ids.begin(), connection->id);
        EXPECT_EQ(server->connection(connection->id), connection);
    }
    EXPECT_EQ(nodes.size(), 3u);
    ids.insert(ids.begin(), "nobody.1");
    EXPECT_THAT(server->connections(ids), ElementsAre(connections[2], connections[1], connections[0]));
    EXPECT_EQ(server->connection("nobody.1"), nullptr);
    Member other(server, "room:1");
    EXPECT_THAT(server->topics(), ElementsAre(server::TopicCount{inbox, 3}, server::TopicCount{"room:1", 1}));
    EXPECT_THAT(server->topics({}, 1), ElementsAre(server::TopicCount{inbox, 3}));
    EXPECT_EQ(server->stats().connections, 4u);
}

TEST_F(Threads, AskTheClientOfAConnectionWhereverItIs) {
    std::vector<std::future<Result<server::Payload>>> answers;
    for (const auto& connection : server->connections())
        answers.push_back(
            server->request({.connection_id = connection->id, .topic = inbox, .method = "who"}));
    for (Member& member : members) {
        const json asked = member.next();
        EXPECT_EQ(asked[3], "rpc:request");
        const json answer = {{"id", asked[4]["id"]}, {"ok", 1}};
        member.ws().send(json::array({"1", "2", inbox, "rpc:response", answer}).dump());
    }
    for (auto& answer : answers) EXPECT_EQ(answer.get().value().data, "1");
    EXPECT_EQ(
        server->request({.connection_id = "nobody.1", .topic = inbox, .method = "who"}).get().error().code,
        Errc::not_joined);
}

TEST_F(Threads, AnswerTheHttpApiForAllOfThem) {
    EXPECT_EQ(json::parse(get("/api/connections").body)["connections"].size(), 3u);
    const json page = json::parse(get("/api/connections?limit=2").body);
    EXPECT_EQ(page["connections"].size(), 2u);
    const std::string after = page["next"];
    EXPECT_EQ(json::parse(get("/api/connections?after=" + after).body)["connections"].size(), 1u);
    EXPECT_EQ(get("/api/topics").body, R"({"topics":[{"topic":"realtime:$inbox","members":3}],"next":null})");
    EXPECT_THAT(get("/metrics").body, HasSubstr("\nphx_connections 3\n"));
    EXPECT_EQ(post("/api/send", R"({"route":"all","event":"hi","payload":{}})").body,
              R"({"accepted":true,"delivered":3})");
    for (Member& member : members) expect_news(member, {"hi"});
    EXPECT_EQ(post("/api/disconnect", R"({"route":"all"})").body, R"({"disconnected":3})");
    for (Member& member : members) EXPECT_TRUE(member.ws().receive_until_close().is_close(1001));
}

TEST_F(Threads, BroadcastByHttpToAllOfThem) {
    std::array<Member, 3> listeners{Member(server, "realtime:x"), Member(server, "realtime:x"),
                                    Member(server, "realtime:x")};
    const std::string body = R"({"messages":[{"topic":"x","event":"e","payload":{}}]})";
    EXPECT_EQ(post("/api/broadcast", body).status, 202);
    for (Member& listener : listeners) expect_news(listener, {"e"});
}

TEST_F(Threads, BringChangesToAllOfThem) {
    const json params = {{"config", {{"postgres_changes", {{{"table", "todos"}}}}}}};
    std::array<Member, 3> listeners{Member(server, "realtime:x", params),
                                    Member(server, "realtime:x", params),
                                    Member(server, "realtime:x", params)};
    for (Member& listener : listeners) EXPECT_EQ(listener.next()[3], "system");
    EXPECT_TRUE(server->emit_change({.table = "todos", .record = R"({"id":1})"}));
    for (Member& listener : listeners) EXPECT_EQ(listener.next()[4]["data"]["record"]["id"], 1);
}

TEST_F(Threads, AreAllDrained) {
    auto drained = std::async(std::launch::async, [&] { return server->drain(0ms, 10s); });
    for (Member& member : members) {
        EXPECT_TRUE(member.ws().receive_until_close().is_close(1012));
        member.ws().tcp().reset();
    }
    EXPECT_TRUE(drained.get());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(get("/ready").status, 503);
}

TEST_F(Threads, RefuseLookUpsInsideHandlersWhichWouldWaitForEachOther) {
    server::Server* asked = nullptr;
    server::Handlers asking;
    asking.handle_in = [&](const server::Context&, std::string_view, server::PayloadView) {
        return Actions().ok(std::to_string(asked->connections().size()));
    };
    TestServer several(options(), asking);
    asked = &*several;
    Member member(several, "room:1");
    EXPECT_THAT(member.call({"1", "2", "room:1", "who", json::object()}), HasSubstr("channel_crash"));
    ASSERT_EQ(several.errors().size(), 1u);
    EXPECT_THAT(several.errors()[0].message, HasSubstr("several threads"));
}

/// Its posts are connections of their own, and so come to each thread in turn.
TEST_F(Threads, ServeAPollingClientWhicheverOfThemItsRequestsComeTo) {
    Poller client(server.port());
    client.join("room:1");
    for (int i = 0; i < 6; ++i) {
        const std::string ref = std::to_string(i);
        EXPECT_EQ(client.post(json::array({"1", ref, "room:1", "push", json::object()}).dump()),
                  json::parse(R"({"status":200})"));
        client.lose_poll(); // the next one comes to another thread
        EXPECT_EQ(Poller::messages(client.poll()).at(0)[1], ref);
    }
    client.start_poll();
    server->broadcast("room:1", "news", server::Payload(R"({"n":1})"));
    EXPECT_EQ(Poller::messages(client.finish_poll()).at(0)[4], json::parse(R"({"n":1})"));
    EXPECT_EQ(server->stats().connections, 4u);
}

TEST_F(Threads, TellAPollingClientOfAThreadThatItsSessionIsOver) {
    std::array<Poller, 3> clients{Poller(server.port()), Poller(server.port()), Poller(server.port())};
    for (Poller& client : clients) {
        client.join("room:1");
        EXPECT_EQ(client.post("nonsense!"), json::parse(R"({"status":408})"));
        EXPECT_EQ(client.post("[]"), json::parse(R"({"status":410})"));
        const std::string old = client.token();
        EXPECT_EQ(client.poll()["status"], 410);
        EXPECT_NE(client.token(), old);
    }
}

TEST_F(Threads, ShareTheLimitsOfConnections) {
    server::Options limited = options();
    limited.max_connections = 4;
    TestServer several(limited);
    std::array<WsClient, 4> clients{WsClient(several.port()), WsClient(several.port()),
                                    WsClient(several.port()), WsClient(several.port())};
    for (int i = 0; i < 3; ++i) {
        TcpClient refused(several.port());
        refused.send(upgrade_head("/socket/websocket"));
        EXPECT_TRUE(refused.receive().starts_with("HTTP/1.1 503 "));
    }
    for (WsClient& client : clients) EXPECT_TRUE(is_served(client));
    EXPECT_EQ(several->stats().refused_for_server, 3u);
}

TEST(ThreadsWithHistory, ReplayWhatAnyOfThemKept) {
    server::Options wanted = Threads::options();
    const server::Requirement nothing;
    wanted.policies = {{.topic = "realtime:*", .join = nothing, .write = nothing, .presence = nothing}};
    wanted.history = {{}};
    TestServer server(std::move(wanted));
    const auto join = [](const json& broadcast) {
        return json{{"config", {{"private", true}, {"broadcast", broadcast}}}};
    };
    const json since{{"replay", {{"since", 1'700'000'000'000}}}};
    Member speaker(server, "realtime:kept", join({{"ack", true}}));
    const auto say = [&](int n) {
        speaker.call({"1", "2", "realtime:kept", "broadcast", {{"event", "e"}, {"payload", n}}});
    };
    say(0);
    for (int n = 1; n <= 6; ++n) { // each of the threads
        Member late(server, "realtime:kept", join(since));
        for (int past = 0; past < n; ++past) {
            const json frame = late.next();
            EXPECT_EQ(frame[4]["payload"], past);
            EXPECT_EQ(frame[4]["meta"]["replayed"], true);
        }
        say(n);
        const json live = late.next();
        EXPECT_EQ(live[4]["payload"], n);
        EXPECT_FALSE(live[4]["meta"].contains("replayed"));
    }
    EXPECT_TRUE(server.errors().empty());
}

} // namespace
} // namespace phx::test
