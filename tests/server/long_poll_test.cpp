#include "tests/support/poller.hpp"
#include "tests/support/test_server.hpp"

#include "phx/channel.hpp"
#include "phx/loop.hpp"
#include "phx/socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

TEST(ServerLongPoll, GivesATokenAndThenWhatWasSaid) {
    TestServer server;
    Poller client(server.port());
    client.join("room:1");
    EXPECT_EQ(client.post(R"(["1","2","room:1","a",{"n":1}])"), json::parse(R"({"status":200})"));
    const auto replies = Poller::messages(client.poll());
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0],
              json::parse(R"(["1","2","room:1","phx_reply",{"status":"ok","response":{"n":1}}])"));
}

TEST(ServerLongPoll, TakesLinesAndAnswersThemTogether) {
    TestServer server;
    Poller client(server.port());
    client.join("room:1");
    client.post("[\"1\",\"2\",\"room:1\",\"a\",{}]\n[\"1\",\"3\",\"room:1\",\"broadcast\",{\"x\":1}]\n",
                "application/x-ndjson");
    const auto messages = Poller::messages(client.poll());
    ASSERT_EQ(messages.size(), 3u);
    EXPECT_EQ(messages[0][1], "2");
    EXPECT_EQ(messages[1][3], "news");
    EXPECT_EQ(messages[2][1], "3");
}

TEST(ServerLongPoll, HoldsAPollUntilSomethingIsSaid) {
    TestServer server;
    Poller client(server.port());
    client.join("room:1");
    client.start_poll();
    WsClient other(server.port());
    other.call(R"(["1","1","room:1","phx_join",{}])");
    other.send(R"(["1","2","room:1","broadcast",{"hello":true}])");
    const auto messages = Poller::messages(client.finish_poll());
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0], json::parse(R"([null,null,"room:1","news",{"hello":true}])"));
}

TEST(ServerLongPoll, AnswersAnEmptyPollAfterTheWindowAndForgetsWhoStaysAway) {
    server::Options options;
    options.timeouts.poll = 50ms;
    TestServer server(options);
    Poller client(server.port());
    client.join("room:1");
    const json empty = client.poll();
    EXPECT_EQ(empty["status"], 204);
    EXPECT_EQ(empty["messages"], json::array());
    EXPECT_EQ(empty["token"], client.token());
    const std::string token = client.token();
    // Gone when nobody polls for the window: seen by who counts.
    while (server->stats().connections > 0) std::this_thread::yield();
    EXPECT_EQ(server->stats().hits(server::Limit::poll_timeout), 1u);
    const json gone = client.poll();
    EXPECT_EQ(gone["status"], 410);
    EXPECT_NE(gone["token"], token);
}

TEST(ServerLongPoll, KeepsWhatAClientMissedWhilePollsFail) {
    TestServer server;
    Poller client(server.port());
    client.join("room:1");
    client.start_poll();
    client.lose_poll();
    // A connection made after that one ended is served after it.
    EXPECT_EQ(request(server.port(), "GET /health HTTP/1.1").status, 200);
    server->broadcast("room:1", "news", server::Payload(R"({"n":1})"));
    const auto messages = Poller::messages(client.poll());
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0][4], json::parse(R"({"n":1})"));
}

TEST(ServerLongPoll, RefusesUnknownTokensAndClientsThatMayNotConnect) {
    server::Options options;
    options.authorize = [](const server::ConnectRequest& request) {
        server::ConnectAnswer answer;
        if (request.params.find("bad") != std::string_view::npos) answer.http_status = 403;
        return answer;
    };
    TestServer server(options);
    Poller unknown(server.port());
    unknown.set_token("junk");
    EXPECT_EQ(unknown.post("[]"), json::parse(R"({"status":410})"));
    EXPECT_EQ(unknown.poll()["status"], 410);
    Poller refused(server.port(), "/socket/longpoll?vsn=2.0.0&user=bad");
    EXPECT_EQ(refused.poll(), json::parse(R"({"status":403})"));
}

TEST(ServerLongPoll, EndsTheSessionOfWhoPostsNonsense) {
    TestServer server;
    for (const char* body : {"nonsense!", "[not json"}) {
        Poller client(server.port());
        client.join("room:1");
        EXPECT_EQ(client.post(body), json::parse(R"({"status":408})")) << body;
        EXPECT_EQ(client.post("[]"), json::parse(R"({"status":410})")) << body;
    }
    EXPECT_EQ(server->stats().connections, 0u);
}

/// Requests of its own on one connection, one behind the other.
struct Pipelined {
    explicit Pipelined(std::uint16_t port) : tcp(port) {}
    static std::string poll(const std::string& token) {
        return "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nx-phoenix-longpoll-token: " + token +
               "\r\n\r\n";
    }
    static std::string post(const std::string& token, const std::string& body) {
        return "POST /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nx-phoenix-longpoll-token: " + token +
               "\r\ncontent-type: application/x-ndjson\r\ncontent-length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
    json answer() { return json::parse(read_response(tcp, rest).body); }
    TcpClient tcp;
    std::string rest;
};

struct ServerLongPollPipelined : testing::Test {
    ServerLongPollPipelined() { session.join("room:1"); }
    static server::Options options() {
        server::Options options;
        options.timeouts.poll = 50ms;
        return options;
    }
    TestServer server{options()};
    Poller session{server.port()};
    Pipelined client{server.port()};
};

TEST_F(ServerLongPollPipelined, APostBehindAPollIsTakenWhenThatIsAnswered) {
    client.tcp.send(Pipelined::poll(session.token()) + Pipelined::post(session.token(), "nonsense!"));
    EXPECT_EQ(client.answer()["status"], 204);
    EXPECT_EQ(client.answer()["status"], 408); // it ended the session that the poll was of
    WsClient bystander(server.port());
    EXPECT_TRUE(is_served(bystander));
}

TEST_F(ServerLongPollPipelined, APollBehindAPollIsAnsweredToo) {
    client.tcp.send(Pipelined::poll(session.token()) + Pipelined::poll(session.token()));
    EXPECT_EQ(client.answer()["status"], 204);
    EXPECT_EQ(client.answer()["status"], 204);
}

TEST(ServerLongPoll, APostBehindAPollDisturbsNoBroadcastThatIsUnderWay) {
    server::Options options;
    options.max_pending_bytes = 3000;
    TestServer server(options);
    Poller slow(server.port()), other(server.port()), speaker(server.port());
    slow.join("room:secret");
    WsClient secret(server.port()), outside(server.port());
    secret.call(R"(["1","1","room:secret","phx_join",{}])");
    outside.call(R"(["1","1","room:other","phx_join",{}])");
    speaker.join("room:secret");
    other.join("room:other");
    Pipelined client(server.port());
    client.tcp.send(Pipelined::poll(slow.token()) +
                    Pipelined::post(other.token(), R"(["1","2","room:other","broadcast",{"hello":1}])"));
    EXPECT_EQ(request(server.port(), "GET /health HTTP/1.1").status, 200); // it has been read
    // Too much for who polls, in one turn; WebSockets are written to meanwhile.
    const std::string text = json(std::string(2000, 'x')).dump();
    speaker.post(R"(["1","2","room:secret","broadcast",)" + text + "]\n" +
                     R"(["1","3","room:secret","broadcast",)" + text + "]\n",
                 "application/x-ndjson");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(json::parse(secret.receive_text())[2], "room:secret");
    EXPECT_EQ(outside.receive_text(), R"([null,null,"room:other","news",{"hello":1}])");
    EXPECT_TRUE(is_served(secret));
    EXPECT_TRUE(is_served(outside));               // and got nothing else
    EXPECT_EQ(server->stats().slow_consumers, 2u); // the speaker polls, too
}

TEST(ServerLongPoll, HoldsMessagesToTheLimitOfTheEndpoint) {
    server::Options options;
    for (server::Endpoint& endpoint : options.endpoints) endpoint.max_message_bytes = 100;
    TestServer server(options);
    Poller client(server.port());
    client.join("room:1");
    const std::string message = R"(["1","2","room:1","a",")" + std::string(100, 'x') + "\"]";
    EXPECT_EQ(client.post(message), json::parse(R"({"status":408})"));
    EXPECT_EQ(client.post("[]"), json::parse(R"({"status":410})"));
    ASSERT_FALSE(server.errors().empty());
    EXPECT_THAT(server.errors().back().message, testing::HasSubstr("max_message_bytes"));
}

TEST(ServerLongPoll, EndsTheSessionOfWhoDoesNotPollForWhatIsSaid) {
    server::Options options;
    options.max_pending_bytes = 1000;
    TestServer server(options);
    Poller client(server.port());
    client.join("room:1");
    const server::Payload payload(json({{"text", std::string(400, 'x')}}).dump());
    for (int i = 0; i < 4; ++i) server->broadcast("room:1", "news", payload);
    while (server->stats().connections > 0) std::this_thread::yield();
    EXPECT_EQ(client.poll()["status"], 410);
    EXPECT_EQ(server->stats().slow_consumers, 1u);
    EXPECT_EQ(server->stats().hits(server::Limit::max_pending_bytes), 1u);
}

TEST(ServerLongPoll, ServesOurOwnClient) {
    TestServer server;
    Loop loop;
    SocketOptions options;
    options.transport.transport = Transport::long_poll;
    Socket socket(loop, "ws://127.0.0.1:" + std::to_string(server.port()) + "/socket", std::move(options));
    auto channel = socket.channel("room:1");
    socket.connect();
    ASSERT_TRUE(channel.join().wait());
    for (int i = 0; i < 20; ++i) {
        const auto reply = channel.push("echo", {{"i", i}}).wait();
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->text(), "{\"i\":" + std::to_string(i) + "}");
    }
}

} // namespace
} // namespace phx::test
