#include "session.hpp"
#include "verbs.hpp"

#include <memory>

namespace phx::cli {
namespace {

struct Call {
    ConnectArgs connect = {};
    std::vector<std::string> words = {};
    std::string join = {};
    std::string binary = {};
};

ExitCode run(Call& args) {
    const auto words = take_url(args.connect, args.words, {"TOPIC", "EVENT"});
    const std::string payload = payload_or_exit(words, 2);
    const std::string bytes = args.binary.empty() ? std::string() : read_or_exit(args.binary);
    const auto join = join_payload_or_exit(args.join);

    Finish finish;
    Output output(args.connect.format());
    Session session(args.connect, finish);
    auto channel = session.channel(words[0], join);
    if (!session.connect() || !session.joined(channel)) return finish.code();

    const auto timeout = timeout_of(args.connect);
    const auto reply =
        finish.await(args.binary.empty() ? channel.push_text(words[1], payload, timeout)
                                         : channel.push_binary(words[1], as_binary(bytes), timeout));
    if (!reply) return finish.code();
    if (!*reply) {
        const auto& error = reply->error();
        // An error reply is an answer: its payload is data.
        if (error.code == Errc::rejected && error.detail) {
            output.reply(channel.topic(),
                         Reply(error.detail->status, protocol::Opcode::text, error.detail->reply, {}));
        }
        finish.now(exit_code_of(error), "no ok to '" + words[1] + "': " + error.message);
        return finish.code();
    }
    output.reply(channel.topic(), **reply);
    finish.now(output.verdict());
    return finish.code();
}

} // namespace

void add_call(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<Call>();
    auto* verb = app.add_subcommand("call", "join, push one event, wait for its reply and print it");
    take_words(*verb, "URL TOPIC EVENT JSON", "JSON may be @FILE, or - for standard input");
    verb->add_option("--binary", args->binary, "push these bytes instead of JSON")->type_name("FILE");
    add_join_option(*verb, args->join);
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
