#include "phx/protocol/codec.hpp"
#include "session.hpp"
#include "verbs.hpp"

#include <cerrno>
#include <memory>
#include <unistd.h>

namespace phx::cli {
namespace {

struct Push {
    ConnectArgs connect = {};
    std::vector<std::string> words = {};
    std::string join = {};
    std::string binary = {};
    std::string interval = "0s";
    std::size_t repeat = 1;
    bool lines = false;
};

// After so many messages the server is asked whether it is still there, so that a pipe cannot outrun the
// network.
constexpr std::size_t window = 512;

class Pusher {
public:
    Pusher(Session& session, Finish& finish, Channel channel, std::string event)
        : session_(session), finish_(finish), channel_(std::move(channel)), event_(std::move(event)) {}

    bool text(const std::string& json) { return sent(channel_.send(event_, json)); }
    bool binary(const std::string& bytes) { return sent(channel_.send_binary(event_, as_binary(bytes))); }

    /// A heartbeat travels behind what was sent: its reply says that the server has read all of it.
    bool flush() {
        const auto pong = finish_.await(session_.socket().ping());
        if (pong && !*pong) finish_.now(pong->error(), "not confirmed by the server");
        return !finish_.done();
    }

private:
    bool sent(const Result<void>& result) {
        if (!result) finish_.now(result.error(), "not sent");
        if (finish_.done()) return false;
        return ++count_ % window != 0 || flush();
    }

    Session& session_;
    Finish& finish_;
    Channel channel_;
    std::string event_;
    std::size_t count_ = 0;
};

/// Lines of standard input; a signal, or the end of the program, ends the wait for one.
class InputLines {
public:
    explicit InputLines(Finish& finish) : finish_(finish) {}

    bool next(std::string& line) {
        while (true) {
            const auto end = pending_.find('\n');
            if (end != std::string::npos || (ended_ && !pending_.empty())) {
                line = pending_.substr(0, end);
                pending_.erase(0, end == std::string::npos ? end : end + 1);
                return true;
            }
            if (ended_ || !fill()) return false;
        }
    }

private:
    bool fill() {
        while (true) {
            const auto wake = finish_.wait({}, STDIN_FILENO);
            if (wake == Finish::Wake::finished) return false;
            if (wake == Finish::Wake::readable) break;
        }
        char buffer[65536];
        const auto length = read(STDIN_FILENO, buffer, sizeof buffer);
        if (length > 0) pending_.append(buffer, static_cast<std::size_t>(length));
        ended_ = length == 0 || (length < 0 && errno != EINTR);
        return true;
    }

    Finish& finish_;
    std::string pending_;
    bool ended_ = false;
};

bool push_lines(Pusher& pusher, Finish& finish) {
    InputLines input(finish);
    std::string line;
    for (std::size_t number = 1; input.next(line); ++number) {
        if (line.empty()) continue;
        if (auto valid = protocol::validate_json(line); !valid) {
            finish.now(ExitCode::usage,
                       "line " + std::to_string(number) + " is not JSON: " + valid.error().message);
            return false;
        }
        if (!pusher.text(line)) return false;
    }
    return !finish.done();
}

ExitCode run(Push& args) {
    const auto words = take_url(args.connect, args.words, {"TOPIC", "EVENT"});
    if (args.lines && (words.size() > 2 || !args.binary.empty()))
        usage_error("--lines takes its payloads from stdin");
    const std::string payload = payload_or_exit(words, 2);
    const std::string bytes = args.binary.empty() ? std::string() : read_or_exit(args.binary);
    const auto interval = duration_or_exit("--interval", args.interval);
    const auto join = join_payload_or_exit(args.join);

    Finish finish;
    Session session(args.connect, finish, Session::Purpose::deliver);
    auto channel = session.channel(words[0], join);
    if (!session.connect() || !session.joined(channel)) return finish.code();

    Pusher pusher(session, finish, channel, words[1]);
    bool going = true;
    if (args.lines) going = push_lines(pusher, finish);
    for (std::size_t i = 0; going && !args.lines && i < args.repeat; ++i) {
        if (i > 0 && interval.count() > 0 && finish.sleep(interval)) break;
        going = args.binary.empty() ? pusher.text(payload) : pusher.binary(bytes);
    }
    if (going && pusher.flush()) finish.now(ExitCode::ok);
    return finish.code();
}

} // namespace

void add_push(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<Push>();
    auto* verb = app.add_subcommand("push", "join and push one event, or many, without waiting for replies");
    take_words(*verb, "URL TOPIC EVENT JSON", "JSON may be @FILE, or - for standard input");
    verb->add_flag("--lines", args->lines, "push each line of standard input, which must be JSON");
    verb->add_option("--repeat", args->repeat, "push so many times")->capture_default_str();
    verb->add_option("--interval", args->interval, "wait between two pushes")->type_name("DURATION");
    verb->add_option("--binary", args->binary, "push these bytes instead of JSON; - is standard input")
        ->type_name("FILE");
    add_join_option(*verb, args->join);
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
