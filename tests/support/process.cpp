#include "tests/support/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phx::test {
namespace {

constexpr std::chrono::seconds patience(60);

} // namespace

Process::Process(std::vector<std::string> argv, Environment extra) {
    std::signal(SIGPIPE, SIG_IGN);
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipes left");
    }
    std::vector<char*> words;
    for (auto& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        for (const auto& [name, value] : extra) setenv(name.c_str(), value.c_str(), 1);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        execv(words[0], words.data());
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    stdin_ = in[1];
    out_.fd = out[0];
    err_.fd = err[0];
}

Process::~Process() {
    if (!status_) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close_stdin();
    close(out_.fd);
    close(err_.fd);
}

void Process::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(stdin_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; // the program has closed its input
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void Process::close_stdin() {
    if (stdin_ >= 0) close(stdin_);
    stdin_ = -1;
}

bool Process::pump(Clock::time_point deadline) {
    pollfd fds[2] = {{out_.ended ? -1 : out_.fd, POLLIN, 0}, {err_.ended ? -1 : err_.fd, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 || poll(fds, 2, static_cast<int>(left)) <= 0) return false;
    int i = 0;
    for (Stream* stream : {&out_, &err_}) {
        if (fds[i++].revents == 0) continue;
        char buffer[65536];
        const auto length = read(stream->fd, buffer, sizeof buffer);
        if (length <= 0) stream->ended = true;
        if (length > 0) stream->all.append(buffer, static_cast<std::size_t>(length));
    }
    return true;
}

std::optional<std::string> Process::line_of(Stream& stream) {
    const auto deadline = Clock::now() + patience;
    while (true) {
        const auto end = stream.all.find('\n', stream.taken);
        if (end != std::string::npos) {
            auto line = stream.all.substr(stream.taken, end - stream.taken);
            stream.taken = end + 1;
            return line;
        }
        if (stream.ended || !pump(deadline)) return {};
    }
}

std::optional<std::string> Process::out_line() { return line_of(out_); }

std::optional<std::string> Process::err_line_with(std::string_view text) {
    while (auto line = line_of(err_)) {
        if (line->find(text) != std::string::npos) return line;
    }
    return {};
}

void Process::signal(int number) { kill(pid_, number); }

std::string Process::command_line() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/cmdline", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool Process::out_starts() {
    pollfd fd{out_.fd, POLLIN, 0};
    return poll(&fd, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) == 1;
}

int Process::wait_without_reading() {
    const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    pollfd fd{handle, POLLIN, 0};
    if (poll(&fd, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) != 1) kill(pid_, SIGKILL);
    close(handle);
    return reap();
}

int Process::reap() {
    int status = 0;
    waitpid(pid_, &status, 0);
    status_ = status;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    return WTERMSIG(status) == SIGKILL ? -1 : 128 + WTERMSIG(status);
}

Process::Result Process::finish() {
    const auto deadline = Clock::now() + patience;
    while (!out_.ended || !err_.ended) {
        if (!pump(deadline)) break;
    }
    if (!out_.ended || !err_.ended) kill(pid_, SIGKILL);
    Result result;
    result.exit_code = reap();
    result.out = out_.all.substr(out_.taken);
    result.err = err_.all;
    return result;
}

Process::Result run(std::vector<std::string> argv, std::string_view stdin_text, Process::Environment extra) {
    Process process(std::move(argv), std::move(extra));
    process.write(stdin_text);
    process.close_stdin();
    return process.finish();
}

} // namespace phx::test
