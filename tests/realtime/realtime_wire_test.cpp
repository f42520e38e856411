#include "tests/client/client_fixture.hpp"
#include "tests/support/long_poll_server.hpp"

#include <phx/realtime.hpp>

#include <deque>
#include <thread>

// Over real sockets: bytes, HTTP, and handlers on another thread.
namespace phx::test {
namespace {

using realtime::Broadcast;
using realtime::RealtimeChannel;
using realtime::RealtimeChannelOptions;
using realtime::RealtimeClient;
using realtime::RealtimeOptions;
using realtime::SubscribeStatus;

RealtimeOptions quick_options() {
    RealtimeOptions options;
    options.api_key = "secret-api-key";
    options.socket = quick();
    return options;
}

std::string bytes_of(std::initializer_list<int> bytes) {
    std::string text;
    for (const int byte : bytes) text += static_cast<char>(byte);
    return text;
}

/// A kind 4 frame, as the server makes it.
std::string user_broadcast(std::string_view topic, std::string_view event, std::string_view metadata,
                           bool is_json, std::string_view payload) {
    std::string frame = bytes_of({4, static_cast<int>(topic.size()), static_cast<int>(event.size()),
                                  static_cast<int>(metadata.size()), is_json ? 1 : 0});
    return frame.append(topic).append(event).append(metadata).append(payload);
}

class RealtimeWire : public ::testing::Test {
protected:
    void TearDown() override {
        client.reset(); // before its server
    }
    Peer& subscribe(const RealtimeChannel& channel) {
        const Push joined = channel.subscribe();
        connected.emplace(server.accept_upgraded());
        connected->accept_join({{"postgres_changes", json::array()}});
        EXPECT_TRUE(result_of(joined));
        return *connected;
    }

    ScriptedServer server;
    Inbox<std::string> seen;
    std::optional<Peer> connected; // until the client has gone
    Loop loop;
    std::optional<RealtimeClient> client{std::in_place, loop, server.url(), quick_options()};
};

TEST_F(RealtimeWire, TheRequestHasKeyAndVersionBehindTheProgramsParams) {
    for (const bool is_asked : {false, true}) {
        RealtimeOptions options = quick_options();
        if (is_asked) {
            options.socket.params_provider = [] { return Json{{"log_level", "info"}}; };
        } else {
            options.socket.params = {{"log_level", "info"}};
        }
        client.emplace(loop, server.url(), std::move(options));
        client->connect();
        Peer peer = server.accept();
        EXPECT_TRUE(peer.upgrade().starts_with(
            "GET /socket/websocket?log_level=info&apikey=secret-api-key&vsn=2.0.0 HTTP/1.1\r\n"));
        client.reset();
    }
}

TEST_F(RealtimeWire, AnAnswerOfTheProgramsProviderThatFailsFailsTheAttempt) {
    int asked = 0;
    RealtimeOptions options = quick_options();
    options.socket.params_provider = [&]() -> Result<Json> {
        if (++asked == 1) return fail(Errc::bad_auth, "not yet");
        return Json{{"n", asked}};
    };
    client.emplace(loop, server.url(), std::move(options));
    client->socket().on_error([&](const Error& error) { seen.add(error.message); });
    client->connect();
    Peer peer = server.accept();
    EXPECT_TRUE(peer.upgrade().starts_with("GET /socket/websocket?n=2&apikey="));
    EXPECT_EQ(seen.wait_for(1), std::vector<std::string>{"not yet"});
    client.reset();
}

TEST_F(RealtimeWire, BroadcastsAreKindThreeFrames) {
    const RealtimeChannel room = client->channel("bc");
    Peer& peer = subscribe(room);
    EXPECT_TRUE(result_of(room.send("bj", {{"x", 4}})));
    WsFrame frame = peer.receive();
    EXPECT_EQ(frame.opcode, 2);
    const auto at = [&](std::size_t i) {
        return static_cast<int>(static_cast<unsigned char>(frame.payload[i]));
    };
    EXPECT_EQ(at(0), 3);
    EXPECT_EQ(at(3), 11); // "realtime:bc"
    EXPECT_EQ(at(4), 2);
    EXPECT_EQ(at(6), 1); // JSON
    EXPECT_TRUE(frame.payload.ends_with(R"(realtime:bcbj{"x":4})")) << frame.payload;
    const std::string bytes = bytes_of({0, 255, 10});
    EXPECT_TRUE(result_of(room.send_binary("bb", as_binary(bytes))));
    frame = peer.receive();
    EXPECT_EQ(at(6), 0);
    EXPECT_TRUE(frame.payload.ends_with("realtime:bcbb" + bytes));
}

TEST_F(RealtimeWire, AnAckIsATextReplyToAKindThreeFrame) {
    RealtimeChannelOptions options;
    options.broadcast_ack = true;
    const RealtimeChannel room = client->channel("bc", std::move(options));
    Peer& peer = subscribe(room);
    const Push pushed = room.send("e");
    const WsFrame frame = peer.receive();
    const auto length = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(frame.payload[i]));
    };
    const std::string join_ref = frame.payload.substr(7, length(1));
    const std::string ref = frame.payload.substr(7 + length(1), length(2));
    peer.send_phx(join_ref, ref, "realtime:bc", "phx_reply",
                  {{"status", "ok"}, {"response", json::object()}});
    EXPECT_TRUE(result_of(pushed));
}

TEST_F(RealtimeWire, KindFourFramesReachTheHandlers) {
    Inbox<Broadcast> heard;
    const RealtimeChannel room = client->channel("bc");
    room.on_broadcast("BJ", [&](const Broadcast& broadcast) { heard.add(broadcast.own()); })
        .on_broadcast("*", [&](const Broadcast& broadcast) { heard.add(broadcast.own()); });
    Peer& peer = subscribe(room);
    const std::string bytes = bytes_of({0, 255});
    peer.send(2, user_broadcast("realtime:bc", "bj", R"({"id":"7","replayed":true})", true, R"({"x":4})"));
    peer.send(2, user_broadcast("realtime:bc", "bb", "", false, bytes));
    const auto all = heard.wait_for(3);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].event(), "bj");
    EXPECT_FALSE(all[0].binary());
    EXPECT_EQ(all[0].text(), R"({"x":4})");
    EXPECT_EQ(all[0].id(), "7");
    EXPECT_TRUE(all[0].is_replayed());
    EXPECT_EQ(all[2].event(), "bb");
    EXPECT_TRUE(all[2].binary());
    EXPECT_EQ(as_text(all[2].bytes()), bytes);
    EXPECT_EQ(all[2].text(), "");
    EXPECT_EQ(all[2].json().error().code, Errc::invalid_payload);
}

// ---- HTTP

class RealtimeHttp : public RealtimeWire {
protected:
    static std::string answer_of(int status, std::string_view body = {}) {
        return "HTTP/1.1 " + std::to_string(status) + " x\r\ncontent-length: " + std::to_string(body.size()) +
               "\r\n\r\n" + std::string(body);
    }
    LongPollServer http{server};
};

TEST_F(RealtimeHttp, SendsWithoutASubscription) {
    client->set_auth("secret-user-token");
    const RealtimeChannel room = client->channel("my room");
    const Push pushed = room.http_send("say", {{"n", 1}});
    const LongPollRequest sent = http.next("POST");
    EXPECT_TRUE(sent.head.starts_with("POST /api/broadcast/my%20room/events/say HTTP/1.1\r\n")) << sent.head;
    EXPECT_EQ(sent.header("apikey"), "secret-api-key");
    EXPECT_EQ(sent.header("Authorization"), "Bearer secret-user-token");
    EXPECT_EQ(sent.header("Content-Type"), "application/json");
    EXPECT_EQ(sent.body, R"({"n":1})");
    sent.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(pushed));
    EXPECT_EQ(client->socket().state(), SocketState::idle);
}

TEST_F(RealtimeHttp, SendsBytesAndWithoutAToken) {
    RealtimeChannelOptions options;
    options.is_private = true;
    const std::string bytes = bytes_of({0, 255});
    const Push pushed = client->channel("r", std::move(options)).http_send_binary("say", as_binary(bytes));
    const LongPollRequest sent = http.next("POST");
    EXPECT_TRUE(sent.head.starts_with("POST /api/broadcast/r/events/say?private=true HTTP/1.1\r\n"))
        << sent.head;
    EXPECT_EQ(sent.header("Authorization"), "");
    EXPECT_EQ(sent.header("Content-Type"), "application/octet-stream");
    EXPECT_EQ(sent.body, bytes);
    sent.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(pushed));
}

TEST_F(RealtimeHttp, SendsManyInOneRequest) {
    const Push pushed = client->http_send({{.channel = "a", .event = "e", .payload = {{"n", 1}}},
                                           {.channel = "realtime:b", .event = "f", .is_private = true}});
    const LongPollRequest sent = http.next("POST");
    EXPECT_TRUE(sent.head.starts_with("POST /api/broadcast HTTP/1.1\r\n")) << sent.head;
    const json body = json::parse(sent.body);
    ASSERT_EQ(body["messages"].size(), 2U);
    EXPECT_EQ(body["messages"][0]["topic"], "a");
    EXPECT_EQ(body["messages"][0]["payload"], json({{"n", 1}}));
    EXPECT_EQ(body["messages"][1]["topic"], "b");
    EXPECT_EQ(body["messages"][1]["private"], true);
    sent.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(pushed));
}

TEST_F(RealtimeHttp, ARefusalSaysWhyAndHasNoSecrets) {
    const Push pushed = client->channel("r").http_send("say");
    http.next("POST").peer->write(answer_of(403, R"({"message":"Unauthorized secret-api-key"})"));
    const auto refused = result_of(pushed);
    ASSERT_FALSE(refused);
    ASSERT_TRUE(refused.error().detail);
    EXPECT_EQ(refused.error().detail->http_status, 403);
    EXPECT_EQ(refused.error().message.find("secret-api-key"), std::string::npos);
    EXPECT_EQ(refused.error().detail->http_body.find("secret-api-key"), std::string::npos);
}

TEST_F(RealtimeHttp, CanBeCancelledWhileTheServerThinks) {
    const Push pushed = client->channel("r").http_send("say");
    const LongPollRequest sent = http.next("POST");
    pushed.cancel();
    const auto result = result_of(pushed);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::cancelled);
    sent.peer->write(answer_of(202));
}

TEST_F(RealtimeHttp, EndsOnceWithTheClient) {
    Inbox<std::error_code> ends;
    client->channel("r").http_send("say").then(
        [&](const Result<Reply>& result) { ends.add(result ? std::error_code() : result.error().code); });
    const LongPollRequest sent = http.next("POST");
    client.reset();
    EXPECT_EQ(ends.wait_for(1), std::vector<std::error_code>{Errc::socket_closed});
}

TEST_F(RealtimeHttp, FailsWithTheErrorOfTheProvider) {
    RealtimeOptions options = quick_options();
    options.access_token = []() -> Result<std::string> { return fail(Errc::bad_auth, "signed out"); };
    RealtimeClient other(loop, server.url(), std::move(options));
    const auto result = result_of(other.channel("r").http_send("say"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "signed out");
}

TEST_F(RealtimeHttp, DoesNotWaitForTheProviderLongerThanItsTimeout) {
    RealtimeOptions options = quick_options();
    std::optional<Answer<std::string>> kept;
    options.access_token = [&](Answer<std::string> answer) { kept.emplace(std::move(answer)); };
    RealtimeClient other(loop, server.url(), std::move(options));
    const auto one = result_of(other.channel("r").http_send("say", {}, 20ms));
    ASSERT_FALSE(one);
    EXPECT_EQ(one.error().code, Errc::timeout);
    EXPECT_NE(one.error().message.find("provider of tokens"), std::string::npos);
    const auto many = result_of(other.http_send({{.channel = "a", .event = "e"}}, 20ms));
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().code, Errc::timeout);
}

// ---- threads

TEST_F(RealtimeWire, ThreadsMayMakeUseAndRemoveChannelsOfOneName) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([this] {
            for (int n = 0; n < 200; ++n) {
                const RealtimeChannel room = client->channel("room");
                HandlerId id;
                room.on_broadcast("e", [](const Broadcast&) {}).on_presence_join([](const auto&) {}, &id);
                room.off(id);
                EXPECT_EQ(room.topic(), "realtime:room");
                client->remove_channel(room);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    subscribe(client->channel("room"));
    EXPECT_EQ(client->channels().size(), 1U);
}

// ---- handlers elsewhere

TEST(RealtimeDispatch, HandlersRunWhereTheProgramWantsThemWithBytesOfTheirOwn) {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Function<void()>> calls;
    std::vector<std::string> seen;
    LoopOptions loop_options;
    loop_options.dispatch = [&](Function<void()> call) {
        const std::lock_guard lock(mutex);
        calls.push_back(std::move(call));
        changed.notify_all();
    };
    const auto run_until = [&](std::size_t count) {
        while (seen.size() < count) {
            Function<void()> call;
            {
                std::unique_lock lock(mutex);
                if (!changed.wait_for(lock, generous, [&] { return !calls.empty(); })) return false;
                call = std::move(calls.front());
                calls.pop_front();
            }
            call();
        }
        return true;
    };
    const std::thread::id here = std::this_thread::get_id();
    const auto note = [&](std::string text) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        seen.push_back(std::move(text));
    };
    ScriptedServer server;
    Loop loop(std::move(loop_options));
    RealtimeClient client(loop, server.url(), quick_options());
    const RealtimeChannel room = client.channel("room");
    room.on_broadcast("*", [&](const Broadcast& b) { note("broadcast " + std::string(b.text())); })
        .on_presence_join([&](const realtime::PresenceEvent& e) { note("join " + e.key); })
        .on_presence_sync([&] { note("sync"); })
        .on_system([&](const realtime::SystemMessage& s) { note("system " + s.message); })
        .on_postgres_changes(
            {}, [&](const realtime::PostgresChange& c) { note("change " + std::string(c.new_text())); });
    room.subscribe([&](SubscribeStatus status, const Error* why) {
        note(std::string(to_string(status)) + (why ? ' ' + why->message : ""));
    });
    Peer peer = server.accept_upgraded();
    const PhxFrame join = peer.accept_join(
        {{"postgres_changes", json::array({{{"event", "*"}, {"schema", "public"}, {"id", 5}}})}});
    peer.broadcast("realtime:room", "broadcast", {{"event", "e"}, {"payload", {{"n", 1}}}});
    peer.send_phx(join.ref, nullptr, "realtime:room", "presence_state",
                  {{"ada", {{"metas", json::array({{{"phx_ref", "1"}}})}}}});
    peer.broadcast("realtime:room", "postgres_changes",
                   {{"ids", {5}},
                    {"data",
                     {{"type", "INSERT"},
                      {"schema", "public"},
                      {"table", "t"},
                      {"columns", json::array()},
                      {"commit_timestamp", "x"},
                      {"record", {{"id", 1}}}}}});
    peer.send_phx(
        join.ref, nullptr, "realtime:room", "system",
        {{"message", "Token has expired 0 seconds ago"}, {"status", "error"}, {"extension", "system"}});
    peer.send_phx(join.ref, nullptr, "realtime:room", "phx_close", json::object());
    ASSERT_TRUE(run_until(8)) << ::testing::PrintToString(seen);
    EXPECT_EQ(seen, (std::vector<std::string>{"SUBSCRIBED", R"(broadcast {"n":1})", "join ada", "sync",
                                              R"(change {"id":1})", "system Token has expired 0 seconds ago",
                                              "CHANNEL_ERROR Token has expired 0 seconds ago",
                                              "CLOSED Token has expired 0 seconds ago"}));
    client.disconnect();
    while (peer.receive().opcode != 8) {
    }
}

} // namespace
} // namespace phx::test
