#include "tests/conformance/supabase_replay.hpp"
#include "tests/conformance/supabase_scenario.hpp"
#include "tests/conformance/supabase_server_replay.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <set>

using namespace phx::conformance;

namespace {

const std::filesystem::path vectors = PHX_TEST_VECTORS "/supabase";
const std::filesystem::path table_file = PHX_CONFORMANCE_DIR "/supabase_differences.json";

const Table& table() {
    static const Table loaded = load_table(table_file);
    return loaded;
}

Scenario load(const std::string& name) { return load_supabase_scenario(vectors / (name + ".jsonl")); }

/// Those that are about HTTP: to a server, over sockets. The others: to the machine, in virtual time.
const std::set<std::string> over_http = {"03_connect_errors", "05_broadcast", "09_private", "14_rest"};

std::vector<std::string> in_virtual_time() {
    std::vector<std::string> names = scenario_names(vectors);
    std::erase_if(names, [](const std::string& name) {
        return over_http.contains(name) || table().out_of_scope.contains(name);
    });
    return names;
}

class SupabaseReplay : public testing::TestWithParam<std::string> {};
class SupabaseServerReplay : public testing::TestWithParam<std::string> {};

const auto name_of = [](const auto& test) { return test.param; };

} // namespace

TEST_P(SupabaseReplay, AnswersAsRecordedOrAsTheTableSays) {
    EXPECT_EQ(replay_supabase(load(GetParam()), table()), "");
}

INSTANTIATE_TEST_SUITE_P(Recorded, SupabaseReplay, testing::ValuesIn(in_virtual_time()), name_of);

TEST_P(SupabaseServerReplay, AnswersAsRecordedOrAsTheTableSays) {
    EXPECT_EQ(replay_supabase_to_server(load(GetParam()), table()), "");
}

INSTANTIATE_TEST_SUITE_P(Recorded, SupabaseServerReplay, testing::ValuesIn(over_http), name_of);

// The replay itself: it has to notice what is wrong.

TEST(SupabaseReplayer, ReportsAFrameWithAnotherValue) {
    Scenario scenario = load("02_v2_connect_join_leave");
    const auto reply = std::find_if(scenario.steps.begin(), scenario.steps.end(), [](const Step& step) {
        return step.sender == Sender::server && step.kind == "frame";
    });
    reply->line["data"] = R"([null,"1","phoenix","phx_reply",{"status":"ok","response":{"n":1}}])";
    EXPECT_NE(replay_supabase(scenario, table()).find("at /text/4/response: expected"), std::string::npos);
}

TEST(SupabaseReplayer, ReportsAFrameTooManyAndOneTooFew) {
    Scenario scenario = load("02_v2_connect_join_leave");
    const auto reply = std::find_if(scenario.steps.begin(), scenario.steps.end(), [](const Step& step) {
        return step.sender == Sender::server && step.kind == "frame";
    });
    const Step removed = *reply;
    const auto after = scenario.steps.erase(reply);
    EXPECT_NE(replay_supabase(scenario, table()), "");
    scenario.steps.insert(scenario.steps.insert(after, removed), removed);
    EXPECT_NE(replay_supabase(scenario, table()), "");
}

TEST(SupabaseReplayer, ReportsABroadcastByHttpThatIsRefusedOtherwise) {
    const Scenario recorded = load("11a_limits");
    int refused = 0;
    for (std::size_t i = 0; i < recorded.steps.size(); ++i) {
        if (recorded.steps[i].kind != "http_response" || recorded.steps[i].line["status"] != 422) continue;
        Scenario changed = recorded;
        changed.steps[i].line["body"] = R"({"errors":{}})";
        EXPECT_NE(replay_supabase(changed, table()).find(R"(expected {"errors":{}}, got {"errors":{)"),
                  std::string::npos);
        ++refused;
    }
    EXPECT_EQ(refused, 2);
}

TEST(SupabaseServerReplayer, ReportsAnAnswerWithAnotherStatusBodyOrHeader) {
    const Scenario recorded = load("14_rest");
    const auto found = std::find_if(recorded.steps.begin(), recorded.steps.end(), [](const Step& step) {
        return step.kind == "http_response" && step.line["status"] == 422;
    });
    const auto at = found - recorded.steps.begin();
    for (const auto& [key, value, where] :
         {std::tuple<const char*, nlohmann::json, const char*>{"status", 423, "at /response"},
          {"body", R"({"errors":{}})", "at /body/errors"},
          {"headers", {{"content-type", "text/html"}}, "expected"}}) {
        Scenario changed = recorded;
        changed.steps[static_cast<std::size_t>(at)].line[key] = value;
        EXPECT_NE(replay_supabase_to_server(changed, table()).find(where), std::string::npos) << key;
    }
}

TEST(SupabaseServerReplayer, ReportsWhatMembersHearOtherwise) {
    const Scenario recorded = load("05_broadcast");
    const auto rest = std::find_if(recorded.steps.rbegin(), recorded.steps.rend(), [](const Step& step) {
        return step.sender == Sender::server && step.kind == "frame";
    });
    const auto at = recorded.steps.rend() - rest - 1;
    Scenario changed = recorded;
    changed.steps[static_cast<std::size_t>(at)].line["hex"] = "00";
    EXPECT_NE(replay_supabase_to_server(changed, table()).find("at /binary: expected"), std::string::npos);
    changed = recorded;
    changed.steps.erase(changed.steps.begin() + at);
    EXPECT_NE(replay_supabase_to_server(changed, table()), "");
}

TEST(SupabaseDifferences, NameOnlyWhatIsRecordedAndDiffers) {
    for (const auto& [name, differences] : table().differences) {
        const Scenario scenario = load(name);
        for (const Difference& difference : differences) {
            SCOPED_TRACE(name + " line " + std::to_string(difference.seq));
            const auto step = std::find_if(scenario.steps.begin(), scenario.steps.end(),
                                           [&](const Step& s) { return s.seq == difference.seq; });
            ASSERT_NE(step, scenario.steps.end());
            ASSERT_EQ(step->sender, Sender::server);
            EXPECT_NE(difference.ours, std::vector<nlohmann::json>{event_of(*step)}) << "no difference";
        }
    }
}

TEST(SupabaseDifferences, StandInTheReadme) {
    std::ifstream in(PHX_CONFORMANCE_DIR "/README.md");
    const std::string readme{std::istreambuf_iterator<char>(in), {}};
    const std::string wanted = render(table());
    EXPECT_NE(readme.find(wanted), std::string::npos) << "README.md has to contain:\n" << wanted;
}
