#include "protocol/client/id_table.hpp"

#include "protocol/time/backoff.hpp"

#include <gtest/gtest.h>

#include <map>

namespace phx::protocol {
namespace {

TEST(IdTable, FindsNothingWhenEmpty) {
    IdTable table;
    EXPECT_EQ(table.find(1), std::nullopt);
    table.erase(1);
    EXPECT_EQ(table.size(), 0u);
}

TEST(IdTable, FindsWhatWasInserted) {
    IdTable table;
    table.insert(1, 10);
    table.insert(UINT64_MAX, 20);
    EXPECT_EQ(table.find(1), 10u);
    EXPECT_EQ(table.find(UINT64_MAX), 20u);
    EXPECT_EQ(table.find(2), std::nullopt);
    EXPECT_EQ(table.find(0), std::nullopt);
    table.erase(1);
    EXPECT_EQ(table.find(1), std::nullopt);
    EXPECT_EQ(table.find(UINT64_MAX), 20u);
}

TEST(IdTable, AgreesWithAMapWhateverTheOrder) {
    Random random(5);
    IdTable table;
    std::map<std::uint64_t, std::uint32_t> expected;
    for (std::uint32_t i = 0; i < 50'000; ++i) {
        const std::uint64_t key = 1 + random.below(700);
        if (random.below(2) == 0) {
            if (expected.emplace(key, i).second) table.insert(key, i);
        } else {
            expected.erase(key);
            table.erase(key);
        }
        const std::uint64_t probe = random.below(800);
        const auto at = expected.find(probe);
        ASSERT_EQ(table.find(probe), at == expected.end() ? std::nullopt : std::optional(at->second));
        ASSERT_EQ(table.size(), expected.size());
    }
    for (const auto& [key, value] : expected) ASSERT_EQ(table.find(key), value);
}

} // namespace
} // namespace phx::protocol
