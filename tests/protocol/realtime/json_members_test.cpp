#include "protocol/realtime/json_members.hpp"
#include "protocol/realtime/presence_request.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::protocol::realtime {
namespace {

std::vector<std::string> members(std::string_view text) {
    std::vector<std::string> list;
    JsonMembers reader(text);
    for (JsonMember member; reader.next(member);)
        list.push_back(std::string(member.name.text) + "=" + std::string(member.value));
    list.push_back(reader.complete() ? "complete" : "broken");
    return list;
}

std::vector<std::string> elements(std::string_view text) {
    std::vector<std::string> list;
    JsonElements reader(text);
    for (std::string_view value; reader.next(value);) list.emplace_back(value);
    return list;
}

TEST(JsonMembers, HandsOutSlicesAsWritten) {
    using List = std::vector<std::string>;
    EXPECT_EQ(members(" { \"a\" : 1 , \"b\\\"\":{\"c\":[ ]} } "),
              (List{"\"a\"=1", "\"b\\\"\"={\"c\":[ ]}", "complete"}));
    EXPECT_EQ(members("{}"), (List{"complete"}));
    EXPECT_EQ(elements(" [ 1 , null,[2] , \"]\" ] "), (List{"1", "null", "[2]", "\"]\""}));
    EXPECT_EQ(elements("[]"), List{});
}

TEST(JsonMembers, StopsAtWhatIsNoJson) {
    using List = std::vector<std::string>;
    for (const char* const text : {"", "[]", "5", "{", "{\"a", "{\"a\"", "{\"a\":", "{a:1}", "{,}"})
        EXPECT_EQ(members(text), (List{"broken"})) << text;
    EXPECT_EQ(members("{\"a\":1"), (List{"\"a\"=1", "broken"}));
    EXPECT_EQ(members("{\"a\":1}}"), (List{"\"a\"=1", "broken"}));
    EXPECT_EQ(members("{\"a\":1,}"), (List{"\"a\"=1", "broken"}));
    EXPECT_EQ(members("{\"a\":" + std::string(100'000, '[')), (List{"broken"}));
    for (const char* const text : {"", "{}", "[", "[,", "nul"}) EXPECT_EQ(elements(text), List{}) << text;
    EXPECT_EQ(elements("[1"), (List{"1"}));
}

TEST(PresenceRequest, ReadsTrackAndUntrackInAnyCase) {
    EXPECT_EQ(read_presence(R"({"type":"presence","event":"track","payload":{"a":1}})").action,
              PresenceAction::track);
    EXPECT_EQ(read_presence(R"({"type":"presence","event":"track","payload":{"a":1}})").meta, R"({"a":1})");
    EXPECT_EQ(read_presence(R"({"event":"TrAcK"})").meta, "{}");
    EXPECT_EQ(read_presence(R"({"event":"UNTRACK"})").action, PresenceAction::untrack);
}

TEST(PresenceRequest, TellsWhatItCannotDoApart) {
    EXPECT_EQ(read_presence("{}").action, PresenceAction::nothing);
    EXPECT_EQ(read_presence(R"({"event":"track","payload":5})").action, PresenceAction::bad_meta);
    EXPECT_EQ(read_presence(R"({"event":"track","payload":null})").action, PresenceAction::bad_meta);
    EXPECT_EQ(read_presence(R"({"event":"update"})").action, PresenceAction::unknown);
    EXPECT_EQ(read_presence(R"({"event":5})").action, PresenceAction::unknown);
    for (const char* const payload : {"", "null", "[]", "\"track\""})
        EXPECT_EQ(read_presence(payload).action, PresenceAction::unknown) << payload;
}

} // namespace
} // namespace phx::protocol::realtime
