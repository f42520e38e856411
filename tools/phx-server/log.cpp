#include "tools/phx-server/log.hpp"

#include <cstdio>
#include <string>

namespace phx::tools {

void Log::set_options(LogOptions options) {
    const std::lock_guard lock(mutex_);
    options_ = options;
}

void Log::write(LogLevel level, std::string_view event, const std::vector<LogField>& fields) {
    const std::lock_guard lock(mutex_);
    write_locked(level, event, fields);
}

void Log::report(const Error& error) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    Kind& kind = error.origin == Origin::local ? server_ : client_;
    if (kind.level < options_.level) return;
    tell_suppressed(kind, now);
    if (kind.quota.take(now))
        write_locked(kind.level, kind.event, {{"code", error.code.message()}, {"message", error.message}});
}

void Log::flush() {
    const std::lock_guard lock(mutex_);
    for (Kind* const kind : {&client_, &server_}) tell_suppressed(*kind, LineQuota::TimePoint::max());
}

void Log::write_locked(LogLevel level, std::string_view event, const std::vector<LogField>& fields) {
    if (level < options_.level) return;
    // One call, so that lines of other programs on the same terminal do not cut it.
    const std::string line =
        log_line(options_.format, std::chrono::system_clock::now(), level, event, fields);
    std::fwrite(line.data(), 1, line.size(), stderr);
}

void Log::tell_suppressed(Kind& kind, LineQuota::TimePoint now) {
    if (const std::uint64_t lines = kind.quota.take_suppressed(now))
        write_locked(kind.level, "suppressed",
                     {{"of", std::string(kind.event)}, {"lines", std::to_string(lines)}});
}

} // namespace phx::tools
