#include "phx/protocol/builders.hpp"
#include "phx/protocol/topic.hpp"
#include "session.hpp"
#include "verbs.hpp"

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
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

using Metas = std::vector<Json>;

/// Who is there, as phoenix.js Presence: a state replaces, a diff adds the joins and then removes the leaves
/// by phx_ref.
class Members {
public:
    struct Change {
        const char* event; // join, update, leave
        std::string key;
        Metas metas;
    };

    std::vector<Change> sync_state(const Json& state) {
        std::vector<Change> changes;
        std::map<std::string, Metas> fresh;
        for (const auto& [key, entry] : state.items()) fresh[key] = metas_of(entry);
        for (const auto& [key, metas] : members_) {
            if (!fresh.contains(key)) changes.push_back({"leave", key, metas});
        }
        for (const auto& [key, metas] : fresh) {
            const auto known = members_.find(key);
            if (known == members_.end()) changes.push_back({"join", key, metas});
            if (known != members_.end() && known->second != metas) changes.push_back({"update", key, metas});
        }
        members_ = std::move(fresh);
        return changes;
    }

    std::vector<Change> sync_diff(const Json& diff) {
        std::vector<Change> changes;
        std::map<std::string, bool> touched; // key -> was there before
        for (const char* part : {"joins", "leaves"}) {
            if (!diff.contains(part) || !diff[part].is_object()) continue;
            for (const auto& [key, entry] : diff[part].items()) {
                touched.try_emplace(key, members_.contains(key));
                auto& metas = members_[key];
                for (const auto& meta : metas_of(entry)) {
                    const auto same = [&](const Json& m) { return ref_of(m) == ref_of(meta); };
                    std::erase_if(metas, same);
                    if (part[0] == 'j') metas.push_back(meta);
                }
            }
        }
        for (const auto& [key, before] : touched) {
            auto member = members_.find(key);
            if (member->second.empty()) {
                if (before)
                    changes.push_back({"leave", key,
                                       diff.contains("leaves") && diff["leaves"].contains(key)
                                           ? metas_of(diff["leaves"][key])
                                           : Metas{}});
                members_.erase(member);
            } else {
                changes.push_back({before ? "update" : "join", key, member->second});
            }
        }
        return changes;
    }

    const std::map<std::string, Metas>& all() const { return members_; }

private:
    static Metas metas_of(const Json& entry) {
        if (!entry.is_object() || !entry.contains("metas") || !entry["metas"].is_array()) return {};
        return entry["metas"].get<Metas>();
    }
    static std::string ref_of(const Json& meta) {
        return meta.is_object() && meta.contains("phx_ref") ? meta["phx_ref"].dump() : std::string();
    }
    std::map<std::string, Metas> members_;
};

std::string shown(Json metas) {
    for (auto& meta : metas) {
        if (meta.is_object()) meta.erase("phx_ref"), meta.erase("phx_ref_prev");
    }
    return metas.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void print_change(const PresenceArgs& args, const std::string& topic, const Members::Change& change) {
    std::string line;
    if (args.connect.format() == Format::json) {
        line = Json{{"ts", timestamp()},
                    {"topic", topic},
                    {"event", change.event},
                    {"key", change.key},
                    {"metas", change.metas}}
                   .dump(-1, ' ', false, Json::error_handler_t::replace);
    } else if (args.connect.format() == Format::raw) {
        line = shown(change.metas);
    } else {
        line = std::string(change.event) + " " + printable_frame(protocol::Opcode::text, change.key) + " " +
               shown(change.metas);
    }
    std::puts(line.c_str());
    std::fflush(stdout);
}

void draw_table(const std::string& topic, const Members& members) {
    std::string screen =
        "\033[H\033[2J\033[1m" + topic + "\033[0m  " + std::to_string(members.all().size()) + " present\n";
    for (const auto& [key, metas] : members.all()) {
        screen +=
            "  \033[36m" + printable_frame(protocol::Opcode::text, key) + "\033[0m  " + shown(metas) + "\n";
    }
    std::fputs(screen.c_str(), stdout);
    std::fflush(stdout);
}

/// Loop thread only.
class Watcher {
public:
    Watcher(const PresenceArgs& args, Finish& finish, std::string topic)
        : args_(args), finish_(finish), topic_(std::move(topic)),
          live_(args.watch && args.connect.format() == Format::plain && isatty(STDOUT_FILENO) == 1) {}

    void message(const Message& message) {
        const bool state = message.kind() == EventKind::presence_state;
        if (finish_.done() || (!state && message.kind() != EventKind::presence_diff)) return;
        const auto payload = message.json();
        if (!payload || !payload->is_object()) return;
        if (!state && !synced_) return; // phoenix.js Presence: diffs count from the state on
        const auto changes = state ? members_.sync_state(*payload) : members_.sync_diff(*payload);
        synced_ = true;
        if (live_) {
            draw_table(topic_, members_);
        } else {
            for (const auto& change : changes) print_change(args_, topic_, change);
        }
        if (!args_.watch) finish_.now(ExitCode::ok);
    }

private:
    const PresenceArgs& args_;
    Finish& finish_;
    std::string topic_;
    Members members_;
    bool live_;
    bool synced_ = false;
};

ExitCode run(PresenceArgs& args) {
    const auto words = take_url(args.connect, args.words, {"TOPIC"});
    if (words.size() > 1) usage_error("one TOPIC at a time");
    const auto topic = wire_topic(args.connect, words[0]);
    if (!args.track.empty() && !topic.starts_with(protocol::realtime_prefix)) {
        usage_error("--track needs a realtime: topic; on other topics the server decides who is present");
    }
    const std::string meta = args.track.empty() ? std::string() : json_or_exit(args.track);
    std::optional<std::string> join;
    if (!args.join.empty()) join = json_or_exit(args.join);
    protocol::JoinConfig config;
    config.presence_enabled = true;
    config.presence_key = args.key;
    args.watch = args.watch || !args.track.empty();

    Finish finish;
    Watcher watcher(args, finish, topic);
    Session session(args.connect, finish);
    auto channel = session.channel(topic, join, config);
    channel.on_any([&watcher](const Message& message) { watcher.message(message); });
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
    verb->add_option("--join", args->join, "payload of the join: JSON, @FILE or -")->type_name("JSON");
    add_connect_options(*verb, args->connect);
    verb->callback([args, verb, &exit_code] {
        args->words = words_of(*verb);
        exit_code = static_cast<int>(run(*args));
    });
}

} // namespace phx::cli
