#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Actions;
using phx::server::JoinAnswer;
using phx::server::Limit;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// What the machine has counted since the last call.
std::map<Limit, std::uint64_t> counted(server::ServerMachine& machine) {
    std::map<Limit, std::uint64_t> hits;
    const auto all = machine.take_limit_hits().value_or(phx::server::LimitHits{});
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i] > 0) hits[static_cast<Limit>(i)] = all[i];
    return hits;
}

/// A, with channels of `room:*` whose handlers do what the event says.
struct Peer : RealtimeDriver {
    explicit Peer(const server::ServerConfig& config) : RealtimeDriver(config) {
        machine.add_channel("room:*");
        on_join = [](std::string_view topic, auto) {
            JoinAnswer answer = JoinAnswer::ok();
            if (topic == "room:slow") answer.delay = 1h;
            return answer;
        };
        on_message = [](auto, std::string_view event, phx::server::PayloadView payload) {
            if (event == "track_a") return Actions().track("a", std::string(payload.data));
            if (event == "track_b") return Actions().track("b", std::string(payload.data));
            if (event == "timer") return Actions().after(1s, "x");
            if (event == "timers") return Actions().after(1s, "x").after(1s, "x");
            if (event == "later") return Actions().reply_later(10s);
            if (event == "sooner") return Actions().reply_later(5s);
            return Actions();
        };
        open("A", session("a"));
    }

    void join_room(const std::string& name, const std::string& params = "{}") {
        text("A", R"(["1","1","room:)" + name + R"(","phx_join",)" + params + "]");
    }
    void say(const std::string& name, const std::string& event = "x", const std::string& payload = "{}") {
        text("A", R"(["1","2","room:)" + name + R"(",")" + event + R"(",)" + payload + "]");
    }
    void broadcast(const std::string& payload = "{}") { push("A", "x", "broadcast", payload); }
    void track(const std::string& meta) {
        push("A", "x", "presence", R"({"event":"track","payload":)" + meta + "}");
    }
    server::RateVerdict admit(std::size_t count) {
        const server::RealtimeBroadcast message{.topic = "realtime:x", .event = "e", .payload = {}};
        return machine.admit(now, std::vector(count, message));
    }
    Result<server::RequestId> request() {
        return machine.request(now, machine.connection(id("A"))->id, "room:1", "m", {}, 1s);
    }
    /// Channels with a broker key, whose handlers do not answer from now on.
    void stop_answering() { on_message = nullptr; }
};

struct Case {
    const char* name;
    Limit limit;
    std::function<void(server::ServerConfig&)> set;
    std::function<void(Peer&)> up_to_it;
    std::function<void(Peer&)> beyond;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

std::vector<Case> cases() {
    const std::string large = R"({"n":"12345678901234567890"})";
    const auto joins_1 = [](Peer& d) { d.join_room("1"); };
    const auto joins_2 = [](Peer& d) { d.join_room("2"); };
    const auto says = [](Peer& d) { d.say("1"); };
    const auto joins_and_says = [](Peer& d) {
        d.join_room("1");
        d.say("1");
    };
    const auto broadcasts = [](Peer& d) { d.broadcast(); };
    const auto joins_and_broadcasts = [](Peer& d) {
        d.join("A", "x");
        d.broadcast();
    };
    const auto tracks = [](Peer& d) { d.track(R"({"n":2})"); };
    const auto joins_and_tracks = [](Peer& d) {
        d.join("A", "x");
        d.track(R"({"n":1})");
    };
    const auto tracks_a = [](Peer& d) {
        d.join_room("1");
        d.say("1", "track_a");
    };
    const auto tracks_b = [](Peer& d) { d.say("1", "track_b"); };
    return {
        {"Channels", Limit::max_channels_per_connection, [](auto& c) { c.max_channels_per_session = 1; },
         joins_1, joins_2},
        {"LengthOfATopic", Limit::max_topic_bytes, [](auto& c) { c.max_topic_bytes = 6; }, joins_1,
         [](Peer& d) { d.join_room("12"); }},
        {"JoinPayloads", Limit::max_params_bytes_per_session,
         [](auto& c) { c.max_params_bytes_per_session = 3; }, joins_1, joins_2},
        {"Joins", Limit::joins_per_connection, [](auto& c) { c.rates.joins_per_connection = 1; }, joins_1,
         joins_2},
        {"MessagesOfAConnection", Limit::messages_per_connection,
         [](auto& c) { c.rates.messages_per_connection = 1; }, joins_and_says, says},
        {"MessagesOfATopic", Limit::messages_per_topic, [](auto& c) { c.rates.messages_per_topic = 1; },
         joins_and_broadcasts, broadcasts},
        {"MessagesOfATopicByHttp", Limit::messages_per_topic, [](auto& c) { c.rates.messages_per_topic = 1; },
         joins_and_broadcasts, [](Peer& d) { EXPECT_EQ(d.admit(1), server::RateVerdict::exceeded); }},
        {"BatchOfATopic", Limit::messages_per_topic, [](auto& c) { c.rates.messages_per_topic = 2; },
         [](Peer& d) { EXPECT_EQ(d.admit(2), server::RateVerdict::within); },
         [](Peer& d) { EXPECT_EQ(d.admit(3), server::RateVerdict::batch_too_large); }},
        {"PresenceOfATopicInASecond", Limit::presence_per_topic,
         [](auto& c) { c.rates.presence_per_topic = 1; }, joins_and_tracks, tracks},
        {"PresenceCalls", Limit::presence_calls, [](auto& c) { c.rates.presence_calls = 1; },
         joins_and_tracks, tracks},
        {"SizeOfABroadcast", Limit::max_broadcast_bytes, [](auto& c) { c.max_broadcast_bytes = 10; },
         joins_and_broadcasts, [large](Peer& d) { d.broadcast(large); }},
        {"SizeOfAMessage", Limit::max_message_bytes, [](auto& c) { c.limits.max_frame_bytes = 40; }, joins_1,
         [large](Peer& d) { d.say("1", "x", large); }},
        {"FramesHeldForAJoin", Limit::max_held_frames, [](auto& c) { c.max_held_frames = 1; },
         [](Peer& d) {
             d.join_room("slow");
             d.say("slow");
         },
         [](Peer& d) { d.say("slow"); }},
        {"FramesHeldForTheBroker", Limit::max_held_frames, [](auto& c) { c.max_held_frames = 1; },
         [](Peer& d) {
             d.key_of = [](auto) { return "key"; };
             d.join_room("1");
             d.stop_answering();
             d.say("1");
             d.say("1");
         },
         says},
        {"QuestionsHeldForTheBroker", Limit::max_held_questions, [](auto& c) { c.max_held_questions = 1; },
         [](Peer& d) {
             d.key_of = [](auto) { return "key"; };
             d.join_room("1");
             d.say("1", "timers");
             d.stop_answering();
             d.say("1");
         },
         [](Peer& d) { d.advance(1s); }},
        {"Subscriptions", Limit::max_subscriptions_per_channel,
         [](auto& c) { c.max_subscriptions_per_channel = 1; },
         [](Peer& d) { d.join("A", "x", R"({"postgres_changes":[{"table":"t"}]})"); },
         [](Peer& d) { d.join("A", "y", R"({"postgres_changes":[{"table":"t"},{"table":"u"}]})"); }},
        {"SizeOfAMeta", Limit::max_presence_meta_bytes, [](auto& c) { c.max_presence_meta_bytes = 20; },
         joins_and_tracks, [large](Peer& d) { d.track(large); }},
        {"SizeOfAMetaOfAHandler", Limit::max_presence_meta_bytes,
         [](auto& c) { c.max_presence_meta_bytes = 20; }, tracks_a,
         [large](Peer& d) { d.say("1", "track_a", large); }},
        {"KeysOfAMember", Limit::max_presence_keys_per_member,
         [](auto& c) { c.max_presence_keys_per_member = 1; }, tracks_a, tracks_b},
        {"MembersPresent", Limit::max_presence_per_topic, [](auto& c) { c.max_metas_per_topic = 1; },
         tracks_a, tracks_b},
        {"BytesOfPresence", Limit::max_presence_per_topic,
         [](auto& c) { c.max_presence_bytes_per_topic = 500; }, tracks_a,
         [](Peer& d) { d.say("1", "track_b", R"({"n":")" + std::string(500, 'x') + R"("})"); }},
        {"PushesWithoutReply", Limit::max_waiting_replies, [](auto& c) { c.max_waiting_replies = 1; },
         joins_and_says, says},
        {"Requests", Limit::max_requests_per_channel, [](auto& c) { c.max_requests_per_channel = 1; },
         [](Peer& d) {
             d.join_room("1");
             EXPECT_TRUE(d.request());
         },
         [](Peer& d) { EXPECT_FALSE(d.request()); }},
        {"Timers", Limit::max_timers_per_channel, [](auto& c) { c.max_timers_per_channel = 1; },
         [](Peer& d) {
             d.join_room("1");
             d.say("1", "timer");
         },
         [](Peer& d) { d.say("1", "timer"); }},
        {"TimersOfReplies", Limit::max_timers_per_channel, [](auto& c) { c.max_timers_per_channel = 1; },
         [](Peer& d) {
             d.join_room("1");
             d.say("1", "later");
         },
         [](Peer& d) { d.say("1", "sooner"); }},
    };
}

struct LimitHits : testing::TestWithParam<Case> {};

TEST_P(LimitHits, AreCountedOfWhatIsBeyondTheLimitAndOfNothingElse) {
    server::ServerConfig config;
    GetParam().set(config);
    Peer d(config);
    GetParam().up_to_it(d);
    EXPECT_THAT(counted(d.machine), IsEmpty());
    GetParam().beyond(d);
    EXPECT_THAT(counted(d.machine), ElementsAre(Pair(GetParam().limit, 1)));
}

INSTANTIATE_TEST_SUITE_P(Of, LimitHits, testing::ValuesIn(cases()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(LimitHitsOfAMachine, AreThoseSinceTheLastCall) {
    Peer d(server::ServerConfig{.max_channels_per_session = 1});
    for (const char* const name : {"1", "2", "3"}) d.join_room(name);
    EXPECT_THAT(counted(d.machine), ElementsAre(Pair(Limit::max_channels_per_connection, 2)));
    EXPECT_EQ(d.machine.take_limit_hits(), std::nullopt);
    d.join_room("4");
    EXPECT_THAT(counted(d.machine), ElementsAre(Pair(Limit::max_channels_per_connection, 1)));
}

TEST(LimitHitsOfAMachine, CountAChannelWithoutRepliesOnce) {
    Peer d(server::ServerConfig{.max_waiting_replies = 1});
    d.join_room("1");
    for (int i = 0; i < 5; ++i) d.say("1");
    EXPECT_THAT(counted(d.machine), ElementsAre(Pair(Limit::max_waiting_replies, 1)));
}

TEST(Limits, HaveNamesOfTheirOwn) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < phx::server::limit_count; ++i) names.insert(to_string(static_cast<Limit>(i)));
    EXPECT_EQ(names.size(), phx::server::limit_count);
    EXPECT_FALSE(names.contains(""));
    EXPECT_EQ(to_string(static_cast<Limit>(phx::server::limit_count)), "");
}

} // namespace
} // namespace phx::test
