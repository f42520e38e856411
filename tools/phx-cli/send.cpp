#include "phx/protocol/builders.hpp"
#include "phx/protocol/topic.hpp"
#include "route_send.hpp"
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
    std::string route = {};
};

ExitCode run(Send& args) {
    if (!args.route.empty()) return send_to_route(args.connect, args.route, args.words);
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
    auto* verb =
        app.add_subcommand("send", "send a Supabase broadcast to a realtime: topic, or a message to a route");
    take_words(*verb, "URL TOPIC EVENT JSON | URL --to ROUTE EVENT JSON",
               "JSON may be @FILE, or - for standard input");
    auto* ack = verb->add_flag("--ack", args->ack, "wait until the server acknowledges it");
    auto* is_private = verb->add_flag("--private", args->is_private, "join the private room of that name");
    verb->add_option(
            "--to", args->route,
            "send to all, user:ID, role:NAME, connection:ID or topic:NAME, by the HTTP API of phx-server, "
            "and print to how many connections it went; needs a token of the service role")
        ->type_name("ROUTE")
        ->excludes(ack)
        ->excludes(is_private);
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
