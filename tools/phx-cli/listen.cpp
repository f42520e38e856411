#include "phx/protocol/builders.hpp"
#include "session.hpp"
#include "verbs.hpp"

#include <algorithm>
#include <memory>

namespace phx::cli {
namespace {

struct Listen {
    ConnectArgs connect = {};
    std::vector<std::string> words = {};
    std::vector<std::string> events = {};
    std::size_t count = 0;
    std::string join = {};
    bool self = false;
    bool presence = false;
};

ExitCode run(Listen& args) {
    auto topics = take_url(args.connect, args.words, {"TOPIC"});
    const auto join = join_payload_or_exit(args.join);
    protocol::JoinConfig config;
    config.broadcast_self = args.self;
    config.presence_enabled = args.presence;

    Finish finish;
    Output output(args.connect.format());
    std::size_t printed = 0;
    Session session(args.connect, finish);
    const auto print = [&](const Message& message) {
        const auto matches = [&](std::string_view name) {
            return std::find(args.events.begin(), args.events.end(), name) != args.events.end();
        };
        if (!args.events.empty() && !matches(message.event()) && !matches(message.user_event())) return;
        if (finish.done()) return;
        output.message(message);
        if (output.error() != 0) return finish.now(output.verdict());
        if (++printed == args.count) finish.now(ExitCode::ok);
    };
    std::vector<Channel> channels;
    std::sort(topics.begin(), topics.end());
    topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
    for (const auto& topic : topics) {
        channels.push_back(session.channel(topic, join, config));
        channels.back().on_any(print);
    }
    if (!session.connect()) return finish.code();
    for (const auto& channel : channels) session.join(channel);

    const auto unfinished = [&] {
        finish.now(ExitCode::timeout, "timeout: fewer than " + std::to_string(args.count) +
                                          " messages arrived; more come with a longer --timeout");
    };
    const auto timeout = timeout_of(args.connect);
    if (!finish.sleep(timeout)) args.count == 0 ? finish.now(ExitCode::ok) : unfinished();
    return finish.code();
}

} // namespace

void add_listen(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<Listen>();
    auto* verb = app.add_subcommand("listen", "join topics and print what arrives");
    take_words(*verb, "URL TOPIC...", "endpoint and topics");
    verb->add_option("--event", args->events,
                     "print this event only (repeatable); for broadcasts also the inner event")
        ->type_name("EVENT")
        ->allow_extra_args(false);
    verb->add_option("--count", args->count, "end after so many messages");
    add_join_option(*verb, args->join);
    verb->add_flag("--self", args->self, "realtime: also receive what this connection broadcasts");
    verb->add_flag("--presence", args->presence, "realtime: also receive presence");
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
