#include "phx/protocol/builders.hpp"
#include "phx/protocol/topic.hpp"
#include "session.hpp"
#include "verbs.hpp"

#include <memory>

namespace phx::cli {
namespace {

struct Send {
    ConnectArgs connect = {};
    std::vector<std::string> words = {};
    bool ack = false;
    bool is_private = false;
};

ExitCode run(Send& args) {
    const auto words = take_url(args.connect, args.words, {"TOPIC", "EVENT"});
    const auto payload = protocol::broadcast_payload(words[1], payload_or_exit(words, 2));
    protocol::JoinConfig config;
    config.broadcast_ack = args.ack;
    config.is_private = args.is_private;

    Finish finish;
    Session session(args.connect, finish, Session::Purpose::deliver);
    auto channel = session.channel(protocol::realtime_topic(words[0]), {}, config);
    if (!session.connect() || !session.joined(channel)) return finish.code();

    if (args.ack) {
        const auto ack = finish.await(channel.push_text("broadcast", payload, timeout_of(args.connect)));
        if (ack && !*ack) finish.now(ack->error(), "the broadcast was not acknowledged");
    } else {
        if (auto sent = channel.send("broadcast", payload); !sent) finish.now(sent.error(), "not sent");
        // A heartbeat travels behind the broadcast: its reply says that the server has read both.
        const auto pong = finish.await(session.socket().ping());
        if (pong && !*pong) finish.now(pong->error(), "not confirmed by the server");
    }
    finish.now(ExitCode::ok);
    return finish.code();
}

} // namespace

void add_send(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<Send>();
    auto* verb = app.add_subcommand("send", "send a Supabase broadcast to a realtime: topic");
    take_words(*verb, "URL TOPIC EVENT JSON", "JSON may be @FILE, or - for standard input");
    verb->add_flag("--ack", args->ack, "wait until the server acknowledges it");
    verb->add_flag("--private", args->is_private, "join the private room of that name");
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
