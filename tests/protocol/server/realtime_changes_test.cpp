#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using nlohmann::json;
using phx::server::Change;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

struct Changes : testing::Test {
    Changes() {
        d.machine.set_unix_time(d.now, std::chrono::milliseconds(1'767'323'045'678));
        for (const char* const peer : {"A", "B"}) d.open(peer, RealtimeDriver::session(peer));
    }
    /// Joins, and returns the ids that the reply gives.
    std::vector<int> subscribe(const std::string& peer, const std::string& topic,
                               const std::string& entries) {
        const std::vector<std::string> lines =
            d.join(peer, topic, R"({"postgres_changes":[)" + entries + "]}");
        EXPECT_EQ(
            lines.back(),
            peer + R"( < ["1",null,"realtime:)" + topic +
                R"(","system",{"message":"Subscribed to PostgreSQL","status":"ok","extension":"postgres_changes","channel":")" +
                topic + "\"}]");
        std::vector<int> ids;
        const json reply = json::parse(lines.front().substr(4));
        for (const json& entry : reply[4]["response"]["postgres_changes"]) ids.push_back(entry["id"]);
        return ids;
    }
    std::vector<std::string> emit(Change change) {
        EXPECT_TRUE(d.machine.emit_change(d.now, std::move(change)));
        d.drain();
        return d.lines();
    }
    /// Who gets an insert of this row into public.t.
    std::vector<std::string> who_gets(const std::string& record) {
        std::vector<std::string> names;
        for (const std::string& line : emit({.table = "t", .record = record}))
            names.push_back(line.substr(0, line.find(' ')));
        return names;
    }
    static Change todo(Change::Kind kind) {
        return {.kind = kind,
                .table = "todos",
                .columns = {{"id", "int8", true}, {"task", "text"}, {"done", "bool"}},
                .record = R"({"id":5,"task":"match","done":true})",
                .old_record = R"({"id":5,"done":false})",
                .commit_timestamp = "2026-11-20T15:08:37.776Z"};
    }
    RealtimeDriver d;
};

TEST_F(Changes, ComeInSupabasesShape) {
    const std::vector<int> ids = subscribe("A", "x", R"({"event":"*","schema":"public","table":"todos"})");
    const std::string head = R"({"data":{"table":"todos","type":")";
    const std::string columns =
        R"("columns":[{"name":"id","type":"int8"},{"name":"task","type":"text"},{"name":"done","type":"bool"}],"errors":null,"schema":"public","commit_timestamp":"2026-11-20T15:08:37.776Z")";
    const std::string tail = R"(},"ids":[)" + std::to_string(ids[0]) + "]}";
    EXPECT_THAT(emit(todo(Change::Kind::insert)),
                ElementsAre(d.copy("A", "x", "postgres_changes",
                                   head + R"(INSERT","record":{"id":5,"task":"match","done":true},)" +
                                       columns + tail)));
    EXPECT_THAT(emit(todo(Change::Kind::update)),
                ElementsAre(d.copy("A", "x", "postgres_changes",
                                   head + R"(UPDATE","record":{"id":5,"task":"match","done":true},)" +
                                       columns + R"(,"old_record":{"id":5,"done":false})" + tail)));
    EXPECT_THAT(
        emit(todo(Change::Kind::remove)),
        ElementsAre(d.copy("A", "x", "postgres_changes",
                           head + "DELETE\"," + columns + R"(,"old_record":{"id":5,"done":false})" + tail)));
}

TEST_F(Changes, SayWhatIsNotSaidByTheCaller) {
    subscribe("A", "x", R"({"table":"t"})");
    const auto lines = emit({.table = "t",
                             .record = R"({"i":1,"f":1.5,"b":true,"t":"x","n":null,"j":[1]})",
                             .errors = {"Error 413: Payload Too Large"}});
    const json data = json::parse(lines.at(0).substr(4))[4]["data"];
    EXPECT_EQ(data["commit_timestamp"], "2026-01-02T03:04:05.678Z");
    EXPECT_EQ(data["errors"], json::array({"Error 413: Payload Too Large"}));
    std::string types;
    for (const json& column : data["columns"])
        types += column["name"].get<std::string>() + "=" + column["type"].get<std::string>() + " ";
    EXPECT_EQ(types, "i=int8 f=float8 b=bool t=text n=text j=jsonb ");
}

TEST_F(Changes, ReachWhoAskedForTheirEventSchemaAndTable) {
    subscribe("A", "all", R"({"event":"*","schema":"*"})");
    subscribe("A", "inserts", R"({"event":"insert","table":"todos"})");
    subscribe("B", "other", R"({"event":"*","schema":"private","table":"todos"})");
    subscribe("B", "table", R"({"event":"UPDATE","schema":"public","table":"todos"})");
    const auto topics = [&](Change::Kind kind) {
        std::string names;
        for (const std::string& line : emit(todo(kind))) {
            const std::size_t at = line.find("realtime:") + 9;
            names += line.substr(at, line.find('"', at) - at) + " ";
        }
        return names;
    };
    EXPECT_EQ(topics(Change::Kind::insert), "all inserts ");
    EXPECT_EQ(topics(Change::Kind::update), "all table ");
    EXPECT_EQ(topics(Change::Kind::remove), "all ");
}

TEST_F(Changes, PassFilters) {
    subscribe("A", "x", R"({"table":"t","filter":"price=gte.10"})");
    EXPECT_THAT(who_gets(R"({"price":10})"), ElementsAre("A"));
    EXPECT_THAT(who_gets(R"({"price":9})"), IsEmpty());
    EXPECT_THAT(who_gets(R"({"price":null})"), IsEmpty());
    EXPECT_THAT(who_gets(R"({"other":10})"), IsEmpty());
}

TEST_F(Changes, FilterADeleteByItsOldRow) {
    subscribe("A", "x", R"({"table":"t","filter":"id=eq.1"})");
    EXPECT_THAT(emit({.kind = Change::Kind::remove, .table = "t", .old_record = R"({"id":1})"}),
                testing::SizeIs(1));
    EXPECT_THAT(emit({.kind = Change::Kind::remove, .table = "t", .old_record = R"({"id":2})"}), IsEmpty());
}

TEST_F(Changes, NameAllEntriesThatMatchAndGiveEqualEntriesOneId) {
    const std::vector<int> ids = subscribe(
        "A", "x",
        R"({"table":"t"},{"event":"INSERT","table":"t"},{"event":"UPDATE","table":"t"},{"table":"t"})");
    ASSERT_EQ(ids[0], ids[3]);
    const auto lines = emit({.table = "t"});
    ASSERT_THAT(lines, testing::SizeIs(1));
    EXPECT_EQ(json::parse(lines[0].substr(4))[4]["ids"], json({ids[0], ids[1], ids[0]}));
}

TEST_F(Changes, SendSelectedColumnsAndThePrimaryKey) {
    subscribe("A", "x", R"({"table":"todos","select":["task"]})");
    const json data = json::parse(emit(todo(Change::Kind::update)).at(0).substr(4))[4]["data"];
    EXPECT_EQ(data["record"], json({{"id", 5}, {"task", "match"}}));
    EXPECT_EQ(data["old_record"], json({{"id", 5}}));
    EXPECT_EQ(data["columns"].size(), 2u);
}

TEST_F(Changes, AreEncodedOnceForAllWhoGetTheSame) {
    d.open("C", Vsn::v1, server::Dialect::supabase);
    d.open("D", RealtimeDriver::session("d"));
    const std::string entry = R"({"table":"t"})";
    for (const char* const peer : {"A", "B", "D"}) subscribe(peer, "x", entry);
    d.text("C", R"({"topic":"realtime:x","event":"phx_join","payload":{"config":{"postgres_changes":[)" +
                    entry + R"(]}},"ref":"1"})");
    d.lines();
    const auto lines = emit({.table = "t"});
    ASSERT_THAT(lines, testing::SizeIs(2));
    EXPECT_TRUE(lines[0].starts_with("C < {") && lines[1].starts_with("A,B,D < [null,null,")) << lines[0];
}

TEST_F(Changes, ReachNobodyWhoLeft) {
    subscribe("A", "x", R"({"table":"t"})");
    d.push("A", "x", "phx_leave", "{}");
    subscribe("B", "x", R"({"table":"t"})");
    d.close("B");
    EXPECT_THAT(emit({.table = "t"}), IsEmpty());
}

TEST_F(Changes, OfEntriesThatCannotBeReadAreToldOfAfterTheJoin) {
    const auto lines =
        d.join("A", "x", R"({"postgres_changes":[{"table":"t"},{"table":"t","filter":"task"}]})");
    ASSERT_THAT(lines, testing::SizeIs(2));
    EXPECT_EQ(
        lines[1],
        R"(A < ["1",null,"realtime:x","system",{"message":"Error parsing `filter` params: [\"task\"]","status":"error","extension":"postgres_changes","channel":"x"}])");
    EXPECT_THAT(emit({.table = "t"}), IsEmpty()) << "none of the entries counts";
    EXPECT_EQ(d.machine.members(), 1u) << "but the channel is joined";
}

TEST_F(Changes, ThatAreNoneAreRefused) {
    EXPECT_EQ(d.machine.emit_change(d.now, {}).error().code, Errc::invalid_argument);
    for (const char* const bad : {"", "[]", "null", "{\"a\":}", "{} x"}) {
        EXPECT_EQ(d.machine.emit_change(d.now, {.table = "t", .record = bad}).error().code,
                  Errc::invalid_argument);
        EXPECT_EQ(d.machine.emit_change(d.now, {.table = "t", .old_record = bad}).error().code,
                  Errc::invalid_argument);
    }
}

TEST_F(Changes, ReplicationIsReadyAtOnce) {
    EXPECT_THAT(
        d.join("A", "rr", R"({"broadcast":{"replication_ready":true}})"),
        ElementsAre(
            d.joined("A", "rr"),
            R"(A < ["1",null,"realtime:rr","system",{"message":"Replication connection established","status":"ok","extension":"system","channel":"rr"}])"));
}

} // namespace
} // namespace phx::test
