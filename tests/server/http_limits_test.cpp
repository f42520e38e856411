#include "tests/support/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>

// What of the HTTP API is too much.
namespace phx::test {
namespace {

using testing::HasSubstr;

HttpResponse post(const TestServer& server, const std::string& path, const std::string& body) {
    return request(server.port(),
                   "POST " + path + " HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: " +
                       std::to_string(body.size()),
                   body);
}

/// Joined to realtime:t.
WsClient member(const TestServer& server) {
    WsClient client(server.port(), WsClient::supabase_v2);
    EXPECT_THAT(client.call(R"(["1","1","realtime:t","phx_join",{}])"), HasSubstr("\"ok\""));
    return client;
}

TEST(ServerApiLimits, RefuseAPayloadThatIsTooLargeAsSupabase) {
    server::Options options;
    options.max_broadcast_bytes = 10;
    TestServer server(options);
    WsClient listener = member(server);
    const std::string fits = R"({"d":"12"})", large = R"({"d":"123"})";
    ASSERT_EQ(fits.size(), 10u);
    const auto batch = [](const std::string& payload) {
        return R"({"messages":[{"topic":"t","event":"e","payload":{}},{"topic":"t","event":"e","payload":)" +
               payload + "}]}";
    };
    const HttpResponse refused = post(server, "/api/broadcast", batch(large));
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(refused.body,
              R"({"errors":{"messages":[{},{"payload":["Payload size exceeds tenant limit"]}]}})");
    const HttpResponse one = post(server, "/api/broadcast/t/events/e", large);
    EXPECT_EQ(one.status, 422);
    EXPECT_EQ(one.body, R"({"errors":{"payload":["Payload size exceeds tenant limit"]}})");
    EXPECT_TRUE(is_served(listener)) << "and has heard nothing";
    EXPECT_EQ(post(server, "/api/broadcast", batch(fits)).status, 202);
    EXPECT_EQ(post(server, "/api/broadcast/t/events/e", fits).status, 202);
}

TEST(ServerApiLimits, RefuseABatchOfMoreThanAThousandMessagesAsSupabaseRefusesTooMany) {
    TestServer server;
    WsClient listener = member(server);
    const auto batch = [](int count) {
        std::string messages;
        for (int i = 0; i < count; ++i) {
            messages += messages.empty() ? "" : ",";
            messages += R"({"topic":"t","event":"e","payload":{"n":)" + std::to_string(i) + "}}";
        }
        return R"({"messages":[)" + messages + "]}";
    };
    const HttpResponse refused = post(server, "/api/broadcast", batch(1'001));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.body, R"({"message":"Too many messages to broadcast, please reduce the batch size"})");
    EXPECT_EQ(refused.header("retry-after"), "");
    EXPECT_TRUE(is_served(listener)) << "and has heard nothing";
    EXPECT_EQ(post(server, "/api/broadcast", batch(1'000)).status, 202);
    for (int i = 0; i < 1'000; ++i) // in their order
        ASSERT_THAT(listener.receive_text(), HasSubstr("\"payload\":{\"n\":" + std::to_string(i) + "}"));
}

/// Posts what its rate admits once in a second, until it is refused.
HttpResponse post_until_refused(const TestServer& server, const std::string& path, const std::string& body,
                                std::size_t& accepted) {
    for (int i = 0; i < 100; ++i) {
        HttpResponse answer = post(server, path, body);
        if (answer.status != 202) return answer;
        ++accepted;
    }
    return {};
}

TEST(ServerApiLimits, RefuseMoreThanTheRateOfATopicAsSupabase) {
    server::Options options;
    options.rates.messages_per_topic = 2;
    TestServer server(options);
    WsClient listener = member(server);
    const std::string message = R"({"topic":"t","event":"e","payload":{}})";
    const HttpResponse batch =
        post(server, "/api/broadcast", R"({"messages":[)" + message + ',' + message + ',' + message + "]}");
    EXPECT_EQ(batch.status, 429);
    EXPECT_EQ(batch.body, R"({"message":"Too many messages to broadcast, please reduce the batch size"})");
    EXPECT_EQ(batch.header("retry-after"), "");
    std::size_t heard = 0;
    for (const auto& [path, body] : {std::pair<std::string, std::string>{"/api/broadcast/t/events/e", "{}"},
                                     {"/api/broadcast", R"({"messages":[)" + message + "]}"}}) {
        const HttpResponse refused = post_until_refused(server, path, body, heard);
        EXPECT_EQ(refused.status, 429);
        EXPECT_EQ(refused.body, R"({"message":"You have exceeded your rate limit"})");
        EXPECT_EQ(refused.header("retry-after"), "1");
    }
    EXPECT_GE(heard, 2u);
    for (; heard != 0; --heard) listener.receive();
    EXPECT_TRUE(is_served(listener)) << "and has heard nothing of what was refused";
}

} // namespace
} // namespace phx::test
