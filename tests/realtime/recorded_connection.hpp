#pragma once

#include "tests/realtime/recorded_join.hpp"

#include <algorithm>
#include <set>

namespace phx::test {

/// What came of the connections of a recording.
struct Outcome {
    /// What became of each subscription, by connection and topic: "SUBSCRIBED", "CHANNEL_ERROR <code>", ...
    std::map<std::string, std::vector<std::string>> statuses;
    Counts counts;
};
inline std::string in_words(SubscribeStatus status, std::error_code code = {}) {
    return std::string(to_string(status)) + (code ? " " + code.message() : std::string());
}

/// One recorded connection of a raw client, played by a RealtimeClient: it joins the topics that were joined,
/// with the same config as far as it can say it, and pushes what was pushed. Of each frame of the server it
/// must report what the frame says, and nothing else.
class RecordedConnection {
public:
    RecordedConnection(std::string label, const std::string& url, Outcome& outcome)
        : label_(std::move(label)), vsn_(vsn_of(url)), outcome_(outcome), replayed_(vsn_, options()) {}

    bool is_over() const { return is_over_; }

    void step(const Line& line) {
        SCOPED_TRACE(line.where + " " + line.entry.dump().substr(0, 200));
        const bool is_text = line.text("op") == "text", is_binary = line.text("op") == "binary";
        if (line.is("out", "close")) {
            replayed_.client->disconnect();
            is_over_ = true;
        } else if (line.is("in", "close")) {
            end(line.entry.at("code").get<int>());
        } else if (line.text("dir") == "out" && (is_text || is_binary)) {
            const std::string bytes = is_text ? line.text("text") : from_hex(line.text("hex"));
            if (const auto frame =
                    read_frame(vsn_, Direction::to_server, is_text ? Opcode::text : Opcode::binary, bytes))
                act(*frame);
        } else if (line.text("dir") == "in" && (is_text || is_binary)) {
            if (line.text("text").find("\u2026(") != std::string::npos) return; // was cut by the recorder
            hear(is_text ? Opcode::text : Opcode::binary,
                 is_text ? line.text("text") : from_hex(line.text("hex")));
        }
    }

private:
    using Report = std::pair<std::string, Json>;
    struct Topic {
        explicit Topic(RealtimeChannel its) : channel(std::move(its)) {}
        RealtimeChannel channel;
        std::vector<Json> asked = {};          ///< its postgres_changes, none twice
        std::vector<Json> ids = {};            ///< of these
        std::vector<std::size_t> entries = {}; ///< of these, in the recorded join
        bool has_presence = false;
        PresenceModel presence = {};
        std::string end_text = {}; ///< of the system message that announced the end
        std::string join_ref = {}; ///< recorded
        bool awaits_reply = false;
        std::vector<std::string>* statuses = nullptr;
    };

    static RealtimeOptions options() {
        RealtimeOptions options;
        options.socket.heartbeat_interval = 0s;
        options.socket.timeout = 1h;
        return options;
    }
    void report(const char* what, Json said) { reports_.emplace_back(what, std::move(said)); }
    void count(const std::string& what) { ++outcome_.counts[what]; }

    // ---- as the client

    void act(const ReplayFrame& frame) {
        if (frame.event == "phx_join") return join(frame);
        const auto found = topics_.find(frame.topic);
        if (found == topics_.end() || found->second.channel.state() != ChannelState::joined) return;
        Topic& topic = found->second;
        if (frame.event == "phx_leave") {
            topic.channel.unsubscribe();
        } else if (frame.user_event) {
            if (frame.kind == Opcode::text && !Json::accept(frame.payload)) return; // ours refuses to send it
            Push push = frame.kind == Opcode::text
                            ? topic.channel.send_text(*frame.user_event, frame.payload)
                            : topic.channel.send_binary(*frame.user_event, as_binary(frame.payload));
            tell_result(std::move(push));
        } else if (frame.kind == Opcode::binary) {
            tell_result(topic.channel.channel().push(frame.event, as_binary(frame.payload)));
        } else {
            tell_result(topic.channel.channel().push(frame.event, frame.json()));
        }
        if (const auto ours = replayed_.next_sent(10ms)) {
            const std::string ref =
                frame.ref == "null" ? R"("")" : frame.ref; // as a binary frame without one
            replayed_.map_ref(ref, ours->ref);
            if (frame.event != "phx_leave") pushes_.insert(ref);
        } else {
            ADD_FAILURE() << "not sent";
        }
        std::erase_if(reports_,
                      [](const Report& one) { return one.first == "reply"; }); // without ack: at once
    }
    void tell_result(Push push) {
        std::move(push).then([this](const Result<Reply>& result) {
            if (result) return report("reply", {"ok", Json::parse(result->text())});
            const auto& detail = result.error().detail;
            if (!detail || detail->status.empty()) return; // ended with channel or connection
            report("reply", {detail->status, Json::parse(detail->reply)});
        });
    }

    void join(const ReplayFrame& frame) {
        const auto known = topics_.find(frame.topic);
        if (known != topics_.end() && known->second.channel.state() == ChannelState::joined)
            return join_twice(frame, known->second);
        const std::string prefix = "realtime:";
        if (!frame.topic.starts_with(prefix) || frame.topic == prefix) return; // ours never asks for it
        const Json payload = frame.json();
        const std::string token =
            payload.is_object() && payload.contains("access_token") && payload["access_token"].is_string()
                ? payload["access_token"].get<std::string>()
                : std::string();
        replayed_.client->set_auth(token);
        replayed_.settle();
        std::erase_if(replayed_.sent, [](const ReplayFrame& one) { return one.event == "access_token"; });
        if (known != topics_.end()) known->second.channel.subscribe().then([](const Result<Reply>&) {});
        Topic& topic = known != topics_.end() ? known->second : add(frame, payload);
        const auto ours = replayed_.next_sent(2s);
        ASSERT_TRUE(ours) << "not sent";
        ASSERT_EQ(ours->event, "phx_join");
        EXPECT_EQ(ours->json().value("access_token", ""), token);
        replayed_.map_refs(frame, *ours);
        topic.join_ref = frame.ref;
        topic.awaits_reply = true;
    }
    /// Ours does not; the server's frames for the new one are for ours then, those for the old one for
    /// nobody.
    void join_twice(const ReplayFrame& frame, Topic& topic) {
        replayed_.map_ref(frame.ref, replayed_.our(topic.join_ref));
        replayed_.forget_ref(topic.join_ref);
        topic.join_ref = frame.ref;
        count("joined twice");
    }

    Topic& add(const ReplayFrame& frame, const Json& payload) {
        const Json config = payload.is_object() && payload.contains("config") && payload["config"].is_object()
                                ? payload["config"]
                                : Json::object();
        RealtimeChannelOptions options;
        options.broadcast_self = is_true(config, "broadcast", "self");
        options.broadcast_ack = is_true(config, "broadcast", "ack");
        options.is_private = is_true(config, "", "private");
        if (const Json since = config.value("/broadcast/replay/since"_json_pointer, Json());
            since.is_number_integer() && since >= 0) {
            options.replay = realtime::Replay{
                std::chrono::system_clock::time_point(std::chrono::milliseconds(since.get<std::int64_t>())),
                config.value("/broadcast/replay/limit"_json_pointer, 25)};
        }
        const auto name = frame.topic.substr(frame.topic.find(':') + 1);
        Topic& topic =
            topics_.emplace(frame.topic, Topic(replayed_.client->channel(name, std::move(options))))
                .first->second;
        topic.statuses = &outcome_.statuses[label_ + " " + frame.topic];
        topic.has_presence = is_true(config, "presence", "enabled");
        ask_for_changes(topic, config.value("postgres_changes", Json()));
        listen(topic);
        return topic;
    }

    /// All of the entries, or none if ours cannot say one of them.
    void ask_for_changes(Topic& topic, const Json& entries) {
        if (!entries.is_array()) return;
        std::vector<realtime::PostgresFilter> filters;
        std::size_t place = 0;
        for (const Json& entry : entries) {
            if (entry.is_null()) continue; // the server drops it
            const auto filter = filter_of(entry);
            if (!filter) {
                topic.asked.clear();
                topic.entries.clear();
                filters.clear();
                count("postgres_changes that ours cannot say");
                break;
            }
            if (std::find(topic.asked.begin(), topic.asked.end(), entry) == topic.asked.end()) {
                topic.asked.push_back(entry);
                topic.entries.push_back(place);
                filters.push_back(*filter);
            }
            ++place;
        }
        for (std::size_t i = 0; i < filters.size(); ++i) {
            topic.channel.on_postgres_changes(filters[i], [this, i](const PostgresChange& change) {
                report("postgres_changes", {i, as_realtime_js(change)});
            });
        }
    }
    void listen(Topic& topic) {
        topic.channel.on_broadcast(
            "*", [this](const Broadcast& one) { report("broadcast", as_realtime_js(one)); });
        topic.channel.on_system(
            [this](const SystemMessage& one) { report("system", Json::parse(one.text)); });
        if (topic.has_presence) {
            topic.channel.on_presence_sync(
                [this, channel = topic.channel] { report("presence", state_of(channel)); });
        }
        auto tell = [this, statuses = topic.statuses](SubscribeStatus status, const Error* error) {
            statuses->push_back(in_words(status, error ? error->code : std::error_code()));
            if (status == SubscribeStatus::closed)
                return; // after the others, if nothing is to be tried again
            report(to_string(status).data(), error ? Json(error->message) : Json());
        };
        topic.channel.subscribe(std::move(tell)).then([](const Result<Reply>&) {});
    }

    // ---- as the server

    void hear(Opcode opcode, const std::string& bytes) {
        reports_.clear();
        const std::size_t errors = replayed_.errors.size();
        std::vector<Report> expected;
        bool is_bad = false;
        expect(opcode, bytes, expected, is_bad);
        if (topics_.empty()) return; // it has not said anything
        replayed_.feed(opcode, bytes);
        EXPECT_EQ(reports_, expected);
        for (const Report& one : expected) count(one.first);
        ASSERT_EQ(replayed_.errors.size(), errors + (is_bad ? 1 : 0))
            << (replayed_.errors.empty() ? "" : replayed_.errors.back().message);
        if (is_bad) count("bad: " + replayed_.errors.back().code.message());
    }

    void expect(Opcode opcode, const std::string& bytes, std::vector<Report>& expected, bool& is_bad) {
        if (opcode == Opcode::binary) return expect_binary(bytes, expected, is_bad);
        const Json json = Json::parse(bytes, nullptr, false);
        is_bad = json.is_discarded();
        if (is_bad) return;
        const auto frame = *read_frame(vsn_, Direction::to_client, opcode, bytes);
        const auto found = topics_.find(frame.topic);
        if (found == topics_.end()) return;
        Topic& topic = found->second;
        const Json payload = json.is_array() ? json[4] : json["payload"];
        if (frame.event == "phx_reply") return expect_reply(topic, frame, payload, expected);
        if (topic.channel.state() != ChannelState::joined) return;
        if (frame.event == "broadcast") {
            is_bad = !payload.is_object();
            if (is_bad) return;
            Json said = {{"type", "broadcast"}, {"event", payload.value("event", "")}};
            said["payload"] = payload.value("payload", Json::object());
            if (payload.contains("meta")) said["meta"] = payload["meta"];
            expected.emplace_back("broadcast", said);
        } else if (frame.event == "system") {
            expected.emplace_back("system", payload);
            if (payload["status"] == "error") {
                EXPECT_TRUE(realtime::reason_of_system(payload["message"].get<std::string>())) << payload;
                if (payload["extension"] == "system") topic.end_text = payload["message"];
            }
        } else if (frame.event == "phx_close" && replayed_.knows_ref(topic.join_ref)) {
            const bool is_it =
                vsn_ == Vsn::v2 ? frame.join_ref == topic.join_ref : frame.ref == topic.join_ref;
            if (is_it) expected.emplace_back("CHANNEL_ERROR", topic.end_text);
        } else if (frame.event.starts_with("presence_") && topic.has_presence) {
            frame.event == "presence_state" ? topic.presence.take_state(payload)
                                            : topic.presence.take_diff(payload);
            if (topic.presence.is_known()) expected.emplace_back("presence", topic.presence.shown());
        } else if (frame.event == "postgres_changes") {
            expect_change(topic, payload, expected);
        }
    }
    void expect_reply(Topic& topic, const ReplayFrame& frame, const Json& payload,
                      std::vector<Report>& expected) {
        const Json& response = payload["response"];
        const bool is_ok = payload["status"] == "ok";
        if (frame.ref == topic.join_ref && std::exchange(topic.awaits_reply, false)) {
            if (!is_ok) return expected.emplace_back("CHANNEL_ERROR", response["reason"]), void();
            topic.ids.clear();
            for (const std::size_t place : topic.entries)
                topic.ids.push_back(response["postgres_changes"][place]["id"]);
            topic.presence = {};
            topic.end_text.clear();
            return expected.emplace_back("SUBSCRIBED", Json()), void();
        }
        if (pushes_.erase(frame.ref) == 0 || !replayed_.knows_ref(frame.ref)) return;
        if (topic.channel.state() == ChannelState::joined)
            expected.emplace_back("reply", Json{payload["status"], response});
    }
    void expect_change(const Topic& topic, const Json& payload, std::vector<Report>& expected) {
        const Json& change = payload["data"];
        Json said = {{"schema", change["schema"]}, {"table", change["table"]}, {"eventType", change["type"]}};
        said["commit_timestamp"] = change["commit_timestamp"];
        said["errors"] = change["errors"];
        said["new"] = change.value("record", Json::object());
        said["old"] = change.value("old_record", Json::object());
        for (const Json& column : change["columns"]) { // the one conversion that these rows need
            if (column["type"] != "oid") continue;
            for (const char* row : {"new", "old"}) {
                const auto cell = said[row].find(column["name"].get<std::string>());
                if (cell != said[row].end() && cell->is_string()) *cell = std::stod(cell->get<std::string>());
            }
        }
        for (std::size_t i = 0; i < topic.asked.size(); ++i) {
            const Json& ids = payload["ids"];
            const std::string kind = topic.asked[i].value("event", "*");
            if (std::find(ids.begin(), ids.end(), topic.ids.at(i)) == ids.end()) continue;
            if (kind == "*" || kind == change["type"])
                expected.emplace_back("postgres_changes", Json{i, said});
        }
        EXPECT_TRUE(topic.asked.empty() || !expected.empty());
    }
    /// kind | lengths of topic, event, metadata | encoding | ...: by hand, not by the codec that is tested.
    void expect_binary(const std::string& bytes, std::vector<Report>& expected, bool& is_bad) {
        if (bytes.at(0) != 4) { // kind 2: bytes without the event inside the broadcast
            is_bad = true;
            return;
        }
        std::size_t at = 5;
        auto take = [&](int index) {
            const auto size = static_cast<unsigned char>(bytes.at(static_cast<std::size_t>(index)));
            return bytes.substr(std::exchange(at, at + size), size);
        };
        const std::string topic = take(1), event = take(2), metadata = take(3), payload = bytes.substr(at);
        const bool is_json = bytes.at(4) != 0;
        is_bad = is_json && !Json::accept(payload);
        if (is_bad || !topics_.contains(topic)) return;
        Json said = {{"type", "broadcast"}, {"event", event}};
        said["payload"] = is_json ? Json::parse(payload) : Json::binary({payload.begin(), payload.end()});
        if (!metadata.empty()) said["meta"] = Json::parse(metadata);
        expected.emplace_back("broadcast", said);
    }

    /// The server closes, or the recorder did by cutting the connection; either way it is not opened again.
    void end(int code) {
        reports_.clear();
        const auto used = std::count_if(topics_.begin(), topics_.end(), [](const auto& entry) {
            const ChannelState state = entry.second.channel.state();
            return state == ChannelState::joined || state == ChannelState::joining;
        });
        if (!topics_.empty()) {
            replayed_.close(code);
            EXPECT_EQ(reports_.size(), static_cast<std::size_t>(used)); // CHANNEL_ERROR
            for (const Report& one : reports_) EXPECT_EQ(one.first, "CHANNEL_ERROR");
            EXPECT_EQ(replayed_.closes, std::vector<std::uint16_t>{static_cast<std::uint16_t>(code)});
        }
        count("close " + std::to_string(code));
        is_over_ = true;
    }

    const std::string label_;
    const Vsn vsn_;
    Outcome& outcome_;
    std::map<std::string, Topic> topics_;
    std::set<std::string> pushes_; ///< that have no reply yet
    std::vector<Report> reports_;
    bool is_over_ = false;
    Replayed replayed_; // the last member: its end is told to the others
};

/// Plays every connection of a recording.
inline Outcome play_recording(const std::string& name) {
    Outcome outcome;
    std::map<std::string, std::unique_ptr<RecordedConnection>> open;
    for (const Line& line : read_recording(name)) {
        const std::string label = line.text("conn");
        if (label.empty()) continue;
        if (line.text("dir") == "open") {
            ++outcome.counts["connections"];
            open[label] = std::make_unique<RecordedConnection>(label, line.text("url"), outcome);
        }
        const auto found = open.find(label);
        if (found == open.end()) continue;
        found->second->step(line);
        if (found->second->is_over()) open.erase(found);
    }
    return outcome;
}

} // namespace phx::test
