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

void Log::write_always(LogLevel level, std::string_view event, const std::vector<LogField>& fields) {
    const std::lock_guard lock(mutex_);
    put(level, event, fields);
}

template <class MakeFields> void Log::write_bounded(Kind& kind, MakeFields&& make_fields) {
    const std::lock_guard lock(mutex_);
    if (kind.level < options_.level) return;
    const auto now = std::chrono::steady_clock::now();
    tell_suppressed(kind, now);
    if (kind.quota.take(now)) put(kind.level, kind.event, make_fields());
}

void Log::report(const Error& error, const server::Connection* connection) {
    write_bounded(error.origin == Origin::local ? server_ : client_, [&] {
        std::vector<LogField> fields = {{"code", error.code.message()}, {"message", error.message}};
        if (connection) {
            fields.push_back({"connection", connection->id});
            fields.push_back({"peer", connection->peer});
        }
        return fields;
    });
}

void Log::report(const server::Connection& connection, server::ConnectionChange change) {
    write_bounded(connection_, [&] {
        const char* const state = change == server::ConnectionChange::opened ? "opened" : "ended";
        return std::vector<LogField>{
            {"state", state}, {"connection", connection.id}, {"peer", connection.peer}};
    });
}

void Log::flush() {
    const std::lock_guard lock(mutex_);
    for (Kind* const kind : {&client_, &server_, &connection_})
        tell_suppressed(*kind, LineQuota::TimePoint::max());
}

void Log::write_locked(LogLevel level, std::string_view event, const std::vector<LogField>& fields) {
    if (level >= options_.level) put(level, event, fields);
}

void Log::put(LogLevel level, std::string_view event, const std::vector<LogField>& fields) {
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
