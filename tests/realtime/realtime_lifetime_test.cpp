#include "tests/realtime/realtime_world.hpp"

#include <memory>
#include <utility>

// Ends: of the client, of handles, of the loop.
namespace phx::test {
namespace {

struct Ends {
    auto watch() {
        const std::size_t index = codes.size();
        codes.emplace_back();
        return [this, index](const Result<Reply>& result) {
            codes[index].push_back(result ? std::error_code() : result.error().code);
        };
    }
    bool all_closed() const {
        for (const auto& each : codes) {
            if (each != std::vector<std::error_code>{Errc::socket_closed}) return false;
        }
        return true;
    }
    std::vector<std::vector<std::error_code>> codes; // of each push: it finishes once
};

TEST(RealtimeLifetime, WhatWaitsEndsOnceWithTheClient) {
    Ends ends;
    RealtimeChannelOptions options;
    options.broadcast_ack = true;
    Supabase supabase;
    const RealtimeChannel room = supabase.joined("room", std::move(options));
    supabase.backend.answers_joins = false;
    const RealtimeChannel other = supabase.client->channel("other");
    const RealtimeChannel never = supabase.client->channel("never");
    room.send("shout").then(ends.watch());
    room.track({{"n", 1}}).then(ends.watch());
    other.subscribe().then(ends.watch());
    other.subscribe().then(ends.watch());
    other.send("shout").then(ends.watch());
    supabase.settle();
    never.subscribe().then(ends.watch()); // on its way
    supabase.client.reset();
    EXPECT_TRUE(ends.all_closed());
    supabase.world.run_for(1min);
    EXPECT_TRUE(ends.all_closed());
    EXPECT_EQ(supabase.lines, Lines{"SUBSCRIBED"}); // no handler runs after it
}

TEST(RealtimeLifetime, HandlesOutliveTheClient) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    HandlerId id;
    room.on_presence_join([](const PresenceEvent&) {}, &id);
    supabase.client.reset();
    EXPECT_EQ(room.topic(), "realtime:room");
    EXPECT_EQ(room.state(), ChannelState::closed);
    EXPECT_EQ(room.subscribe().wait().error().code, Errc::socket_closed);
    EXPECT_EQ(room.send("shout").wait().error().code, Errc::socket_closed);
    EXPECT_EQ(room.http_send("shout").wait().error().code, Errc::socket_closed);
    EXPECT_EQ(room.track({{"n", 1}}).wait().error().code, Errc::socket_closed);
    EXPECT_EQ(room.untrack().wait().error().code, Errc::socket_closed);
    (void)room.unsubscribe().wait();
    room.on_broadcast("*", [](const Broadcast&) {}).on_postgres_changes({}, [](const PostgresChange&) {});
    room.on_system([](const SystemMessage&) {}).on_gap([](Millis) {});
    room.off(id);
    EXPECT_TRUE(room.presence_state().empty());
    supabase.settle();
}

TEST(RealtimeLifetime, TheClientMayEndInsideAHandler) {
    Ends ends;
    Supabase supabase;
    const RealtimeChannel room = supabase.client->channel("room");
    room.on_broadcast("end", [&](const Broadcast&) { supabase.client.reset(); });
    room.on_broadcast("*", [&](const Broadcast&) { supabase.lines.emplace_back("heard"); });
    EXPECT_TRUE(room.subscribe(supabase.told()).wait());
    supabase.backend.answers_joins = false;
    supabase.client->channel("other").subscribe().then(ends.watch());
    supabase.settle();
    supabase.backend.peer->push("realtime:room", "broadcast", R"({"event":"end"})");
    supabase.settle();
    EXPECT_FALSE(supabase.client);
    EXPECT_TRUE(ends.all_closed());
    EXPECT_EQ(supabase.lines, Lines{"SUBSCRIBED"});
}

TEST(RealtimeLifetime, TheClientMayEndInsideItsStatus) {
    Supabase supabase;
    supabase.client->channel("room").subscribe(
        [&](SubscribeStatus, const Error*) { supabase.client.reset(); });
    supabase.settle();
    EXPECT_FALSE(supabase.client);
}

TEST(RealtimeLifetime, AHandlerMayOwnTheChannel) {
    auto guard = std::make_shared<int>(7);
    {
        Supabase supabase;
        const RealtimeChannel room = supabase.joined();
        room.on_broadcast("*", [room, guard](const Broadcast&) {})
            .on_presence_sync([room, guard] {})
            .on_gap([room, guard](Millis) {});
        supabase.settle();
        EXPECT_GT(guard.use_count(), 1);
    }
    EXPECT_EQ(guard.use_count(), 1); // nothing leaks
}

TEST(RealtimeLifetime, AHandlerOfAChannelThatIsRemovedIsLetGo) {
    auto guard = std::make_shared<int>(7);
    Supabase supabase;
    {
        const RealtimeChannel room = supabase.joined();
        room.on_broadcast("*", [room, guard](const Broadcast&) {});
        supabase.client->remove_channel(room);
    }
    supabase.settle();
    EXPECT_EQ(guard.use_count(), 1);
}

TEST(RealtimeLifetime, TheLoopMayEndFirst) {
    Ends ends;
    auto world = std::make_unique<World>(3);
    world->script([](testing::Peer& peer, const Frame& frame) {
        if (frame.topic != "realtime:slow") peer.reply(frame);
    });
    std::optional<RealtimeClient> client(std::in_place, world->loop(), world->url(), options_with_key());
    const RealtimeChannel room = client->channel("room");
    EXPECT_TRUE(room.subscribe().wait());
    client->channel("slow").subscribe().then(ends.watch());
    world->run_for(1s);
    world.reset();
    EXPECT_TRUE(ends.all_closed());
    EXPECT_EQ(room.subscribe().wait().error().code, Errc::socket_closed);
    EXPECT_EQ(client->channel("later").subscribe().wait().error().code, Errc::socket_closed);
    EXPECT_EQ(client->http_send({{.channel = "room", .event = "e"}}).wait().error().code,
              Errc::socket_closed);
    client->set_auth("token");
    client->remove_all_channels();
    client.reset();
    EXPECT_EQ(room.send("shout").wait().error().code, Errc::socket_closed);
}

TEST(RealtimeLifetime, AProviderMayAnswerAfterTheEnd) {
    std::vector<Answer<std::string>> questions;
    Ends ends;
    RealtimeOptions options = options_with_key();
    options.access_token = [&](Answer<std::string> answer) { questions.push_back(std::move(answer)); };
    Supabase supabase(std::move(options));
    supabase.client->channel("room").subscribe().then(ends.watch());
    supabase.client->channel("room").http_send("shout").then(ends.watch());
    supabase.settle();
    ASSERT_EQ(questions.size(), 1U);
    supabase.client.reset();
    EXPECT_TRUE(ends.all_closed());
    questions[0](std::string("too late"));
    supabase.settle();
}

TEST(RealtimeLifetime, ManyClientsShareALoop) {
    Supabase first;
    RealtimeClient second(first.world.loop(), first.world.url(), options_with_key());
    first.joined();
    EXPECT_TRUE(second.channel("room").subscribe().wait());
    first.client.reset();
    EXPECT_EQ(second.channel("room").state(), ChannelState::joined);
    second.remove_channel(
        RealtimeClient(first.world.loop(), first.world.url(), options_with_key()).channel("room"));
    EXPECT_EQ(second.channels().size(), 1U); // that was another client's
}

} // namespace
} // namespace phx::test
