// Every recording has its test, or says in a table why it has none.
#include "tests/conformance/differences.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <set>
#include <string>

using namespace phx::conformance;

namespace {

namespace fs = std::filesystem;

const fs::path vectors = PHX_TEST_VECTORS;

/// The tests of this program whose parameter is the name of a recording, as "FOLDER/NAME".
std::multiset<std::string> replayed() {
    const testing::UnitTest& all = *testing::UnitTest::GetInstance();
    std::multiset<std::string> names;
    for (int i = 0; i < all.total_test_suite_count(); ++i) {
        const testing::TestSuite& suite = *all.GetTestSuite(i);
        const std::string name = suite.name();
        const bool is_phoenix = name == "Phoenix/Replay";
        if (!is_phoenix && name != "Recorded/SupabaseReplay" && name != "Recorded/SupabaseServerReplay")
            continue;
        for (int j = 0; j < suite.total_test_count(); ++j) {
            const std::string test = suite.GetTestInfo(j)->name();
            names.insert((is_phoenix ? "phoenix" : "supabase") + test.substr(test.rfind('/')));
        }
    }
    return names;
}

std::set<std::string> out_of_scope() {
    std::set<std::string> names;
    for (const auto& [folder, file] :
         {std::pair{"phoenix/", "/differences.json"}, {"supabase/", "/supabase_differences.json"}})
        for (const auto& [name, why] : load_table(std::string(PHX_CONFORMANCE_DIR) + file).out_of_scope)
            names.insert(folder + name);
    return names;
}

} // namespace

TEST(Recordings, AreEachReplayedOrNamedInATable) {
    const std::multiset<std::string> tests = replayed();
    const std::set<std::string> named = out_of_scope();
    std::size_t recordings = 0;
    for (const auto& entry : fs::recursive_directory_iterator(vectors)) {
        const fs::path path = entry.path().lexically_relative(vectors);
        const bool is_recording =
            entry.is_regular_file() && path.begin()->string() != "tokens" && path != "README.md";
        if (!is_recording) continue;
        SCOPED_TRACE(path);
        EXPECT_EQ(path.extension(), ".jsonl");
        const std::string name = fs::path(path).replace_extension().string();
        EXPECT_EQ(tests.count(name) + named.count(name), 1u) << "tests and tables that know it";
        ++recordings;
    }
    EXPECT_EQ(tests.size() + named.size(), recordings) << "a test or a table knows what is not recorded";
}
