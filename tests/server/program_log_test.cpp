#include "tools/phx-server/log_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

namespace phx::tools {
namespace {

using namespace std::chrono_literals;
using TimePoint = LineQuota::TimePoint;

const std::chrono::system_clock::time_point time{1'700'000'000'005ms};

TEST(LogLine, IsTextThatEyesRead) {
    EXPECT_EQ(log_line(LogFormat::text, time, LogLevel::info, "started",
                       {{"address", "127.0.0.1:1"}, {"message", "a b"}, {"empty", ""}, {"quote", "\""}}),
              "2023-11-14T22:13:20.005Z info started address=127.0.0.1:1 message=\"a b\" empty=\"\" "
              "quote=\"\\\"\"\n");
}

TEST(LogLine, IsJsonThatMachinesRead) {
    const std::string line = log_line(LogFormat::json, time, LogLevel::warn, "e", {{"a", "x\ny\xff\""}});
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["ts"], "2023-11-14T22:13:20.005Z");
    EXPECT_EQ(json["level"], "warn");
    EXPECT_EQ(json["event"], "e");
    EXPECT_EQ(json["a"], "x\ny\xEF\xBF\xBD\"");
}

TEST(LogLine, IsOneShortLineWhateverTheValue) {
    std::string anything(100'000, 'x');
    for (int c = 0; c < 256; ++c) anything[static_cast<std::size_t>(c)] = static_cast<char>(c);
    for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
        const std::string line = log_line(format, time, LogLevel::error, "e", {{"a", anything}});
        EXPECT_EQ(line.find('\n'), line.size() - 1);
        EXPECT_LT(line.size(), 3000u);
        for (const char c : line) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ');
    }
}

TEST(LineQuota, LetsSoManyLinesThroughPerSecond) {
    LineQuota quota(2);
    const TimePoint begin{100s};
    EXPECT_TRUE(quota.take(begin));
    EXPECT_TRUE(quota.take(begin + 1ms));
    EXPECT_FALSE(quota.take(begin + 2ms));
    EXPECT_FALSE(quota.take(begin + 999ms));
    EXPECT_EQ(quota.take_suppressed(begin + 999ms), 0u); // there may be more
    EXPECT_EQ(quota.take_suppressed(begin + 1s), 2u);
    EXPECT_EQ(quota.take_suppressed(begin + 1s), 0u);
    EXPECT_TRUE(quota.take(begin + 1s));
}

} // namespace
} // namespace phx::tools
