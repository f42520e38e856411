#pragma once

#include "phx/error.hpp"
#include "phx/server/connection.hpp"
#include "tools/phx-server/log_line.hpp"

#include <chrono>
#include <mutex>
#include <string_view>
#include <vector>

namespace phx::tools {

struct LogOptions {
    LogFormat format = LogFormat::text;
    LogLevel level = LogLevel::info;
};

/// The program's lines on stderr. Any thread.
class Log {
public:
    explicit Log(LogOptions options) : options_(options) {}

    void set_options(LogOptions);
    void write(LogLevel, std::string_view event, const std::vector<LogField>& = {});
    /// Whatever the level of the options.
    void write_always(LogLevel, std::string_view event, const std::vector<LogField>&);
    /// What the server reports: what is a client's fault at the level debug. Of each kind 20 lines per
    /// second; how many there were more is told later.
    void report(const Error&, const server::Connection* = nullptr);
    /// Likewise, at the level info.
    void report(const server::Connection&, server::ConnectionChange);
    /// Tells what report() has not told yet.
    void flush();

private:
    struct Kind {
        LogLevel level;
        std::string_view event;
        LineQuota quota;
    };
    /// Asks for the fields only if the line is written.
    template <class MakeFields> void write_bounded(Kind&, MakeFields&&);
    void write_locked(LogLevel, std::string_view event, const std::vector<LogField>&);
    void put(LogLevel, std::string_view event, const std::vector<LogField>&);
    void tell_suppressed(Kind&, LineQuota::TimePoint now);

    static constexpr unsigned lines_per_second = 20;

    std::mutex mutex_; // of all that follows
    LogOptions options_;
    Kind client_{LogLevel::debug, "client_error", LineQuota(lines_per_second)};
    Kind server_{LogLevel::error, "server_error", LineQuota(lines_per_second)};
    Kind connection_{LogLevel::info, "connection", LineQuota(lines_per_second)};
};

} // namespace phx::tools
