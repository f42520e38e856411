#include "protocol/server/rest.hpp"

#include "tests/support/recorded_lines.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::server {
namespace {

using phx::server::Route;

constexpr std::size_t limit = 1000;

std::string errors_of(std::string_view body) { return read_batch(body, limit).errors; }

TEST(RestBatch, IsReadWithItsDefaults) {
    const std::string body =
        R"({"messages":[{"topic":"t","event":"e","payload":{"a":[1]}},)"
        R"({"private":true,"payload":{},"event":"\u0041","topic":"room:1","id":"x"}],"more":1})";
    const RestBatch batch = read_batch(body, limit);
    EXPECT_EQ(batch.errors, "");
    ASSERT_EQ(batch.messages.size(), 2u);
    EXPECT_EQ(batch.messages[0].topic, "realtime:t");
    EXPECT_EQ(batch.messages[0].event, "e");
    EXPECT_EQ(batch.messages[0].payload, R"({"a":[1]})");
    EXPECT_FALSE(batch.messages[0].is_private);
    EXPECT_EQ(batch.messages[1].topic, "realtime:room:1");
    EXPECT_EQ(batch.messages[1].event, "A");
    EXPECT_TRUE(batch.messages[1].is_private);
}

TEST(RestBatch, IsRefusedAsTheRecordedServerRefusesIt) {
    std::size_t refused = 0;
    std::string body;
    for (const auto& record : test::recorded_lines("supabase/14_rest.jsonl")) {
        if (record.value("op", "") != "http") continue;
        if (record["dir"] == "out") {
            const bool is_batch = record["method"] == "POST" && record["path"] == "/api/broadcast" &&
                                  record["headers"]["content-type"] == "application/json";
            body = is_batch ? record["text"].get<std::string>() : "";
        } else if (!body.empty() && (record["status"] == 202 || record["status"] == 422)) {
            EXPECT_EQ(errors_of(body), record["text"].get<std::string>()) << body;
            if (record["status"] == 422) ++refused;
        }
    }
    EXPECT_GE(refused, 12u);
}

TEST(RestBatch, SaysOfEachMessageWhatIsWrongWithIt) {
    const std::string big(limit, 'x');
    EXPECT_EQ(errors_of(R"({"messages":[{"topic":"t","event":"e","payload":{"a":")" + big + R"("}}]})"),
              R"({"errors":{"messages":[{"payload":["Payload size exceeds tenant limit"]}]}})");
    EXPECT_EQ(errors_of(R"({"messages":[{"topic":7,"event":null,"payload":[],"private":"no"}]})"),
              R"({"errors":{"messages":[{"event":["can't be blank"],"topic":["is invalid"],)"
              R"("payload":["is invalid"],"private":["is invalid"]}]}})");
    EXPECT_EQ(errors_of(R"({"messages":[7]})"), R"({"errors":{"messages":["is invalid"]}})");
    EXPECT_EQ(errors_of("7"), R"({"errors":{"messages":["can't be blank"]}})");
}

TEST(RestBatch, KnowsWhetherAPayloadOfAnyMessageIsTooLarge) {
    const std::string fits = R"({"topic":"t","event":"e","payload":{}})", wrong = R"({"topic":7})";
    const std::string large =
        R"({"topic":"t","event":"e","payload":{"a":")" + std::string(limit, 'x') + R"("}})";
    const auto has_too_large = [](const std::string& first, const std::string& second) {
        return read_batch(R"({"messages":[)" + first + "," + second + "]}", limit).has_too_large;
    };
    EXPECT_TRUE(has_too_large(large, fits));
    EXPECT_TRUE(has_too_large(wrong, large));
    EXPECT_FALSE(has_too_large(wrong, fits));
}

TEST(RestBatch, OfMoreThanAThousandMessagesIsNotLookedAtFurther) {
    std::string body = R"({"messages":[)";
    for (std::size_t i = 0; i < max_rest_broadcasts; ++i)
        body += R"({"topic":"t","event":"e","payload":{}},)";
    const std::string most = body.substr(0, body.size() - 1) + "]}";
    EXPECT_FALSE(read_batch(most, limit).has_too_many);
    EXPECT_EQ(read_batch(most, limit).messages.size(), max_rest_broadcasts);
    const RestBatch larger = read_batch(body + "7]}", limit);
    EXPECT_TRUE(larger.has_too_many);
    EXPECT_EQ(larger.messages.size(), 0u);
}

TEST(RestPayload, IsRefusedWhenItIsTooLarge) {
    EXPECT_EQ(payload_errors("1234", 4), "");
    EXPECT_EQ(payload_errors("12345", 4), R"({"errors":{"payload":["Payload size exceeds tenant limit"]}})");
}

TEST(RestRates, AreRefusedInTheRecordedWords) {
    std::vector<std::string> recorded;
    for (const auto& record : test::recorded_lines("supabase/11_limits_events_joins_suspend.jsonl"))
        if (record.value("status", 0) == 429 && !record.contains("conn")) // with it: refused upgrades
            recorded.push_back(nlohmann::json::parse(record["text"].get<std::string>())["message"]);
    ASSERT_EQ(recorded.size(), 2u);
    EXPECT_EQ(refusal_text(RateVerdict::exceeded), recorded[0]);
    EXPECT_EQ(refusal_text(RateVerdict::batch_too_large), recorded[1]);
}

TEST(RestSend, NamesARouteAnEventAndAPayload) {
    const auto send = read_send(R"({"route":"topic:room:1","event":"e","payload":[1]})");
    ASSERT_TRUE(send);
    EXPECT_EQ(send->route, Route::topic("room:1"));
    EXPECT_EQ(send->event, "e");
    EXPECT_EQ(send->payload, "[1]");
    EXPECT_EQ(read_send(R"({"route":"all","event":"e"})")->payload, "{}");
}

TEST(RestSend, IsRefusedWithWhatWasExpected) {
    EXPECT_NE(read_send("{").error().message.find("such as"), std::string::npos);
    EXPECT_NE(read_send("[]").error().message.find("such as"), std::string::npos);
    for (const char* route : {"7", "null", R"("")", R"("user:")", R"("users:7")", R"("everybody")"}) {
        const auto send = read_send(std::string(R"({"event":"e","route":)") + route + "}");
        ASSERT_FALSE(send) << route;
        EXPECT_EQ(send.error().code, Errc::invalid_argument);
    }
    for (const char* event : {"7", "null", R"("")"})
        EXPECT_FALSE(read_send(std::string(R"({"route":"all","event":)") + event + "}")) << event;
}

TEST(Route, IsWrittenAsItIsRead) {
    for (const char* text : {"all", "user:7", "role:admin", "connection:0.2a", "topic:room:lobby"})
        EXPECT_EQ(to_string(phx::server::parse_route(text).value()), text);
    for (const char* text : {"", "all:", "user", "user:", "User:7", ":7"})
        EXPECT_FALSE(phx::server::parse_route(text)) << text;
}

} // namespace
} // namespace phx::protocol::server
