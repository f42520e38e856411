#include "phx/presence.hpp"
#include "phx/protocol/builders.hpp"
#include "phx/protocol/topic.hpp"
#include "session.hpp"
#include "verbs.hpp"

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace phx::cli {
namespace {

struct PresenceArgs {
    ConnectArgs connect = {};
    std::vector<std::string> words = {};
    std::string track = {};
    std::string key = {};
    std::string join = {};
    bool watch = false;
};

std::string without_refs(const std::vector<PresenceMeta>& metas) {
    Json shown = Json::array();
    for (const PresenceMeta& meta : metas) {
        auto json = meta_json(meta);
        shown.push_back(json ? *std::move(json) : Json(meta.text()));
        if (shown.back().is_object()) shown.back().erase("phx_ref"), shown.back().erase("phx_ref_prev");
    }
    return shown.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Prints who is there, and then what changes. Loop thread only.
class Watcher {
public:
    Watcher(const PresenceArgs& args, Finish& finish, const Channel& channel)
        : args_(args), finish_(finish), presence_(channel),
          live_(args.watch && args.connect.format() == Format::plain && isatty(STDOUT_FILENO) == 1) {
        presence_.on_join([this](const PresenceEntry* before, const PresenceEntry& joined) {
            before ? update(joined.key) : print("join", joined.key, joined.metas);
        });
        presence_.on_update([this](const PresenceEntry&, const PresenceEntry& now) { update(now.key); });
        presence_.on_leave([this](const PresenceEntry& now, const PresenceEntry& left) {
            now.metas.empty() ? print("leave", left.key, left.metas) : update(now.key);
        });
        presence_.on_sync([this] {
            if (live_ && !finish_.done()) draw_table();
            if (!args_.watch) finish_.now(ExitCode::ok);
        });
    }

private:
    void update(const std::string& key) {
        if (const PresencePtr now = presence_.get(key)) print("update", key, now->metas);
    }

    void print(const char* event, const std::string& key, const std::vector<PresenceMeta>& metas) {
        if (live_ || finish_.done()) return;
        std::string line;
        if (args_.connect.format() == Format::json) {
            Json all = Json::array();
            for (const PresenceMeta& meta : metas) {
                if (auto json = meta_json(meta)) all.push_back(*std::move(json));
            }
            line = Json{{"ts", timestamp()},
                        {"topic", presence_.channel().topic()},
                        {"event", event},
                        {"key", key},
                        {"metas", std::move(all)}}
                       .dump(-1, ' ', false, Json::error_handler_t::replace);
        } else if (args_.connect.format() == Format::raw) {
            line = without_refs(metas);
        } else {
            line = std::string(event) + " " + printable_frame(protocol::Opcode::text, key) + " " +
                   without_refs(metas);
        }
        std::puts(line.c_str());
        std::fflush(stdout);
    }

    void draw_table() {
        const PresenceState all = presence_.state();
        std::string screen = "\033[H\033[2J\033[1m" + presence_.channel().topic() + "\033[0m  " +
                             std::to_string(all.size()) + " present\n";
        for (const PresenceEntry& entry : all) {
            screen += "  \033[36m" + printable_frame(protocol::Opcode::text, entry.key) + "\033[0m  " +
                      without_refs(entry.metas) + "\n";
        }
        std::fputs(screen.c_str(), stdout);
        std::fflush(stdout);
    }

    const PresenceArgs& args_;
    Finish& finish_;
    Presence presence_;
    bool live_;
};

ExitCode run(PresenceArgs& args) {
    const auto words = take_url(args.connect, args.words, {"TOPIC"});
    if (words.size() > 1) usage_error("one TOPIC at a time");
    const auto topic = wire_topic(args.connect, words[0]);
    if (!args.track.empty() && !topic.starts_with(protocol::realtime_prefix)) {
        usage_error("--track needs a realtime: topic; on other topics the server decides who is present");
    }
    const std::string meta = args.track.empty() ? std::string() : json_or_exit(args.track);
    const auto join = join_payload_or_exit(args.join);
    protocol::JoinConfig config;
    config.presence_enabled = true;
    config.presence_key = args.key;
    args.watch = args.watch || !args.track.empty();

    Finish finish;
    Session session(args.connect, finish);
    auto channel = session.channel(topic, join, config);
    const Watcher watcher(args, finish, channel);
    if (!args.track.empty()) {
        // At every join, so that the presence survives reconnects.
        channel.on_state([&, channel](ChannelState, ChannelState to, const Error*) mutable {
            if (to != ChannelState::joined) return;
            channel.push_text("presence", protocol::presence_track_payload(meta))
                .then([&finish](const Result<Reply>& result) {
                    if (!result && result.error().code == Errc::rejected)
                        finish.now(result.error(), "cannot track");
                });
        });
    }
    if (!session.connect() || !session.joined(channel)) return finish.code();
    if (!finish.sleep(timeout_of(args.connect))) {
        if (args.watch) return ExitCode::ok; // watched for as long as was asked
        finish.now(ExitCode::timeout, "timeout: the server sent no presence_state");
    }
    return finish.code();
}

} // namespace

void add_presence(CLI::App& app, int& exit_code) {
    auto args = std::make_shared<PresenceArgs>();
    auto* verb = app.add_subcommand("presence", "show who is present on a topic");
    take_words(*verb, "URL TOPIC", "endpoint and topic");
    verb->add_flag("--watch", args->watch, "go on: a live table on a terminal, a line per change otherwise");
    verb->add_option("--track", args->track, "be present with this meta until interrupted")
        ->type_name("JSON");
    verb->add_option("--presence-key", args->key, "key to be present under; the server makes one otherwise");
    add_join_option(*verb, args->join);
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
