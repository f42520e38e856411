#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace phx::test {

/// A program that a test starts. What takes longer than ten seconds throws.
class ChildProcess {
public:
    /// The first is the program's path.
    explicit ChildProcess(const std::vector<std::string>& command);
    /// Kills it if it still runs.
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    /// The next line of its stdout, without the newline; what there is when it has ended.
    std::string read_line();
    void signal(int number);
    /// Closes our end of its stdout.
    void close_stdout();

    struct Ended {
        int exit_code = -1; ///< 128 + n when a signal n ended it
        std::string out = {};
        std::string err = {};
    };
    /// Waits for its end; `out` is what read_line() has not given.
    Ended wait();

private:
    bool read_some(int descriptor, std::string& text);

    pid_t process_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::string out_text_;
};

} // namespace phx::test
