#include "tests/conformance/compare.hpp"
#include "tests/conformance/scenario.hpp"

#include <fstream>
#include <gtest/gtest.h>

using namespace phx::conformance;
using nlohmann::json;

TEST(EventComparer, IgnoresTheOrderOfKeysAndHowNumbersAreWritten) {
    EventComparer comparer;
    EXPECT_EQ(comparer.difference(json::parse(R"({"a":1.0e3,"b":[null,true]})"),
                                  json::parse(R"({"b":[null,true],"a":1000.0})")),
              "");
}

TEST(EventComparer, SaysWhereValuesDiffer) {
    EventComparer comparer;
    EXPECT_EQ(comparer.difference({{"a", {1, 2}}}, {{"a", {1, 3}}}), "at /a/1: expected 2, got 3");
    EXPECT_EQ(comparer.difference({{"a", {1, 2}}}, {{"a", {1}}}), "at /a: expected [1,2], got [1]");
    EXPECT_EQ(comparer.difference({{"a", 1}}, {{"b", 1}}), R"(expected {"a":1}, got {"b":1})");
    EXPECT_EQ(comparer.difference({{"a", 1}}, {{"a", 1}, {"b", 1}}),
              R"(expected {"a":1}, got {"a":1,"b":1})");
    EXPECT_EQ(comparer.difference({{"a", 1}}, {{"a", "1"}}), R"(at /a: expected 1, got "1")");
    EXPECT_EQ(comparer.difference({{"a", json::object()}}, {{"a", nullptr}}), "at /a: expected {}, got null");
}

TEST(EventComparer, LetsPresenceRefsBeOthersIfTheyAreUsedAlike) {
    EventComparer comparer;
    const json first = {{"phx_ref", "aaaaaaaaaaaaaaaa"}}, second = {{"phx_ref", "bbbbbbbbbbbbbbbb"}};
    const json ours_first = {{"phx_ref", "F3Sgz_-6aaaaaaa1"}},
               ours_second = {{"phx_ref", "F3Sgz_-6aaaaaaa2"}};
    EXPECT_EQ(comparer.difference(first, ours_first), "");
    EXPECT_EQ(comparer.difference(second, ours_second), "");
    EXPECT_EQ(comparer.difference(first, ours_first), "");
    EXPECT_EQ(
        comparer.difference({{"phx_ref_prev", "aaaaaaaaaaaaaaaa"}}, {{"phx_ref_prev", "F3Sgz_-6aaaaaaa1"}}),
        "");
    EXPECT_NE(comparer.difference(first, ours_second), "");
    EXPECT_NE(comparer.difference({{"phx_ref", "cccccccccccccccc"}}, ours_first), "");
}

TEST(EventComparer, WantsPresenceRefsOf16UrlSafeCharacters) {
    for (const char* bad : {"", "short", "aaaaaaaaaaaaaaa+", "aaaaaaaaaaaaaaaaa"}) {
        EventComparer comparer;
        EXPECT_NE(comparer.difference({{"phx_ref", "aaaaaaaaaaaaaaaa"}}, {{"phx_ref", bad}}), "") << bad;
    }
    EventComparer comparer;
    EXPECT_NE(comparer.difference({{"phx_ref", "aaaaaaaaaaaaaaaa"}}, {{"phx_ref", nullptr}}), "");
}

TEST(Scenario, RestoresCutTextsToTheirRecordedLength) {
    const std::filesystem::path vectors = PHX_TEST_VECTORS "/phoenix";
    int restored = 0;
    for (const std::string& name : scenario_names(vectors)) {
        for (const Step& step : load_scenario(vectors / (name + ".jsonl")).steps) {
            if (!step.line.contains("data_prefix")) continue;
            SCOPED_TRACE(name + " seq " + std::to_string(step.seq));
            const std::string text = payload_of(step);
            EXPECT_EQ(text.size(), step.line["len"].get<std::size_t>());
            EXPECT_TRUE(text.starts_with(step.line["data_prefix"].get<std::string>()));
            EXPECT_TRUE(json::accept(text));
            ++restored;
        }
    }
    EXPECT_EQ(restored, 8);
}

TEST(Scenario, ReadsEveryRecording) {
    const std::filesystem::path vectors = PHX_TEST_VECTORS "/phoenix";
    const std::vector<std::string> names = scenario_names(vectors);
    EXPECT_EQ(names.size(), 180u);
    for (const std::string& name : names)
        EXPECT_FALSE(load_scenario(vectors / (name + ".jsonl")).steps.empty()) << name;
}

TEST(Scenario, RefusesAFileThatIsNoRecording) {
    const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "phx_no_recording.jsonl";
    for (const char* text : {"", "{}\n", "[1]\n", "{\"kind\":\"scenario\"}\n",
                             "{\"kind\":\"end\"}\n{\"kind\":\"end\"}\n", "{"}) {
        std::ofstream(file) << text;
        EXPECT_ANY_THROW(load_scenario(file)) << text;
    }
    EXPECT_ANY_THROW(load_scenario(file / "absent"));
    std::filesystem::remove(file);
}

TEST(Scenario, TurnsHexIntoBytesAndBack) {
    EXPECT_EQ(from_hex("00ff7b"), std::string("\x00\xff\x7b", 3));
    EXPECT_EQ(to_hex(std::string("\x00\xff\x7b", 3)), "00ff7b");
    EXPECT_EQ(from_hex(""), "");
}
