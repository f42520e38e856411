#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::tools {

enum class LogFormat : std::uint8_t { text, json };
enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct LogField {
    std::string_view name;
    std::string value;
};

/// One line, with its end: `{"ts":"2026-01-31T12:00:00.000Z","level":"info","event":"started",...}`, or as
/// text `2026-01-31T12:00:00.000Z info started address=127.0.0.1:4000`. Values may be anything: they are
/// escaped, and cut after 1000 bytes.
std::string log_line(LogFormat, std::chrono::system_clock::time_point, LogLevel, std::string_view event,
                     const std::vector<LogField>&);

/// So many lines per second; the others are counted.
class LineQuota {
public:
    using TimePoint = std::chrono::steady_clock::time_point;
    explicit LineQuota(unsigned lines_per_second) : limit_(lines_per_second) {}

    /// Whether a line may be written now.
    bool take(TimePoint now);
    /// How many were not written since the last call, once their second is over.
    std::uint64_t take_suppressed(TimePoint now);

private:
    bool is_over(TimePoint now) const { return now - second_ >= std::chrono::seconds(1); }

    unsigned limit_;
    TimePoint second_ = {}; ///< its begin
    unsigned used_ = 0;
    std::uint64_t suppressed_ = 0;
};

} // namespace phx::tools
