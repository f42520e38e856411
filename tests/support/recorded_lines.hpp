#pragma once

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace phx::test {

/// The lines of a recording of tests/vectors ("supabase/14_rest.jsonl"), from the first on.
inline std::vector<nlohmann::json> recorded_lines(const std::string& name) {
    std::vector<nlohmann::json> lines;
    std::ifstream file(PHX_TEST_VECTORS "/" + name);
    EXPECT_TRUE(file) << name;
    for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
}

} // namespace phx::test
