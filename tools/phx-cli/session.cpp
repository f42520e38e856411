#include "session.hpp"

#include "phx/protocol/topic.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>

namespace phx::cli {
namespace {

/// A stdout that nobody reads stalls whoever writes to it, and with it the end of the program.
void leave_later(int code) {
    std::thread([code] {
        std::this_thread::sleep_for(std::chrono::seconds(2));
        std::quick_exit(code); // flushes nothing
    }).detach();
}

/// What failed before a message reached the network.
bool is_of_sending(const Error& error) {
    return error.origin == Origin::local &&
           (error.code == Errc::field_too_long || error.code == Errc::invalid_payload ||
            error.code == Errc::invalid_utf8 || error.code == Errc::not_joined ||
            error.code == Errc::buffer_full || error.code == Errc::channel_closed);
}

} // namespace

Finish::Finish() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
    wake_fd_ = eventfd(0, EFD_CLOEXEC);
    if (signal_fd_ < 0 || wake_fd_ < 0) {
        std::cerr << "phx-cli: no file descriptors left: " << std::strerror(errno) << '\n';
        std::exit(static_cast<int>(ExitCode::failure));
    }
}

Finish::~Finish() {
    close(signal_fd_);
    close(wake_fd_);
}

void Finish::now(ExitCode code, std::string_view why) {
    int undecided = -1;
    if (!code_.compare_exchange_strong(undecided, static_cast<int>(code))) return;
    if (!why.empty()) std::cerr << "phx-cli: " + std::string(why) + "\n";
    leave_later(static_cast<int>(code));
    wake();
}

void Finish::wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
}

bool Finish::sleep(std::optional<Millis> timeout) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = timeout ? std::optional(Clock::now() + *timeout) : std::nullopt;
    while (true) {
        std::optional<Millis> left;
        if (deadline) left = std::max(std::chrono::ceil<Millis>(*deadline - Clock::now()), Millis(0));
        const auto wake = wait(left);
        if (wake == Wake::finished) return true;
        if (wake == Wake::timed_out) return false;
    }
}

std::optional<Result<Reply>> Finish::await(Push push) {
    struct Answer {
        std::mutex mutex;
        std::optional<Result<Reply>> result;
    };
    const auto answer = std::make_shared<Answer>();
    push.then([this, answer](const Result<Reply>& result) {
        {
            const std::lock_guard lock(answer->mutex);
            answer->result = result;
        }
        wake();
    });
    while (true) {
        {
            const std::lock_guard lock(answer->mutex);
            if (answer->result) return answer->result;
        }
        if (wait({}) == Wake::finished) return {};
    }
}

void Finish::now(const Error& error, std::string_view what) {
    std::string why(what);
    why += ": " + error.message;
    if (error.detail && !error.detail->reply.empty())
        why += " " + printable_frame(protocol::Opcode::text, error.detail->reply);
    now(exit_code_of(error), why);
}

Finish::Wake Finish::wait(std::optional<Millis> timeout, int fd) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = timeout ? std::optional(Clock::now() + *timeout) : std::nullopt;
    while (!done()) {
        int milliseconds = -1;
        if (deadline) {
            const auto left = std::chrono::ceil<Millis>(*deadline - Clock::now()).count();
            if (left <= 0) return Wake::timed_out;
            milliseconds = static_cast<int>(std::min<Millis::rep>(left, 1'000'000));
        }
        pollfd fds[] = {{wake_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}, {fd, POLLIN, 0}};
        if (poll(fds, fd < 0 ? 2 : 3, milliseconds) < 0 && errno != EINTR) break;
        if ((fds[1].revents & POLLIN) != 0) {
            now(ExitCode::interrupted);
            sigset_t signals;
            sigemptyset(&signals);
            sigaddset(&signals, SIGINT);
            sigaddset(&signals, SIGTERM);
            signalfd_siginfo ignored;
            [[maybe_unused]] const auto length = read(signal_fd_, &ignored, sizeof ignored);
            pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        }
        if (done()) break;
        if ((fds[0].revents & POLLIN) != 0) {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto length = read(wake_fd_, &count, sizeof count);
            return Wake::woken;
        }
        if (fd >= 0 && fds[2].revents != 0) return Wake::readable;
    }
    return Wake::finished;
}

Session::Session(const ConnectArgs& args, Finish& finish, Purpose purpose)
    : args_(args), finish_(finish), purpose_(purpose) {
    try {
        socket_.emplace(loop_, args.url, options(args));
    } catch (const std::invalid_argument& error) {
        usage_error(error.what());
    }
    socket_->on_open([this] {
        if (was_open_) note("connected again");
        was_open_ = true;
        finish_.wake();
    });
    socket_->on_close([this](std::uint16_t code, std::string_view reason) {
        std::string why = "connection closed with code " + std::to_string(code);
        if (!reason.empty()) why += ": " + printable_frame(protocol::Opcode::text, reason);
        if (args_.no_reconnect)
            return finish_.now(code == 1006 ? ExitCode::network : ExitCode::closed_by_server, why);
        note(why + "; connecting again");
    });
    socket_->on_error([this](const Error& error) { failed(error); });
}

SocketOptions Session::options(const ConnectArgs& args) {
    auto options = socket_options(args);
    if (args.verbose > 0) {
        options.frame_tap = [](protocol::Direction direction, protocol::Opcode opcode,
                               std::string_view frame) {
            const char* arrow = direction == protocol::Direction::to_server ? "> " : "< ";
            std::cerr << arrow + printable_frame(opcode, frame) + "\n";
        };
    }
    return options;
}

void Session::failed(const Error& error) {
    if (purpose_ == Purpose::deliver && is_of_sending(error)) return finish_.now(error, "not sent");
    const bool of_connect = error.code == Errc::connect_failed || error.code == Errc::tls_failed ||
                            error.code == Errc::upgrade_refused || error.code == Errc::bad_auth ||
                            (error.code == Errc::timeout && !was_open_);
    const bool hopeless = error.code == Errc::bad_auth;
    if (of_connect && (hopeless || args_.no_reconnect || (!was_open_ && !args_.wait_for_server))) {
        const auto code = error.code == Errc::timeout ? ExitCode::network : exit_code_of(error);
        return finish_.now(code, error.message);
    }
    note(error.message);
}

bool Session::connect() {
    socket_->connect();
    while (args_.wait_for_server && !was_open_ && !finish_.done()) finish_.wait({});
    return !finish_.done();
}

Channel Session::channel(const std::string& topic, const std::optional<std::string>& join,
                         const protocol::JoinConfig& config) {
    const auto name = wire_topic(args_, topic);
    std::string params = "{}";
    if (name.starts_with(protocol::realtime_prefix)) params = protocol::join_payload(config);
    if (join) params = *join;
    return socket_->channel(name, Json::parse(params, nullptr, false));
}

Push Session::join(Channel channel) {
    channel.on_state([this, topic = channel.topic(),
                      joined_before = false](ChannelState from, ChannelState to, const Error* why) mutable {
        if (to == ChannelState::joined) {
            note((joined_before ? "joined again " : "joined ") + topic);
            joined_before = true;
        }
        if (to == ChannelState::closed && from != ChannelState::leaving) {
            finish_.now(ExitCode::closed_by_server, "the server closed " + topic);
        }
        if (to != ChannelState::errored || why == nullptr) return;
        if (purpose_ == Purpose::deliver && joined_before) return finish_.now(*why, topic);
        note(topic + ": " + why->message);
    });
    channel.on_gap([this, topic = channel.topic()](Millis offline) {
        note(topic + ": messages of the last " + std::to_string(offline.count()) +
             " ms may have been missed");
    });
    return channel.join(timeout_of(args_)).then([this, topic = channel.topic()](const Result<Reply>& result) {
        if (result) return;
        if (result.error().code == Errc::timeout && !was_open_) {
            return finish_.now(ExitCode::network, "no connection to the server in time");
        }
        finish_.now(result.error(), "cannot join " + topic);
    });
}

bool Session::joined(const Channel& channel) {
    const auto result = finish_.await(join(channel));
    return result && result->has_value() && !finish_.done();
}

void Session::note(std::string_view line) const {
    if (!args_.quiet) std::cerr << "phx-cli: " + std::string(line) + "\n";
}

} // namespace phx::cli
