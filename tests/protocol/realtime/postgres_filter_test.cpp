#include "phx/realtime/postgres_filter.hpp"

#include "protocol/realtime/json_members.hpp"
#include "tests/protocol/realtime/recordings.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace phx::realtime {
namespace {

std::string text(const Filter& filter) { return filter.text(); }

TEST(PostgresFilter, WritesEveryComparisonAndItsNegation) {
    const FilterColumn c = column("c");
    const std::pair<Condition, const char*> cases[] = {
        {c.eq(1), "eq.1"},
        {c.neq(1), "neq.1"},
        {c.lt(1), "lt.1"},
        {c.lte(1), "lte.1"},
        {c.gt(1), "gt.1"},
        {c.gte(1), "gte.1"},
        {c.in({1, 2}), "in.(1,2)"},
        {c.like("a%"), "like.a%"},
        {c.ilike("a%"), "ilike.a%"},
        {c.match("^a"), "match.^a"},
        {c.imatch("^a"), "imatch.^a"},
        {c.is_distinct("a"), "isdistinct.a"},
        {c.is_null(), "is.null"},
        {c.is_true(), "is.true"},
        {c.is_false(), "is.false"},
        {c.is_unknown(), "is.unknown"},
    };
    for (const auto& [condition, expected] : cases) {
        EXPECT_EQ(condition.text(), std::string("c=") + expected);
        EXPECT_EQ((!condition).text(), std::string("c=not.") + expected);
        EXPECT_EQ((!!condition).text(), condition.text());
    }
}

TEST(PostgresFilter, WritesValuesOfEveryKind) {
    const FilterColumn c = column("c");
    const std::string string = "text";
    EXPECT_EQ(text(c.eq(string)), "c=eq.text");
    EXPECT_EQ(text(c.eq(std::string_view(string))), "c=eq.text");
    EXPECT_EQ(text(c.eq(true)), "c=eq.true");
    EXPECT_EQ(text(c.eq(false)), "c=eq.false");
    EXPECT_EQ(text(c.eq(0)), "c=eq.0");
    EXPECT_EQ(text(c.eq(std::numeric_limits<long long>::min())), "c=eq.-9223372036854775808");
    EXPECT_EQ(text(c.eq(std::numeric_limits<unsigned long long>::max())), "c=eq.18446744073709551615");
    EXPECT_EQ(text(c.eq("")), "c=eq.");
    EXPECT_EQ(text(c.eq(1.5)), "c=eq.1.5");
    EXPECT_EQ(text(c.eq(0.1)), "c=eq.0.1");
    EXPECT_EQ(text(c.eq(0.1F)), "c=eq.0.1");
    EXPECT_EQ(text(c.eq(-0.0)), "c=eq.0");
    EXPECT_EQ(text(c.eq(100000.0)), "c=eq.100000");
    EXPECT_EQ(text(c.eq(1e20)), "c=eq.100000000000000000000");
    EXPECT_EQ(text(c.eq(1e21)), "c=eq.1e+21");
    EXPECT_EQ(text(c.eq(-2.5e-7)), "c=eq.-2.5e-07");
    EXPECT_EQ(text(c.eq(std::numeric_limits<double>::quiet_NaN())), "c=eq.NaN");
    EXPECT_EQ(text(c.eq(std::numeric_limits<double>::infinity())), "c=eq.Infinity");
    EXPECT_EQ(text(c.eq(-std::numeric_limits<double>::infinity())), "c=eq.-Infinity");
    static_assert(!std::is_constructible_v<FilterValue, std::nullptr_t>);
    static_assert(!std::is_constructible_v<FilterValue, char>);
    static_assert(std::is_constructible_v<FilterValue, short>);
}

// The same values are quoted as in RealtimePostgresFilterBuilder.ts.
TEST(PostgresFilter, QuotesWhatTheServerWouldSplitOrTrim) {
    const FilterColumn c = column("c");
    EXPECT_EQ(text(c.eq("a,b")), R"(c=eq."a,b")");
    EXPECT_EQ(text(c.eq("(a)")), "c=eq.\"(a)\"");
    EXPECT_EQ(text(c.eq(R"(say "hi")")), R"(c=eq."say \"hi\"")");
    EXPECT_EQ(text(c.match(R"(^\d+$)")), R"(c=match."^\\d+$")");
    EXPECT_EQ(text(c.eq(" a")), R"(c=eq." a")");
    EXPECT_EQ(text(c.eq("a\n")), "c=eq.\"a\n\"");
    EXPECT_EQ(text(c.eq("a\xC2\xA0")), "c=eq.\"a\xC2\xA0\""); // no-break space
    EXPECT_EQ(text(c.eq("\xE3\x80\x80"
                        "a")),
              "c=eq.\"\xE3\x80\x80"
              "a\""); // ideographic space
    EXPECT_EQ(text(c.eq("a b=c.d")), "c=eq.a b=c.d");
    EXPECT_EQ(text(c.eq("{a}")), "c=eq.{a}");
    EXPECT_EQ(text(c.eq("null")), "c=eq.null");
}

TEST(PostgresFilter, QuotesListsAsElementsOfAnArray) {
    const FilterColumn c = column("c");
    EXPECT_EQ(text(c.in({"a", "b,c"})), R"(c=in.(a,"b,c"))");
    EXPECT_EQ(text(c.in({"", "NULL", "Null", "nullx", "{}", "a\\b", "a\"", " "})),
              R"(c=in.("","NULL","Null",nullx,"{}","a\\b","a\""," "))");
    EXPECT_EQ(text(c.in({1, 2, 1, 2, 3})), "c=in.(1,2,3)"); // realtime-js: a set
    EXPECT_EQ(text(c.in(std::vector<int>{7, 8})), "c=in.(7,8)");
    EXPECT_EQ(text(c.in(std::set<std::string>{"y", "x"})), "c=in.(x,y)");
    EXPECT_EQ(text(c.in(std::vector<FilterValue>{1, "a", true})), "c=in.(1,a,true)");
}

TEST(PostgresFilter, JoinsConditionsByComma) {
    const Filter filter =
        column("price").gte(10) && column("name").in({"a", "b,c"}) && !column("x").is_null();
    EXPECT_EQ(filter.text(), R"(price=gte.10,name=in.(a,"b,c"),x=not.is.null)");
    EXPECT_EQ(text(Filter("a=eq.1") && column("b").eq(2)), "a=eq.1,b=eq.2");
    EXPECT_EQ(text(column("b").eq(2) && "a=eq.1"), "b=eq.2,a=eq.1");
    EXPECT_EQ(text(Filter() && column("b").eq(2)), "b=eq.2");
    EXPECT_EQ(text(column("b").eq(2) && Filter("  ")), "b=eq.2");
    EXPECT_EQ(Filter(std::string("  ")).text(), "  ");
}

TEST(PostgresFilter, RefusesWhatNoFilterCanHold) {
    for (const char* const name : {"", "a=b", "a,b", "(a", "a)", "a\"b", " a", "a\t", "\xC2\xA0"})
        EXPECT_THROW(column(name), std::invalid_argument) << name;
    EXPECT_NO_THROW(column("two words"));
    std::vector<int> many(100);
    for (int i = 0; i < 100; ++i) many[static_cast<std::size_t>(i)] = i;
    EXPECT_NO_THROW(column("a").in(many));
    many.push_back(7); // sent once
    EXPECT_NO_THROW(column("a").in(many));
    many.push_back(100);
    EXPECT_THROW(column("a").in(many), std::invalid_argument);
    EXPECT_THROW(column("a").in(std::vector<int>()), std::invalid_argument);
}

TEST(PostgresFilter, BecomesABindingOfTheJoin) {
    const PostgresFilter wanted{
        ChangeKind::insert, "public", "todos", column("task").eq("x"), {"id", "task"}};
    EXPECT_EQ(to_binding(wanted),
              (protocol::PostgresBinding{"INSERT", "public", "todos", "task=eq.x", {"id", "task"}}));
    EXPECT_EQ(to_binding({}), (protocol::PostgresBinding{"*", "public", "", "", {}}));
    EXPECT_EQ(to_binding({ChangeKind::update, "*"}).event, "UPDATE");
    EXPECT_EQ(to_binding({ChangeKind::remove, "s", "*", "id=eq.1"}).event, "DELETE");
    EXPECT_EQ(wanted, PostgresFilter(wanted));
    EXPECT_NE(wanted, PostgresFilter());
}

TEST(PostgresFilter, RefusesBindingsThatTheServerRefusesAlways) {
    EXPECT_THROW(to_binding({ChangeKind::all, ""}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "public", "", "id=eq.1"}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "public", "", "", {"id"}}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "public", "*", "", {"id"}}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "*", "t", "", {"id"}}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "\xff", "t"}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "public", "\xff"}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "public", "t", column("a").eq("\xff")}), std::invalid_argument);
    EXPECT_THROW(to_binding({ChangeKind::all, "public", "t", "", {"\xff"}}), std::invalid_argument);
}

TEST(PostgresFilter, MatchesKinds) {
    EXPECT_TRUE(matches(ChangeKind::all, ChangeKind::remove));
    EXPECT_TRUE(matches(ChangeKind::insert, ChangeKind::insert));
    EXPECT_FALSE(matches(ChangeKind::insert, ChangeKind::update));
    EXPECT_FALSE(matches(ChangeKind::insert, ChangeKind::all));
}

/// The filters that recording 19 sent, by whether the server took them.
struct SentFilters {
    std::set<std::string> taken, refused;
};

SentFilters sent_filters() {
    using protocol::realtime::json_member;
    using protocol::realtime::json_string;
    SentFilters result;
    std::map<std::string, std::string> filter_of; // by topic
    for (const auto& frame : protocol::realtime::recorded_frames("19_pg_filters_and_privileges.jsonl")) {
        if (frame.event == "phx_join") {
            const auto config = nlohmann::json::parse(frame.payload)["config"]["postgres_changes"][0];
            if (config["table"] == "f") filter_of[frame.topic] = config.value("filter", "");
        } else if (frame.event == "system" && filter_of.count(frame.topic) != 0) {
            const bool ok = json_string(json_member(frame.payload, "status").value_or("")) == "ok";
            (ok ? result.taken : result.refused).insert(filter_of[frame.topic]);
        }
    }
    return result;
}

TEST(PostgresFilter, WritesTheFiltersThatTheRealServerTook) {
    const FilterColumn id = column("id"), t = column("t"), b = column("b");
    const std::vector<Filter> filters = {id.eq(2),
                                         id.neq(2),
                                         id.lt(2),
                                         id.lte(2),
                                         id.gt(2),
                                         id.gte(2),
                                         id.in({1, 3}),
                                         !id.in({1, 2}),
                                         t.in({"a,b", "hello"}),
                                         t.like("he%"),
                                         t.ilike("HE%"),
                                         t.match("^h"),
                                         t.imatch("^H"),
                                         t.is_null(),
                                         !t.is_null(),
                                         b.is_true(),
                                         b.is_false(),
                                         t.is_distinct("hello"),
                                         !t.eq("hello"),
                                         t.eq("a,b"),
                                         t.eq(""),
                                         t.neq("hello"),
                                         t.eq("\xC3\xA9\xE2\x98\x83"),
                                         id.gt(1) && id.lt(4),
                                         column("n").eq("1.50"),
                                         column("d").gte("2026-01-02"),
                                         column("u").eq("11111111-1111-4111-8111-111111111111"),
                                         b.eq("t"),
                                         {},
                                         "  ",
                                         "id=in.()"};
    const SentFilters sent = sent_filters();
    std::set<std::string> written;
    for (const Filter& filter : filters) written.insert(filter.text());
    EXPECT_EQ(written, sent.taken);
}

TEST(PostgresFilter, DoesNotWriteTheFiltersThatTheRealServerRefused) {
    const std::set<std::string> expected = {
        "t=eq.a,b",  // a comma without quotes
        "id=in.1,2", // a list without parentheses
        "id = eq.2", // space around the operator
        "id=eq.2,",  // an empty condition
        "ID=eq.2",   // no such column
        "id=eq.",    // no integer
    };
    EXPECT_EQ(sent_filters().refused, expected);
    EXPECT_NE(text(column("t").eq("a,b")), "t=eq.a,b");
    EXPECT_THROW(column("id "), std::invalid_argument);
    EXPECT_EQ(text(column("id").eq(2) && Filter()), "id=eq.2");
}

} // namespace
} // namespace phx::realtime
