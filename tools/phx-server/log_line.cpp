#include "tools/phx-server/log_line.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <ctime>

namespace phx::tools {
namespace {

constexpr std::size_t max_value_bytes = 1000;

std::string_view name_of(LogLevel level) {
    constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
    return names[static_cast<std::size_t>(level)];
}

/// RFC 3339, in UTC.
std::string time_text(std::chrono::system_clock::time_point time) {
    const auto millis = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
    const std::time_t seconds = static_cast<std::time_t>(millis / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(millis % 1000));
    return text;
}

std::string as_json(std::string_view value) {
    const std::string cut =
        std::string(value.substr(0, max_value_bytes)) + (value.size() > max_value_bytes ? "..." : "");
    return nlohmann::json(cut).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_plain(std::string_view value) {
    return !value.empty() && value.size() <= max_value_bytes &&
           std::all_of(value.begin(), value.end(),
                       [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '='; });
}

} // namespace

std::string log_line(LogFormat format, std::chrono::system_clock::time_point time, LogLevel level,
                     std::string_view event, const std::vector<LogField>& fields) {
    const bool is_json = format == LogFormat::json;
    std::string line;
    if (is_json) {
        line.append(R"({"ts":")").append(time_text(time)).append(R"(","level":")").append(name_of(level));
        line.append(R"(","event":)").append(as_json(event));
    } else {
        line.append(time_text(time)).append(" ").append(name_of(level)).append(" ").append(event);
    }
    for (const auto& [name, value] : fields) {
        if (is_json) {
            line.append(",").append(as_json(name)).append(":").append(as_json(value));
        } else {
            line.append(" ").append(name).append("=").append(is_plain(value) ? value : as_json(value));
        }
    }
    return line.append(is_json ? "}\n" : "\n");
}

bool LineQuota::take(TimePoint now) {
    if (is_over(now)) {
        second_ = now;
        used_ = 0;
    }
    if (used_ < limit_) return ++used_, true;
    ++suppressed_;
    return false;
}

std::uint64_t LineQuota::take_suppressed(TimePoint now) {
    return suppressed_ != 0 && is_over(now) ? std::exchange(suppressed_, 0) : 0;
}

} // namespace phx::tools
