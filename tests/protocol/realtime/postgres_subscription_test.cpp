#include "protocol/realtime/postgres_subscription.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace phx::test {
namespace {

using protocol::realtime::PostgresValue;
using protocol::realtime::read_filter;
using protocol::realtime::read_subscription;
using testing::ElementsAre;

/// Whether all conditions of the filter hold for one column.
bool holds(const std::string& filter, PostgresValue value) {
    const auto conditions = read_filter(filter);
    EXPECT_TRUE(conditions) << filter;
    if (!conditions) return false;
    for (const auto& condition : *conditions)
        if (!protocol::realtime::holds(condition, value)) return false;
    return true;
}
bool text(const std::string& filter, std::string_view json) { return holds("t=" + filter, {"text", json}); }
bool whole(const std::string& filter, std::string_view json) { return holds("t=" + filter, {"int8", json}); }

std::string refused(const std::string& filter) {
    const auto read = read_filter(filter);
    return read ? "nothing" : read.error().message;
}

TEST(PostgresFilter, ComparesNumbersAsNumbers) {
    EXPECT_TRUE(whole("eq.2", "2"));
    EXPECT_TRUE(whole("gt.9", "10")); // as text it is less
    EXPECT_FALSE(whole("lt.9", "10"));
    EXPECT_TRUE(whole("lte.10", "10"));
    EXPECT_TRUE(whole("gte.10", "10"));
    EXPECT_TRUE(whole("eq.9007199254740993", "9007199254740993"));
    EXPECT_FALSE(whole("eq.9007199254740993", "9007199254740992"));
    EXPECT_TRUE(holds("n=eq.1.50", {"numeric", "1.5"}));
    EXPECT_TRUE(holds("n=neq.1.50", {"numeric", "1.51"}));
    EXPECT_TRUE(whole("eq. 2 ", "2"));
}

TEST(PostgresFilter, MatchesNothingWithAValueThatIsNoneOfTheType) {
    EXPECT_FALSE(whole("eq.abc", "2"));
    EXPECT_FALSE(whole("neq.abc", "2"));
    EXPECT_FALSE(whole("not.eq.abc", "2"));
    EXPECT_FALSE(whole("isdistinct.abc", "2"));
    EXPECT_FALSE(whole("in.(1,x)", "1"));
    EXPECT_FALSE(whole("eq.", "2"));
}

TEST(PostgresFilter, ComparesTextByBytesAndUuidsWithoutCase) {
    EXPECT_TRUE(text("eq.hello", "\"hello\""));
    EXPECT_FALSE(text("eq.Hello", "\"hello\""));
    EXPECT_TRUE(text("eq.", "\"\""));
    EXPECT_TRUE(text("eq.\u00e9\u2603", "\"\\u00e9\u2603\""));
    EXPECT_TRUE(holds("d=gte.2026-01-02", {"date", "\"2026-01-03\""}));
    EXPECT_TRUE(holds("u=eq.ABCDEF00-1111-4111-8111-111111111111",
                      {"uuid", "\"abcdef00-1111-4111-8111-111111111111\""}));
}

TEST(PostgresFilter, KnowsBooleansInAllTheirForms) {
    for (const char* const yes : {"t", "true", "TRUE", "yes", "on", "1"})
        EXPECT_TRUE(holds(std::string("b=eq.") + yes, {"bool", "true"})) << yes;
    EXPECT_TRUE(holds("b=neq.f", {"bool", "true"}));
    EXPECT_TRUE(holds("b=is.true", {"bool", "true"}));
    EXPECT_TRUE(holds("b=is.false", {"bool", "false"}));
    EXPECT_FALSE(holds("b=is.true", {"bool", "null"}));
    EXPECT_TRUE(holds("b=not.is.true", {"bool", "null"}));
    EXPECT_TRUE(holds("b=is.unknown", {"bool", "null"}));
}

TEST(PostgresFilter, TakesNullForUnknown) {
    EXPECT_FALSE(text("eq.x", "null"));
    EXPECT_FALSE(text("neq.x", "null"));
    EXPECT_FALSE(text("not.eq.x", "null"));
    EXPECT_FALSE(text("not.in.(x)", "null"));
    EXPECT_FALSE(text("not.like.x%", "null"));
    EXPECT_TRUE(text("is.null", "null"));
    EXPECT_FALSE(text("is.null", "\"\""));
    EXPECT_TRUE(text("not.is.null", "\"x\""));
    EXPECT_TRUE(text("isdistinct.x", "null"));
    EXPECT_TRUE(text("isdistinct.x", "\"y\""));
    EXPECT_FALSE(text("isdistinct.x", "\"x\""));
    EXPECT_TRUE(text("not.isdistinct.x", "\"x\""));
    EXPECT_FALSE(text("eq.x", "")); // the row has no such column
}

TEST(PostgresFilter, TakesListsWithQuotes) {
    EXPECT_TRUE(whole("in.(1,3)", "3"));
    EXPECT_FALSE(whole("in.(1,3)", "2"));
    EXPECT_TRUE(whole("not.in.(1,2)", "3"));
    EXPECT_FALSE(whole("in.()", "3"));
    EXPECT_TRUE(text("in.(\"a,b\",hello)", "\"a,b\""));
    EXPECT_TRUE(text("in.(\"a,b\",hello)", "\"hello\""));
    EXPECT_TRUE(text(R"(in.("a\"b","c\\d"))", R"("c\\d")"));
    EXPECT_TRUE(text("eq.\"a,b\"", "\"a,b\""));
    std::string many = "in.(0";
    for (int i = 1; i < 100; ++i) many += "," + std::to_string(i);
    EXPECT_TRUE(whole(many + ")", "99"));
    EXPECT_EQ(refused("t=" + many + ",100)"),
              "Error parsing `filter` params: `in` filter takes 100 values at the most");
}

TEST(PostgresFilter, MatchesPatterns) {
    EXPECT_TRUE(text("like.he%", "\"hello\""));
    EXPECT_FALSE(text("like.he%", "\"HEllo\""));
    EXPECT_TRUE(text("ilike.HE%", "\"hello\""));
    EXPECT_TRUE(text("match.^h", "\"hello\""));
    EXPECT_TRUE(text("imatch.^H", "\"hello\""));
    EXPECT_TRUE(text("not.match.^x", "\"hello\""));
    EXPECT_TRUE(whole("match.^4", "42"));
}

TEST(PostgresFilter, NeedsAllConditions) {
    EXPECT_TRUE(holds("id=gt.1,id=lt.4", {"int4", "2"}));
    EXPECT_FALSE(holds("id=gt.1,id=lt.4", {"int4", "4"}));
    EXPECT_TRUE(holds("", {"int4", "4"}));
    EXPECT_TRUE(holds("  ", {"int4", "4"}));
}

TEST(PostgresFilter, IsRefusedInSupabasesWords) {
    EXPECT_EQ(refused("task"), R"(Error parsing `filter` params: ["task"])");
    EXPECT_EQ(refused("task=foo.hey"), R"(Error parsing `filter` params: ["foo", "hey"])");
    EXPECT_EQ(refused("id = eq.2"), R"(Error parsing `filter` params: [" eq", "2"])");
    EXPECT_EQ(refused("t=eq.a,b"), R"(Error parsing `filter` params: ["b"])");
    EXPECT_EQ(refused("id=in.1,2"),
              "Error parsing `filter` params: `in` filter value must be wrapped by parentheses");
    EXPECT_EQ(
        refused("id=eq.2,"),
        "Error parsing `filter` params: filter must not contain empty segments (check for extra commas)");
    EXPECT_EQ(refused("a\"b"), R"(Error parsing `filter` params: ["a\"b"])");
    EXPECT_EQ(refused("t=match.("),
              R"(Error parsing `filter` params: a pattern that is malformed or too long: ["("])");
    EXPECT_LT(refused(std::string(10'000, 'x')).size(), 200u);
}

TEST(PostgresSubscription, DefaultsWhatIsMissing) {
    const auto all = read_subscription(R"({"schema":"s"})").value();
    EXPECT_EQ(all.event + all.schema + all.table, "*s*");
    const auto table = read_subscription(R"({"event":"insert","table":"t","filter":"id=eq.1"})").value();
    EXPECT_EQ(table.event + table.schema + table.table, "INSERTpublict");
    EXPECT_EQ(table.conditions.size(), 1u);
    EXPECT_EQ(read_subscription(R"({"event":"TRUNCATE","table":"t"})").value().event, "*");
    EXPECT_THAT(read_subscription(R"({"schema":"s","table":"t","select":["a","b"]})").value().select,
                ElementsAre("a", "b"));
}

TEST(PostgresSubscription, IsRefusedInSupabasesWords) {
    const auto refused_entry = [](const char* entry) { return read_subscription(entry).error().message; };
    EXPECT_EQ(
        refused_entry(R"({"event":"*"})"),
        "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
        R"(%{"event" => "*"})");
    EXPECT_EQ(refused_entry(R"({"table":"t","select":"task"})"),
              "Error parsing `select` params: expected a list of column name strings, e.g. select: "
              R"(["col1", "col2"])");
    EXPECT_EQ(refused_entry(R"({"table":"t","select":[1]})"),
              refused_entry(R"({"table":"t","select":"task"})"));
    EXPECT_EQ(refused_entry(R"({"schema":"public","select":["task"]})"),
              "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and "
              "table name.");
    EXPECT_EQ(refused_entry(R"({"table":"t","filter":"task"})"), refused("task"));
}

} // namespace
} // namespace phx::test
