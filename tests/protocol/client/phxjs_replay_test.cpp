#include "phx/protocol/codec.hpp"
#include "protocol/client/client_machine.hpp"
#include "tests/support/hex.hpp"

#include <deque>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

// Fed with what the real server sent to phoenix.js (tests/vectors), and told to do what its user did, our
// client sends what phoenix.js sent, refs aside.
namespace phx::protocol {
namespace {

using Json = nlohmann::json;
using test::from_hex;
using namespace std::chrono_literals;

/// A frame of the client, with its refs apart: they are counters of either client.
struct Sent {
    Json join_ref, ref;
    Json what; ///< topic, event and payload
};

Sent read(Vsn vsn, Opcode opcode, std::string_view bytes) {
    std::string scratch;
    const auto frame = decode(vsn, Direction::to_server, opcode, bytes, scratch);
    if (!frame) throw std::runtime_error(frame.error().message);
    const auto json = [](const auto& token) { return token ? Json::parse(token->text) : Json(); };
    const Json payload = opcode == Opcode::text
                             ? Json::parse(frame->payload)
                             : Json::binary({frame->payload.begin(), frame->payload.end()});
    return {json(frame->join_ref), json(frame->ref), Json{frame->topic, frame->event, payload}};
}

class PhxjsReplay : public testing::TestWithParam<Vsn> {
protected:
    /// Of one of the recorded clients. False if it was not recorded over this version.
    bool open(const std::string& name, const ClientConfig& config = exact(), const std::string& label = "A") {
        const std::string path = PHX_TEST_VECTORS "/phoenix/" +
                                 std::string(GetParam() == Vsn::v1 ? "v1" : "v2") + "_phxjs_" + name +
                                 ".jsonl";
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) {
            const Json entry = Json::parse(line);
            const std::string of = entry.value("conn", "");
            if (of.substr(0, of.find('#')) == label && entry.contains("dir")) record.push_back(entry);
        }
        if (record.empty()) return false;
        ClientConfig own = config;
        own.vsn = GetParam();
        machine.emplace(own);
        now += millis(record.front().at("t_ms"));
        machine->connect(now);
        play();
        return true;
    }

    static ClientConfig exact() {
        ClientConfig config;
        config.first_connect.jitter = config.reconnect.jitter = config.channel.rejoin.jitter = Jitter::none;
        return config;
    }
    static Duration millis(const Json& t) {
        return std::chrono::duration_cast<Duration>(
            std::chrono::duration<double, std::milli>(t.get<double>()));
    }

    ChannelId add(const std::string& topic, const std::string& params = "{}") {
        return machine->add_channel(topic, params);
    }
    ChannelId join(const std::string& topic, const std::string& params = "{}") {
        const ChannelId id = add(topic, params);
        machine->join(now, id);
        play();
        return id;
    }
    void push(ChannelId id, std::string_view event, std::string_view payload, Opcode opcode = Opcode::text) {
        machine->push(now, id, event, opcode, payload);
        play();
    }
    void leave(ChannelId id) {
        machine->leave(now, id);
        play();
    }
    /// Everything that was recorded has happened, and nothing else was sent.
    void expect_end() {
        play();
        if (!record.empty()) ADD_FAILURE() << "not reached: " << record.front();
        while (!sent.empty()) {
            ADD_FAILURE() << "sent besides: " << sent.front().what;
            sent.pop_front();
        }
    }

    /// Goes on as long as the client does by itself what phoenix.js did.
    void play() {
        drain();
        while (!record.empty() && step(record.front())) record.pop_front();
    }

    std::optional<ClientMachine> machine;
    std::deque<Json> record;
    std::vector<std::string> messages;
    std::vector<std::string> ends; ///< of pushes: ok, or the error
    int dialled = 0;

    void drain() {
        while (auto output = machine->poll()) {
            if (const auto* frame = std::get_if<act::Send>(&*output)) {
                sent.push_back(read(GetParam(), frame->opcode, frame->data));
            } else if (const auto* open = std::get_if<act::Open>(&*output)) {
                conn = open->conn;
                ++dialled;
            } else if (std::holds_alternative<act::Close>(*output)) {
                is_closing = true;
            } else if (const auto* message = std::get_if<event::MessageArrived>(&*output)) {
                messages.emplace_back(message->frame.event);
            } else if (const auto* end = std::get_if<event::PushFinished>(&*output)) {
                ends.push_back(end->outcome.error ? end->outcome.error->code.message() : "ok");
            }
        }
    }

private:
    bool step(const Json& entry) {
        const std::string dir = entry.at("dir"), kind = entry.at("kind");
        const Duration slack = dir == "c2s" ? Duration(20ms) : Duration{0}; // of the recorder's clock
        advance(TimePoint{} + millis(entry.at("t_ms")), slack, [&] { return is_done(dir, kind); });
        if (!is_done(dir, kind)) return false;
        if (dir == "c2s" && kind == "connect") {
            --dialled;
        } else if (dir == "c2s" && kind == "frame") {
            expect_frame(entry);
        } else if (kind == "upgrade") {
            machine->handle_open(now, conn);
        } else if (kind == "upgrade_refused") {
            CloseInfo info;
            info.error = Error{make_error_code(Errc::bad_auth), Origin::peer, "403", {}};
            machine->handle_closed(now, conn, std::move(info));
        } else if (dir == "s2c" && kind == "frame") {
            receive(entry);
        } else if (dir == "s2c" && kind == "close") {
            machine->handle_closed(now, conn, {.code = entry.at("code").get<std::uint16_t>()});
        }
        drain();
        return true;
    }
    bool is_done(const std::string& dir, const std::string& kind) const {
        if (dir != "c2s") return true;
        if (kind == "connect") return dialled > 0;
        if (kind == "frame") return !sent.empty();
        return is_closing; // close
    }
    void expect_frame(const Json& entry) {
        const bool is_text = entry.at("opcode") == "text";
        const Sent theirs =
            is_text ? read(GetParam(), Opcode::text, entry.at("data").get<std::string>())
                    : read(GetParam(), Opcode::binary, from_hex(entry.at("hex").get<std::string>()));
        const Sent ours = sent.front();
        sent.pop_front();
        EXPECT_EQ(ours.what, theirs.what);
        refs[theirs.ref] = ours.ref;
        if (theirs.join_ref.is_null()) {
            EXPECT_EQ(ours.join_ref, nullptr);
        } else {
            EXPECT_EQ(ours.join_ref, refs[theirs.join_ref]) << ours.what;
        }
    }
    /// A frame of the server, with our refs in the place of phoenix.js'.
    void receive(const Json& entry) {
        if (entry.at("opcode") == "text") {
            Json frame = Json::parse(entry.at("data").get<std::string>());
            const auto ours = [this](const Json& ref) { return refs.count(ref) ? refs[ref] : ref; };
            if (frame.is_array()) {
                frame[0] = ours(frame[0]);
                frame[1] = ours(frame[1]);
            } else {
                frame["ref"] = ours(frame["ref"]);
            }
            bytes = frame.dump();
            machine->handle_frame(now, conn, Opcode::text, bytes);
        } else {
            bytes = from_hex(entry.at("hex").get<std::string>());
            // Refs in the scenario with bytes have one digit each, ours too.
            const bool is_reply = bytes[0] == 1;
            const std::size_t at = is_reply ? 5 : 4;
            for (std::size_t i = at; i < at + (is_reply ? 2u : 1u) && bytes[0] != 2; ++i)
                bytes[i] = refs.at(std::string(1, bytes[i])).get<std::string>().front();
            machine->handle_frame(now, conn, Opcode::binary, bytes);
        }
    }
    template <class Done> void advance(TimePoint to, Duration slack, Done done) {
        const TimePoint last = std::max(now, to) + slack;
        now = std::max(now, slack > Duration{0} ? now : to);
        while (!done() || slack == Duration{0}) {
            const auto due = machine->next_timeout();
            if (!due || *due > last) break;
            now = std::max(now, *due);
            machine->handle_timeout(now);
            drain();
        }
    }

    TimePoint now{};
    std::string bytes; ///< of the latest frame: the outputs view it
    ConnId conn{};
    bool is_closing = false;
    std::deque<Sent> sent;
    std::map<Json, Json> refs; ///< theirs to ours
};

using Strings = std::vector<std::string>;

TEST_P(PhxjsReplay, JoinsPushesAndLeaves) {
    ASSERT_TRUE(open("join_push_leave"));
    const ChannelId room = join("room:lobby", R"({"user":"u1"})");
    push(room, "echo", R"({"hello":"world"})");
    push(room, "fail", R"({"a":1})");
    leave(room);
    machine->disconnect(TimePoint{} + 130ms);
    expect_end();
    EXPECT_EQ(ends, (Strings{"ok", "ok", "rejected", "ok"}));
}

TEST_P(PhxjsReplay, BuffersPushesBeforeTheJoin) {
    ASSERT_TRUE(open("buffered_push_before_join"));
    const ChannelId room = add("room:lobby");
    machine->join(TimePoint{} + 3ms, room);
    machine->push(TimePoint{} + 3ms, room, "echo", Opcode::text, R"({"n":1})");
    machine->push(TimePoint{} + 3ms, room, "echo", Opcode::text, R"({"n":2})");
    expect_end();
    EXPECT_EQ(ends, (Strings{"ok", "ok", "ok"}));
}

TEST_P(PhxjsReplay, RejoinsAfterACrash) {
    ClientConfig config = exact();
    config.channel.rejoin.steps = {100ms};
    ASSERT_TRUE(open("crash_rejoin", config));
    const ChannelId room = join("room:lobby");
    push(room, "crash", "{}");
    push(room, "echo", R"({"back":true})");
    expect_end();
    EXPECT_EQ(ends, (Strings{"ok", "channel closed", "ok"})); // phoenix.js lets the second time out
}

TEST_P(PhxjsReplay, LeavesTheOldChannelOfTheSameTopic) {
    ASSERT_TRUE(open("dup_join"));
    const ChannelId first = join("room:lobby", R"({"n":1})");
    const ChannelId second = join("room:lobby", R"({"n":2})");
    EXPECT_EQ(machine->channel_state(first), ChannelState::closed);
    EXPECT_EQ(machine->channel_state(second), ChannelState::joined);
    if (GetParam() == Vsn::v2) push(second, "echo", R"({"n":3})");
    expect_end();
    // Over v1 phoenix.js takes the late phx_close of the first for one of the second; its ref tells them
    // apart.
    EXPECT_EQ(machine->channel_state(second), ChannelState::joined);
}

TEST_P(PhxjsReplay, BeatsAtItsInterval) {
    ClientConfig config = exact();
    config.heartbeat_interval = 120ms;
    ASSERT_TRUE(open("heartbeat", config));
    expect_end();
}

TEST_P(PhxjsReplay, RejoinsWhatWasRefused) {
    ClientConfig config = exact();
    config.channel.rejoin.steps = {150ms};
    ASSERT_TRUE(open("join_refused_retry", config));
    const ChannelId room = join("room:secret");
    // Different on purpose: there is nothing to leave at the server, so no phx_leave is sent.
    ASSERT_FALSE(record.empty());
    EXPECT_NE(record.front().at("data").get<std::string>().find("phx_leave"), std::string::npos);
    record.clear();
    leave(room);
    expect_end();
    EXPECT_EQ(ends, (Strings{"join refused", "ok"}));
}

TEST_P(PhxjsReplay, LeavesAndRejoinsAfterAJoinThatTimedOut) {
    ClientConfig config = exact();
    config.channel.rejoin.steps = {500ms};
    ASSERT_TRUE(open("join_timeout", config));
    const ChannelId room = add("room:slowjoin", R"({"ms":400})");
    machine->join(TimePoint{} + 2ms, room, 120ms);
    drain();
    machine->set_join_payload(room, R"({"ms":0})");
    expect_end();
    // Over v1 phoenix.js takes the late phx_close of the first join for one of the channel and stays closed;
    // its ref tells: ours is about to join again.
    EXPECT_EQ(machine->channel_state(room),
              GetParam() == Vsn::v1 ? ChannelState::errored : ChannelState::joined);
}

TEST_P(PhxjsReplay, Broadcasts) {
    ASSERT_TRUE(open("broadcast"));
    const ChannelId room = join("room:lobby");
    push(room, "new_msg", R"({"body":"hi"})");
    expect_end();
    EXPECT_EQ(messages, Strings{"new_msg"});
}

TEST_P(PhxjsReplay, HearsBroadcastsOfOthers) {
    ASSERT_TRUE(open("broadcast", exact(), "B"));
    join("room:lobby");
    expect_end();
    EXPECT_EQ(messages, Strings{"new_msg"});
}

TEST_P(PhxjsReplay, TakesPartInPresence) {
    ASSERT_TRUE(open("presence", exact(), "B"));
    const ChannelId room = join("room:pres2", R"({"presence":"bob","meta":{"device":"b"}})");
    leave(room);
    expect_end();
    EXPECT_EQ(messages, (Strings{"presence_state", "presence_diff"}));
}

/// Of version 2 alone.
class PhxjsReplayOfV2 : public PhxjsReplay {};

TEST_P(PhxjsReplayOfV2, PushesBytes) {
    ASSERT_TRUE(open("binary"));
    const ChannelId room = join("room:lobby");
    const std::string payload("\x00\x01\xfe\xff", 4);
    for (const char* event : {"binary", "binary_fail", "binary_bcast", "binary_push"})
        push(room, event, payload, Opcode::binary);
    expect_end();
    EXPECT_EQ(messages, (Strings{"binary_bcast", "binary_push"}));
    EXPECT_EQ(ends, (Strings{"ok", "ok", "rejected"}));
}

TEST_P(PhxjsReplayOfV2, DialsAgainWhenItIsRefused) {
    ClientConfig config = exact();
    config.first_connect.steps = {150ms};
    ASSERT_TRUE(open("connect_refused_retry", config));
    expect_end();
}

std::string name_of(const testing::TestParamInfo<Vsn>& suite) { return suite.param == Vsn::v1 ? "v1" : "v2"; }
INSTANTIATE_TEST_SUITE_P(Versions, PhxjsReplay, testing::Values(Vsn::v1, Vsn::v2), name_of);
INSTANTIATE_TEST_SUITE_P(Versions, PhxjsReplayOfV2, testing::Values(Vsn::v2), name_of);

} // namespace
} // namespace phx::protocol
