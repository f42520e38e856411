#include "protocol/realtime/json_members.hpp"
#include "protocol/realtime/postgres.hpp"
#include "tests/protocol/realtime/recordings.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace phx::protocol::realtime {
namespace {

using Ids = std::vector<std::uint64_t>;

const std::vector<PostgresBinding> asked = {{"*", "public", "todos"},
                                            {"INSERT", "public", "todos", "task=eq.x", {"id"}}};

std::string reply(const std::string& first, const std::string& second) {
    return R"({"postgres_changes":[)" + first + (second.empty() ? "" : ",") + second + "]}";
}
const std::string first_entry = R"({"id":7,"event":"*","schema":"public","table":"todos"})";
const std::string second_entry =
    R"({"id":9,"event":"INSERT","filter":"task=eq.x","schema":"public","table":"todos","select":["id"]})";

std::string error_of(const std::string& response) {
    const auto ids = read_binding_ids(asked, response);
    if (ids) return "";
    EXPECT_EQ(ids.error().code, Errc::binding_mismatch);
    EXPECT_EQ(ids.error().origin, Origin::peer);
    return ids.error().message;
}

TEST(PostgresBindings, GetTheIdsOfTheReplyInTheirOrder) {
    const auto ids = read_binding_ids(asked, reply(first_entry, second_entry));
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, (Ids{7, 9}));
    EXPECT_EQ(*read_binding_ids({asked[0], asked[0]}, reply(first_entry, first_entry)), (Ids{7, 7}));
    EXPECT_EQ(*read_binding_ids({asked[0]}, reply(first_entry, second_entry)), Ids{7}); // more than asked for
    EXPECT_EQ(*read_binding_ids({asked[0]}, R"({"postgres_changes":[{"id":18446744073709551615,"event":"*",)"
                                            R"("schema":"public","table":"todos","filter":null}]})"),
              Ids{18446744073709551615u});
}

TEST(PostgresBindings, NeedNoReplyIfNoneWasAskedFor) {
    for (const char* const response :
         {"", "{}", "null", R"({"postgres_changes":[]})", R"({"postgres_changes":5})"})
        EXPECT_EQ(*read_binding_ids({}, response), Ids()) << response;
}

TEST(PostgresBindings, DoNotCompareSelect) {
    EXPECT_EQ(
        error_of(reply(first_entry, R"({"id":9,"event":"INSERT","filter":"task=eq.x","schema":"public",)"
                                    R"("table":"todos"})")),
        "");
}

TEST(PostgresBindings, SayWhichOneDiffersAndIn) {
    const std::string first = "postgres_changes 0 of the join: the server ";
    const std::string second = "postgres_changes 1 of the join: the server ";
    for (const char* const response : {"", "{}", "null", "[]", R"({"postgres_changes":null})",
                                       R"({"postgres_changes":[]})", R"({"postgres_changes":[null]})"})
        EXPECT_EQ(error_of(response), first + "has none") << response;
    EXPECT_EQ(error_of(reply(first_entry, "")), second + "has none");
    EXPECT_EQ(error_of(reply(second_entry, first_entry)), first + "has another event");
    const auto with = [](const char* what) {
        return reply(R"({"id":7,"event":"*","schema":"public","table":"todos",)" + std::string(what) + "}",
                     "");
    };
    EXPECT_EQ(error_of(with(R"("filter":"id=eq.1")")), first + "has another filter");
    EXPECT_EQ(error_of(with(R"("filter":5)")), first + "has another filter");
    EXPECT_EQ(error_of(reply(R"({"id":7,"event":"*","schema":"private","table":"todos"})", "")),
              first + "has another schema");
    EXPECT_EQ(error_of(reply(R"({"id":7,"event":"*","schema":"public"})", "")), first + "has another table");
    for (const char* const id : {"", R"("id":null,)", R"("id":"7",)", R"("id":-7,)", R"("id":7.5,)"})
        EXPECT_EQ(
            error_of(reply("{" + std::string(id) + R"("event":"*","schema":"public","table":"todos"})", "")),
            first + "gave it no id")
            << id;
}

/// What a recorded join asked for; none if it has entries that we never send.
std::optional<std::vector<PostgresBinding>> bindings_of(const std::string& join) {
    std::vector<PostgresBinding> list;
    const auto payload = nlohmann::json::parse(join);
    if (!payload.is_object() || !payload.value("config", nlohmann::json()).is_object()) return std::nullopt;
    const auto entries = payload["config"].value("postgres_changes", nlohmann::json::array());
    if (!entries.is_array()) return std::nullopt;
    for (const auto& entry : entries) {
        if (!entry.is_object() || !entry.contains("event") || !entry["event"].is_string())
            return std::nullopt;
        list.push_back({entry["event"],
                        entry.value("schema", ""),
                        entry.value("table", ""),
                        entry.value("filter", ""),
                        {}});
    }
    return list;
}

TEST(PostgresBindings, MatchTheRepliesInTheRecordings) {
    int matched = 0;
    std::map<std::string, std::vector<PostgresBinding>> wanted; // the last join of each channel
    for (const auto& frame : all_recorded_frames()) {
        const std::string channel =
            frame.where.substr(0, frame.where.find(':')) + frame.connection + frame.topic;
        if (frame.event == "phx_join") {
            wanted.erase(channel);
            if (auto list = bindings_of(frame.payload)) wanted[channel] = std::move(*list);
        }
        const auto found = wanted.find(channel);
        if (frame.event != "phx_reply" || found == wanted.end() || found->second.empty()) continue;
        const auto entries = json_member(frame.payload, "postgres_changes");
        if (frame.status != "ok" || !entries) continue;
        const auto ids = read_binding_ids(found->second, frame.payload);
        ASSERT_TRUE(ids) << frame.where << ids.error().message;
        const auto list = nlohmann::json::parse(*entries);
        ASSERT_EQ(ids->size(), list.size()) << frame.where;
        for (std::size_t i = 0; i < ids->size(); ++i) EXPECT_EQ((*ids)[i], list[i]["id"]) << frame.where;
        ++matched;
    }
    EXPECT_EQ(matched, 61);
}

} // namespace
} // namespace phx::protocol::realtime
