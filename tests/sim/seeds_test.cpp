#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace phx::sim {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

Report run(std::uint64_t seed, bool with_trace) {
    const Trace trace{with_trace};
    return World(seed, trace).run();
}

void print(const Report& r) {
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(r.virtual_time).count();
    std::printf("sim: %" PRIu64 " seeds, %" PRIu64 " pushes, %" PRIu64 " faults, %lld virtual hours; %" PRIu64
                " connects, %" PRIu64 " messages, %" PRIu64 " gaps, %" PRIu64 " packets\n",
                r.seeds, r.pushes, r.faults, static_cast<long long>(hours), r.connects, r.messages, r.gaps,
                r.packets);
}

/// PHX_SEED=n repeats one seed with a trace. PHX_SIM_SEEDS says how many there are, of all shards together;
/// PHX_SIM_SHARD and PHX_SIM_SHARDS which of them are this program's.
TEST(SimSeeds, KeepEveryPromise) {
    if (const std::uint64_t seed = from_environment("PHX_SEED", 0)) {
        const Report report = run(seed, true);
        print(report);
        for (const std::string& finding : report.findings) ADD_FAILURE() << finding;
        return;
    }
    const std::uint64_t seeds = from_environment("PHX_SIM_SEEDS", PHX_SIM_SEEDS);
    const std::uint64_t shards = from_environment("PHX_SIM_SHARDS", 1);
    Report total;
    for (std::uint64_t seed = 1 + from_environment("PHX_SIM_SHARD", 0); seed <= seeds; seed += shards) {
        const Report report = run(seed, false);
        total.add(report);
        for (const std::string& finding : report.findings) {
            ADD_FAILURE() << "seed " << seed << ": " << finding << "\nrepeat it with: PHX_SEED=" << seed
                          << " sim_test --gtest_filter=SimSeeds.KeepEveryPromise";
        }
        if (total.findings.size() > 20) break;
    }
    print(total);
}

TEST(SimWorld, IsTheSameInEachRunOfASeed) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const Report first = run(seed, false);
        const Report second = run(seed, false);
        EXPECT_EQ(first.digest, second.digest) << seed;
        EXPECT_EQ(first.virtual_time, second.virtual_time) << seed;
        EXPECT_EQ(first.pushes, second.pushes) << seed;
    }
}

} // namespace
} // namespace phx::sim
