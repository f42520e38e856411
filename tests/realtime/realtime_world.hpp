#pragma once

#include <phx/phx.hpp>
#include <phx/realtime.hpp>
#include <phx/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phx::test {

using namespace std::chrono_literals;
using realtime::Broadcast;
using realtime::PostgresChange;
using realtime::PresenceEvent;
using realtime::RealtimeChannel;
using realtime::RealtimeChannelOptions;
using realtime::RealtimeClient;
using realtime::RealtimeOptions;
using realtime::Reason;
using realtime::SubscribeStatus;
using realtime::SystemMessage;
using testing::Frame;
using testing::World;

constexpr const char* api_key = "secret-api-key";

/// One realtime server as a script: accepts joins and leaves, answers presence and what wants an ack.
struct Backend {
    struct Answer {
        std::string status = "ok";
        std::string response = R"({"postgres_changes":[]})";
    };
    std::deque<Answer> joins = {}; ///< of the next joins; then all are accepted
    bool answers_joins = true;
    bool answers_leaves = true;
    std::map<std::string, Frame> last_join = {};  // by topic
    std::map<std::string, Answer> answers = {};   // by event
    std::optional<testing::Peer> peer = {};       // the latest connection
    std::function<bool(const Frame&)> takes = {}; // true: it has seen to the frame itself
    std::vector<std::string> tokens = {};         // of the access_token events

    void refuse(std::string_view reason) { joins.push_back({"error", Json{{"reason", reason}}.dump()}); }
    void refuse_always(std::string_view reason) {
        for (int i = 0; i < 100; ++i) refuse(reason);
    }

    void operator()(testing::Peer& from, const Frame& frame) {
        peer = from;
        if (frame.event == "phx_join") last_join[frame.topic] = frame;
        if (takes && takes(frame)) return;
        if (frame.event == "heartbeat") return from.reply(frame);
        if (frame.event == "phx_join") return answer_join(from, frame);
        if (frame.event == "phx_leave" && answers_leaves) {
            from.reply(frame);
            return push_joined(frame.topic, "phx_close", "{}");
        }
        if (const auto found = answers.find(frame.event); found != answers.end())
            from.reply(frame, found->second.status, found->second.response);
    }
    void answer_join(testing::Peer& from, const Frame& frame) {
        if (!answers_joins) return;
        Answer answer = accepted(frame);
        if (!joins.empty()) {
            answer = joins.front();
            joins.pop_front();
        }
        from.reply(frame, answer.status, answer.response);
    }
    /// With an id for each binding, from 1000.
    static Answer accepted(const Frame& join) {
        const Json asked = join.json().value();
        Json list = asked["config"]["postgres_changes"];
        std::uint64_t id = 1000;
        for (Json& entry : list) entry["id"] = id++;
        return {"ok", Json{{"postgres_changes", list}}.dump()};
    }
    /// From the channel's process: with the join_ref.
    void push_joined(const std::string& topic, std::string_view event, std::string_view json) {
        const std::string& ref = last_join.at(topic).join_ref;
        peer->send("[" + ref + ",null,\"" + topic + "\",\"" + std::string(event) + "\"," + std::string(json) +
                   "]");
    }
    /// What the server does when it ends a channel.
    void shut_down(const std::string& topic, std::string_view why) {
        push_joined(
            topic, "system",
            Json{{"message", why}, {"status", "error"}, {"extension", "system"}, {"channel", "x"}}.dump());
        push_joined(topic, "phx_close", "{}");
    }
};

inline RealtimeOptions options_with_key() {
    RealtimeOptions options;
    options.api_key = api_key;
    return options;
}

inline std::string line_of(SubscribeStatus status, const Error* why) {
    std::string line(to_string(status));
    if (why) line += ": " + why->message;
    return line;
}

/// A client in virtual time, before a Backend.
struct Supabase {
    explicit Supabase(RealtimeOptions options = options_with_key()) {
        world.script([this](testing::Peer& peer, const Frame& frame) { backend(peer, frame); });
        client.emplace(world.loop(), world.url(), std::move(options));
        client->socket().on_error([this](const Error& error) { errors.push_back(error); });
    }
    auto told() {
        return [this](SubscribeStatus status, const Error* why) {
            lines.push_back(line_of(status, why));
            statuses.push_back(status);
            codes.push_back(why ? why->code : std::error_code{});
        };
    }
    RealtimeChannel joined(std::string_view name = "room", RealtimeChannelOptions options = {}) {
        RealtimeChannel channel = client->channel(name, std::move(options));
        const auto result = channel.subscribe(told()).wait();
        EXPECT_TRUE(result) << result.error().message;
        return channel;
    }
    std::vector<Frame> sent(std::string_view event, std::string_view topic = "realtime:room") {
        return world.server().received(topic, event);
    }
    Json join(std::size_t number, std::string_view topic = "realtime:room") {
        const auto joins = sent("phx_join", topic);
        return number < joins.size() ? joins[number].json().value() : Json("no such join");
    }
    /// What is under way arrives.
    void settle() { world.run_for(100ms); }
    bool until(Function<bool()> done) { return world.run_until(std::move(done), 10min); }

    // Before the client, whose handlers use them.
    std::vector<std::string> lines;
    std::vector<SubscribeStatus> statuses;
    std::vector<std::error_code> codes;
    std::vector<Error> errors;
    Backend backend;
    World world{7};
    std::optional<RealtimeClient> client;
};

using Lines = std::vector<std::string>;

} // namespace phx::test
