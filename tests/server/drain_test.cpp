#include "tests/support/test_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>

namespace phx::test {
namespace {

using namespace std::chrono_literals;

HttpResponse get(const TestServer& server, const std::string& path) {
    return request(server.port(), "GET " + path + " HTTP/1.1\r\nhost: a\r\n");
}

/// The server asks the client, so that something is under way until it answers.
struct ServerDrain : testing::Test {
    ServerDrain() {
        client.call(R"(["1","1","room:1","phx_join",{}])");
        asked = server->request({server->connections().at(0)->id, "room:1", "m"});
        client.receive_text();
    }
    static server::Options options() {
        server::Options options;
        options.timeouts.stop = 10ms;
        return options;
    }
    /// Returns when it has begun.
    std::future<bool> drain(std::chrono::milliseconds timeout) {
        auto drained =
            std::async(std::launch::async, [this, timeout] { return server->drain(0ms, timeout); });
        while (get(server, "/ready").status == 200) {
        }
        return drained;
    }
    TestServer server{options()};
    WsClient client{server.port()};
    std::future<Result<server::Payload>> asked;
};

TEST_F(ServerDrain, RefusesWhatIsNewAnswersWhatIsOldAndCloses) {
    EXPECT_EQ(get(server, "/ready").body, R"({"status":"ok"})");
    auto drained = drain(10s);
    EXPECT_EQ(get(server, "/ready").body, R"({"status":"draining"})");
    EXPECT_EQ(get(server, "/health").status, 200);
    const auto phoenix = request(server.port(), upgrade_head("/socket/websocket"));
    EXPECT_EQ(phoenix.status, 503);
    EXPECT_EQ(phoenix.header("retry-after"), "1");
    EXPECT_EQ(phoenix.body, "server draining");
    EXPECT_EQ(request(server.port(), upgrade_head("/realtime/v1/websocket")).body,
              R"({"error":"server draining"})");
    EXPECT_EQ(client.call(R"(["2","2","room:2","phx_join",{}])"),
              R"(["2","2","room:2","phx_reply",{"status":"error","response":{"reason":"server draining"}}])");
    EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout); // pending
    client.send(R"(["1","3","room:1","rpc:response",{"id":"1","ok":1}])");
    EXPECT_TRUE(asked.get());
    EXPECT_TRUE(client.receive().is_close(1012));
    EXPECT_TRUE(drained.get());
    EXPECT_TRUE(server->drain()); // nobody is left
}

TEST_F(ServerDrain, CutsOffWhoIsNotDoneInTime) {
    EXPECT_FALSE(server->drain(0ms, 1ms));
    EXPECT_TRUE(client.receive().is_close(1012));
    EXPECT_EQ(asked.get().error().code, Errc::disconnected);
}

TEST_F(ServerDrain, IsEndedByAStop) {
    auto drained = drain(10s);
    server->stop();
    EXPECT_FALSE(drained.get());
    EXPECT_TRUE(server->drain()); // nobody is left
}

TEST(ServerDrainOfHttp, AnswersTheRequestThatIsUnderWay) {
    TestServer server;
    TcpClient tcp(server.port());
    tcp.send("POST /api/send HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 28\r\n\r\n");
    EXPECT_EQ(tcp.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_FALSE(server->drain(0ms, 20ms)); // not in time
    auto drained = std::async(std::launch::async, [&] { return server->drain(0ms, 10s); });
    tcp.send(R"({"route":"all","event":"hi"})");
    const std::string answer = tcp.receive_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 202 ")) << answer;
    EXPECT_NE(answer.find("connection: close"), std::string::npos) << answer;
    EXPECT_TRUE(drained.get());
}

TEST(ServerDrainInsideAHandler, IsAMistake) {
    server::Server* self = nullptr;
    server::Handlers handlers;
    handlers.handle_in = [&](const server::Context&, std::string_view, server::PayloadView) {
        EXPECT_THROW(self->drain(), std::logic_error);
        return server::Actions().ok();
    };
    TestServer server({}, handlers);
    self = &*server;
    WsClient client(server.port());
    client.call(R"(["1","1","room:1","phx_join",{}])");
    EXPECT_NE(client.call(R"(["1","2","room:1","x",{}])").find("\"ok\""), std::string::npos);
}

} // namespace
} // namespace phx::test
