#include "phx/protocol/codec.hpp"
#include "tests/support/hex.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>

// Every complete frame that was recorded from the real servers (tests/vectors) decodes, encodes to an equal
// value and has the right kind; what the servers closed for, or dropped, is a decode error of the right kind.
namespace phx::protocol {
namespace {

using Json = nlohmann::json;
using test::from_hex;

struct Recorded {
    std::string where;
    Vsn vsn = Vsn::v1;
    Direction direction = Direction::to_server;
    Opcode opcode = Opcode::text;
    std::string bytes;
    std::optional<Errc> refused = {};
};

struct Counts {
    int text = 0, binary = 0, refused = 0, skipped = 0;
    std::map<EventKind, int> kinds;
};

std::optional<Vsn> vsn_of(const std::string& url) {
    const std::size_t at = url.find("vsn=");
    if (at == std::string::npos) return Vsn::v1; // the servers' default
    const Result<Vsn> vsn = parse_vsn(std::string_view(url).substr(at + 4, url.find('&', at) - at - 4));
    if (!vsn) return {};
    return *vsn;
}

std::vector<std::filesystem::path> files_of(const char* folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(PHX_TEST_VECTORS) / folder)) {
        if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// What the server of a phoenix scenario closed with belongs to the last frame that it got.
void mark_refused(std::vector<Recorded>& frames, std::map<std::string, std::size_t>& last, const Json& line) {
    const auto found = last.find(line.value("conn", ""));
    const int code = line.value("code", 0);
    if (found == last.end() || (code != 1011 && code != 1007)) return;
    Recorded& frame = frames[found->second];
    const bool kind = frame.vsn == Vsn::v2 && frame.opcode == Opcode::binary && !frame.bytes.empty() &&
                      frame.bytes[0] != '\0' && frame.bytes[0] != '\3';
    frame.refused = code == 1007 ? Errc::invalid_utf8 : kind ? Errc::unknown_kind : Errc::malformed_frame;
}

std::vector<Recorded> load_phoenix(const std::filesystem::path& path, Counts& counts) {
    std::vector<Recorded> frames;
    std::map<std::string, Vsn> versions;
    std::map<std::string, std::size_t> last;
    std::map<std::string, std::string> fragments;
    std::ifstream file(path);
    int number = 0;
    for (std::string text; std::getline(file, text);) {
        ++number;
        const Json line = Json::parse(text);
        const std::string kind = line.value("kind", ""), conn = line.value("conn", "");
        const bool to_server = line.value("dir", "") == "c2s";
        if (kind == "connect") {
            // A connection that was refused for its version never carries a frame.
            if (const std::optional<Vsn> vsn = vsn_of(line["url"])) versions[conn] = *vsn;
        }
        if (kind == "close" && !to_server) mark_refused(frames, last, line);
        const std::string opcode = line.value("opcode", "");
        if (kind == "fragment") {
            fragments[conn] += line["data"].get<std::string>();
            if (!line["fin"].get<bool>()) continue;
        } else if (kind != "frame" || opcode == "ping" || opcode == "pong") {
            continue;
        }
        if (line.value("truncated", false)) {
            ++counts.skipped;
            continue;
        }
        Recorded frame;
        frame.where = path.filename().string() + ":" + std::to_string(number);
        frame.vsn = versions.at(conn);
        frame.direction = to_server ? Direction::to_server : Direction::to_client;
        frame.opcode = opcode == "binary" ? Opcode::binary : Opcode::text;
        frame.bytes = kind == "fragment"     ? fragments[conn]
                      : line.contains("hex") ? from_hex(line["hex"].get<std::string>())
                                             : line["data"].get<std::string>();
        if (kind == "frame") {
            EXPECT_EQ(frame.bytes.size(), line["len"].get<std::size_t>());
        }
        if (to_server) last[conn] = frames.size();
        frames.push_back(frame);
    }
    return frames;
}

/// What Supabase dropped, and the garbage it sent itself: a kind 3 payload that is no JSON is relayed unread,
/// also into the text of v1 members, and a binary one becomes Elixir syntax there. We refuse all of it.
std::optional<Errc> supabase_refusal(const Recorded& frame) {
    if (frame.bytes == std::string("\x09\x01\x01\x01")) return Errc::unknown_kind;
    if (frame.bytes == std::string("\x03\xc8\x01")) return Errc::malformed_frame;
    if (frame.vsn == Vsn::v1 && frame.opcode == Opcode::binary) return Errc::malformed_frame;
    const bool garbage = frame.bytes.find("bad{nope") != std::string::npos ||
                         frame.bytes.find("\"payload\":{nope,") != std::string::npos ||
                         frame.bytes.find("\"payload\":%{error") != std::string::npos;
    if (garbage) return Errc::malformed_frame;
    return {};
}

std::vector<Recorded> load_supabase(const std::filesystem::path& path, Counts& counts) {
    std::vector<Recorded> frames;
    std::map<std::string, Vsn> versions;
    std::ifstream file(path);
    int number = 0;
    for (std::string text; std::getline(file, text);) {
        ++number;
        const Json line = Json::parse(text);
        const std::string dir = line.value("dir", ""), op = line.value("op", ""),
                          conn = line.value("conn", "");
        if (dir == "open") versions[conn] = vsn_of(line["url"]).value_or(Vsn::v1);
        if ((dir != "in" && dir != "out") || (op != "text" && op != "binary")) continue;
        const std::string& body = line[op == "text" ? "text" : "hex"].get_ref<const std::string&>();
        if (body.find("…(") != std::string::npos || body == "[object ArrayBuffer]") {
            ++counts.skipped;
            continue;
        }
        Recorded frame;
        frame.where = path.filename().string() + ":" + std::to_string(number);
        frame.vsn = versions.at(conn);
        frame.direction = dir == "out" ? Direction::to_server : Direction::to_client;
        frame.opcode = op == "binary" ? Opcode::binary : Opcode::text;
        frame.bytes = op == "binary" ? from_hex(body) : body;
        frame.refused = supabase_refusal(frame);
        frames.push_back(frame);
    }
    return frames;
}

/// The same frame as a JSON value, without what is dropped: elements behind the fifth, unknown keys.
Json value_of(Vsn vsn, const std::string& bytes) {
    const Json json = Json::parse(bytes);
    Json kept;
    if (vsn == Vsn::v2) {
        for (std::size_t i = 0; i < 5; ++i) kept.push_back(json.at(i));
        return kept;
    }
    for (const char* key : {"topic", "event", "payload", "ref"}) kept[key] = json.at(key);
    if (json.contains("join_ref")) kept["join_ref"] = json["join_ref"];
    return kept;
}

EventKind kind_by_name(const Json& event, const Json& topic) {
    static const std::map<std::string, EventKind> kinds = {
        {"phx_reply", EventKind::phx_reply},         {"phx_close", EventKind::phx_close},
        {"phx_error", EventKind::phx_error},         {"postgres_changes", EventKind::postgres_changes},
        {"broadcast", EventKind::broadcast},         {"presence_state", EventKind::presence_state},
        {"presence_diff", EventKind::presence_diff}, {"system", EventKind::system},
    };
    if (event == "phx_reply" && topic == "phoenix") return EventKind::heartbeat_reply;
    const auto found = event.is_string() ? kinds.find(event.get<std::string>()) : kinds.end();
    return found == kinds.end() ? EventKind::unknown : found->second;
}

void check_fields(const Recorded& recorded, const FrameView& frame, const Json& value) {
    const bool v2 = recorded.vsn == Vsn::v2;
    const Json& topic = v2 ? value[2] : value["topic"];
    const Json& event = v2 ? value[3] : value["event"];
    const Json& payload = v2 ? value[4] : value["payload"];
    const Json& ref = v2 ? value[1] : value["ref"];
    EXPECT_EQ(frame.topic_token ? Json::parse(frame.topic_token->text) : Json(frame.topic), topic);
    EXPECT_EQ(frame.event_token ? Json::parse(frame.event_token->text) : Json(frame.event), event);
    EXPECT_EQ(Json::parse(frame.ref.value().text), ref);
    EXPECT_EQ(frame.join_ref.has_value(), v2 || value.contains("join_ref"));
    if (frame.join_ref) {
        EXPECT_EQ(Json::parse(frame.join_ref->text), v2 ? value[0] : value["join_ref"]);
    }
    EXPECT_EQ(frame.kind, Opcode::text);
    EXPECT_FALSE(frame.user_event);
    if (recorded.direction == Direction::to_client && event == "phx_reply") {
        EXPECT_EQ(Json(frame.status.value()), payload.at("status"));
        EXPECT_EQ(Json::parse(frame.payload), payload.at("response"));
    } else {
        EXPECT_FALSE(frame.status);
        EXPECT_EQ(Json::parse(frame.payload), payload);
    }
    EXPECT_EQ(event_kind(frame), kind_by_name(event, topic));
}

void check(const Recorded& recorded, Counts& counts) {
    SCOPED_TRACE(recorded.where);
    std::string scratch;
    const Result<FrameView> frame =
        decode(recorded.vsn, recorded.direction, recorded.opcode, recorded.bytes, scratch);
    if (recorded.refused) {
        ++counts.refused;
        ASSERT_FALSE(frame) << recorded.bytes;
        EXPECT_EQ(frame.error().code, *recorded.refused) << frame.error().message;
        EXPECT_EQ(frame.error().origin, Origin::peer);
        return;
    }
    ASSERT_TRUE(frame) << frame.error().message << "\n" << recorded.bytes;
    std::string again;
    const Result<Opcode> opcode = encode(recorded.vsn, recorded.direction, *frame, again);
    ASSERT_TRUE(opcode) << opcode.error().message;
    ++counts.kinds[event_kind(*frame)];
    if (recorded.vsn == Vsn::v2 && recorded.opcode == Opcode::binary) {
        ++counts.binary;
        EXPECT_EQ(*opcode, Opcode::binary);
        std::string expected = recorded.bytes;
        if (expected[0] == '\3' && expected[6] != '\0')
            expected[6] = '\1'; // one recorded kind 3 says 7 for JSON
        EXPECT_EQ(again, expected);
        EXPECT_EQ(event_kind(*frame), kind_by_name(Json(frame->event), Json(frame->topic)));
        return;
    }
    ++counts.text;
    EXPECT_EQ(*opcode, Opcode::text);
    const Json value = value_of(recorded.vsn, recorded.bytes);
    EXPECT_EQ(value_of(recorded.vsn, again), value);
    check_fields(recorded, *frame, value);
}

TEST(Vectors, EveryFrameOfPhoenixDecodesAndEncodesToAnEqualValue) {
    Counts counts;
    for (const auto& path : files_of("phoenix")) {
        for (const Recorded& frame : load_phoenix(path, counts)) check(frame, counts);
    }
    EXPECT_GE(counts.text, 1440);
    EXPECT_GE(counts.binary, 27);
    EXPECT_GE(counts.refused, 25);
    EXPECT_LE(counts.skipped, 8);
    EXPECT_GE(counts.kinds[EventKind::phx_reply], 400);
    EXPECT_GE(counts.kinds[EventKind::heartbeat_reply], 10);
    EXPECT_GE(counts.kinds[EventKind::phx_close], 20);
    EXPECT_GE(counts.kinds[EventKind::phx_error], 20);
    EXPECT_GE(counts.kinds[EventKind::presence_diff], 10);
}

TEST(Vectors, EveryFrameOfSupabaseDecodesAndEncodesToAnEqualValue) {
    Counts counts;
    for (const auto& path : files_of("supabase")) {
        for (const Recorded& frame : load_supabase(path, counts)) check(frame, counts);
    }
    EXPECT_GE(counts.text, 1360);
    EXPECT_GE(counts.binary, 40);
    EXPECT_EQ(counts.refused, 10);
    EXPECT_LE(counts.skipped, 6);
    EXPECT_GE(counts.kinds[EventKind::postgres_changes], 20);
    EXPECT_GE(counts.kinds[EventKind::presence_state], 2);
    EXPECT_GE(counts.kinds[EventKind::system], 20);
    EXPECT_GE(counts.kinds[EventKind::broadcast], 50);
}

} // namespace
} // namespace phx::protocol
