#include "tests/support/poller.hpp"
#include "tests/support/test_server.hpp"

#include <chrono>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

// What is too much leaves a trace: Stats, and GET /metrics.
namespace phx::test {
namespace {

using namespace std::chrono_literals;
using server::Limit;
using testing::HasSubstr;
using testing::Not;

constexpr const char* join_1 = R"(["1","1","room:1","phx_join",{}])";
constexpr const char* join_2 = R"(["2","2","room:2","phx_join",{}])";
constexpr const char* joined = R"("phx_reply",{"status":"ok")";

std::string metrics(const TestServer& server) { return request(server.port(), "GET /metrics HTTP/1.1").body; }

HttpResponse post(const TestServer& server, const std::string& path, const std::string& body,
                  const std::string& headers = {}) {
    return request(server.port(),
                   "POST " + path + " HTTP/1.1\r\ncontent-type: application/json\r\n" + headers +
                       "content-length: " + std::to_string(body.size()),
                   body);
}

TEST(ServerLimitHits, AreInTheMetricsByTheNameOfTheSetting) {
    server::Options options;
    options.max_channels_per_connection = 1;
    TestServer server(options);
    const std::string name = "\nphx_limit_hits_total{limit=\"limits.max_channels_per_connection\"} ";
    EXPECT_THAT(metrics(server), HasSubstr(name + "0\n"));
    WsClient client(server.port());
    EXPECT_THAT(client.call(join_1), HasSubstr(joined));
    EXPECT_THAT(client.call(join_2), HasSubstr("too many channels joined"));
    EXPECT_THAT(client.call(join_2), HasSubstr("too many channels joined"));
    const std::string text = metrics(server);
    EXPECT_THAT(text, HasSubstr(name + "2\n"));
    EXPECT_THAT(text, HasSubstr("\nphx_limit_hits_total{limit=\"rates.messages_per_topic\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("\n# TYPE phx_limit_hits_total counter\n"));
    EXPECT_EQ(text.find("# HELP phx_limit_hits_total"), text.rfind("# HELP phx_limit_hits_total"));
}

TEST(ServerLimitHits, OfAllThreadsAreSummed) {
    server::Options options;
    options.threads = 2;
    options.max_channels_per_connection = 1;
    TestServer server(options);
    WsClient one(server.port()), another(server.port()); // each has a thread of its own
    for (WsClient* const client : {&one, &another}) {
        EXPECT_THAT(client->call(join_1), HasSubstr(joined));
        EXPECT_THAT(client->call(join_2), HasSubstr("too many channels joined"));
    }
    EXPECT_EQ(server->stats().hits(Limit::max_channels_per_connection), 2u);
}

TEST(ServerLimitHits, CountABroadcastThatIsDroppedInSilence) {
    server::Options options;
    options.max_broadcast_bytes = 10;
    TestServer server(options);
    WsClient client(server.port(), WsClient::supabase_v2);
    EXPECT_THAT(client.call(R"(["1","1","realtime:t","phx_join",{}])"), HasSubstr(joined));
    client.send(R"(["1","2","realtime:t","broadcast",{"d":"12345"}])");
    EXPECT_TRUE(is_served(client)) << "and was told nothing";
    EXPECT_EQ(server->stats().hits(Limit::max_broadcast_bytes), 1u);
    EXPECT_EQ(post(server, "/api/broadcast/t/events/e", R"({"d":"12345"})").status, 422);
    EXPECT_EQ(server->stats().hits(Limit::max_broadcast_bytes), 2u);
    const std::string batch = R"({"messages":[{"topic":"t","event":"e","payload":{"d":"12345"}}]})";
    EXPECT_EQ(post(server, "/api/broadcast", batch).status, 422);
    EXPECT_EQ(server->stats().hits(Limit::max_broadcast_bytes), 3u);
    EXPECT_EQ(post(server, "/api/broadcast", R"({"messages":[{"topic":"t","event":"e"}]})").status, 422);
    EXPECT_EQ(server->stats().hits(Limit::max_broadcast_bytes), 3u) << "something else is wrong with it";
}

TEST(ServerLimitHits, CountBatchesThatAreTooLong) {
    TestServer server;
    std::string messages = R"({"topic":"t","event":"e","payload":{}})";
    for (int i = 0; i < 1000; ++i) messages += R"(,{"topic":"t","event":"e","payload":{}})";
    EXPECT_EQ(post(server, "/api/broadcast", R"({"messages":[)" + messages + "]}").status, 429);
    EXPECT_EQ(server->stats().hits(Limit::max_rest_broadcasts), 1u);
}

TEST(ServerLimitHits, CountBroadcastsByHttpBeyondTheRateOfATopic) {
    server::Options options;
    options.rates.messages_per_topic = 1;
    TestServer server(options);
    const std::string message = R"({"topic":"t","event":"e","payload":{}})";
    EXPECT_EQ(post(server, "/api/broadcast", R"({"messages":[)" + message + "]}").status, 202);
    EXPECT_EQ(server->stats().hits(Limit::messages_per_topic), 0u);
    EXPECT_EQ(post(server, "/api/broadcast", R"({"messages":[)" + message + "," + message + "]}").status,
              429);
    EXPECT_EQ(server->stats().hits(Limit::messages_per_topic), 1u);
}

TEST(ServerLimitHits, CountMessagesThatAreTooLarge) {
    server::Options options;
    options.endpoints[0].max_message_bytes = 100;
    TestServer server(options);
    WsClient client(server.port());
    client.send(std::string(101, ' '));
    EXPECT_TRUE(client.receive().is_close(1009));
    EXPECT_EQ(server->stats().hits(Limit::max_message_bytes), 1u);
    WsClient rude(server.port());
    rude.tcp().send(raw_frame(0x83, "")); // a reserved opcode
    EXPECT_TRUE(rude.receive().is_close(1002));
    EXPECT_EQ(server->stats().hits(Limit::max_message_bytes), 1u) << "malformed is something else";
    Poller poller(server.port());
    poller.join("room:1");
    poller.post("[\"1\",\"2\",\"room:1\",\"a\",\"" + std::string(100, 'x') + "\"]");
    EXPECT_EQ(server->stats().hits(Limit::max_message_bytes), 2u);
}

TEST(ServerLimitHits, CountSilentConnections) {
    server::Options options;
    options.endpoints[0].idle_timeout = 100ms;
    TestServer server(options);
    WsClient client(server.port());
    EXPECT_TRUE(client.receive().is_close(1002));
    EXPECT_EQ(server->stats().hits(Limit::idle_timeout), 1u);
    EXPECT_EQ(server->stats().timed_out, 0u) << "it has not kept the server waiting";
}

// ---- what is no limit, and leaves a trace too

TEST(ServerStats, CountTokensThatAreRefused) {
    const std::string secret = "a secret with as many bytes as a hash has";
    const std::string claims = R"({"sub":"u","exp":4102444800})";
    const std::string good = server::sign_token(claims, {.key = secret}).value();
    const std::string bad =
        server::sign_token(claims, {.key = "another one, of which nobody knows here"}).value();
    server::Options options;
    options.tokens = {{.secrets = {secret}}, {}};
    TestServer server(options);
    WsClient client(server.port(), std::string(WsClient::supabase_v2) + "&apikey=" + good);
    EXPECT_EQ(server->stats().refused_tokens, 0u);
    TcpClient stranger(server.port());
    stranger.send(upgrade_head(WsClient::v2));
    std::string rest;
    EXPECT_EQ(read_response(stranger, rest).status, 403);
    EXPECT_EQ(server->stats().refused_tokens, 1u);
    EXPECT_EQ(post(server, "/api/send", "{}", "apikey: " + bad + "\r\n").status, 401);
    EXPECT_EQ(server->stats().refused_tokens, 2u);
    const std::string join = R"(["1","1","realtime:t","phx_join",{"access_token":")" + bad + R"("}])";
    EXPECT_THAT(client.call(join), Not(HasSubstr(joined)));
    EXPECT_EQ(server->stats().refused_tokens, 3u);
    EXPECT_THAT(metrics(server), HasSubstr("\nphx_tokens_refused_total 3\n"));
}

TEST(ServerStats, CountExceptionsOfHandlers) {
    TestServer server;
    WsClient client(server.port());
    EXPECT_THAT(client.call(join_1), HasSubstr(joined));
    EXPECT_EQ(server->stats().handler_failures, 0u);
    EXPECT_THAT(client.call(R"(["1","2","room:1","crash",{}])"), HasSubstr("phx_error"));
    EXPECT_EQ(server->stats().handler_failures, 1u);
    EXPECT_THAT(metrics(server), HasSubstr("\nphx_handler_failures_total 1\n"));
}

} // namespace
} // namespace phx::test
