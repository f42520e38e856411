#include "tests/support/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::test {
namespace {

using server::Payload;
using server::Route;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::string_view join_inbox = R"(["1","1","realtime:$inbox","phx_join",{}])";
constexpr std::string_view inbox_joined =
    R"(["1","1","realtime:$inbox","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])";

/// The user id is the query: no token is looked at here.
server::Options by_name() {
    server::Options options;
    options.authorize = [](const server::ConnectRequest& request) {
        server::ConnectAnswer answer;
        const std::string_view begin = R"("user":")";
        const std::size_t found = request.params.find(begin);
        if (found == std::string_view::npos) return answer;
        const std::string_view rest = request.params.substr(found + begin.size());
        answer.identity.user_id = std::string(rest.substr(0, rest.find('"')));
        answer.identity.roles = {"user"};
        return answer;
    };
    return options;
}

WsClient connect(const TestServer& server, std::string_view user,
                 TcpClient::ReceiveBuffer buffer = TcpClient::ReceiveBuffer::normal) {
    WsClient client(server.port(), std::string(WsClient::v2) + "&user=" + std::string(user), {}, buffer);
    EXPECT_EQ(client.call(join_inbox), inbox_joined);
    return client;
}

std::string inbox(std::string_view route, std::string_view payload) {
    return R"([null,null,"realtime:$inbox","broadcast",{"type":"broadcast","event":"news","payload":)" +
           std::string(payload) + R"(,"meta":{"route":")" + std::string(route) + R"("}}])";
}

/// To how many it went.
std::size_t send(TestServer& server, Route route, Payload payload = "{}") {
    auto count = std::make_shared<std::promise<std::size_t>>();
    auto told = count->get_future();
    EXPECT_TRUE(server->send(std::move(route), "news", std::move(payload),
                             [count](std::size_t number) { count->set_value(number); }));
    return told.get();
}

std::vector<std::string> users(const std::vector<std::shared_ptr<const server::Connection>>& list) {
    std::vector<std::string> names;
    for (const auto& connection : list) names.push_back(connection->user_id);
    return names;
}

TEST(ServerRoutes, BringMessagesFromAnyThread) {
    TestServer server(by_name());
    WsClient ada = connect(server, "ada");
    WsClient bob = connect(server, "bob");
    EXPECT_EQ(send(server, Route::user("ada"), R"({"n":1})"), 1u);
    EXPECT_EQ(send(server, Route::role("user"), R"({"n":2})"), 2u);
    EXPECT_EQ(send(server, Route::all(), "[3]"), 2u);
    EXPECT_EQ(ada.receive_text(), inbox("user", R"({"n":1})"));
    for (WsClient* client : {&ada, &bob}) {
        EXPECT_EQ(client->receive_text(), inbox("role", R"({"n":2})"));
        EXPECT_EQ(client->receive_text(), inbox("all", "[3]"));
    }
    EXPECT_EQ(send(server, Route::connection("0.1")), 0u);
}

TEST(ServerRoutes, TakeOnlyWhatCanBeSent) {
    TestServer server;
    EXPECT_EQ(server->send(Route::all(), "").why.code, Errc::invalid_argument);
    EXPECT_EQ(server->send(Route::all(), "\xff").why.code, Errc::invalid_utf8);
    EXPECT_EQ(server->send(Route::all(), "e", "{").why.code, Errc::invalid_payload);
    const auto too_long = server->send(Route::all(), std::string(256, 'e'), Payload::binary("x"));
    EXPECT_FALSE(too_long.accepted);
    EXPECT_EQ(too_long.why.code, Errc::field_too_long);
    EXPECT_TRUE(server->send(Route::all(), std::string(256, 'e')));
    server->stop();
    EXPECT_EQ(server->send(Route::all(), "e").why.code, Errc::socket_closed);
    EXPECT_EQ(server::Server().send(Route::all(), "e").why.code, Errc::socket_closed);
}

TEST(ServerRoutes, SurviveMembersThatAreClosingOrTooSlow) {
    server::Options options = by_name();
    options.max_pending_bytes = 100'000;
    TestServer server(options);
    WsClient slow = connect(server, "slow", TcpClient::ReceiveBuffer::tiny);
    WsClient closing = connect(server, "closing");
    WsClient gone = connect(server, "gone");
    WsClient healthy = connect(server, "healthy");
    server->disconnect(Route::user("closing"), 4001); // which does not answer the close frame
    gone.tcp().reset();
    const std::string payload = "\"" + std::string(50'000, 'x') + "\"";
    while (!server->connections(Route::user("slow")).empty()) { // what the kernel takes does not count
        EXPECT_GE(send(server, Route::all(), payload), 1u);
        EXPECT_EQ(healthy.receive_text(), inbox("all", payload));
    }
    EXPECT_GE(send(server, Route::all(), payload), 1u);
    EXPECT_EQ(healthy.receive_text(), inbox("all", payload));
    EXPECT_TRUE(closing.receive().is_close(4001));
    EXPECT_GE(server->stats().slow_consumers, 1u);
}

TEST(ServerRoutes, ReportACallbackThatThrows) {
    TestServer server(by_name());
    server->send(Route::all(), "news", {}, [](std::size_t) { throw std::runtime_error("mine"); });
    EXPECT_EQ(send(server, Route::all()), 0u);
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_EQ(server.errors()[0].code, Errc::handler_failed);
    EXPECT_EQ(server.errors()[0].message, "on_delivered threw: mine");
}

TEST(ServerRoutes, FindWhoIsThere) {
    server::Options options = by_name();
    options.timeouts.stop = std::chrono::milliseconds(10);
    TestServer server(options);
    WsClient ada = connect(server, "ada");
    WsClient bob = connect(server, "bob");
    EXPECT_THAT(users(server->connections()), UnorderedElementsAre("ada", "bob"));
    EXPECT_THAT(users(server->connections(Route::user("bob"))), ElementsAre("bob"));
    const auto found = server->connections(Route::topic("realtime:$inbox"));
    ASSERT_EQ(found.size(), 2u);
    const std::vector<std::string> ids = {found[1]->id, "0.99", found[0]->id};
    EXPECT_THAT(server->connections(ids), ElementsAre(found[1], found[0]));
    EXPECT_EQ(server->connection(ids[0]), found[1]);
    EXPECT_EQ(server->connection("nobody"), nullptr);
    EXPECT_THAT(server->topics(), ElementsAre(server::TopicCount{"realtime:$inbox", 2}));
    EXPECT_THAT(server->topics("realtime:$inbox"), IsEmpty());
    server->disconnect(Route::all());
    EXPECT_TRUE(ada.receive().is_close(1001));
    EXPECT_TRUE(bob.receive().is_close(1001));
    EXPECT_THAT(server->connections(), IsEmpty());
    server->stop();
    EXPECT_THAT(server->topics(), IsEmpty());
    EXPECT_EQ(found[0]->roles, std::vector<std::string>{"user"}); // outlives its connection
}

TEST(ServerRoutes, MayBeUsedInsideHandlersWhoseViewsStayGood) {
    server::Server* self = nullptr;
    server::Handlers handlers;
    handlers.handle_in = [&](const server::Context& context, std::string_view event, Payload payload) {
        self->send(Route::all(), "news", payload);
        self->disconnect(Route::user("nobody"));
        const std::size_t count = self->connections(Route::topic("room:1")).size();
        EXPECT_EQ(self->connection(context.connection.id)->user_id, context.connection.user_id);
        EXPECT_EQ(self->topics().size(), 2u);
        EXPECT_EQ(event, "count");
        return server::Actions().ok(std::to_string(count));
    };
    TestServer server(by_name(), handlers);
    self = &*server;
    WsClient ada = connect(server, "ada");
    ada.call(R"(["2","2","room:1","phx_join",{}])");
    EXPECT_EQ(ada.call(R"(["2","3","room:1","count",{"n":1}])"),
              R"(["2","3","room:1","phx_reply",{"status":"ok","response":1}])");
    EXPECT_EQ(ada.receive_text(), inbox("all", R"({"n":1})"));
}

} // namespace
} // namespace phx::test
