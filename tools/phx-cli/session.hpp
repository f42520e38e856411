#pragma once

#include "args.hpp"
#include "output.hpp"
#include "phx/phx.hpp"
#include "phx/protocol/builders.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

namespace phx::cli {

/// The end of the program, decided by whoever is first: a handler on the loop thread, the timeout or a
/// signal. SIGINT and SIGTERM are blocked in every thread and read here. Once the end is decided a further
/// signal kills, and what is in the way for two seconds more (a reader of stdout that stalls, a name look-up)
/// is left behind.
///
/// REQUIRES: made before any thread is started.
class Finish {
public:
    Finish();
    ~Finish();
    Finish(const Finish&) = delete;
    Finish& operator=(const Finish&) = delete;

    /// Any thread; only the first call counts. `why` is printed to stderr as one line unless empty.
    void now(ExitCode code, std::string_view why = {});
    void now(const Error& error, std::string_view what);
    bool done() const noexcept { return code_.load() >= 0; }

    enum class Wake { finished, woken, timed_out, readable };
    /// Main thread: until it is finished, interrupted (130), woken, `timeout` is over, or `fd` is readable.
    Wake wait(std::optional<Millis> timeout, int fd = -1);
    /// Main thread: until it is finished (true) or `timeout` is over (false); without a timeout for ever.
    bool sleep(std::optional<Millis> timeout);
    /// Main thread: until the push has finished; nothing when the program finished before it.
    std::optional<Result<Reply>> await(Push push);
    /// Any thread: lets wait() return once.
    void wake() noexcept;
    ExitCode code() const noexcept { return static_cast<ExitCode>(code_.load()); }

private:
    std::atomic<int> code_{-1};
    int wake_fd_ = -1;
    int signal_fd_ = -1;
};

/// A socket that reports to stderr and ends the program as its options say.
class Session {
public:
    enum class Purpose {
        stay,    ///< losses are reported, and the socket comes back
        deliver, ///< what could not be sent, or a channel that fails, ends the program
    };
    Session(const ConnectArgs& args, Finish& finish, Purpose purpose = Purpose::stay);

    Socket& socket() noexcept { return *socket_; }
    /// Dials; with --wait it returns when the connection is open. REQUIRES: handlers are registered. False
    /// when the program is to end.
    bool connect();
    /// The channel of a topic as the user named it; a realtime: topic is joined with `config` unless `join`
    /// is given.
    Channel channel(const std::string& topic, const std::optional<std::string>& join = {},
                    const protocol::JoinConfig& config = {});
    /// Joins and ends the program when that is refused, or when the server ends the channel later.
    Push join(Channel channel);
    /// Joins and waits for it. False when the program is to end.
    bool joined(const Channel& channel);
    void note(std::string_view line) const; ///< to stderr, unless --quiet

private:
    SocketOptions options(const ConnectArgs&);
    void failed(const Error&);

    const ConnectArgs& args_;
    Finish& finish_;
    const Purpose purpose_;
    std::atomic<bool> was_open_{false};
    Loop loop_;
    std::optional<Socket> socket_;
};

} // namespace phx::cli
