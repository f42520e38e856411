#pragma once

#include "tests/support/hex.hpp"
#include "tests/support/recorded_lines.hpp"

#include <phx/phx.hpp>
#include <phx/protocol/codec.hpp>
#include <phx/realtime/realtime_client.hpp>
#include <phx/testing.hpp>

#include <chrono>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The recordings of tests/vectors/supabase, played against a RealtimeClient in virtual time.
namespace phx::test {

using namespace std::chrono_literals;
using realtime::Broadcast;
using realtime::PostgresChange;
using realtime::PresenceEvent;
using realtime::RealtimeChannel;
using realtime::RealtimeChannelOptions;
using realtime::RealtimeClient;
using realtime::RealtimeOptions;
using realtime::SubscribeStatus;
using realtime::SystemMessage;

using Counts = std::map<std::string, int>;

struct Line {
    std::string where; ///< file and line
    Json entry;
    std::string text(const char* key) const {
        const auto found = entry.find(key);
        return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
    }
    bool is(const char* dir, const char* op) const { return text("dir") == dir && text("op") == op; }
    Micros at() const { return std::chrono::milliseconds(entry.at("t").get<int>()); }
};

inline std::vector<Line> read_recording(const std::string& name) {
    std::vector<Line> lines;
    for (Json& entry : recorded_lines("supabase/" + name))
        lines.push_back({name + ":" + std::to_string(lines.size() + 1), std::move(entry)});
    return lines;
}

/// A frame that owns its parts; recorded, or of our client.
struct ReplayFrame {
    std::string join_ref = "null"; ///< JSON text
    std::string ref = "null";
    std::string topic, event;
    std::optional<std::string> user_event, status;
    Opcode kind = Opcode::text;
    std::string payload, metadata;

    Json json() const { return Json::parse(payload.empty() ? "{}" : payload); }
    /// What a broadcast of realtime-js or of ours says, however it travels.
    Json broadcast() const {
        if (user_event) {
            Json said = {{"type", "broadcast"}, {"event", *user_event}};
            said["payload"] = kind == Opcode::text ? json() : Json::binary({payload.begin(), payload.end()});
            return said;
        }
        return json();
    }
};

inline std::optional<ReplayFrame> read_frame(Vsn vsn, Direction direction, Opcode opcode,
                                             std::string_view bytes) {
    std::string scratch;
    const auto view = protocol::decode(vsn, direction, opcode, bytes, scratch);
    if (!view) return {};
    ReplayFrame frame;
    if (view->join_ref) frame.join_ref = view->join_ref->text;
    if (view->ref) frame.ref = view->ref->text;
    frame.topic = view->topic;
    frame.event = view->event;
    if (view->user_event) frame.user_event = *view->user_event;
    if (view->status) frame.status = *view->status;
    frame.kind = view->kind;
    frame.payload = view->payload;
    frame.metadata = view->metadata;
    return frame;
}

/// A client and the server's end of its connection, which says what was recorded.
class Replayed {
public:
    explicit Replayed(Vsn vsn, RealtimeOptions options) : vsn_(vsn) {
        world.script([this](testing::Peer& peer, const testing::Frame&) { peer_ = peer; });
        options.api_key = "anon";
        options.socket.vsn = vsn;
        options.socket.retry.first_connect.jitter = options.socket.retry.reconnect.jitter =
            options.socket.retry.rejoin.jitter = Jitter::none;
        options.socket.frame_tap = [this](Direction direction, Opcode opcode, std::string_view bytes) {
            if (direction == Direction::to_server)
                sent.push_back(*read_frame(vsn_, direction, opcode, bytes));
        };
        client = std::make_unique<RealtimeClient>(world.loop(), world.url(), std::move(options));
        client->socket().on_error([this](const Error& error) { errors.push_back(error); });
        client->socket().on_close([this](std::uint16_t code, std::string_view) { closes.push_back(code); });
    }

    /// Everything that is due.
    void settle() { world.run_for(100us); }
    /// The next frame of our client, or none if it sends none now or soon.
    std::optional<ReplayFrame> next_sent(Micros patience) {
        if (sent.empty()) world.run_until([this] { return !sent.empty(); }, patience);
        settle(); // it arrives
        if (sent.empty()) return {};
        ReplayFrame frame = std::move(sent.front());
        sent.pop_front();
        return frame;
    }

    /// Both say the same; the server's answers have our refs from now on.
    void map_refs(const ReplayFrame& recorded, const ReplayFrame& ours) {
        map_ref(recorded.ref, ours.ref);
        map_ref(recorded.join_ref, ours.join_ref);
    }
    /// A recorded ref that our client did not use, or uses no more.
    void forget_ref(const std::string& recorded) { refs_.erase(recorded); }
    bool knows_ref(const std::string& recorded) const { return refs_.contains(recorded); }
    void map_ref(const std::string& recorded, const std::string& ours) {
        if (recorded != "null") refs_[recorded] = ours;
    }

    std::string our(std::string_view recorded) const {
        if (recorded == "null") return "null";
        const auto found = refs_.find(std::string(recorded));
        return found == refs_.end() ? R"("of nobody")" : found->second;
    }

    /// Sends a recorded frame with our refs, its payload byte for byte; what is no frame, as it is.
    void feed(Opcode opcode, std::string_view bytes) {
        if (!peer_) throw std::logic_error("the client has not said anything yet");
        std::string scratch, out(bytes);
        const auto view = protocol::decode(vsn_, Direction::to_client, opcode, bytes, scratch);
        if (view && opcode == Opcode::text) {
            const std::string join_ref = view->join_ref ? our(view->join_ref->text) : "null";
            const std::string ref = view->ref ? our(view->ref->text) : "null";
            auto mapped = *view;
            if (mapped.join_ref) mapped.join_ref = protocol::JsonToken{join_ref};
            if (mapped.ref) mapped.ref = protocol::JsonToken{ref};
            out.clear();
            EXPECT_TRUE(protocol::encode(vsn_, Direction::to_client, mapped, out));
        }
        opcode == Opcode::text ? peer_->send(out) : peer_->send_binary(as_binary(out));
        settle();
    }
    /// As the recorder saw it: 1006 is no close frame.
    void close(int code) {
        if (!peer_) return;
        code == 1006 ? peer_->drop() : peer_->close(static_cast<std::uint16_t>(code));
        settle();
    }

    // Before the client, which tells of its end.
    std::deque<ReplayFrame> sent;
    std::vector<Error> errors;
    std::vector<std::uint16_t> closes;
    testing::World world{1, {.server = {}, .network = {.latency = 0ms, .jitter = 0ms, .lifetime = 0ms}}};
    std::unique_ptr<RealtimeClient> client;

private:
    const Vsn vsn_;
    std::optional<testing::Peer> peer_;
    std::map<std::string, std::string> refs_; // of the recording, to ours
};

inline Vsn vsn_of(const std::string& url) { return url.find("vsn=2") == url.npos ? Vsn::v1 : Vsn::v2; }

/// As realtime-js hands it to its handlers.
inline Json as_realtime_js(const Broadcast& broadcast) {
    Json said = {{"type", "broadcast"}, {"event", broadcast.event()}};
    const std::string bytes(as_text(broadcast.bytes()));
    said["payload"] = broadcast.binary() ? Json::binary({bytes.begin(), bytes.end()}) : *broadcast.json();
    if (!broadcast.meta().empty()) said["meta"] = Json::parse(broadcast.meta());
    return said;
}
inline Json as_realtime_js(const PostgresChange& change) {
    Json said = {{"schema", change.schema()}, {"table", change.table()}};
    said["commit_timestamp"] = change.commit_timestamp().empty() ? Json() : Json(change.commit_timestamp());
    said["eventType"] = realtime::to_string(change.kind());
    said["new"] = *change.new_row();
    said["old"] = *change.old_row();
    said["errors"] = change.errors().empty() ? Json() : Json(change.errors());
    return said;
}
inline Json as_realtime_js(const std::vector<PresenceMeta>& metas) {
    Json list = Json::array();
    for (const PresenceMeta& meta : metas) list.push_back(*realtime::presence_json(meta));
    return list;
}
inline Json as_realtime_js(const char* event, const char* changed, const PresenceEvent& said) {
    return {{"event", event},
            {"key", said.key},
            {"currentPresences", as_realtime_js(said.current)},
            {changed, as_realtime_js(said.changed)}};
}
inline Json state_of(const RealtimeChannel& channel) {
    Json state = Json::object();
    for (const auto& [key, metas] : channel.presence_state()) state[key] = metas;
    return state;
}

} // namespace phx::test
