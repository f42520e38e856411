#include "protocol/realtime/postgres_cell.hpp"

#include "phx/protocol/codec.hpp"

#include <gtest/gtest.h>

#include <string>

namespace phx::protocol::realtime {
namespace {

std::string cell(std::string_view type, std::string_view value,
                 PostgresNumbers numbers = PostgresNumbers::as_json) {
    std::string out = "<";
    append_cell(out, type, value, numbers);
    EXPECT_TRUE(validate_json(out.substr(1))) << out;
    return out.substr(1);
}

std::string exact(std::string_view type, std::string_view value) {
    return cell(type, value, PostgresNumbers::exact_as_text);
}

/// The text of an array, as a value.
std::string array(std::string_view type, std::string_view text) {
    std::string value;
    append_json_string(value, text);
    const std::string out = cell(type, value);
    return out == value ? "text" : out;
}

TEST(PostgresCell, ConvertsTextsAsRealtimeJs) {
    EXPECT_EQ(cell("bool", R"("t")"), "true");
    EXPECT_EQ(cell("bool", R"("f")"), "false");
    EXPECT_EQ(cell("bool", R"("true")"), R"("true")");
    for (const char* const type : {"int2", "int4", "int8", "float4", "float8", "numeric", "oid"}) {
        EXPECT_EQ(cell(type, R"("10")"), "10") << type;
        EXPECT_EQ(cell(type, R"("-1.50e+20")"), "-1.50e+20") << type;
        EXPECT_EQ(cell(type, R"("\u0031")"), "1") << type;
    }
    EXPECT_EQ(cell("json", R"("{\"a\":[1]}")"), R"({"a":[1]})");
    EXPECT_EQ(cell("jsonb", R"("5")"), "5");
    EXPECT_EQ(cell("jsonb", R"("no json")"), R"("no json")");
    EXPECT_EQ(cell("timestamp", R"("2019-09-10 00:00:00")"), R"("2019-09-10T00:00:00")");
    EXPECT_EQ(cell("timestamp", R"("2019-09-10T00:00:00")"), R"("2019-09-10T00:00:00")");
    EXPECT_EQ(cell("timestamp", R"("a b c")"), R"("aTb c")");
}

TEST(PostgresCell, LeavesEverythingElseAsItIs) {
    for (const char* const type : {"", "text", "uuid", "date", "timestamptz", "money", "bytea", "int4range",
                                   "mood", "Bool", "__proto__", "_"})
        for (const char* const value : {R"("t")", R"("10 a")", R"("2019-09-10 00:00")", "1.50", "null",
                                        "true", R"({ "a": "t" })", R"(["t", 1])"})
            EXPECT_EQ(cell(type, value), value) << type;
    for (const char* const type : {"bool", "int8", "numeric", "json", "timestamp", "_int8", "_text"})
        for (const char* const value : {"null", "true", R"({"a":"1"})", "1.50", R"("")"})
            EXPECT_EQ(cell(type, value), value) << type;
}

TEST(PostgresCell, KeepsTextThatIsNotWhollyANumber) {
    for (const char* const value : {R"("12abc")", R"("NaN")", R"("Infinity")", R"("-")", R"("01")", R"("+1")",
                                    R"(".5")", R"("1.")", R"("1 ")", R"(" 1")", R"("true")", R"("[1]")"})
        EXPECT_EQ(cell("numeric", value), value);
}

TEST(PostgresCell, KeepsEveryDigit) {
    EXPECT_EQ(cell("int8", "9007199254740993"), "9007199254740993");
    EXPECT_EQ(cell("numeric", "123456789012345678.90"), "123456789012345678.90");
    EXPECT_EQ(cell("numeric", R"("123456789012345678.90")"), "123456789012345678.90");
}

TEST(PostgresCell, WritesNumbersThatADoubleMayNotHoldAsTextIfAsked) {
    EXPECT_EQ(exact("int8", "9007199254740993"), R"("9007199254740993")");
    EXPECT_EQ(exact("int8", "-1"), R"("-1")");
    EXPECT_EQ(exact("numeric", "1.50"), R"("1.50")");
    EXPECT_EQ(exact("numeric", R"("1.50")"), R"("1.50")");
    EXPECT_EQ(exact("numeric", "null"), "null");
    EXPECT_EQ(exact("_int8", "[1, null, -2]"), R"(["1", null, "-2"])");
    EXPECT_EQ(exact("_numeric", "[[1.50],[2e5]]"), R"([["1.50"],["2e5"]])");
    EXPECT_EQ(exact("_int8", R"("{1,NULL,2}")"), R"(["1",null,"2"])");
    EXPECT_EQ(exact("_numeric", R"(["1-2", {"a5": 7}, true])"), R"(["1-2", {"a5": "7"}, true])");
    for (const char* const type : {"int4", "float8", "oid", "text", "json"}) EXPECT_EQ(exact(type, "5"), "5");
    EXPECT_EQ(exact("_int4", "[1, 2]"), "[1, 2]");
    EXPECT_EQ(exact("int8", "[1]"), "[1]"); // no number
    EXPECT_EQ(exact("int4", R"("5")"), "5");
}

TEST(PostgresCell, ReadsTheTextOfArrays) {
    EXPECT_EQ(array("_int4", "{}"), "[]");
    EXPECT_EQ(array("_int4", "{1,2,3,4}"), "[1,2,3,4]");
    EXPECT_EQ(array("_int4", "{1,NULL,null}"), "[1,null,null]");
    EXPECT_EQ(array("_int4", "{{1,2},{3,4}}"), "[[1,2],[3,4]]");
    EXPECT_EQ(array("_int4", " { 1 , 2 } "), "[1,2]");
    EXPECT_EQ(array("_text", "{1,b c,NULL}"), R"(["1","b c",null])");
    EXPECT_EQ(array("_text", R"({"a,b","say \"hi\"","\\","NULL",""})"),
              R"(["a,b","say \"hi\"","\\","NULL",""])");
    EXPECT_EQ(array("_bool", "{t,f,NULL}"), "[true,false,null]");
    EXPECT_EQ(array("_timestamp", R"({"2020-01-02 03:04:05"})"), R"(["2020-01-02T03:04:05"])");
    EXPECT_EQ(array("_jsonb", R"({"{\"a\": 1}","[]"})"), R"([{"a": 1},[]])");
    EXPECT_EQ(array("_daterange", R"|({"[2021-01-01,2021-12-31)","(2021-01-01,2021-12-32]"})|"),
              R"|(["[2021-01-01,2021-12-31)","(2021-01-01,2021-12-32]"])|");
    EXPECT_EQ(array("_text", "{\xC3\xA9}"), "[\"\xC3\xA9\"]");
    EXPECT_EQ(array("_numeric", "{NaN,1.50}"), R"(["NaN",1.50])");
    EXPECT_EQ(array("_text", "{{{{{{x}}}}}}"), R"([[[[[["x"]]]]]])");
}

TEST(PostgresCell, LeavesTextsThatAreNoArray) {
    for (const char* const text : {"",         "x",
                                   "1,2",      "{",
                                   "}",        "{1",
                                   "{1,",      "{1,}",
                                   "{,1}",     "{1,,2}",
                                   "{1}x",     "{1}{2}",
                                   "{1} {",    "{\"a}",
                                   "{\"a",     "{\"a\\",
                                   "{\"a\"b}", "{a\"b\"}",
                                   "{a\\b}",   "{a{b}}",
                                   "{{1}2}",   "{{1},}",
                                   "{{}",      "[0:1]={1,2}",
                                   "{1}, 2",   "{{{{{{{x}}}}}}}"})
        EXPECT_EQ(array("_text", text), "text") << text;
    EXPECT_EQ(array("_box", "{(1,1),(0,0);(3,3),(2,2)}"), "text");
    EXPECT_EQ(array("_int4", std::string(100'000, '{')), "text");
}

TEST(PostgresCell, KeepsJsonThatIsNestedTooDeepAsText) {
    const std::string fits = std::string(128, '[') + std::string(128, ']');
    EXPECT_EQ(cell("json", '"' + fits + '"'), fits);
    const std::string deep = "\"[" + fits + "]\"";
    EXPECT_EQ(cell("json", deep), deep);
}

} // namespace
} // namespace phx::protocol::realtime
