#include "tests/client/client_fixture.hpp"

#include <memory>
#include <utility>

namespace phx::test {
namespace {

TEST(Channel, JoinsPushesAndReceivesTheReply) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), {.params = {{"user", "ada"}}});
    auto room = socket.channel("room:lobby", {{"nick", "ada"}});
    EXPECT_EQ(room.state(), ChannelState::closed);
    socket.connect();
    const Push joined = room.join();
    const Push pushed = room.push("shout", {{"body", "hi"}});

    Peer peer = server.accept();
    const std::string request = peer.upgrade();
    EXPECT_TRUE(request.starts_with("GET /socket/websocket?user=ada&vsn=2.0.0 HTTP/1.1\r\n")) << request;
    EXPECT_EQ(Peer::header_of(request, "Host"), "127.0.0.1:" + std::to_string(server.port()));
    EXPECT_EQ(Peer::header_of(request, "Connection"), "Upgrade");
    EXPECT_EQ(Peer::header_of(request, "Sec-WebSocket-Extensions"), "");
    EXPECT_EQ(request.find("connection: close"), request.npos);
    const PhxFrame join = peer.expect("phx_join");
    EXPECT_EQ(join.topic, "room:lobby");
    EXPECT_EQ(join.payload, json({{"nick", "ada"}}));
    EXPECT_EQ(join.join_ref, join.ref);
    peer.reply(join, "ok", {{"id", 7}});
    const PhxFrame push = peer.expect("shout");
    EXPECT_EQ(push.join_ref, join.ref);
    EXPECT_EQ(push.payload, json({{"body", "hi"}}));
    peer.reply(push, "ok", {{"heard", true}});

    const auto join_reply = result_of(joined);
    ASSERT_TRUE(join_reply) << join_reply.error().message;
    EXPECT_EQ(join_reply->status(), "ok");
    EXPECT_EQ(join_reply->text(), R"({"id":7})");
    EXPECT_EQ(room.state(), ChannelState::joined);
    EXPECT_EQ(socket.state(), SocketState::open);
    const auto push_reply = result_of(pushed);
    ASSERT_TRUE(push_reply) << push_reply.error().message;
    EXPECT_EQ(push_reply->json().value(), json({{"heard", true}}));
    EXPECT_GT(push_reply->elapsed(), Micros(0));
}

/// A loop, a socket that is open and a channel that is joined.
class JoinedChannel : public testing::Test {
protected:
    void SetUp() override {
        socket.on_error([this](const Error& error) { errors.add(error); });
        socket.connect();
        const Push joined = room.join();
        peer.emplace(server.accept_upgraded());
        join = peer->accept_join();
        ASSERT_TRUE(result_of(joined));
    }
    /// Returns when everything that was posted before has been done.
    void settle() {
        std::promise<void> done;
        loop.post([&] { done.set_value(); });
        get(done.get_future());
    }

    // Before the loop: handlers use them as long as it lives.
    ScriptedServer server;
    Inbox<Error> errors;
    Inbox<std::string> seen;
    Inbox<Message> kept;
    Inbox<Result<Json>> parsed;
    Inbox<std::pair<ChannelState, ChannelState>> states;
    Inbox<Error> whys;
    int calls = 0;
    HandlerId first{};
    Loop loop;
    Socket socket{loop, server.url(), quick()};
    Channel room = socket.channel("room:1");
    std::optional<Peer> peer;
    PhxFrame join;
};

TEST_F(JoinedChannel, DeliversMessagesByEventInOrder) {
    room.on("a", [this](const Message& m) { seen.add("a " + std::string(m.text())); });
    room.on_any([this](const Message& m) { seen.add("any " + std::string(m.event())); });
    socket.on_message([this](const Message& m) { seen.add("socket " + std::string(m.topic())); });
    settle();
    peer->broadcast("room:1", "a", {{"n", 1}});
    peer->broadcast("room:1", "b", {{"n", 2}});
    peer->broadcast("room:other", "a", {{"n", 3}});
    EXPECT_EQ(seen.wait_for(6), (std::vector<std::string>{R"(a {"n":1})", "any a", "socket room:1", "any b",
                                                          "socket room:1", "socket room:other"}));
}

TEST_F(JoinedChannel, ParsesPayloadsOnlyWhenAsked) {
    room.on("a", [&](const Message& m) { parsed.add(m.json()); });
    settle();
    peer->broadcast("room:1", "a", {{"n", 1}});
    peer->send(1, R"([null,null,"room:1","a",1e999])");
    const auto values = parsed.wait_for(2);
    ASSERT_EQ(values.size(), 2u);
    ASSERT_TRUE(values[0]);
    EXPECT_EQ(*values[0], json({{"n", 1}}));
    ASSERT_FALSE(values[1]);
    EXPECT_EQ(values[1].error().code, Errc::invalid_payload);
}

TEST_F(JoinedChannel, OwnsMessagesThatAreKept) {
    room.on("a", [&](const Message& m) { kept.add(m.own()); });
    settle();
    peer->broadcast("room:1", "a", {{"n", 1}});
    peer->broadcast("room:1", "a", {{"n", 2}});
    const auto messages = kept.wait_for(2);
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(messages[0].text(), R"({"n":1})");
    EXPECT_EQ(messages[0].topic(), "room:1");
    EXPECT_EQ(messages[0].own().event(), "a");
    EXPECT_EQ(messages[1].text(), R"({"n":2})");
}

TEST_F(JoinedChannel, CarriesBinaryBothWays) {
    room.on("bin", [this](const Message& m) {
        EXPECT_TRUE(m.binary());
        EXPECT_TRUE(m.text().empty());
        EXPECT_FALSE(m.json());
        seen.add(std::string(as_text(m.bytes())));
    });
    const std::string bytes("\x00\xff\x01", 3);
    const Push pushed = room.push_binary("up", as_binary(bytes));
    const WsFrame frame = peer->receive();
    EXPECT_EQ(frame.opcode, 2);
    const std::string join_ref = join.ref.get<std::string>();
    // Kind 0 to the server: sizes of join_ref, ref, topic, event, then all of them and the payload.
    ASSERT_GT(frame.payload.size(), 5u);
    EXPECT_EQ(frame.payload[0], 0);
    EXPECT_TRUE(frame.payload.ends_with("room:1up" + bytes));
    const std::string ref =
        frame.payload.substr(5 + join_ref.size(), static_cast<std::size_t>(frame.payload[2]));
    // Kind 1, a reply: sizes of join_ref, ref, topic, status.
    std::string reply = {1, static_cast<char>(join_ref.size()), static_cast<char>(ref.size()), 6, 2};
    peer->send(2, reply + join_ref + ref + "room:1" + "ok" + bytes);
    const auto result = result_of(pushed);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->binary());
    EXPECT_EQ(as_text(result->bytes()), bytes);
    // Kind 2, a broadcast: sizes of topic and event.
    std::string broadcast = {2, 6, 3};
    peer->send(2, broadcast + "room:1" + "bin" + bytes);
    EXPECT_EQ(seen.first(), bytes);
}

TEST_F(JoinedChannel, ReportsARejectionWithItsReply) {
    Inbox<std::string> status;
    Push pushed = room.push("shout");
    pushed.receive("ok", [&](const Reply&) { status.add("ok"); })
        .receive("error", [&](const Reply& r) { status.add("error " + std::string(r.text())); })
        .receive("timeout", [&](const Reply&) { status.add("timeout"); });
    const PhxFrame push = peer->expect("shout");
    EXPECT_EQ(push.payload, json::object());
    peer->reply(push, "error", {{"reason", "no"}});
    const auto result = result_of(pushed);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::rejected);
    EXPECT_EQ(result.error().detail->status, "error");
    EXPECT_EQ(result.error().detail->reply, R"({"reason":"no"})");
    EXPECT_EQ(status.all(), std::vector<std::string>{R"(error {"reason":"no"})"});
    settle();
    EXPECT_TRUE(errors.all().empty()); // it was observed
}

TEST_F(JoinedChannel, TimesOutAPushThatIsNotAnswered) {
    Push pushed = room.push("shout", Json(nullptr), 5ms);
    Inbox<std::string> status;
    pushed.receive("timeout", [&](const Reply& r) { status.add("timeout" + std::string(r.text())); });
    EXPECT_EQ(peer->expect("shout").payload, json::object()); // null became {}
    const auto result = result_of(pushed);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::timeout);
    EXPECT_EQ(status.first(), "timeout");
    // A receive that is added after the end still runs.
    pushed.receive("timeout", [&](const Reply&) { status.add("late"); });
    EXPECT_EQ(status.wait_for(2).size(), 2u);
}

TEST_F(JoinedChannel, ReportsAFailureThatNobodyObserves) {
    room.push("lost", Json::object(), 1ms).receive("ok", [](const Reply&) {});
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::timeout);
}

TEST_F(JoinedChannel, CancelsAPush) {
    const Push pushed = room.push("slow");
    pushed.cancel();
    const auto result = result_of(pushed);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::cancelled);
    EXPECT_TRUE(pushed.finished());
}

TEST_F(JoinedChannel, RefusesWhatCannotBeSent) {
    EXPECT_EQ(result_of(room.push("a", {{"text", "\xff"}})).error().code, Errc::invalid_utf8);
    EXPECT_EQ(result_of(room.push_text("a", "{")).error().code, Errc::invalid_payload);
    EXPECT_EQ(result_of(room.push("\xff")).error().code, Errc::invalid_utf8);
    EXPECT_EQ(result_of(room.push_binary(std::string(256, 'e'), {})).error().code, Errc::field_too_long);
    EXPECT_EQ(result_of(socket.channel("never").push("a")).error().code, Errc::not_joined);
    ASSERT_TRUE(room.send("a", "{"));
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::invalid_payload);
}

TEST_F(JoinedChannel, SendsWithoutWaitingForAReply) {
    ASSERT_TRUE(room.send("tell", R"({"n":1})"));
    ASSERT_TRUE(room.send_binary("tell", as_binary("x")));
    EXPECT_EQ(peer->expect("tell").payload, json({{"n", 1}}));
    EXPECT_EQ(peer->receive().opcode, 2);
}

TEST_F(JoinedChannel, CoalescesTheSendsOfATurnIntoOneSegment) {
    const int reads_before = peer->reads();
    loop.post([this] {
        for (int i = 0; i < 50; ++i) (void)room.send("tell", "{}");
    });
    for (int i = 0; i < 50; ++i) EXPECT_EQ(peer->expect("tell").event, "tell");
    EXPECT_EQ(peer->reads(), reads_before + 1);
}

TEST_F(JoinedChannel, LeavesAndFinishesItsPushes) {
    const Push waiting = room.push("slow");
    peer->expect("slow");
    const Push left = room.leave();
    peer->reply(peer->expect("phx_leave"), "ok");
    EXPECT_TRUE(result_of(left));
    EXPECT_EQ(result_of(waiting).error().code, Errc::channel_closed);
    EXPECT_EQ(room.state(), ChannelState::closed);
}

TEST_F(JoinedChannel, RejoinsAfterACrash) {
    room.on_state([&](ChannelState from, ChannelState to, const Error*) { states.add({from, to}); });
    settle();
    peer->send_phx(join.join_ref, join.ref, "room:1", "phx_error", json::object());
    const PhxFrame again = peer->accept_join();
    EXPECT_NE(again.ref, join.ref);
    using enum ChannelState;
    EXPECT_EQ(states.wait_for(3), (std::vector<std::pair<ChannelState, ChannelState>>{
                                      {joined, errored}, {errored, joining}, {joining, joined}}));
}

TEST_F(JoinedChannel, TellsWhatEachJoinWasAnsweredWith) {
    Inbox<std::string> answers;
    room.on_joined([&](const Reply& reply) {
        EXPECT_EQ(reply.status(), "ok");
        EXPECT_EQ(room.state(), ChannelState::joined);
        answers.add(std::string(reply.text()));
    });
    settle(); // the handler is there
    for (int n = 2; n <= 3; ++n) {
        peer->send_phx(join.join_ref, join.ref, "room:1", "phx_error", json::object());
        join = peer->expect("phx_join");
        peer->reply(join, "ok", {{"n", n}});
        EXPECT_EQ(answers.wait_for(static_cast<std::size_t>(n - 1)).back(), json({{"n", n}}).dump());
    }
}

TEST_F(JoinedChannel, EvaluatesParamsAtEveryJoin) {
    room.set_params([&] { return Json{{"call", ++calls}}; });
    peer->send_phx(join.join_ref, join.ref, "room:1", "phx_error", json::object());
    PhxFrame again = peer->expect("phx_join");
    EXPECT_EQ(again.payload, json({{"call", 1}}));
    peer->send_phx(again.join_ref, again.ref, "room:1", "phx_error", json::object());
    again = peer->expect("phx_join");
    EXPECT_EQ(again.payload, json({{"call", 2}}));
    room.set_params([]() -> Json { throw std::runtime_error("no params today"); });
    settle();
    peer->send_phx(again.join_ref, again.ref, "room:1", "phx_error", json::object());
    room.on_state([&](ChannelState, ChannelState, const Error* error) {
        if (error && error->code == Errc::handler_failed) whys.add(*error);
    });
    const auto error = whys.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->message.find("no params today"), error->message.npos); // it may hold a secret
}

TEST_F(JoinedChannel, AddsAndRemovesHandlersInsideHandlers) {
    std::promise<void> registered;
    loop.post([&] {
        first = room.on("a", [&](const Message&) {
            seen.add("first");
            room.off(first);
            room.on("a", [&](const Message&) { seen.add("second"); });
        });
        registered.set_value();
    });
    get(registered.get_future());
    room.on("end", [&](const Message&) { seen.add("end"); });
    settle();
    peer->broadcast("room:1", "a", json::object());
    peer->broadcast("room:1", "a", json::object());
    peer->broadcast("room:1", "end", json::object());
    seen.wait_for(2);
    EXPECT_EQ(seen.wait_for(3), (std::vector<std::string>{"first", "second", "end"}));
}

TEST_F(JoinedChannel, LivesOnAfterAnExceptionOfAHandler) {
    room.on("a", [](const Message&) { throw std::runtime_error("oops"); });
    room.on("a", [](const Message&) { throw 42; });
    room.on("a", [this](const Message&) { seen.add("third"); });
    settle();
    peer->broadcast("room:1", "a", json::object());
    EXPECT_EQ(seen.first(), "third");
    const auto reported = errors.wait_for(2);
    ASSERT_EQ(reported.size(), 2u);
    EXPECT_EQ(reported[0].code, Errc::handler_failed);
    EXPECT_EQ(reported[0].origin, Origin::local);
    EXPECT_NE(reported[0].message.find("oops"), std::string::npos);
    EXPECT_EQ(reported[1].code, Errc::handler_failed);
}

TEST_F(JoinedChannel, DropsFramesThatItCannotReadAndGoesOn) {
    room.on("a", [this](const Message&) { seen.add("a"); });
    settle();
    peer->send(1, "not json");
    peer->send(1, "[1,2]");
    peer->send(2, std::string("\x09", 1));
    peer->send(1, "");
    peer->broadcast("room:1", "a", json::object());
    EXPECT_EQ(seen.first(), "a");
    EXPECT_EQ(errors.wait_for(4).size(), 4u);
}

TEST_F(JoinedChannel, IsForgottenByItsSocket) {
    socket.remove(room);
    peer->expect("phx_leave");
    EXPECT_EQ(result_of(room.push("a")).error().code, Errc::not_joined);
    EXPECT_EQ(result_of(room.join()).error().code, Errc::channel_closed);
    EXPECT_FALSE(socket.channel("room:1") == room);
}

TEST_F(JoinedChannel, IsTheSameForTheSameTopic) {
    EXPECT_TRUE(socket.channel("room:1", {{"other", 1}}) == room);
}

TEST_F(JoinedChannel, SeesTheJoinRefused) {
    auto locked = socket.channel("room:locked");
    const Push joined = locked.join();
    peer->reply(peer->expect("phx_join"), "error", {{"reason", "unauthorized"}});
    const auto result = result_of(joined);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::join_refused);
    EXPECT_EQ(result.error().detail->reply, R"({"reason":"unauthorized"})");
}

TEST_F(JoinedChannel, PingsAndMeasures) {
    const Push ping = socket.ping();
    const PhxFrame heartbeat = peer->expect("heartbeat");
    EXPECT_EQ(heartbeat.topic, "phoenix");
    peer->reply(heartbeat, "ok");
    const auto result = result_of(ping);
    ASSERT_TRUE(result);
    EXPECT_GT(result->elapsed(), Micros(0));
}

TEST_F(JoinedChannel, LetsGoOfItsHandlersWhenItIsRemoved) {
    auto token = std::make_shared<int>();
    const std::weak_ptr<int> before = token;
    room.on("a", [token, channel = room](const Message&) {}); // a handle inside: the channel would own itself
    room.on_state([token](ChannelState, ChannelState, const Error*) {});
    token.reset();
    socket.remove(room);
    settle();
    settle(); // what has run in the turn of the first is gone
    EXPECT_TRUE(before.expired());
    token = std::make_shared<int>();
    const std::weak_ptr<int> after = token;
    room.on("a", [token, channel = room](const Message&) {});
    token.reset();
    settle();
    settle();
    EXPECT_TRUE(after.expired());
}

TEST_F(JoinedChannel, TellsItsEndWhenAHandlerRemovesIt) {
    room.on_state([&](ChannelState from, ChannelState to, const Error*) { states.add({from, to}); });
    room.on("end", [this](const Message&) { socket.remove(room); });
    settle();
    peer->broadcast("room:1", "end", json::object());
    peer->expect("phx_leave");
    using enum ChannelState;
    EXPECT_EQ(states.wait_for(1), (std::vector<std::pair<ChannelState, ChannelState>>{{joined, closed}}));
}

TEST_F(JoinedChannel, KeepsTheOrderOfCallsOnTheLoopThread) {
    // The join of "room:gone" is refused at once, and its handler pushes; what was called before that is sent
    // first.
    loop.post([this] {
        Channel gone = socket.channel("room:gone");
        socket.remove(gone);
        gone.join().then([this](const Result<Reply>&) { (void)room.send("second", "{}"); });
        socket.ping().cancel();
        (void)room.send("first", "{}");
    });
    std::vector<std::string> order;
    while (order.size() < 2) {
        const std::string event = peer->receive_phx().event;
        if (event == "first" || event == "second") order.push_back(event);
    }
    EXPECT_EQ(order, (std::vector<std::string>{"first", "second"}));
}

} // namespace
} // namespace phx::test
