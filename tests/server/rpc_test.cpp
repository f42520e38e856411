#include "tests/support/test_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using server::ClientRequest;
using server::Payload;

struct ServerRequests : testing::Test {
    ServerRequests() {
        client.call(R"(["1","1","room:1","phx_join",{}])");
        wanted = {.connection_id = server->connections().at(0)->id, .topic = "room:1", .method = "sum"};
    }
    static server::Options options() {
        server::Options options;
        options.timeouts.stop = 10ms;
        return options;
    }
    TestServer server{options()};
    WsClient client{server.port()};
    ClientRequest wanted;
};

TEST_F(ServerRequests, AreAnsweredOverASocket) {
    auto answer = server->request(wanted);
    EXPECT_EQ(client.receive_text(),
              R"(["1",null,"room:1","rpc:request",{"id":"1","method":"sum","params":{}}])");
    client.send(R"(["1","2","room:1","rpc:response",{"id":"1","ok":[3]}])");
    EXPECT_EQ(answer.get().value().data, "[3]");
    client.send(R"(["1","3","room:1","rpc:response",{"id":"1","ok":[3]}])");
    EXPECT_TRUE(is_served(client)); // neither answer has a reply
    EXPECT_EQ(server->stats().late_responses, 1u);
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_EQ(server.errors()[0].code, Errc::timeout);
    EXPECT_NE(server.errors()[0].message.find(wanted.connection_id), std::string::npos);
}

TEST_F(ServerRequests, TimeOut) {
    wanted.timeout = 1ms;
    EXPECT_EQ(server->request(wanted).get().error().code, Errc::timeout);
}

TEST_F(ServerRequests, FailWhenNobodyCanAnswer) {
    ClientRequest elsewhere = wanted;
    elsewhere.topic = "room:2";
    EXPECT_EQ(server->request(elsewhere).get().error().code, Errc::not_joined);
    auto cut_off = server->request(wanted);
    server->stop();
    EXPECT_EQ(cut_off.get().error().code, Errc::disconnected);
    EXPECT_EQ(server->request(wanted).get().error().code, Errc::socket_closed);
}

TEST_F(ServerRequests, ReportACallbackThatThrowsAndLiveOn) {
    server->request(wanted, [](const Result<Payload>&) { throw 1; });
    client.receive_text();
    client.send(R"(["1","2","room:1","rpc:response",{"id":"1","ok":1}])");
    EXPECT_TRUE(is_served(client));
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_EQ(server.errors()[0].code, Errc::handler_failed);
}

TEST_F(ServerRequests, WithoutAnAnswerReportWhatFails) {
    server->notify(wanted);
    EXPECT_EQ(client.receive_text(), R"(["1",null,"room:1","rpc:request",{"method":"sum","params":{}}])");
    wanted.topic = "room:2";
    server->notify(wanted);
    EXPECT_TRUE(is_served(client));
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_EQ(server.errors()[0].code, Errc::not_joined);
}

} // namespace
} // namespace phx::test
