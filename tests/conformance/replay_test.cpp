#include "tests/conformance/application.hpp"
#include "tests/conformance/replay.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <gtest/gtest.h>
#include <iomanip>
#include <iostream>
#include <set>

using namespace phx::conformance;

namespace {

const std::filesystem::path vectors = PHX_TEST_VECTORS "/phoenix";
const std::filesystem::path table_file = PHX_CONFORMANCE_DIR "/differences.json";

const Table& table() {
    static const Table loaded = load_table(table_file);
    return loaded;
}

std::vector<std::string> replayed_scenarios() {
    std::vector<std::string> names;
    for (const std::string& name : scenario_names(vectors)) {
        if (!table().out_of_scope.contains(name)) names.push_back(name);
    }
    return names;
}

/// Counts what ran in this process and prints the sums at its end, when that was more than one scenario.
class Summary : public testing::Environment {
public:
    void add(const std::string& scenario, bool passed) {
        const bool differs = table().has(scenario, Reason::Kind::deliberate);
        const bool races = table().has(scenario, Reason::Kind::race);
        ++(!passed ? failed_ : differs ? differing_ : races ? racing_ : equal_);
    }

    void TearDown() override {
        const int sum = equal_ + differing_ + racing_ + failed_;
        if (sum < 2) return;
        row("as recorded", equal_);
        row("deliberate differences", differing_);
        row("races of the real server", racing_);
        row("failed", failed_);
        row("not replayed", static_cast<int>(table().out_of_scope.size()));
        row("recordings", static_cast<int>(scenario_names(vectors).size()));
    }

private:
    static void row(const char* what, int count) {
        std::cout << std::left << std::setw(28) << what << std::right << std::setw(4) << count << "\n";
    }

    int equal_ = 0, differing_ = 0, racing_ = 0, failed_ = 0;
};

Summary* const summary = static_cast<Summary*>(testing::AddGlobalTestEnvironment(new Summary));

/// The program, where the server was told to stop.
std::string replay_against_program(const Scenario& scenario, const Table& differences) {
    phx::test::Process program({PHX_CONFORMANCE_SERVER, "--listen", "127.0.0.1:0"});
    const std::string line = program.out_line().value_or("no line");
    Target target;
    target.port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
    target.terminate = [&] { program.signal(SIGTERM); };
    const std::string failure = replay(scenario, differences, target);
    const auto ended = program.finish();
    return failure.empty() && ended.exit_code != 0 ? "it ended with " + std::to_string(ended.exit_code)
                                                   : failure;
}

/// A server of its own for each replay, so that nothing of another one is left.
std::string replay_against_us(const Scenario& scenario, const Table& differences) {
    if (ends_its_server(scenario)) return replay_against_program(scenario, differences);
    phx::server::Options options = application_options();
    options.timeouts.poll = std::chrono::seconds(2); // a recorded poll waits for ten
    Target target;
    target.poll_window = options.timeouts.poll;
    phx::server::Server server(std::move(options));
    add_channels(server);
    const phx::Result<std::uint16_t> port = server.start();
    if (!port) return port.error().message;
    target.port = *port;
    return replay(scenario, differences, target);
}

class Replay : public testing::TestWithParam<std::string> {};

} // namespace

TEST_P(Replay, AnswersAsRecordedOrAsTheTableSays) {
    const Scenario scenario = load_scenario(vectors / (GetParam() + ".jsonl"));
    const std::string failure = replay_against_us(scenario, table());
    summary->add(scenario.name, failure.empty());
    EXPECT_EQ(failure, "") << scenario.description;
}

INSTANTIATE_TEST_SUITE_P(Phoenix, Replay, testing::ValuesIn(replayed_scenarios()),
                         [](const auto& test) { return test.param; });

// The replay itself: it has to notice what is wrong.

TEST(Replayer, ReportsAFrameWithAnotherValue) {
    Scenario scenario = load_scenario(vectors / "v2_push_ok.jsonl");
    scenario.steps.back().line["data"] =
        R"(["1","2","room:lobby","phx_reply",{"response":{"n":41},"status":"ok"}])";
    EXPECT_NE(replay_against_us(scenario, {}).find("connection A: at /text/4/response: expected"),
              std::string::npos);
}

TEST(Replayer, ReportsAFrameTooMany) {
    Scenario scenario = load_scenario(vectors / "v2_push_ok.jsonl");
    scenario.steps.pop_back();
    EXPECT_NE(replay_against_us(scenario, {}).find("more than was recorded"), std::string::npos);
}

TEST(Replayer, ReportsAFrameThatReachesAnotherConnectionTooMany) {
    Scenario scenario = load_scenario(vectors / "v2_broadcast.jsonl");
    ASSERT_EQ(scenario.steps.back().connection, "B");
    scenario.steps.pop_back();
    EXPECT_NE(replay_against_us(scenario, {}).find("connection B: more than was recorded"),
              std::string::npos);
}

TEST(Replayer, ReportsAnotherCloseCode) {
    Scenario scenario = load_scenario(vectors / "v2_malformed_not_json.jsonl");
    scenario.steps.back().line["code"] = 1008;
    EXPECT_NE(replay_against_us(scenario, {}).find(R"(expected 1008, got 1011)"), std::string::npos);
}

TEST(Replayer, ReportsAConnectionThatIsClosed) {
    Scenario scenario = load_scenario(vectors / "v2_malformed_not_json.jsonl");
    scenario.steps.pop_back();
    EXPECT_NE(replay_against_us(scenario, {}).find("more than was recorded"), std::string::npos);
}

TEST(Replayer, ReportsADifferenceThatIsNone) {
    const Scenario scenario = load_scenario(vectors / "v2_push_ok.jsonl");
    Table wrong;
    wrong.reasons["r"] = {};
    wrong.differences["v2_push_ok"] = {{scenario.steps.back().seq, {}, {"r"}}};
    EXPECT_NE(replay_against_us(scenario, wrong).find("more than was recorded"), std::string::npos);
}

// The table.

TEST(DifferenceTable, NamesOnlyWhatIsRecordedAndDiffers) {
    for (const auto& [name, differences] : table().differences) {
        const Scenario scenario = load_scenario(vectors / (name + ".jsonl"));
        std::set<int> seen;
        for (const Difference& difference : differences) {
            SCOPED_TRACE(name + " seq " + std::to_string(difference.seq));
            EXPECT_TRUE(seen.insert(difference.seq).second) << "twice";
            const auto step = std::find_if(scenario.steps.begin(), scenario.steps.end(),
                                           [&](const Step& s) { return s.seq == difference.seq; });
            ASSERT_NE(step, scenario.steps.end());
            ASSERT_EQ(step->sender, Sender::server);
            EXPECT_NE(difference.ours, std::vector<nlohmann::json>{event_of(*step)}) << "no difference";
        }
    }
}

TEST(DifferenceTable, DoesNotListWhatIsReplayed) {
    const std::vector<std::string> names = scenario_names(vectors);
    for (const auto& [name, why] : table().out_of_scope) {
        EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name << " is no recording";
        EXPECT_FALSE(table().differences.contains(name)) << name << " is not replayed: it cannot differ";
        EXPECT_GT(why.size(), 20u) << name;
    }
    EXPECT_EQ(replayed_scenarios().size() + table().out_of_scope.size(), names.size());
}

TEST(DifferenceTable, StandsInTheReadme) {
    std::ifstream in(PHX_CONFORMANCE_DIR "/README.md");
    const std::string readme{std::istreambuf_iterator<char>(in), {}};
    const std::string wanted = render(table());
    EXPECT_NE(readme.find(wanted), std::string::npos) << "README.md has to contain:\n" << wanted;
}

TEST(DifferenceTable, RefusesWhatNothingExplains) {
    using nlohmann::json;
    const json reason = {{"kind", "deliberate"}, {"text", "because"}};
    const json difference = {{"seq", 1}, {"ours", json::array()}, {"reasons", {"r"}}};
    const json good = {{"reasons", {{"r", reason}}},
                       {"differences", {{"v1_a", {difference}}, {"v2_a", {difference}}}},
                       {"out_of_scope", json::object()}};
    EXPECT_NE(render(parse_table(good)).find("| because | `v1/v2_a` |"), std::string::npos);
    json bad = good;
    bad["reasons"]["unused"] = reason;
    EXPECT_THROW(parse_table(bad), std::runtime_error);
    bad = good;
    bad["reasons"].erase("r");
    EXPECT_THROW(parse_table(bad), std::runtime_error);
    bad = good;
    bad["reasons"]["r"]["kind"] = "unknown";
    EXPECT_THROW(parse_table(bad), std::runtime_error);
    bad = good;
    bad["differences"]["v1_a"] = json::array();
    EXPECT_THROW(parse_table(bad), std::runtime_error);
    bad = good;
    bad["differences"]["v1_a"][0]["reasons"] = json::array();
    EXPECT_THROW(parse_table(bad), std::runtime_error);
}
