#include "tests/realtime/realtime_world.hpp"

#include <nlohmann/json.hpp>

// Broadcasts, to handlers and to the server.
namespace phx::test {
namespace {

struct Shout {
    std::string body;
    int times = 1;
};
void from_json(const Json& json, Shout& shout) {
    json.at("body").get_to(shout.body);
    json.at("times").get_to(shout.times);
}

std::string broadcast_of(std::string_view event, std::string_view payload, std::string_view meta = {}) {
    std::string text =
        R"({"type":"broadcast","event":")" + std::string(event) + R"(","payload":)" + std::string(payload);
    if (!meta.empty()) text += R"(,"meta":)" + std::string(meta);
    return text + '}';
}

/// A channel that keeps what it hears.
struct Listening : Supabase {
    explicit Listening(RealtimeChannelOptions channel = {}, RealtimeOptions options = options_with_key())
        : Supabase(std::move(options)), room(client->channel("room", std::move(channel))) {}
    auto keep(std::string_view name) {
        return [this, name = std::string(name)](const Broadcast& broadcast) {
            heard.push_back(name + ' ' + std::string(broadcast.event()) + ' ' +
                            std::string(broadcast.text()));
        };
    }
    void subscribe() { ASSERT_TRUE(room.subscribe(told()).wait()); }
    void receive(std::string_view event, std::string_view payload = "{}", std::string_view meta = {}) {
        backend.peer->push("realtime:room", "broadcast", broadcast_of(event, payload, meta));
        settle();
    }
    std::vector<std::string> heard;
    RealtimeChannel room;
};

TEST(RealtimeBroadcast, ReachesTheHandlersOfItsEventInAnyCaseAndThoseOfAll) {
    Listening client;
    client.room.on_broadcast("Shout", client.keep("one"))
        .on_broadcast("*", client.keep("all"))
        .on_broadcast("other", client.keep("no"));
    client.subscribe();
    client.receive("shout", R"({"n":1})");
    client.receive("SHOUT", "[2]");
    client.receive("cursor");
    client.receive("*");
    EXPECT_EQ(client.heard, (Lines{R"(one shout {"n":1})", R"(all shout {"n":1})", "one SHOUT [2]",
                                   "all SHOUT [2]", "all cursor {}", "all * {}"}));
    EXPECT_TRUE(client.errors.empty());
}

TEST(RealtimeBroadcast, SaysWhereItComesFrom) {
    std::vector<Broadcast> kept;
    Listening client;
    client.room.on_broadcast("*", [&](const Broadcast& broadcast) { kept.push_back(broadcast.own()); });
    client.subscribe();
    client.receive("a", R"({"n":1})", R"({"id":"7","replayed":true})");
    client.receive("b");
    client.backend.peer->push("realtime:room", "broadcast", R"({"event":"say \"hi\""})");
    client.settle();
    ASSERT_EQ(kept.size(), 3U);
    EXPECT_EQ(kept[0].meta(), R"({"id":"7","replayed":true})");
    EXPECT_EQ(kept[0].id(), "7");
    EXPECT_TRUE(kept[0].is_replayed());
    EXPECT_EQ(kept[0].json().value(), Json({{"n", 1}}));
    EXPECT_EQ(kept[0].own().event(), "a");
    EXPECT_EQ(kept[1].meta(), "");
    EXPECT_EQ(kept[1].id(), "");
    EXPECT_FALSE(kept[1].is_replayed());
    EXPECT_EQ(kept[2].event(), R"(say "hi")");
    EXPECT_EQ(kept[2].text(), "{}");
}

TEST(RealtimeBroadcast, ThatIsNoObjectIsReported) {
    Listening client;
    client.room.on_broadcast("*", client.keep("all"));
    client.subscribe();
    client.backend.peer->push("realtime:room", "broadcast", "[1]");
    client.receive("fine");
    EXPECT_EQ(client.heard, Lines{"all fine {}"});
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::invalid_payload);
    EXPECT_EQ(client.errors[0].origin, Origin::peer);
}

TEST(RealtimeBroadcast, IsGivenAsATypeThatFitsOrReported) {
    std::vector<std::string> bodies;
    Listening client;
    client.room.on_broadcast<Shout>("shout", [&](const Shout& shout) { bodies.push_back(shout.body); });
    client.subscribe();
    client.receive("shout", R"({"body":"hi","times":2})");
    client.receive("shout", R"({"body":7})");
    EXPECT_EQ(bodies, Lines{"hi"});
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::invalid_payload);
}

TEST(RealtimeBroadcast, IsNotToldToHandlersThatAreOff) {
    HandlerId id;
    Listening client;
    client.room.on_broadcast("shout", client.keep("one"), &id).on_broadcast("shout", client.keep("two"));
    client.subscribe();
    client.receive("shout");
    client.room.off(id);
    client.receive("shout");
    EXPECT_EQ(client.heard, (Lines{"one shout {}", "two shout {}", "two shout {}"}));
}

TEST(RealtimeBroadcast, HandlersMayAddAndRemoveHandlersOfTheSameEvent) {
    HandlerId id;
    int times = 0;
    Listening client;
    client.room.on_broadcast(
        "shout",
        [&](const Broadcast&) {
            ++times;
            client.room.off(id);
            client.room.on_broadcast("shout", client.keep("new"));
        },
        &id);
    client.subscribe();
    client.receive("shout", "1");
    client.receive("shout", "2");
    EXPECT_EQ(times, 1);
    EXPECT_EQ(client.heard, Lines{"new shout 2"});
}

TEST(RealtimeBroadcast, WhatAHandlerThrowsIsReported) {
    Listening client;
    client.room.on_broadcast("shout", [](const Broadcast&) { throw std::runtime_error("mine"); })
        .on_broadcast("shout", client.keep("two"));
    client.subscribe();
    client.receive("shout");
    EXPECT_EQ(client.heard, Lines{"two shout {}"});
    ASSERT_EQ(client.errors.size(), 1U);
    EXPECT_EQ(client.errors[0].code, Errc::handler_failed);
}

// ---- sending

TEST(RealtimeBroadcast, IsSentWithoutAnAckAndHasFinishedThen) {
    Listening client;
    client.subscribe();
    EXPECT_TRUE(client.room.send("shout", {{"n", 1}}).wait());
    client.settle();
    const auto sent = client.sent("broadcast");
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].payload, R"({"n":1})");
    client.world.run_for(1min); // nobody answers, nobody waits
    EXPECT_TRUE(client.errors.empty());
}

TEST(RealtimeBroadcast, WithAnAckFinishesWithTheServersAnswer) {
    RealtimeChannelOptions options;
    options.broadcast_ack = options.broadcast_self = true;
    Listening client(std::move(options));
    client.subscribe();
    EXPECT_EQ(client.join(0)["config"]["broadcast"], Json({{"ack", true}, {"self", true}}));
    client.backend.answers["broadcast"] = {"ok", "{}"};
    EXPECT_TRUE(client.room.send("shout").wait());
    client.backend.answers["broadcast"] = {"error", R"("payload_size_exceeded")"};
    const auto refused = client.room.send("shout").wait();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Reason::payload_size_exceeded);
    ASSERT_TRUE(refused.error().detail);
    EXPECT_EQ(refused.error().detail->reply, R"("payload_size_exceeded")");
    client.backend.answers.clear(); // as where a policy does not allow it
    EXPECT_EQ(client.room.send("shout", Json::object(), 2s).wait().error().code, Errc::timeout);
}

TEST(RealtimeBroadcast, WaitsWhileJoiningAndOfMoreThanAHundredTheOldestFail) {
    Listening client;
    client.room.subscribe();
    std::vector<Push> pushes;
    for (int i = 0; i < 103; ++i) pushes.push_back(client.room.send("n", Json{{"n", i}}));
    client.settle();
    ASSERT_EQ(client.room.state(), ChannelState::joined);
    for (std::size_t i = 0; i < pushes.size(); ++i) {
        const auto result = pushes[i].wait();
        ASSERT_EQ(result.has_value(), i >= 3) << i;
        if (!result) {
            EXPECT_EQ(result.error().code, Errc::buffer_full);
        }
    }
    const auto sent = client.sent("broadcast");
    ASSERT_EQ(sent.size(), 100U);
    EXPECT_EQ(sent.front().payload, R"({"n":3})");
    EXPECT_EQ(sent.back().payload, R"({"n":102})");
}

TEST(RealtimeBroadcast, NeedsASubscription) {
    Listening client;
    EXPECT_EQ(client.room.send("shout").wait().error().code, Errc::not_joined);
}

TEST(RealtimeBroadcast, ThatIsNoJsonFails) {
    Listening client;
    client.subscribe();
    EXPECT_EQ(client.room.send_text("shout", "{").wait().error().code, Errc::invalid_payload);
    EXPECT_EQ(client.room.send("shout", "\xff").wait().error().code, Errc::invalid_utf8);
    EXPECT_TRUE(client.room.send("shout").wait());
}

TEST(RealtimeBroadcast, SpeaksVersionOneToo) {
    RealtimeOptions options = options_with_key();
    options.socket.vsn = Vsn::v1;
    Listening client({}, std::move(options));
    client.room.on_broadcast("shout", client.keep("one"));
    client.subscribe();
    EXPECT_TRUE(client.room.send("shout", {{"n", 1}}).wait());
    client.settle();
    const auto sent = client.sent("broadcast");
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].json().value(),
              Json({{"type", "broadcast"}, {"event", "shout"}, {"payload", {{"n", 1}}}}));
    client.receive("shout", R"({"n":2})");
    EXPECT_EQ(client.heard, Lines{R"(one shout {"n":2})"});
    const std::string bytes("\x00\x01", 2);
    EXPECT_EQ(client.room.send_binary("shout", as_binary(bytes)).wait().error().code, Errc::invalid_payload);
}

// ---- what was missed

RealtimeChannelOptions private_channel() {
    RealtimeChannelOptions options;
    options.is_private = true;
    return options;
}

std::int64_t unix_ms(const World& world) {
    using namespace std::chrono;
    return duration_cast<milliseconds>(world.wall_clock().time_since_epoch()).count();
}

TEST(RealtimeReplay, APrivateChannelThatWasAwayAsksForWhatItMissed) {
    int gaps = 0;
    Listening client(private_channel());
    client.room.on_broadcast("*", client.keep("one")).on_gap([&](Millis) { ++gaps; });
    client.subscribe();
    EXPECT_FALSE(client.join(0)["config"]["broadcast"].contains("replay"));
    client.receive("live", "1", R"({"id":"a"})");
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    const Json replay = client.join(1)["config"]["broadcast"]["replay"];
    ASSERT_TRUE(replay.is_object()) << client.join(1);
    EXPECT_EQ(replay["limit"], 25);
    EXPECT_LE(replay["since"].get<std::int64_t>(), unix_ms(client.world) - 10'000); // clocks differ
    EXPECT_GE(replay["since"].get<std::int64_t>(), unix_ms(client.world) - 70'000);
    EXPECT_EQ(gaps, 1); // the database's messages are replayed, those of clients are not
    client.receive("live", "1", R"({"id":"a","replayed":true})"); // it came before
    client.receive("live", "2", R"({"id":"b","replayed":true})");
    client.receive("live", "2", R"({"id":"b","replayed":true})");
    client.receive("live", "3", R"({"id":"c"})");
    EXPECT_EQ(client.heard, (Lines{"one live 1", "one live 2", "one live 3"}));
    EXPECT_EQ(gaps, 1);
}

TEST(RealtimeReplay, OfAPublicChannelIsAGap) {
    std::vector<Millis> gaps;
    Listening client;
    client.room.on_gap([&](Millis offline) { gaps.push_back(offline); });
    client.subscribe();
    EXPECT_TRUE(gaps.empty());
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    EXPECT_FALSE(client.join(1)["config"]["broadcast"].contains("replay"));
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_GT(gaps[0], 0ms);
}

TEST(RealtimeReplay, ThatIsNotWantedIsAGap) {
    int gaps = 0;
    RealtimeChannelOptions options = private_channel();
    options.replay_missed = false;
    Listening client(std::move(options));
    client.room.on_gap([&](Millis) { ++gaps; });
    client.subscribe();
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    EXPECT_FALSE(client.join(1)["config"]["broadcast"].contains("replay"));
    EXPECT_EQ(gaps, 1);
}

TEST(RealtimeReplay, ThatIsRefusedIsAGapAndTheChannelJoinsWithout) {
    int gaps = 0;
    Listening client(private_channel());
    client.room.on_gap([&](Millis) { ++gaps; });
    client.subscribe();
    client.backend.refuse("UnableToReplayMessages: Realtime was unable to replay messages");
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 4; }));
    EXPECT_EQ(client.statuses[3], SubscribeStatus::subscribed);
    EXPECT_TRUE(client.join(1)["config"]["broadcast"].contains("replay"));
    EXPECT_FALSE(client.join(2)["config"]["broadcast"].contains("replay"));
    EXPECT_EQ(gaps, 1);
    client.world.drop_connections(); // it may work again
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 6; }));
    EXPECT_TRUE(client.join(3)["config"]["broadcast"].contains("replay"));
    EXPECT_EQ(gaps, 2);
}

TEST(RealtimeReplay, OfOldMessagesIsAskedForByTheFirstJoinOnly) {
    RealtimeChannelOptions options = private_channel();
    options.replay = realtime::Replay{std::chrono::system_clock::time_point(1234567ms), 7};
    options.replay_missed = false;
    Listening client(std::move(options));
    client.room.on_broadcast("*", client.keep("one"));
    client.subscribe();
    EXPECT_EQ(client.join(0)["config"]["broadcast"]["replay"], Json({{"since", 1234567}, {"limit", 7}}));
    client.receive("old", "1", R"({"id":"a","replayed":true})");
    client.world.drop_connections();
    ASSERT_TRUE(client.until([&] { return client.statuses.size() == 3; }));
    EXPECT_FALSE(client.join(1)["config"]["broadcast"].contains("replay"));
    // A new subscription begins anew.
    client.room.unsubscribe();
    client.settle();
    EXPECT_TRUE(client.room.subscribe().wait());
    EXPECT_EQ(client.join(2)["config"]["broadcast"]["replay"], Json({{"since", 1234567}, {"limit", 7}}));
    client.receive("old", "1", R"({"id":"a","replayed":true})");
    EXPECT_EQ(client.heard, (Lines{"one old 1", "one old 1"}));
}

TEST(RealtimeReplay, ThatTheServerRefusesToAFirstJoinClosesTheChannel) {
    RealtimeChannelOptions options = private_channel();
    options.replay = realtime::Replay{std::chrono::system_clock::time_point(1234567ms), 7};
    Listening client(std::move(options));
    client.backend.refuse("UnableToReplayMessages: Replay params are not valid");
    EXPECT_EQ(client.room.subscribe(client.told()).wait().error().code, Reason::unable_to_replay_messages);
    client.settle();
    EXPECT_EQ(client.statuses, (std::vector{SubscribeStatus::channel_error, SubscribeStatus::closed}));
    EXPECT_TRUE(client.room.subscribe().wait());
    EXPECT_TRUE(client.join(1)["config"]["broadcast"].contains("replay")); // as the program asks
}

} // namespace
} // namespace phx::test
