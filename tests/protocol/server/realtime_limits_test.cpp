#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using server::RateVerdict;
using testing::ElementsAre;
using testing::IsEmpty;

struct Limited : testing::Test {
    /// A and B in realtime:x.
    RealtimeDriver& with(server::ServerConfig config) {
        d.emplace(std::move(config));
        for (const char* const peer : {"A", "B"}) {
            d->open(peer, RealtimeDriver::session(peer));
            d->join(peer, "x", R"({"broadcast":{"ack":true},"presence":{"key":"k"}})");
        }
        return *d;
    }
    static server::ServerConfig rates(phx::server::Rates rates) {
        server::ServerConfig config;
        config.rates = rates;
        return config;
    }
    std::vector<std::string> send(const std::string& peer) { return d->push(peer, "x", "broadcast", "{}"); }
    /// A batch by HTTP: "x" or, with a lock, the private room "#x".
    server::RateVerdict admit(const std::vector<std::string>& rooms,
                              const phx::server::Identity* writer = nullptr) {
        std::vector<std::string> topics;
        for (const std::string& room : rooms)
            topics.push_back("realtime:" + room.substr(room.front() == '#' ? 1 : 0));
        std::vector<server::RealtimeBroadcast> batch;
        for (std::size_t i = 0; i < rooms.size(); ++i)
            batch.push_back({.topic = topics[i],
                             .event = "e",
                             .payload = {},
                             .is_private = rooms[i].front() == '#',
                             .writer = writer});
        return d->machine.admit(d->now, batch);
    }
    std::vector<std::string> track(const std::string& peer, int n) {
        return d->push(peer, "x", "presence",
                       R"({"event":"track","payload":{"n":)" + std::to_string(n) + "}}");
    }
    std::vector<std::string> ended(const std::string& peer, const std::string& message) {
        return {d->system(peer, "x", message), d->closed(peer, "x")};
    }
    std::optional<RealtimeDriver> d;
};

TEST_F(Limited, ABroadcastThatIsTooLargeIsAnsweredAsSupabaseDoes) {
    server::ServerConfig config;
    config.max_broadcast_bytes = 20;
    with(config);
    d->open("N", RealtimeDriver::session("n"));
    d->join("N", "x");
    const std::string fits = R"({"d":"123456789012"})", large = R"({"d":"1234567890123"})";
    ASSERT_EQ(fits.size(), 20u);
    EXPECT_THAT(d->push("A", "x", "broadcast", fits), testing::SizeIs(2));
    EXPECT_THAT(d->push("A", "x", "broadcast", large),
                ElementsAre(d->replied("A", "x", "error", "\"payload_size_exceeded\"")));
    EXPECT_THAT(d->push("N", "x", "broadcast", large), IsEmpty());
    d->binary("A", "0301010a010000" + to_hex("12realtime:xe" + std::string(21, 'b')));
    EXPECT_THAT(d->lines(), ElementsAre(d->replied("A", "x", "error", "\"payload_size_exceeded\"")));
}

TEST_F(Limited, TooManyMessagesOfAConnectionCloseTheChannelThatSentThem) {
    with(rates({.messages_per_connection = 3}));
    for (int i = 0; i < 3; ++i) EXPECT_THAT(send("A"), testing::SizeIs(2));
    d->text("A", R"([null,"9","phoenix","heartbeat",{}])"); // not counted
    EXPECT_THAT(d->lines(), testing::SizeIs(1));
    EXPECT_EQ(send("A"), ended("A", "Too many messages per second"));
    EXPECT_THAT(send("B"), testing::SizeIs(1)) << "the other connection goes on";
    d->advance(1s);
    EXPECT_THAT(d->join("A", "x", R"({"broadcast":{"ack":true}})"), ElementsAre(d->joined("A", "x")));
    for (int i = 0; i < 3; ++i) EXPECT_THAT(send("A"), testing::SizeIs(2));
    EXPECT_EQ(send("A"), ended("A", "Too many messages per second"));
}

TEST_F(Limited, TooManyPushesToHandlersAreRefused) {
    with(rates({.messages_per_connection = 1}));
    d->machine.add_channel("room:*");
    d->on_message = [](auto, auto, auto) { return phx::server::Actions().ok(); };
    d->text("A", R"(["3","3","room:1","phx_join",{}])");
    d->text("A", R"(["3","4","room:1","hello",{}])");
    d->lines();
    d->text("A", R"(["3","5","room:1","hello",{}])");
    EXPECT_THAT(
        d->lines(),
        ElementsAre(
            R"(A < ["3","5","room:1","phx_reply",{"status":"error","response":{"reason":"rate limited"}}])"));
    d->text("A", R"(["3","6","room:1","phx_leave",{}])");
    EXPECT_THAT(d->lines(), testing::SizeIs(3)) << "who leaves may always";
}

TEST_F(Limited, TooManyMessagesOfATopicCloseTheSendersChannel) {
    with(rates({.messages_per_topic = 2}));
    EXPECT_THAT(send("A"), testing::SizeIs(2));
    EXPECT_THAT(send("B"), testing::SizeIs(2));
    EXPECT_EQ(send("B"), ended("B", "Too many messages per second"));
    d->advance(500ms);
    EXPECT_THAT(send("A"), testing::SizeIs(1)); // alone: the reply
    EXPECT_EQ(send("A"), ended("A", "Too many messages per second"));
}

TEST_F(Limited, BroadcastsByHttpAndOfChannelsCountTogether) {
    with(rates({.messages_per_topic = 3}));
    EXPECT_THAT(send("A"), testing::SizeIs(2));
    EXPECT_EQ(admit({"x", "x", "x"}), RateVerdict::exceeded);
    EXPECT_EQ(admit({"x", "x"}), RateVerdict::within) << "nothing of what was refused is counted";
    EXPECT_EQ(admit({"x"}), RateVerdict::exceeded);
    EXPECT_EQ(send("A"), ended("A", "Too many messages per second"));
    d->advance(1s);
    EXPECT_EQ(admit({"x", "x", "x"}), RateVerdict::within);
}

TEST_F(Limited, ABatchByHttpIsAdmittedAsAWholeOrNotAtAll) {
    server::ServerConfig config = rates({.messages_per_topic = 2});
    config.policies = {RealtimeDriver::open_policy("realtime:y")};
    with(config);
    d->join("A", "y", R"({"private":true})");
    EXPECT_EQ(admit({"#y", "x", "x", "#y"}), RateVerdict::within) << "each topic has a rate of its own";
    d->advance(500ms);
    EXPECT_EQ(admit({"x", "#y", "#y"}), RateVerdict::exceeded);
    EXPECT_EQ(admit({"x", "y", "#y"}), RateVerdict::within) << "and each room of a name";
}

TEST_F(Limited, ABatchByHttpWithMoreForATopicThanItsRateIsNeverAdmitted) {
    with(rates({.messages_per_topic = 3}));
    EXPECT_EQ(admit({"x", "x", "x", "x"}), RateVerdict::batch_too_large);
    EXPECT_EQ(admit({"nobody", "nobody", "nobody", "nobody"}), RateVerdict::batch_too_large);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(admit({"nobody", "nobody", "nobody"}), RateVerdict::within) << "it has no rate";
    EXPECT_EQ(admit({"x", "x", "x"}), RateVerdict::within);
}

TEST_F(Limited, WhatMayNotBeWrittenByHttpDoesNotCount) {
    server::ServerConfig config = rates({.messages_per_topic = 1});
    const phx::server::Requirement nothing, edits{.roles = {"editor"}};
    config.policies = {{.topic = "realtime:p", .join = nothing, .write = edits}};
    with(config);
    d->join("A", "p", R"({"private":true})");
    const phx::server::Identity stranger{.user_id = "s"}, editor{.user_id = "e", .roles = {"editor"}};
    EXPECT_EQ(admit({"#p", "#p"}, &stranger), RateVerdict::within) << "and is dropped then";
    EXPECT_EQ(admit({"#p"}, &editor), RateVerdict::within);
    EXPECT_EQ(admit({"#p"}, &editor), RateVerdict::exceeded);
}

TEST_F(Limited, TooManyJoinsCloseTheConnection) {
    with(rates({.joins_per_connection = 2}));
    EXPECT_THAT(d->join("A", "y"), ElementsAre(d->joined("A", "y")));
    EXPECT_THAT(d->join("A", "z"),
                ElementsAre(d->refused("A", "z", "ClientJoinRateLimitReached: Too many joins per second"),
                            "A close 1001"));
    d->advance(500ms);
    EXPECT_THAT(d->join("B", "y"), ElementsAre(d->joined("B", "y")));
    EXPECT_THAT(d->join("B", "z"), ElementsAre(d->joined("B", "z")));
    EXPECT_THAT(d->join("B", "z"), testing::Contains("B close 1001"));
}

TEST_F(Limited, TooManyPresenceCallsOfAChannelCloseIt) {
    with(rates({.presence_calls = 5}));
    for (int i = 0; i < 5; ++i) EXPECT_THAT(track("A", i), testing::Contains(d->replied("A", "x", "ok")));
    EXPECT_EQ(track("A", 5).front(), ended("A", "Client presence rate limit exceeded").front());
    EXPECT_THAT(track("B", 0), testing::Contains(d->replied("B", "x", "ok"))) << "counted per channel";
}

TEST_F(Limited, PresenceCallsComeBackWithTime) {
    with(rates({.presence_calls = 5}));
    for (int i = 0; i < 5; ++i) track("A", i);
    d->advance(30s);
    for (int i = 0; i < 5; ++i) EXPECT_THAT(track("A", i), testing::Contains(d->replied("A", "x", "ok")));
    EXPECT_EQ(track("A", 5).front(), d->system("A", "x", "Client presence rate limit exceeded"));
}

TEST_F(Limited, TooMuchPresenceOfATopicClosesTheChannelThatAddsToIt) {
    with(rates({.presence_per_topic = 2}));
    track("A", 0);
    track("B", 0);
    EXPECT_EQ(track("B", 1).front(), d->system("B", "x", "Too many presence messages per second"));
}

TEST_F(Limited, NoMoreMembersArePresentThanATopicHolds) {
    server::ServerConfig config;
    config.max_metas_per_topic = 1;
    with(config);
    EXPECT_THAT(track("A", 0), testing::Contains(d->replied("A", "x", "ok")));
    EXPECT_THAT(track("B", 0),
                ElementsAre(d->replied("B", "x", "error", R"({"reason":"Too many members are present"})")));
    EXPECT_THAT(track("A", 1), testing::Contains(d->replied("A", "x", "ok"))) << "an update";
    d->push("A", "x", "presence", R"({"event":"untrack"})");
    EXPECT_THAT(track("B", 0), testing::Contains(d->replied("B", "x", "ok")));
}

TEST_F(Limited, NoMoreBytesOfPresenceAreKeptThanATopicHolds) {
    server::ServerConfig config;
    config.max_presence_bytes_per_topic = 1000;
    with(config);
    const auto track_bytes = [&](const std::string& peer, std::size_t size) {
        return d->push(peer, "x", "presence",
                       R"({"event":"track","payload":{"x":")" + std::string(size, 'x') + R"("}})");
    };
    const auto refused = [&](const std::string& peer) {
        return d->replied(peer, "x", "error", R"({"reason":"Too many members are present"})");
    };
    EXPECT_THAT(track_bytes("A", 1000), ElementsAre(refused("A"))) << "the first one, too";
    EXPECT_THAT(track_bytes("A", 500), testing::Contains(d->replied("A", "x", "ok")));
    EXPECT_THAT(track_bytes("B", 500), ElementsAre(refused("B")));
    EXPECT_THAT(track_bytes("B", 200), testing::Contains(d->replied("B", "x", "ok")));
    EXPECT_THAT(track_bytes("B", 500), ElementsAre(refused("B"))) << "an update that grows";
    EXPECT_THAT(track_bytes("A", 100), testing::Contains(d->replied("A", "x", "ok")));
    EXPECT_THAT(track_bytes("B", 500), testing::Contains(d->replied("B", "x", "ok")));
    d->push("B", "x", "presence", R"({"event":"untrack"})");
    EXPECT_THAT(track_bytes("A", 500), testing::Contains(d->replied("A", "x", "ok")));
}

TEST_F(Limited, ADisconnectedUserIsToldSo) {
    with({});
    server::SessionConfig config = RealtimeDriver::session("c");
    config.record.socket_id = "users:7";
    d->open("C", config);
    d->join("C", "x");
    d->join("C", "y");
    d->machine.disconnect(d->now, "users:7");
    d->drain();
    const std::string said =
        R"({"message":"Server requested disconnect","status":"ok","extension":"system"})";
    EXPECT_THAT(d->lines(), ElementsAre(d->copy("C", "x", "system", said), d->copy("C", "y", "system", said),
                                        "C close 1001"));
}

TEST_F(Limited, OneHundredSubscriptionsAreEnough) {
    with({});
    std::string entries = R"({"table":"t"})";
    for (int i = 1; i < 100; ++i) entries += R"(,{"table":"t)" + std::to_string(i) + R"("})";
    EXPECT_THAT(d->join("A", "y", R"({"postgres_changes":[)" + entries + "]}"), testing::SizeIs(2));
    EXPECT_THAT(
        d->join("A", "z", R"({"postgres_changes":[)" + entries + R"(,{"table":"u"}]})"),
        ElementsAre(d->refused("A", "z", "UnknownErrorOnChannel: too many entries of postgres_changes")));
}

} // namespace
} // namespace phx::test
