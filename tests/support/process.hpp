#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace phx::test {

/// A program under test with its three pipes. Every wait has a generous deadline: a hang is a failure, not a
/// stuck run. The destructor kills what is left.
class Process {
public:
    using Environment = std::vector<std::pair<std::string, std::string>>;
    explicit Process(std::vector<std::string> argv, Environment extra = {});
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void write(std::string_view bytes);
    void close_stdin();
    /// The next line without its end; nothing at the end of the stream or the deadline.
    std::optional<std::string> out_line();
    /// Reads stderr until a line contains `text`; that line, or nothing.
    std::optional<std::string> err_line_with(std::string_view text);
    void signal(int number);
    /// Its number, for /proc.
    std::string id() const { return std::to_string(pid_); }
    /// What everybody on the machine can see of its arguments, while it runs.
    std::string command_line() const;
    /// Waits until there is something on stdout, and leaves it there.
    bool out_starts();
    /// Waits for the program although nobody reads what it writes; its exit code as in Result.
    int wait_without_reading();

    struct Result {
        int exit_code = -1;   ///< 128 + n when ended by signal n, -1 when it had to be killed
        std::string out = {}; ///< what out_line() has not given
        std::string err = {}; ///< all of it
    };
    /// Reads both streams to their ends and waits for the program.
    Result finish();

private:
    struct Stream {
        int fd = -1;
        std::string all = {};
        std::size_t taken = 0;
        bool ended = false;
    };
    using Clock = std::chrono::steady_clock;
    bool pump(Clock::time_point deadline);
    std::optional<std::string> line_of(Stream&);
    int reap();

    pid_t pid_ = -1;
    int stdin_ = -1;
    Stream out_, err_;
    std::optional<int> status_;
};

/// Runs to its end.
Process::Result run(std::vector<std::string> argv, std::string_view stdin_text = {},
                    Process::Environment extra = {});

} // namespace phx::test
