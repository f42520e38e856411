#include "phx/realtime/postgres.hpp"

#include "protocol/realtime/json_members.hpp"
#include "protocol/realtime/postgres.hpp"
#include "tests/protocol/realtime/recordings.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace phx::protocol::realtime {
namespace {

using phx::realtime::ChangeKind;
using phx::realtime::PostgresChange;
using phx::realtime::PostgresColumn;
constexpr PostgresNumbers as_json = PostgresNumbers::as_json;

PostgresEvent read(std::string_view payload, PostgresNumbers numbers = as_json) {
    auto event = read_postgres_event(payload, numbers);
    EXPECT_TRUE(event) << payload << (event ? "" : event.error().message);
    return event ? std::move(*event) : PostgresEvent();
}

std::string error_of(std::string_view payload) {
    const auto event = read_postgres_event(payload, as_json);
    if (event) return "";
    EXPECT_EQ(event.error().code, Errc::invalid_payload);
    EXPECT_EQ(event.error().origin, Origin::peer);
    return event.error().message;
}

std::string with_data(const std::string& members) {
    return R"({"ids":[1],"data":{"table":"t","schema":"s","type":"INSERT",)" + members + "}}";
}

TEST(PostgresEvent, ReadsAnUpdate) {
    const PostgresEvent event = read(
        R"({"data":{"table":"todos","type":"UPDATE","record":{"id": 5, "done": "t"},"columns":[{"name": "id", )"
        R"("type": "int8"}, {"name": "done", "type": "bool"}],"errors":null,"schema":"public",)"
        R"("commit_timestamp":"2026-11-20T15:08:40.309Z","old_record":{"id": 4}},"ids":[74130235,68883293]})");
    EXPECT_EQ(event.ids, (std::vector<std::uint64_t>{74130235, 68883293}));
    EXPECT_EQ(event.change.kind, ChangeKind::update);
    EXPECT_EQ(event.change.schema, "public");
    EXPECT_EQ(event.change.table, "todos");
    EXPECT_EQ(event.change.commit_timestamp, "2026-11-20T15:08:40.309Z");
    EXPECT_EQ(event.change.columns, (std::vector<PostgresColumn>{{"id", "int8"}, {"done", "bool"}}));
    EXPECT_EQ(event.change.errors, std::vector<std::string>());
    EXPECT_EQ(event.change.new_row, R"({"id":5,"done":true})");
    EXPECT_EQ(event.change.old_row, R"({"id":4})");
}

TEST(PostgresEvent, HasNoOldRowOfAnInsertAndNoNewRowOfADelete) {
    const std::string rows = R"("table":"t","schema":"s","record":{"a":1},"old_record":{"a":2}}})";
    const auto insert = read(R"({"ids":[],"data":{"type":"INSERT",)" + rows).change;
    EXPECT_EQ(insert.new_row, R"({"a":1})");
    EXPECT_EQ(insert.old_row, "{}");
    const auto remove = read(R"({"ids":[],"data":{"type":"DELETE",)" + rows).change;
    EXPECT_EQ(remove.kind, ChangeKind::remove);
    EXPECT_EQ(remove.new_row, "{}");
    EXPECT_EQ(remove.old_row, R"({"a":2})");
    const auto none =
        read(with_data(R"("record":null,"columns":null,"errors":null,"commit_timestamp":null)"));
    EXPECT_EQ(none.change.new_row, "{}");
    EXPECT_EQ(none.change.commit_timestamp, "");
}

TEST(PostgresEvent, ReadsErrorsOfTheServer) {
    const auto event =
        read(with_data(R"("record":{},"columns":[],"errors":["Error 401: Unauthorized","b\n"])"));
    EXPECT_EQ(event.change.errors, (std::vector<std::string>{"Error 401: Unauthorized", "b\n"}));
}

TEST(PostgresEvent, TakesNamesAsTheyAre) {
    const auto event = read(with_data(
        R"("columns":[{"name":"__proto__","type":"bool"},{"type":"bool","name":"a\"\u00e9"},{"name":"","type":"bool"},)"
        R"({"name":"constructor","type":"int8"}],"record":{"__proto__":"t","\u0061\"é":"f","":"t","constructor":"1",)"
        R"("toString":"t"})"));
    EXPECT_EQ(event.change.new_row,
              R"({"__proto__":true,"\u0061\"é":false,"":true,"constructor":1,"toString":"t"})");
}

TEST(PostgresEvent, TakesTheFirstOfWhatIsRepeated) {
    const auto event = read(
        R"({"ids":[1],"ids":"x","data":{"table":"t","t\u0061ble":5,"schema":"s","schema":"z","type":"INSERT",)"
        R"("columns":[{"name":"a","type":"bool"},{"name":"a","type":"text"},{"name":"b","name":"c","type":"bool"}],)"
        R"("columns":5,"record":{"a":"t","b":"f","a":"x","\u0061":"y","b":1},"record":[]},"data":null})");
    EXPECT_EQ(event.ids, std::vector<std::uint64_t>{1});
    EXPECT_EQ(event.change.table, "t");
    EXPECT_EQ(event.change.schema, "s");
    EXPECT_EQ(event.change.new_row, R"({"a":true,"b":false})");
}

TEST(PostgresEvent, RefusesPayloadsOfAnotherShape) {
    const std::string e = "a postgres_changes event ";
    const std::string data = R"("data":{"table":"t","schema":"s","type":"INSERT"})";
    const std::pair<std::string, const char*> cases[] = {
        {"", "that is no object"},
        {"null", "that is no object"},
        {"[]", "that is no object"},
        {R"({"ids":[1],)" + data, "that is no object"},
        {"{" + data + "}", "without a list of ids"},
        {R"({"ids":null,)" + data + "}", "without a list of ids"},
        {R"({"ids":{},)" + data + "}", "without a list of ids"},
        {R"({"ids":["1"],)" + data + "}", "without a list of ids"},
        {R"({"ids":[-1],)" + data + "}", "without a list of ids"},
        {R"({"ids":[1.0],)" + data + "}", "without a list of ids"},
        {R"({"ids":[18446744073709551616],)" + data + "}", "without a list of ids"},
        {R"({"ids":[1]})", "whose data is no object"},
        {R"({"ids":[1],"data":[]})", "whose data is no object"},
        {R"({"ids":[1],"data":{}})", "without a schema or a table"},
        {R"({"ids":[1],"data":{"table":"t","schema":null,"type":"INSERT"}})", "without a schema or a table"},
        {R"({"ids":[1],"data":{"table":7,"schema":"s","type":"INSERT"}})", "without a schema or a table"},
        {R"({"ids":[1],"data":{"table":"t","schema":"s"}})",
         "whose type is none of INSERT, UPDATE and DELETE"},
        {R"({"ids":[1],"data":{"table":"t","schema":"s","type":"*"}})",
         "whose type is none of INSERT, UPDATE and DELETE"},
        {R"({"ids":[1],"data":{"table":"t","schema":"s","type":"TRUNCATE"}})",
         "whose type is none of INSERT, UPDATE and DELETE"},
        {with_data(R"("commit_timestamp":5)"), "whose commit_timestamp is no text"},
        {with_data(R"("columns":{})"), "with malformed columns"},
        {with_data(R"("columns":[null])"), "with malformed columns"},
        {with_data(R"("columns":[{"name":"a"}])"), "with malformed columns"},
        {with_data(R"("columns":[{"name":1,"type":"bool"}])"), "with malformed columns"},
        {with_data(R"("errors":"x")"), "with malformed errors"},
        {with_data(R"("errors":[5])"), "with malformed errors"},
        {with_data(R"("record":[])"), "whose row is no object"},
        {with_data(R"("old_record":"x")"), "whose row is no object"},
    };
    for (const auto& [payload, why] : cases) EXPECT_EQ(error_of(payload), e + why) << payload;
}

TEST(PostgresEvent, RefusesOrReadsEveryPrefix) {
    const std::string whole = with_data(
        R"("columns":[{"name":"a","type":"_int8"}],"errors":["x"],"record":{"a":"{1,NULL}","b":[1,{"c":"d"}]})");
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_NE(error_of(whole.substr(0, size)), "") << size;
    EXPECT_EQ(error_of(whole), "");
}

TEST(PostgresEvent, IsNotAfraidOfDepth) {
    for (const std::size_t depth : {100u, 8000u}) {
        const std::string deep = std::string(depth, '[') + std::string(depth, ']');
        const auto event =
            read(with_data(R"("columns":[{"name":"a","type":"_int8"}],"record":{"a":)" + deep + "}"),
                 PostgresNumbers::exact_as_text);
        EXPECT_EQ(event.change.new_row, R"({"a":)" + deep + "}");
    }
    EXPECT_NE(error_of(with_data(R"("record":{"a":)" + std::string(1'000'000, '['))), "");
}

TEST(PostgresEvent, ReadsRowsOfMegabytesInLinearTime) {
    std::string record = R"("record":{)", columns = R"("columns":[)";
    for (int i = 0; i < 20'000; ++i) {
        const std::string name = "\"column" + std::to_string(i) + '"';
        columns += (i == 0 ? "" : ",") + (R"({"name":)" + name + R"(,"type":"int8"})");
        record += (i == 0 ? "" : ",") + name + R"(:"123456789012345678901234567890")";
    }
    const std::string many = with_data(columns + "]," + record + "}");
    const std::string wide = with_data(R"("columns":[{"name":"a","type":"_text"}],"record":{"a":"{)" +
                                       std::string(2'000'000, 'x') + R"(}"})");
    const auto begin = std::chrono::steady_clock::now();
    const auto of_many = read(many, PostgresNumbers::exact_as_text);
    EXPECT_EQ(of_many.change.columns.size(), 20'000u);
    EXPECT_TRUE(of_many.change.new_row.ends_with(R"("column19999":"123456789012345678901234567890"})"));
    EXPECT_EQ(read(wide).change.new_row, R"({"a":[")" + std::string(2'000'000, 'x') + R"("]})");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)); // quadratic: minutes
}

// Recordings

TEST(PostgresEvent, ReadsEveryOneInTheRecordings) {
    int events = 0, bare = 0, with_errors = 0;
    std::map<ChangeKind, int> kinds;
    for (const auto& frame : all_recorded_frames()) {
        if (frame.to_server) continue;
        const bool is_bare = frame.event == "INSERT" || frame.event == "UPDATE" || frame.event == "DELETE";
        if (frame.event != "postgres_changes" && !is_bare) continue;
        const std::string data(is_bare ? frame.payload : json_member(frame.payload, "data").value_or(""));
        const auto change = read_postgres_data(data, as_json);
        ASSERT_TRUE(change) << frame.where << change.error().message;
        if (!is_bare) {
            const auto event = read_postgres_event(frame.payload, as_json);
            ASSERT_TRUE(event) << frame.where << event.error().message;
            EXPECT_EQ(Json(event->ids), Json::parse(frame.payload)["ids"]) << frame.where;
        }
        // Every value came as JSON already, but for oids: nothing else is converted.
        const Json raw = Json::parse(data);
        Json record = raw.value("record", Json::object()),
             old_record = raw.value("old_record", Json::object());
        if (record.contains("o") && record["o"].is_string())
            record["o"] = std::stoi(record["o"].get<std::string>());
        EXPECT_EQ(Json::parse(change->new_row), record) << frame.where;
        EXPECT_EQ(Json::parse(change->old_row), old_record) << frame.where;
        EXPECT_EQ(change->columns.size(), raw["columns"].size()) << frame.where;
        ++(is_bare ? bare : events);
        ++kinds[change->kind];
        with_errors += !change->errors.empty();
    }
    EXPECT_EQ(events, 204);
    EXPECT_EQ(bare, 6);
    EXPECT_EQ(with_errors, 9);
    EXPECT_EQ(kinds[ChangeKind::insert], 104);
    EXPECT_EQ(kinds[ChangeKind::update], 23);
    EXPECT_EQ(kinds[ChangeKind::remove], 83);
}

std::string recorded_typed_row(PostgresNumbers numbers) {
    for (const auto& frame : recorded_frames("08_postgres_changes.jsonl"))
        if (frame.topic == "realtime:typed" && frame.event == "postgres_changes")
            return read(frame.payload, numbers).change.new_row;
    return "";
}

TEST(PostgresEvent, ConvertsEveryTypeThatWasRecorded) {
    const std::string row =
        R"({"b":true,"d":"2020-01-02","j":{"a": [1, 2]},"m":"$12.50","n":123456789012345678.90,"o":42,)"
        R"|("r":"[1,5)","t":"text","u":"11111111-1111-4111-8111-111111111111","ai":[1, 2, null],)|"
        R"("at":["a", "b c", null],"ba":"00ff","f4":1.5,"f8":2.5,"i2":2,"i8":9007199254740993,"id":1,)"
        R"("jb":{"b": null},"tm":"03:04:05","ts":"2020-01-02T03:04:05.6","tz":"2020-01-02T01:04:05.6+00:00",)"
        R"("vc":"vc"})";
    EXPECT_EQ(recorded_typed_row(as_json), row);
    const Json exact = Json::parse(recorded_typed_row(PostgresNumbers::exact_as_text));
    Json other = Json::parse(recorded_typed_row(as_json));
    EXPECT_EQ(exact["n"], "123456789012345678.90");
    EXPECT_EQ(exact["i8"], "9007199254740993");
    other["n"] = exact["n"];
    other["i8"] = exact["i8"];
    EXPECT_EQ(exact, other);
}

TEST(PostgresEvent, SaysWhatRealtimeJsSaid) {
    const std::string name = "15_realtime_js_2.119.0.jsonl";
    std::vector<Json> told;
    for (const Json& line : recorded_lines(name))
        if (line.value("app", "") == "postgres_changes") told.push_back(line["data"]);
    std::size_t next = 0;
    for (const auto& frame : recorded_frames(name)) {
        if (frame.event != "postgres_changes") continue;
        const PostgresChange change(read(frame.payload).change);
        ASSERT_LT(next, told.size());
        const Json ours = {{"schema", change.schema()},
                           {"table", change.table()},
                           {"commit_timestamp", change.commit_timestamp()},
                           {"eventType", to_string(change.kind())},
                           {"new", *change.new_row()},
                           {"old", *change.old_row()},
                           {"errors", change.errors().empty() ? Json() : Json(change.errors())}};
        EXPECT_EQ(ours, told[next++]) << frame.where;
    }
    EXPECT_EQ(next, told.size());
    EXPECT_EQ(next, 3u);
}

// What a handler gets

struct Todo {
    int id = 0;
    std::string task = {};
};
void from_json(const Json& json, Todo& todo) {
    json.at("id").get_to(todo.id);
    json.at("task").get_to(todo.task);
}

TEST(PostgresChange, GivesRowsAsTextJsonAndTypes) {
    const PostgresChange original(
        read(R"({"ids":[1],"data":{"table":"t","schema":"s","type":"UPDATE","record":{"id":5,"task":"x"},)"
             R"("columns":[{"name":"id","type":"int4"}],"old_record":{"id":4},"commit_timestamp":"now"}})")
            .change);
    const PostgresChange change = original; // shares the text
    EXPECT_EQ(change.new_text().data(), original.new_text().data());
    EXPECT_EQ(change.kind(), ChangeKind::update);
    EXPECT_EQ(change.schema(), "s");
    EXPECT_EQ(change.table(), "t");
    EXPECT_EQ(change.commit_timestamp(), "now");
    EXPECT_EQ(change.columns(), (std::vector<PostgresColumn>{{"id", "int4"}}));
    EXPECT_TRUE(change.errors().empty());
    EXPECT_EQ(change.new_text(), R"({"id":5,"task":"x"})");
    EXPECT_EQ(change.old_text(), R"({"id":4})");
    EXPECT_EQ((*change.new_row())["task"], "x");
    EXPECT_EQ((*change.old_row())["id"], 4);
    const auto todo = change.new_as<Todo>();
    ASSERT_TRUE(todo);
    EXPECT_EQ(todo->id, 5);
    EXPECT_EQ(todo->task, "x");
    const auto incomplete = change.old_as<Todo>();
    ASSERT_FALSE(incomplete);
    EXPECT_EQ(incomplete.error().code, Errc::invalid_payload);
}

TEST(PostgresChange, ReportsANumberThatNoDoubleHolds) {
    const std::string payload =
        with_data(R"("columns":[{"name":"n","type":"numeric"}],"record":{"n":1e999})");
    const PostgresChange change(read(payload).change);
    EXPECT_EQ(change.new_text(), R"({"n":1e999})");
    EXPECT_EQ(change.new_row().error().code, Errc::invalid_payload);
    const PostgresChange exact(read(payload, PostgresNumbers::exact_as_text).change);
    EXPECT_EQ((*exact.new_row())["n"], "1e999");
}

} // namespace
} // namespace phx::protocol::realtime
