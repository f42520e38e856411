#include "tests/realtime/replay_fixture.hpp"

#include <algorithm>
#include <set>

// Told to do what the user of realtime-js 2.119.0 did in recording 15, and fed with what the real server sent
// to it, our client sends and reports what realtime-js did. Where it differs on purpose:
// tests/vectors/README.md.
namespace phx::test {
namespace {

constexpr Micros patience = 200ms;
constexpr const char* recording = "15_realtime_js_2.119.0.jsonl";

/// The three binary frames to realtime-js were not kept; it reported right after them what they said.
std::string unrecorded_broadcast(const std::vector<Line>& lines, std::size_t at, const std::string& label) {
    while (lines.at(at).text("conn") != label || lines[at].text("app") != "broadcast") ++at;
    const Json& said = lines[at].entry.at("data");
    const std::string event = said["event"], text = said["payload"].dump();
    const bool is_binary = text == "{}"; // as it wrote an ArrayBuffer
    protocol::FrameView view;
    view.topic = "realtime:js";
    view.event = "broadcast";
    view.user_event = event;
    view.kind = is_binary ? Opcode::binary : Opcode::text;
    view.payload = is_binary ? "\1\2\3" : std::string_view(text);
    std::string bytes;
    EXPECT_TRUE(protocol::encode(Vsn::v2, Direction::to_client, view, bytes));
    return bytes;
}

/// One of the recorded clients.
class Session {
public:
    using Setup = std::function<void(Session&, RealtimeChannel)>;

    /// `setup` adds the handlers that the recorded program had, given the channel.
    Session(std::string label, RealtimeOptions options, Setup setup)
        : label_(std::move(label)), setup_(std::move(setup)), replayed_(vsn(), numbers(std::move(options))) {
        replayed_.client->socket().on_heartbeat([this](HeartbeatStatus status, Micros) {
            const char* const names[] = {"sent", "ok", "timeout"};
            const auto at = static_cast<std::size_t>(status);
            report("heartbeat", {names[at], status == HeartbeatStatus::ok ? Json("latency") : Json()});
        });
    }

    void play() {
        const std::vector<Line> lines = read_recording(recording);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const Line& line = lines[i];
            if (line.text("conn") != label_) continue;
            SCOPED_TRACE(line.where + " " + line.entry.dump().substr(0, 160));
            pass_until(line.at());
            if (line.is("in", "binary")) {
                replayed_.feed(Opcode::binary, unrecorded_broadcast(lines, i, label_));
            } else {
                step(line);
            }
        }
        replayed_.world.run_for(1s);
        for (const auto& [what, said] : reports_) ADD_FAILURE() << "reported besides: " << what << said;
        for (const ReplayFrame& frame : replayed_.sent)
            ADD_FAILURE() << "sent besides: " << frame.topic << ' ' << frame.event << frame.payload;
    }

    /// For handlers: `app` is the recorder's name of the callback.
    void report(const std::string& app, Json said) { reports_.emplace_back(app, std::move(said)); }
    void report_result(const std::string& app, Push push) {
        std::move(push).then([this, app](const Result<Reply>& result) {
            results_[app] = result ? "ok" : result.error().code == Errc::timeout ? "timed out" : "error";
        });
    }
    /// What the recorder saw of the channels whose status it called `app`.
    void subscribe(RealtimeChannel channel, const std::string& app) {
        channel.subscribe([this, app](SubscribeStatus status, const Error* error) {
            report(app, {to_string(status), error ? Json(in_words_of_realtime_js(*error)) : Json()});
        });
    }

    Replayed& replayed() { return replayed_; }
    Micros now() const { return replayed_.world.now(); }
    std::map<std::string, int> frames; ///< of the recording that ours were equal to, by event
    std::map<std::string, int> told;   ///< and reports
    std::map<std::string, int> differences;

private:
    Vsn vsn() const {
        for (const Line& line : read_recording(recording)) {
            if (line.text("conn") == label_ && line.text("dir") == "open") return vsn_of(line.text("url"));
        }
        throw std::logic_error("no such client");
    }
    static RealtimeOptions numbers(RealtimeOptions options) { // those of the recorded program
        options.socket.heartbeat_interval = 3s;
        options.socket.heartbeat_timeout = 3100ms; // 3 s; our moments are not quite the recorded ones
        options.disconnect_when_empty = 6s;
        return options;
    }
    /// realtime-js has texts where we have codes.
    static std::string in_words_of_realtime_js(const Error& error) {
        if (error.code.category() == realtime::reason_category()) return error.message;
        if (error.code == Errc::heartbeat_lost) return "heartbeat timeout";
        if (error.code == Errc::socket_closed) return "socket closed: 1005";
        if (error.detail && error.detail->close_code != 0)
            return "socket closed: " + std::to_string(error.detail->close_code);
        return error.code.message() + ": " + error.message;
    }

    void pass_until(Micros time) {
        if (time > now()) replayed_.world.run_for(time - now());
    }

    void step(const Line& line) {
        if (line.entry.contains("app")) return expect_report(line.text("app"), line.entry.at("data"));
        if (line.entry.contains("log")) return follow_log(line.text("log"));
        if (line.text("op") == "handshake") is_open_ = true;
        if (line.is("in", "text")) return replayed_.feed(Opcode::text, line.text("text"));
        if (line.is("in", "close")) return close(line.entry.at("code").get<int>());
        if (line.is("out", "close")) return expect_close();
        if (line.is("out", "text")) return expect_frame(Opcode::text, line.text("text"));
        if (line.is("out", "binary")) return expect_frame(Opcode::binary, from_hex(line.text("hex")));
    }

    void close(int code) {
        if (replayed_.world.server().connections() > 0) replayed_.close(code); // else it was our client
        is_open_ = false;
    }
    void expect_close() {
        if (!is_open_) return;                             // realtime-js closes what is closed
        if (label_ == "P") replayed_.client->disconnect(); // the others do it because no channel is left
        replayed_.world.run_for(100ms);
        EXPECT_EQ(replayed_.world.server().connections(), 0U);
    }

    // ---- what the program did

    /// The log tells of the first join of a channel before the socket is open.
    void follow_log(const std::string& log) {
        const std::string push = "push: ", join = " phx_join";
        const auto end = log.find(join);
        if (!log.starts_with(push) || end == log.npos) return;
        const std::string topic = log.substr(push.size(), end - push.size());
        if (channels_.contains(topic)) return; // it joins again by itself
        const Json config = config_of(topic);
        RealtimeChannelOptions options;
        options.broadcast_self = config["broadcast"]["self"];
        options.broadcast_ack = config["broadcast"]["ack"];
        options.presence_key = config["presence"]["key"];
        options.is_private = config["private"];
        options.should_resubscribe = [](const Error&) { return true; }; // realtime-js always does
        const auto name = topic.substr(std::string("realtime:").size());
        const auto channel = replayed_.client->channel(name, std::move(options));
        channels_.emplace(topic, channel);
        setup_(*this, channel);
        replayed_.settle();
    }
    Json config_of(const std::string& topic) {
        for (const Line& line : read_recording(recording)) {
            if (line.text("conn") != label_ || !line.is("out", "text")) continue;
            const auto frame = read_frame(vsn(), Direction::to_server, Opcode::text, line.text("text"));
            if (frame && frame->topic == topic && frame->event == "phx_join")
                return frame->json().at("config");
        }
        throw std::logic_error("no join of " + topic);
    }
    /// Calls what makes realtime-js send such a frame; nothing for those that it sends by itself.
    void call(const ReplayFrame& frame) {
        const auto channel = channels_.find(frame.topic);
        if (channel == channels_.end()) return;
        if (frame.event == "broadcast") {
            const Json said = frame.broadcast();
            const std::string event = said["event"];
            if (frame.kind == Opcode::binary)
                return report_result("send bin",
                                     channel->second.send_binary(event, as_binary(frame.payload)));
            return report_result("send", channel->second.send(event, said["payload"]));
        }
        if (frame.event == "presence") {
            const Json said = frame.json();
            if (said["event"] == "track")
                return report_result("track", channel->second.track(said["payload"]));
            return report_result("untrack", channel->second.untrack());
        }
        if (frame.event == "phx_leave") return replayed_.client->remove_channel(channel->second);
        if (frame.event == "access_token" && !has_provider())
            return replayed_.client->set_auth(frame.json()["access_token"]);
    }
    bool has_provider() const { return label_ == "P"; }

    // ---- what the client sent

    void expect_frame(Opcode opcode, const std::string& bytes) {
        const auto recorded = read_frame(vsn(), Direction::to_server, opcode, bytes);
        ASSERT_TRUE(recorded);
        const bool is_token_at_once =
            recorded->event == "access_token" && has_provider() && last_event_ == "phx_join";
        last_event_ = recorded->event;
        if (is_token_at_once) { // it asked for another token meanwhile
            ++differences["token after the join"];
            return;
        }
        call(*recorded);
        auto ours = replayed_.next_sent(patience);
        while (ours && is_tracking_again(*recorded, *ours)) {
            ++differences["track after a loss"];
            ours = replayed_.next_sent(patience);
        }
        if (!ours) {
            ADD_FAILURE() << "not sent";
            return;
        }
        EXPECT_EQ(ours->topic, recorded->topic);
        EXPECT_EQ(ours->event, recorded->event);
        EXPECT_EQ(essence(*ours), essence(*recorded));
        EXPECT_EQ(ours->join_ref == "null", recorded->join_ref == "null");
        if (recorded->event == "phx_join") compare_tokens(*recorded, *ours);
        replayed_.map_refs(*recorded, *ours);
        ++frames[recorded->event];
    }
    bool is_tracking_again(const ReplayFrame& recorded, const ReplayFrame& ours) const {
        return ours.event == "presence" && recorded.event != "presence";
    }
    /// But for tokens and for what tells realtime-js from others.
    static Json essence(const ReplayFrame& frame) {
        if (frame.event == "broadcast") return frame.broadcast();
        Json said = frame.json();
        said.erase("version");
        if (said.contains("access_token")) said["access_token"] = said["access_token"].is_string();
        if (frame.event == "phx_join") said.erase("access_token");
        return said;
    }
    void compare_tokens(const ReplayFrame& recorded, const ReplayFrame& ours) {
        const bool theirs = recorded.json().contains("access_token");
        if (has_provider() && !theirs) {
            ++differences["first join without the token"];
            EXPECT_TRUE(ours.json().contains("access_token"));
        } else if (theirs && !has_provider()) {
            EXPECT_EQ(ours.json().value("access_token", ""), recorded.json()["access_token"]);
        } else {
            EXPECT_EQ(ours.json().contains("access_token"), theirs);
        }
    }

    // ---- what the client reported

    void expect_report(const std::string& app, const Json& said) {
        ++told[app];
        if (app == "state") {
            EXPECT_EQ(replayed_.client->socket().state(), SocketState::idle);
        }
        const std::set<std::string> of_realtime_js = {
            "send result", "httpSend", "remove", "remove secret", "state", "disconnect", "callback calls"};
        if (of_realtime_js.contains(app)) return;
        if (app == "send" && has_provider()) return; // by HTTP, as it was not joined
        const std::set<std::string> of_pushes = {"send", "send bin", "track", "untrack"};
        if (of_pushes.contains(app)) return expect_result(app, said);
        if (reports_.empty()) replayed_.world.run_until([this] { return !reports_.empty(); }, patience);
        if (reports_.empty()) {
            ADD_FAILURE() << "not reported";
            return;
        }
        EXPECT_EQ(reports_.front().first, app);
        EXPECT_EQ(without_bytes(reports_.front().second), said) << app;
        reports_.pop_front();
    }
    void expect_result(const std::string& app, const Json& said) {
        const auto result = results_.extract(app);
        if (result.empty()) {
            ADD_FAILURE() << "has not finished: " << app;
            return;
        }
        if (said == "timed out" && result.mapped() == "error") {
            ++differences["a push ends with its connection"];
            return;
        }
        EXPECT_EQ(Json(result.mapped()), said) << app;
    }
    /// The recorder wrote an ArrayBuffer as {}.
    static Json without_bytes(Json said) {
        if (said.is_object() && said.contains("payload") && said["payload"].is_binary())
            said["payload"] = Json::object();
        return said;
    }

    using Report = std::pair<std::string, Json>;
    const std::string label_;
    const Setup setup_;
    std::map<std::string, RealtimeChannel> channels_;
    std::deque<Report> reports_;
    std::map<std::string, std::string> results_;
    std::string last_event_;
    bool is_open_ = false;
    Replayed replayed_; // the last member: its end is told to the others
};

Session::Setup alice() {
    return [](Session& s, RealtimeChannel channel) {
        if (channel.topic() == "realtime:secret") return s.subscribe(channel, "status secret");
        channel.on_broadcast("*", [&s](const Broadcast& b) { s.report("broadcast", as_realtime_js(b)); });
        channel.on_presence_join([&s](const PresenceEvent& e) {
            s.report("presence join", as_realtime_js("join", "newPresences", e));
        });
        channel.on_presence_leave([&s](const PresenceEvent& e) {
            s.report("presence leave", as_realtime_js("leave", "leftPresences", e));
        });
        channel.on_presence_sync([&s, channel] { s.report("presence sync", state_of(channel)); });
        realtime::PostgresFilter todos{.table = "todos"};
        channel.on_postgres_changes(todos, [&s](const PostgresChange& change) {
            s.report("postgres_changes", as_realtime_js(change));
        });
        todos.kind = realtime::ChangeKind::insert;
        todos.filter = realtime::column("task").eq("hit");
        channel.on_postgres_changes(
            todos, [&s](const PostgresChange& change) { s.report("pg filtered", as_realtime_js(change)); });
        channel.on_system([&s](const SystemMessage& m) { s.report("system", Json::parse(m.text)); });
        s.subscribe(channel, "status");
    };
}

TEST(SupabaseReplay, AliceWhoDoesEverythingOverVersion2) {
    Session session("A", {}, alice());
    session.play();
    EXPECT_EQ(session.frames, (Counts{{"access_token", 1},
                                      {"broadcast", 2},
                                      {"heartbeat", 8},
                                      {"phx_join", 7},
                                      {"phx_leave", 2},
                                      {"presence", 2}}));
    EXPECT_EQ(session.told, (Counts{{"broadcast", 5},
                                    {"heartbeat", 16},
                                    {"httpSend", 1},
                                    {"pg filtered", 1},
                                    {"postgres_changes", 3},
                                    {"presence join", 2},
                                    {"presence leave", 2},
                                    {"presence sync", 6},
                                    {"remove", 1},
                                    {"remove secret", 1},
                                    {"send", 1},
                                    {"send bin", 1},
                                    {"state", 1},
                                    {"status", 6},
                                    {"status secret", 4},
                                    {"system", 3},
                                    {"track", 1},
                                    {"untrack", 1}}));
    EXPECT_EQ(session.differences,
              (Counts{{"a push ends with its connection", 1}, {"track after a loss", 1}}));
    ASSERT_EQ(session.replayed().errors.size(), 1U);
    EXPECT_EQ(session.replayed().errors[0].code, Errc::heartbeat_lost);
    EXPECT_EQ(session.replayed().world.dialled(), 3U);
}

TEST(SupabaseReplay, BobOverVersion1) {
    Session session("B", {}, [](Session& s, RealtimeChannel channel) {
        channel.on_broadcast("hi", [&s](const Broadcast& b) { s.report("broadcast hi", as_realtime_js(b)); });
        channel.on_presence_sync([&s, channel] { s.report("presence sync", state_of(channel)); });
        s.subscribe(channel, "status");
    });
    session.play();
    EXPECT_EQ(
        session.frames,
        (Counts{{"broadcast", 1}, {"heartbeat", 13}, {"phx_join", 1}, {"phx_leave", 1}, {"presence", 2}}));
    EXPECT_EQ(session.told, (Counts{{"broadcast hi", 2},
                                    {"heartbeat", 26},
                                    {"presence sync", 5},
                                    {"remove", 1},
                                    {"send", 1},
                                    {"send result", 1},
                                    {"status", 2},
                                    {"track", 1},
                                    {"untrack", 1}}));
    EXPECT_EQ(session.differences, Counts{});
    EXPECT_TRUE(session.replayed().errors.empty());
    EXPECT_EQ(session.replayed().world.dialled(), 1U);
}

TEST(SupabaseReplay, PaulWhoseTokensComeFromAFunction) {
    int tokens = 0;
    RealtimeOptions options;
    options.access_token = [&tokens] { return "token " + std::to_string(++tokens); };
    Session session("P", std::move(options),
                    [](Session& s, RealtimeChannel channel) { s.subscribe(channel, "status"); });
    session.play();
    EXPECT_EQ(session.frames, (Counts{{"access_token", 12}, {"heartbeat", 13}, {"phx_join", 2}}));
    EXPECT_EQ(
        session.told,
        (Counts{{"callback calls", 1}, {"disconnect", 1}, {"heartbeat", 26}, {"send", 1}, {"status", 3}}));
    EXPECT_EQ(session.differences,
              (Counts{{"first join without the token", 1}, {"token after the join", 1}}));
    EXPECT_TRUE(session.replayed().errors.empty());
    EXPECT_EQ(tokens, 16); // before the connection, before two joins, at 13 heartbeats; realtime-js: 15
}

} // namespace
} // namespace phx::test
