#include "tests/support/test_server.hpp"

#include <future>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

// POST /api/changes, see tests/protocol/server/rest_changes_test.cpp for what is in it.
namespace phx::test {
namespace {

using nlohmann::json;

HttpResponse post(const TestServer& server, const std::string& body,
                  const std::string& path = "/api/changes") {
    return request(server.port(),
                   "POST " + path + " HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: " +
                       std::to_string(body.size()),
                   body);
}

/// Gets the changes of the table todos.
class Subscriber {
public:
    explicit Subscriber(const TestServer& server, const std::string& filter = "id=gt.0")
        : ws_(server.port(), WsClient::supabase_v2) {
        const json wanted = {{"event", "*"}, {"schema", "public"}, {"table", "todos"}, {"filter", filter}};
        const json config = {{"config", {{"postgres_changes", json::array({wanted})}}}};
        ws_.send(json::array({"1", "1", "realtime:a", "phx_join", config}).dump());
        for (const char* event : {"phx_reply", "system"}) EXPECT_EQ(next()[3], event);
    }
    json next() { return json::parse(ws_.receive_text()); }
    bool hears_nothing() { return is_served(ws_); }

private:
    WsClient ws_;
};

const std::string insert = R"({"type":"INSERT","table":"todos","record":{"id":1,"task":"x"}})";
const std::string remove = R"({"type":"DELETE","table":"todos","old_record":{"id":2},)"
                           R"("commit_timestamp":"2026-01-02T03:04:05.678Z"})";

TEST(ServerChanges, ReachWhoSubscribedToThem) {
    TestServer server;
    Subscriber member(server), other(server, "id=gt.7");
    for (const char* path : {"/api/changes", "/realtime/v1/api/changes"}) {
        const HttpResponse answer = post(server, insert, path);
        EXPECT_EQ(answer.status, 202);
        EXPECT_EQ(answer.body, R"({"accepted":true})");
        const json inserted = member.next()[4]["data"];
        EXPECT_EQ(inserted["type"], "INSERT");
        EXPECT_EQ(inserted["schema"], "public");
        EXPECT_EQ(inserted["record"], json::parse(R"({"id":1,"task":"x"})"));
        EXPECT_EQ(inserted["errors"], nullptr);
    }
    EXPECT_EQ(post(server, R"({"changes":[)" + insert + "," + remove + "]}").status, 202);
    EXPECT_EQ(member.next()[4]["data"]["type"], "INSERT");
    const json removed = member.next()[4]["data"];
    EXPECT_EQ(removed["type"], "DELETE");
    EXPECT_EQ(removed["old_record"], json::parse(R"({"id":2})"));
    EXPECT_EQ(removed["commit_timestamp"], "2026-01-02T03:04:05.678Z");
    EXPECT_TRUE(other.hears_nothing());
}

TEST(ServerChanges, AreAllTakenOrNone) {
    TestServer server;
    Subscriber member(server);
    const HttpResponse answer = post(server, R"({"changes":[)" + insert + R"(,{"type":"UPDATE"}]})");
    EXPECT_EQ(answer.status, 422);
    EXPECT_EQ(answer.body, R"({"error":"changes[1].table is missing"})");
    EXPECT_TRUE(member.hears_nothing());
}

TEST(ServerChanges, ReachTheSubscribersOfAllThreads) {
    server::Options options;
    options.threads = 2;
    TestServer server(options);
    Subscriber first(server), second(server), third(server);
    EXPECT_EQ(post(server, insert).status, 202);
    for (Subscriber* const member : {&first, &second, &third})
        EXPECT_EQ(member->next()[4]["data"]["record"]["id"], 1);
}

TEST(ServerChanges, OfOneRequestCloseNobodyWhoReadsThem) {
    for (const std::size_t threads : {1u, 2u}) {
        server::Options options;
        options.threads = threads;
        options.max_pending_bytes = 50'000; // of a quarter of a megabyte
        TestServer server(options);
        Subscriber first(server), second(server);
        std::string changes;
        for (int i = 1; i <= 1'000; ++i) {
            changes += changes.empty() ? "" : ",";
            changes += R"({"type":"INSERT","table":"todos","record":{"id":)" + std::to_string(i) + "}}";
        }
        auto status = std::async(std::launch::async,
                                 [&] { return post(server, R"({"changes":[)" + changes + "]}").status; });
        for (int i = 1; i <= 1'000; ++i)
            for (Subscriber* const member : {&first, &second})
                ASSERT_EQ(member->next()[4]["data"]["record"]["id"], i);
        EXPECT_EQ(status.get(), 202);
        EXPECT_EQ(server->stats().slow_consumers, 0u);
    }
}

TEST(ServerChanges, OfHostileBodiesGetAReasonAndNothingElse) {
    TestServer server;
    Subscriber member(server);
    const std::string deep(10'000, '[');
    const std::vector<std::pair<std::string, int>> bodies = {
        {"", 400},
        {"{", 400},
        {"nonsense", 400},
        {insert + insert, 400},
        {std::string("{\"type\":\"\xff\"}"), 400},
        {R"({"type":"\ud800"})", 400},
        {deep, 400},
        {R"({"type":"INSERT","table":"todos","record":)" + std::string(10'000, '[') +
             std::string(10'000, ']') + "}",
         400},
        {"7", 422},
        {"[" + insert + "]", 422},
        {R"({"changes":")" + std::string(1u << 20, 'x') + "\"}", 422},
        {R"({"type":"INSERT","table":"todos","record":"{}"})", 422},
    };
    for (const auto& [body, status] : bodies) {
        const HttpResponse answer = post(server, body);
        EXPECT_EQ(answer.status, status) << body.substr(0, 60);
        EXPECT_TRUE(json::parse(answer.body).contains("error"));
        EXPECT_LT(answer.body.size(), 200u);
    }
    EXPECT_TRUE(member.hears_nothing());
}

} // namespace
} // namespace phx::test
