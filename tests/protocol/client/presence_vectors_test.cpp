#include "phx/protocol/codec.hpp"
#include "protocol/client/presence.hpp"
#include "tests/support/recorded_lines.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

// What phoenix.js' Presence told its callbacks (tests/vectors) is what ours tells for the same frames.
namespace phx::protocol {
namespace {

using Json = nlohmann::json;

Json shown(const PresencePtr& entry) {
    if (!entry) return nullptr;
    Json presence = Json::parse(entry->fields);
    presence["metas"] = Json::array();
    for (const PresenceMeta& meta : entry->metas) presence["metas"].push_back(Json::parse(meta.text()));
    return presence;
}

/// As the recorder wrote down the callbacks.
std::vector<Json> calls_of(const PresenceNews& news, const PresenceStore& store) {
    std::vector<Json> calls;
    for (const PresenceChange& change : news.changes) {
        const bool is_join = change.kind == PresenceChange::Kind::joined;
        EXPECT_NE(change.kind, PresenceChange::Kind::updated); // none is recorded
        const std::string event = is_join ? "presence onJoin " : "presence onLeave ";
        const Json state = shown(is_join ? change.before : change.now);
        calls.push_back({{"event", event + change.changed->key},
                         {"data", {{"current", state}, {is_join ? "new" : "left", shown(change.changed)}}}});
    }
    if (!news.is_synced) return calls;
    Json list = Json::array();
    for (const PresenceEntry& entry : store.state())
        list.push_back({{"k", entry.key}, {"n", entry.metas.size()}});
    calls.push_back({{"event", "presence onSync"}, {"data", list}});
    return calls;
}

/// What the presence of a connection makes of a frame; nothing if the frame is not about presence.
std::vector<Json> receive(PresenceSync& presence, Vsn vsn, const std::string& text) {
    std::string scratch;
    const auto frame = decode(vsn, Direction::to_client, Opcode::text, text, scratch);
    if (!frame) return {};
    const EventKind kind = event_kind(*frame);
    PresenceNews news;
    if (kind == EventKind::presence_state) news = presence.handle_state(frame->payload);
    if (kind == EventKind::presence_diff) news = presence.handle_diff(frame->payload);
    EXPECT_TRUE(news.errors.empty()) << text;
    return calls_of(news, presence.store());
}

TEST(PresenceVectors, TellsWhatPhoenixJsTold) {
    for (const Vsn vsn : {Vsn::v1, Vsn::v2}) {
        const std::string name = vsn == Vsn::v1 ? "v1" : "v2";
        std::map<std::string, PresenceSync> presences; // by connection
        std::map<std::string, std::vector<Json>> ours, theirs;
        for (const Json& record : test::recorded_lines("phoenix/" + name + "_phxjs_presence.jsonl")) {
            const std::string connection = record.value("conn", "");
            const std::string event = record.value("event", "");
            if (record["kind"] == "frame" && record["dir"] == "s2c") {
                for (Json& call : receive(presences[connection], vsn, record["data"]))
                    ours[connection].push_back(std::move(call));
            } else if (event.starts_with("presence ")) {
                theirs[connection].push_back({{"event", event}, {"data", record["data"]}});
            }
        }
        EXPECT_EQ(ours, theirs);
        EXPECT_GE(theirs.at("A").size(), 7u);
    }
}

TEST(PresenceVectors, ReadsAllRecordedPresencesWithoutAFault) {
    int presences = 0;
    for (const char* folder : {"phoenix", "supabase"}) {
        const std::filesystem::path path = std::filesystem::path(PHX_TEST_VECTORS) / folder;
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            if (entry.path().extension() != ".jsonl") continue;
            std::ifstream file(entry.path());
            for (std::string line; std::getline(file, line);) {
                const Json record = Json::parse(line);
                const std::string text = record.value("data", Json()).is_string()
                                             ? record["data"].get<std::string>()
                                             : record.value("text", "");
                if (text.find("\"presence_") == text.npos) continue;
                PresenceSync presence;
                presences += !receive(presence, text.starts_with('[') ? Vsn::v2 : Vsn::v1, text).empty();
            }
        }
    }
    EXPECT_GT(presences, 10);
}

} // namespace
} // namespace phx::protocol
