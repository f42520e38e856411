#include "protocol/server/rest_changes.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/server/server_machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace phx::protocol::server {
namespace {

using nlohmann::json;
using phx::server::Change;

std::string fault_of(const std::string& body) {
    const auto changes = read_changes(body);
    return changes ? "none" : changes.error().message;
}

const json todo = {
    {"type", "UPDATE"},
    {"schema", "app"},
    {"table", "todos"},
    {"columns", {{{"name", "id"}, {"type", "int8"}, {"primary_key", true}}, {{"name", "task"}}}},
    {"record", {{"id", 5}, {"task", "x"}}},
    {"old_record", {{"id", 5}}},
    {"commit_timestamp", "2026-11-20T15:08:37.776Z"},
    {"errors", {"Error 413: Payload Too Large"}}};

TEST(RestChanges, AreReadWithAllThatAChangeHas) {
    const auto changes = read_changes(todo.dump());
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->size(), 1u);
    const Change& change = changes->front();
    EXPECT_EQ(change.kind, Change::Kind::update);
    EXPECT_EQ(change.schema, "app");
    EXPECT_EQ(change.table, "todos");
    ASSERT_EQ(change.columns.size(), 2u);
    EXPECT_EQ(change.columns[0].name, "id");
    EXPECT_EQ(change.columns[0].type, "int8");
    EXPECT_TRUE(change.columns[0].primary_key);
    EXPECT_EQ(change.columns[1].type, "text");
    EXPECT_FALSE(change.columns[1].primary_key);
    EXPECT_EQ(change.record, R"({"id":5,"task":"x"})");
    EXPECT_EQ(change.old_record, R"({"id":5})");
    EXPECT_EQ(change.commit_timestamp, "2026-11-20T15:08:37.776Z");
    EXPECT_EQ(change.errors, std::vector<std::string>{"Error 413: Payload Too Large"});
}

TEST(RestChanges, HaveTheDefaultsOfAChange) {
    const auto changes = read_changes(R"({"changes":[{"type":"DELETE","table":"t","errors":null},)"
                                      R"({"type":"INSERT","table":"\u0074","record":{}}]})");
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->size(), 2u);
    EXPECT_EQ(changes->at(0).kind, Change::Kind::remove);
    EXPECT_EQ(changes->at(0).schema, "public");
    EXPECT_EQ(changes->at(0).record, "{}");
    EXPECT_EQ(changes->at(0).commit_timestamp, "");
    EXPECT_EQ(changes->at(1).kind, Change::Kind::insert);
    EXPECT_EQ(changes->at(1).table, "t");
}

TEST(RestChanges, SayWhichMemberOfWhichChangeIsWrong) {
    const std::vector<std::pair<std::string, std::string>> members = {
        {R"("type":"insert")", R"(changes[1].type must be "INSERT", "UPDATE" or "DELETE")"},
        {R"("type":7)", "changes[1].type must be a text that is not empty"},
        {R"("table":"")", "changes[1].table must be a text that is not empty"},
        {R"("schema":["public"])", "changes[1].schema must be a text that is not empty"},
        {R"("record":"{}")", "changes[1].record must be a JSON object"},
        {R"("record":null)", "changes[1].record is missing: the row after the change"},
        {R"("old_record":[])", "changes[1].old_record must be a JSON object"},
        {R"("columns":{})", "changes[1].columns must be a list"},
        {R"("columns":[{"name":"a"},7])", "changes[1].columns[1] must be a JSON object"},
        {R"("columns":[{"type":"int8"}])", "changes[1].columns[0].name is missing"},
        {R"("columns":[{"name":"a","type":false}])",
         "changes[1].columns[0].type must be a text that is not empty"},
        {R"("columns":[{"name":"a","primary_key":1}])",
         "changes[1].columns[0].primary_key must be true or false"},
        {R"("commit_timestamp":0)", "changes[1].commit_timestamp must be a text that is not empty"},
        {R"("errors":[1])", "changes[1].errors must be a list of texts; see changes[1].errors[0]"},
    };
    const std::string good = R"({"type":"INSERT","table":"t","record":{}})";
    for (const auto& [member, fault] : members) { // the first of two members of a name counts
        const std::string bad = "{" + member + "," + good.substr(1);
        EXPECT_EQ(fault_of(R"({"changes":[)" + good + "," + bad + "]}"), fault);
    }
    EXPECT_EQ(fault_of(R"({"changes":[)" + good + ",null]}"), "changes[1] must be a JSON object");
    EXPECT_EQ(fault_of(R"({"type":"INSERT","record":{}})"), "table is missing");
    EXPECT_EQ(fault_of("[]"), "the body must be a JSON object");
    EXPECT_EQ(fault_of(R"({"changes":{}})"), "changes must be a list");
    for (const char* none : {R"({"changes":[]})", R"({"changes":null})"})
        EXPECT_EQ(fault_of(none), "changes must be a list of at least one change");
}

TEST(RestChanges, AreBoundedInNumber) {
    json body = {{"changes", json::array()}};
    for (std::size_t i = 0; i < max_rest_changes; ++i) body["changes"].push_back(todo);
    EXPECT_EQ(fault_of(body.dump()), "none");
    body["changes"].push_back(todo);
    EXPECT_EQ(fault_of(body.dump()), "changes has more than 1000");
}

/// A value of any type, nested now and then.
json random_value(std::mt19937& random, int depth) {
    switch (random() % (depth > 0 ? 8 : 6)) {
    case 0: return nullptr;
    case 1: return true;
    case 2: return -1e300;
    case 3: return "";
    case 4: return "INSERT";
    case 5: return "\xc3\xa9\"\\\n";
    case 6: return json::array({random_value(random, depth - 1), random_value(random, depth - 1)});
    default: return {{"name", random_value(random, depth - 1)}};
    }
}

TEST(RestChanges, OfHostileJsonAreRefusedOrCanBeEmitted) {
    std::mt19937 random(1); // NOLINT(cert-msc51-cpp): the same values in each run
    const std::vector<std::string> names = {"type",       "schema",           "table", "columns", "record",
                                            "old_record", "commit_timestamp", "errors"};
    std::size_t taken = 0;
    for (int i = 0; i < 5000; ++i) {
        json change = todo;
        for (std::size_t changed = 1 + random() % 2; changed > 0; --changed)
            change[names[random() % names.size()]] = random_value(random, 4);
        const std::string body = i % 2 == 0 ? change.dump() : json({{"changes", {todo, change}}}).dump();
        ASSERT_TRUE(validate_json(body));
        const auto changes = read_changes(body);
        if (!changes) {
            EXPECT_EQ(changes.error().code, Errc::invalid_payload);
            continue;
        }
        ++taken;
        for (const Change& one : *changes) EXPECT_TRUE(check(one)) << body;
    }
    EXPECT_GT(taken, 100u);
}

} // namespace
} // namespace phx::protocol::server
