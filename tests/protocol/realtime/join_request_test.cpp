#include "protocol/realtime/join_request.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace phx::protocol::realtime {
namespace {

using Json = nlohmann::json;

JoinRequest read(const std::string& config) { return read_join("room", "{\"config\":" + config + "}"); }

TEST(JoinRequest, TakesWhatRealtimeJsSends) {
    const JoinRequest request = read_join(
        "room", R"({"config":{"broadcast":{"ack":true,"self":true},"presence":{"key":"me","enabled":true},)"
                R"("postgres_changes":[],"private":true},"access_token":"t"})");
    EXPECT_EQ(request.refusal, "");
    EXPECT_TRUE(request.broadcast_self);
    EXPECT_TRUE(request.broadcast_ack);
    EXPECT_TRUE(request.presence_enabled);
    EXPECT_TRUE(request.is_private);
    EXPECT_EQ(request.presence_key, "me");
    EXPECT_EQ(request.response, R"({"postgres_changes":[]})");
}

TEST(JoinRequest, DefaultsWhatIsMissingOrNull) {
    for (const char* const payload :
         {"{}", R"({"config":null})", R"({"config":{}})",
          R"({"config":{"broadcast":null,"presence":null,"private":null,"postgres_changes":null}})",
          R"({"config":5})", R"({ "unknown" : [1] })"}) {
        const JoinRequest request = read_join("room", payload);
        EXPECT_EQ(request.refusal, "") << payload;
        EXPECT_FALSE(request.broadcast_self || request.broadcast_ack || request.presence_enabled ||
                     request.is_private);
        EXPECT_EQ(request.presence_key, "");
        EXPECT_EQ(request.response, R"({"postgres_changes":[]})");
    }
}

TEST(JoinRequest, DefaultsWrongTypesInsteadOfRefusing) {
    const JoinRequest request = read(
        R"({"broadcast":{"self":"yes","ack":5},"presence":"no","private":"maybe","postgres_changes":"x"})");
    EXPECT_EQ(request.refusal, "");
    EXPECT_FALSE(request.broadcast_self || request.broadcast_ack || request.presence_enabled ||
                 request.is_private);
    EXPECT_EQ(read(R"({"presence":{"key":7,"enabled":[true]}})").presence_key, "");
    EXPECT_FALSE(read(R"({"presence":{"key":7,"enabled":[true]}})").presence_enabled);
}

TEST(JoinRequest, TakesBooleansAsStringsOfAnyCase) {
    const JoinRequest request = read(
        R"({"broadcast":{"self":"TRUE","ack":"true"},"private":"false","presence":{"enabled":"T\u0072ue"}})");
    EXPECT_TRUE(request.broadcast_self);
    EXPECT_TRUE(request.broadcast_ack);
    EXPECT_TRUE(request.presence_enabled);
    EXPECT_FALSE(request.is_private);
}

TEST(JoinRequest, ReadsNamesAndKeysWithEscapesAndTakesTheFirstOfARepeatedName) {
    const JoinRequest request = read_join(
        "room",
        R"({"c\u006fnfig":{"presence":{"key":"\u00e9\"x","key":"second"}},"config":{"private":true}})");
    EXPECT_EQ(request.presence_key, "\xc3\xa9\"x");
    EXPECT_FALSE(request.is_private);
}

TEST(JoinRequest, RepliesWithTheEntriesAndTheirIds) {
    const JoinRequest request = read(
        R"({"postgres_changes":[null,{"event":"INSERT","schema":"public","table":"todos","x":{"y":[1]}},{"event":"*"},5,{"event":"*"}]})");
    const Json response = Json::parse(request.response);
    const Json& list = response.at("postgres_changes");
    ASSERT_EQ(list.size(), 3u);
    for (const Json& entry : list) {
        EXPECT_TRUE(entry.at("id").is_number_unsigned());
        EXPECT_LT(entry.at("id").get<unsigned>(), 1u << 27);
    }
    EXPECT_EQ(list[0].at("x"), Json::parse(R"({"y":[1]})"));
    EXPECT_EQ(list[0].at("table"), "todos");
    EXPECT_EQ(list[0].size(), 5u);
    EXPECT_NE(list[0].at("id"), list[1].at("id"));
    EXPECT_EQ(list[1], list[2]); // identical entries have the same id
}

TEST(JoinRequest, GivesItsOwnIdToAnEntryThatBringsOne) {
    const JoinRequest plain = read(R"({"postgres_changes":[{"event":"*"}]})");
    EXPECT_EQ(read(R"({"postgres_changes":[{"id":1,"event":"*","\u0069d":2}]})").response, plain.response);
    EXPECT_EQ(Json::parse(read(R"({"postgres_changes":[{}]})").response).at("postgres_changes").size(), 1u);
}

TEST(JoinRequest, RefusesAnEmptySubtopic) {
    EXPECT_EQ(read_join("", "{}").refusal, "TopicNameRequired: You must provide a topic name");
}

TEST(JoinRequest, RefusesAPayloadThatIsNoObject) {
    const std::string text = "UnknownErrorOnChannel: expected params to be a :map, got: `";
    EXPECT_EQ(read_join("room", "null").refusal, text + "nil`");
    EXPECT_EQ(read_join("room", "5").refusal, text + "5`");
    EXPECT_EQ(read_join("room", "\"x\"").refusal, text + "\"x\"`");
    EXPECT_EQ(read_join("room", "[]").refusal, text + "[]`");
    EXPECT_EQ(read_join("room", "[" + std::string(10'000, ' ') + "]").refusal, text + "...`");
}

TEST(JoinRequest, JudgesReplayAsSupabaseDoes) {
    const auto refusal = [](const std::string& replay, bool is_private) {
        return read(R"({"private":)" + std::string(is_private ? "true" : "false") +
                    R"(,"broadcast":{"replay":)" + replay + "}}")
            .refusal;
    };
    const std::string invalid = "UnableToReplayMessages: Replay params are not valid";
    EXPECT_EQ(refusal(R"({"since":0,"limit":5})", false),
              "UnableToReplayMessages: Replay is not allowed for public channels");
    EXPECT_EQ(refusal("null", false), "");
    EXPECT_EQ(refusal(R"({"since":0,"limit":5})", true), "");
    EXPECT_EQ(refusal(R"({"since":0})", true), "");
    EXPECT_EQ(refusal(R"({"since":0,"limit":null})", true), "");
    EXPECT_EQ(refusal(R"({"limit":5})", true), invalid);
    EXPECT_EQ(refusal(R"({"since":-100000000000000000,"limit":5})", true), invalid);
    EXPECT_EQ(refusal(R"({"since":99999999999999999999})", true), invalid);
    EXPECT_EQ(refusal(R"({"since":"0"})", true), invalid);
    EXPECT_EQ(refusal(R"({"since":1.5})", true), invalid);
    EXPECT_EQ(refusal(R"({"since":0,"limit":0})", true), invalid);
    EXPECT_EQ(refusal(R"({"since":0,"limit":26})", true), invalid);
}

} // namespace
} // namespace phx::protocol::realtime
