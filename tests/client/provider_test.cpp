#include "phx/protocol/base64.hpp"
#include "tests/client/client_fixture.hpp"

#include <thread>

// Values that are asked for when they are needed, and answered later.
namespace phx::test {
namespace {

std::string token_in(const std::string& request) {
    return Peer::header_of(request, "Sec-WebSocket-Protocol");
}

std::string subprotocols_of(std::string_view token) { return protocol::token_subprotocols(token); }

std::string ok_subprotocol() { return "Sec-WebSocket-Protocol: phoenix\r\n"; }

TEST(Provider, AnswersFromAnotherThread) {
    ScriptedServer server;
    Loop loop;
    SocketOptions options = quick();
    std::thread fetch;
    options.auth_token = [&](Answer<std::string> answer) {
        fetch = std::thread([answer = std::move(answer)]() mutable { answer(std::string("fresh")); });
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    Peer peer = server.accept();
    EXPECT_EQ(token_in(peer.upgrade(ok_subprotocol())), subprotocols_of("fresh"));
    fetch.join();
}

SocketOptions with_subprotocols(std::vector<std::string> subprotocols) {
    SocketOptions options = quick();
    options.subprotocols = std::move(subprotocols);
    return options;
}

TEST(Subprotocols, OfTheProgramAreOfferedBehindTheToken) {
    ScriptedServer server;
    Loop loop;
    Inbox<int> opened;
    Socket socket(loop, server.url(), with_subprotocols({"chat.v2", "chat.v1"}));
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    Peer peer = server.accept();
    EXPECT_EQ(token_in(peer.upgrade("Sec-WebSocket-Protocol: chat.v1\r\n")), "chat.v2, chat.v1");
    opened.wait_for(1); // chat.v1 was offered, and may be chosen
    socket.disconnect();
    SocketOptions options = with_subprotocols({"phoenix", "chat.v2", "chat.v2"}); // each is offered once
    options.auth_token = [] { return std::string("token"); };
    Socket other(loop, server.url(), std::move(options));
    other.connect();
    Peer with_token = server.accept();
    EXPECT_EQ(token_in(with_token.upgrade(ok_subprotocol())), subprotocols_of("token") + ", chat.v2");
}

TEST(Subprotocols, ThatAreNoTokensAreAnError) {
    Loop loop;
    EXPECT_THROW(Socket(loop, "ws://localhost:4000/socket", with_subprotocols({"two words"})),
                 std::invalid_argument);
}

TEST(Provider, IsNotAskedAgainWhileAnAnswerIsOut) {
    ScriptedServer server;
    Inbox<Error> errors;
    std::mutex mutex;
    std::vector<Answer<std::string>> questions;
    Loop loop;
    SocketOptions options = quick();
    options.connect_timeout = 5ms;
    options.auth_token = [&](Answer<std::string> answer) {
        const std::lock_guard lock(mutex);
        questions.push_back(std::move(answer));
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    errors.wait_for(3); // attempts that waited for the token in vain
    std::vector<Answer<std::string>> asked;
    {
        const std::lock_guard lock(mutex);
        asked.swap(questions);
    }
    ASSERT_EQ(asked.size(), 1u);
    asked.front()(std::string("late"));
    Peer peer = server.accept();
    EXPECT_EQ(token_in(peer.read_request()), subprotocols_of("late"));
}

TEST(Provider, AnAnswerThatIsDroppedFailsTheAttempt) {
    ScriptedServer server;
    Inbox<Error> errors;
    int asked = 0;
    Loop loop;
    SocketOptions options = quick();
    options.params_provider = [&](Answer<Json> answer) {
        if (++asked > 1) answer(Json{{"try", asked}});
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    Peer peer = server.accept();
    EXPECT_TRUE(peer.read_request().starts_with("GET /socket/websocket?try=2&vsn=2.0.0 "));
    ASSERT_TRUE(errors.first());
    EXPECT_EQ(errors.first()->code, Errc::cancelled);
}

TEST(Provider, MayFailWithAReasonOfItsOwn) {
    ScriptedServer server;
    Inbox<Error> errors;
    Loop loop;
    SocketOptions options = quick();
    options.auth_token = []() -> Result<std::string> { return fail(Errc::bad_auth, "signed out"); };
    Socket socket(loop, server.url(), std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    ASSERT_TRUE(errors.first());
    EXPECT_EQ(errors.first()->message, "signed out");
}

TEST(Provider, OfJoinParamsAnswersEachRejoinLater) {
    ScriptedServer server;
    int asked = 0;
    std::vector<std::thread> threads;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    room.set_params([&](Answer<Json> answer) {
        threads.emplace_back([answer = std::move(answer), n = ++asked]() mutable {
            answer(Json{{"token", n}});
        });
    });
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    for (int i = 1; i <= 3; ++i) {
        const PhxFrame join = peer.expect("phx_join");
        EXPECT_EQ(join.payload, json({{"token", i}}));
        peer.reply(join, "ok");
        peer.send_phx(join.ref, join.ref, "room:1", "phx_error", json::object());
    }
    for (std::thread& thread : threads) thread.join();
}

TEST(Provider, MayAnswerAfterItsSocketIsGone) {
    std::optional<Answer<std::string>> question;
    Inbox<int> asked;
    Loop loop;
    {
        SocketOptions options = quick();
        options.auth_token = [&](Answer<std::string> answer) {
            question.emplace(std::move(answer));
            asked.add(1);
        };
        Socket socket(loop, "ws://localhost:1/socket", std::move(options));
        socket.connect();
        asked.wait_for(1);
    }
    (*question)(std::string("too late"));
    (*question)(std::string("twice"));
}

TEST(Provider, IsAskedAnewAfterADisconnect) {
    ScriptedServer server;
    Inbox<int> asked;
    std::mutex mutex;
    std::vector<Answer<std::string>> questions;
    Loop loop;
    SocketOptions options = quick();
    options.auth_token = [&](Answer<std::string> answer) {
        const std::lock_guard lock(mutex);
        questions.push_back(std::move(answer));
        asked.add(1);
    };
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    asked.wait_for(1);
    socket.disconnect(); // signed out, and in again as somebody else
    socket.connect();
    ASSERT_EQ(asked.wait_for(2).size(), 2u);
    std::vector<Answer<std::string>> answers;
    {
        const std::lock_guard lock(mutex);
        answers.swap(questions);
    }
    answers[0](std::string("of the old user"));
    answers[1](std::string("of the new user"));
    Peer peer = server.accept();
    EXPECT_EQ(token_in(peer.read_request()), subprotocols_of("of the new user"));
}

/// A channel that joins, and whose params the test gives.
struct ProviderOfJoinParams : testing::Test {
    ProviderOfJoinParams() {
        room.set_params([this](Answer<Json> answer) {
            const std::lock_guard lock(mutex);
            questions.push_back(std::move(answer));
            asked.add(1);
        });
        socket.connect();
        room.join();
        peer.emplace(server.accept_upgraded());
        asked.wait_for(1);
    }
    void answer(std::size_t question, Json params) {
        std::optional<Answer<Json>> answer;
        {
            const std::lock_guard lock(mutex);
            answer.emplace(std::move(questions.at(question)));
        }
        (*answer)(std::move(params));
    }
    ScriptedServer server;
    std::mutex mutex;
    std::vector<Answer<Json>> questions;
    Inbox<int> asked;
    Loop loop;
    Socket socket{loop, server.url(), quick()};
    Channel room = socket.channel("room:1");
    std::optional<Peer> peer;
};

TEST_F(ProviderOfJoinParams, IsReplacedWhileItsAnswerIsOut) {
    room.set_params(Json{{"new", true}});
    const PhxFrame join = peer->expect("phx_join");
    EXPECT_EQ(join.payload, json({{"new", true}}));
    peer->reply(join, "ok");
    answer(0, Json{{"old", true}});
}

TEST_F(ProviderOfJoinParams, IsAskedAnewAfterADisconnect) {
    socket.disconnect(); // signed out, and in again as somebody else
    socket.connect();
    Peer second = server.accept_upgraded();
    room.join();
    ASSERT_EQ(asked.wait_for(2).size(), 2U);
    answer(0, Json{{"user", "old"}});
    answer(1, Json{{"user", "new"}});
    EXPECT_EQ(second.expect("phx_join").payload, json({{"user", "new"}}));
}

TEST_F(ProviderOfJoinParams, IsAskedAnewByAChannelThatHadLeftBeforeTheDisconnect) {
    room.leave();
    socket.disconnect();
    socket.connect();
    room.join();
    Peer second = server.accept_upgraded();
    ASSERT_EQ(asked.wait_for(2).size(), 2U);
    answer(1, Json{{"user", "new"}});
    EXPECT_EQ(second.expect("phx_join").payload, json({{"user", "new"}}));
}

TEST(Provider, ThatIsEmptyLeavesTheParamsOfTheChannel) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1", {{"nick", "ada"}});
    room.set_params(Provider<Json>{});
    socket.connect();
    room.join();
    Peer peer = server.accept_upgraded();
    EXPECT_EQ(peer.expect("phx_join").payload, json({{"nick", "ada"}}));
}

} // namespace
} // namespace phx::test
