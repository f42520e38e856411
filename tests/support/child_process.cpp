#include "tests/support/child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace phx::test {
namespace {

constexpr int patience_ms = 10'000;

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe2");
        read = ends[0];
        write = ends[1];
    }
    int read = -1;
    int write = -1;
};

} // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const Pipe out;
    const Pipe err;
    process_ = ::fork();
    if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (process_ == 0) {
        ::dup2(out.write, STDOUT_FILENO);
        ::dup2(err.write, STDERR_FILENO);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(out.write);
    ::close(err.write);
    out_ = out.read;
    err_ = err.read;
}

ChildProcess::~ChildProcess() {
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
    }
    close_stdout();
    if (err_ >= 0) ::close(err_);
}

bool ChildProcess::read_some(int descriptor, std::string& text) {
    pollfd entry{descriptor, POLLIN, 0};
    if (::poll(&entry, 1, patience_ms) != 1)
        throw std::runtime_error("the program says nothing, and does not end");
    std::array<char, 4096> chunk{};
    const ssize_t bytes = ::read(descriptor, chunk.data(), chunk.size());
    if (bytes <= 0) return false;
    text.append(chunk.data(), static_cast<std::size_t>(bytes));
    return true;
}

std::string ChildProcess::read_line() {
    while (out_text_.find('\n') == std::string::npos) {
        if (!read_some(out_, out_text_)) return std::exchange(out_text_, {});
    }
    const std::size_t end = out_text_.find('\n');
    std::string line = out_text_.substr(0, end);
    out_text_.erase(0, end + 1);
    return line;
}

void ChildProcess::signal(int number) { ::kill(process_, number); }

void ChildProcess::close_stdout() {
    if (out_ >= 0) ::close(std::exchange(out_, -1));
}

ChildProcess::Ended ChildProcess::wait() {
    Ended ended;
    while (out_ >= 0 && read_some(out_, out_text_)) {
    }
    while (read_some(err_, ended.err)) {
    }
    ended.out = std::exchange(out_text_, {});
    int status = 0;
    ::waitpid(std::exchange(process_, -1), &status, 0);
    ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended;
}

} // namespace phx::test
