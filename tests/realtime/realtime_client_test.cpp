#include "tests/realtime/realtime_world.hpp"

#include <stdexcept>

// The client itself: its URL, its channels, and the end of a socket that nobody uses.
namespace phx::test {
namespace {

/// The line of the trace has no URL: a server that only listens to the first request.
std::string request_of(std::string_view url, RealtimeOptions options) {
    std::string line;
    options.socket.logger = [&](LogLevel, std::string_view text) {
        if (text.starts_with("connecting to ")) line = text.substr(14);
    };
    World world;
    RealtimeClient client(world.loop(), url, std::move(options));
    client.connect();
    world.run_for(100ms);
    return line;
}

TEST(RealtimeClient, TakesAProjectOrAnEndpointAsItsUrl) {
    const std::pair<const char*, const char*> cases[] = {
        {"https://abc.supabase.co", "wss://abc.supabase.co/realtime/v1/websocket"},
        {"https://abc.supabase.co/", "wss://abc.supabase.co/realtime/v1/websocket"},
        {"wss://abc.supabase.co/realtime/v1", "wss://abc.supabase.co/realtime/v1/websocket"},
        {"ws://localhost:4000/socket", "ws://localhost:4000/socket/websocket"},
        {"http://localhost:54321", "ws://localhost:54321/realtime/v1/websocket"},
        {"ws://localhost:4000/socket/websocket", "ws://localhost:4000/socket/websocket"},
    };
    for (const auto& [given, wanted] : cases)
        EXPECT_EQ(request_of(given, options_with_key()), wanted) << given;
}

TEST(RealtimeClient, CannotBeMadeWithoutAKeyOrWithABadUrl) {
    World world;
    EXPECT_THROW(RealtimeClient(world.loop(), world.url(), {}), std::invalid_argument);
    EXPECT_THROW(RealtimeClient(world.loop(), "", options_with_key()), std::invalid_argument);
    EXPECT_THROW(RealtimeClient(world.loop(), "ftp://host", options_with_key()), std::invalid_argument);
    RealtimeOptions options = options_with_key();
    options.socket.params = Json::array({1});
    EXPECT_THROW(RealtimeClient(world.loop(), world.url(), options_with_key()).channel(""),
                 std::invalid_argument);
    EXPECT_THROW(RealtimeClient(world.loop(), world.url(), std::move(options)), std::invalid_argument);
}

TEST(RealtimeClient, HasOneChannelForEachName) {
    Supabase supabase;
    RealtimeClient& client = *supabase.client;
    const RealtimeChannel room = client.channel("room");
    EXPECT_EQ(room, client.channel("room"));
    EXPECT_EQ(room, client.channel("realtime:room"));
    EXPECT_EQ(room.topic(), "realtime:room");
    EXPECT_THROW(client.channel(""), std::invalid_argument);
    EXPECT_THROW(client.channel("realtime:"), std::invalid_argument);
    EXPECT_EQ(client.channels().size(), 1U);
}

TEST(RealtimeClient, ForgetsAChannelThatIsRemoved) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    supabase.client->remove_channel(room);
    EXPECT_TRUE(supabase.client->channels().empty());
    const RealtimeChannel fresh = supabase.client->channel("room");
    EXPECT_NE(room, fresh);
    supabase.settle();
    EXPECT_EQ(supabase.sent("phx_leave").size(), 1U);
    EXPECT_EQ(supabase.lines, (Lines{"SUBSCRIBED", "CLOSED"}));
    EXPECT_TRUE(fresh.subscribe().wait());
    const auto late = room.subscribe().wait();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::channel_closed);
    EXPECT_EQ(fresh.state(), ChannelState::joined);
    supabase.client->remove_channel(room); // again: does nothing to the new one
    EXPECT_EQ(supabase.client->channels().size(), 1U);
}

TEST(RealtimeClient, ForgetsAllChannels) {
    Supabase supabase;
    supabase.joined("a");
    supabase.joined("b");
    supabase.client->remove_all_channels();
    supabase.settle();
    EXPECT_TRUE(supabase.client->channels().empty());
    EXPECT_EQ(supabase.sent("phx_leave", "realtime:a").size(), 1U);
    EXPECT_EQ(supabase.sent("phx_leave", "realtime:b").size(), 1U);
}

TEST(RealtimeClient, ASubscribeThatWaitsEndsWithItsChannel) {
    Supabase supabase;
    supabase.backend.answers_joins = false;
    const RealtimeChannel room = supabase.client->channel("room");
    const Push asked = room.subscribe();
    supabase.settle();
    supabase.client->remove_channel(room);
    EXPECT_EQ(asked.wait().error().code, Errc::channel_closed);
}

// ---- nobody is subscribed

TEST(RealtimeClient, DisconnectsWhenNoChannelIsSubscribedForFiftySeconds) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    room.unsubscribe();
    supabase.world.run_for(49s);
    EXPECT_EQ(supabase.client->socket().state(), SocketState::open);
    supabase.world.run_for(2s);
    EXPECT_EQ(supabase.client->socket().state(), SocketState::idle);
    supabase.world.run_for(5min);
    EXPECT_EQ(supabase.world.dialled(), 1U);
    EXPECT_TRUE(room.subscribe().wait());
    EXPECT_EQ(supabase.world.dialled(), 2U);
}

TEST(RealtimeClient, StaysConnectedWhenSomebodySubscribesInTime) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    supabase.client->remove_channel(room);
    supabase.world.run_for(49s);
    supabase.joined("other");
    supabase.world.run_for(5min);
    EXPECT_EQ(supabase.world.dialled(), 1U);
    EXPECT_EQ(supabase.client->socket().state(), SocketState::open);
}

TEST(RealtimeClient, StaysConnectedForTheLastChannel) {
    Supabase supabase;
    const RealtimeChannel a = supabase.joined("a");
    const RealtimeChannel b = supabase.joined("b");
    a.unsubscribe();
    supabase.world.run_for(5min);
    EXPECT_EQ(b.state(), ChannelState::joined);
    EXPECT_EQ(supabase.world.dialled(), 1U);
}

TEST(RealtimeClient, DisconnectsAtOnceIfThatIsWanted) {
    RealtimeOptions options = options_with_key();
    options.disconnect_when_empty = Millis(0);
    Supabase supabase(std::move(options));
    const RealtimeChannel room = supabase.joined();
    room.unsubscribe();
    supabase.settle();
    EXPECT_EQ(supabase.client->socket().state(), SocketState::idle);
}

TEST(RealtimeClient, ADisconnectKeepsWhatIsSubscribedForTheNextConnect) {
    Supabase supabase;
    const RealtimeChannel room = supabase.joined();
    supabase.client->disconnect();
    supabase.world.run_for(5min);
    EXPECT_EQ(supabase.world.dialled(), 1U);
    EXPECT_NE(room.state(), ChannelState::joined);
    supabase.client->connect();
    ASSERT_TRUE(supabase.until([&] { return room.state() == ChannelState::joined; }));
    supabase.client->disconnect();
    supabase.settle();
    EXPECT_TRUE(room.subscribe().wait());
    EXPECT_EQ(supabase.world.dialled(), 3U);
}

} // namespace
} // namespace phx::test
