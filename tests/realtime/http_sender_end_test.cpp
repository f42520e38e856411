#include "tests/realtime/http_sender_fixture.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/silent_port.hpp"
#include "tests/support/tls_files.hpp"

#include <stdexcept>

// Requests that get no answer, and those that are given up; and the ways to the server.
namespace phx::test {
namespace {

std::string url_of(int port) { return "ws://127.0.0.1:" + std::to_string(port) + "/socket"; }

TEST(HttpSenderEnd, GivesUpWhenTheServerIsSlow) {
    Sending sending;
    const Push push = sending.send(request_of(), Millis(500));
    const LongPollRequest request = sending.peers.next("POST");
    const Error error = error_of(push);
    EXPECT_EQ(error.code, Errc::timeout);
    EXPECT_EQ(error.message, "no answer to an HTTP broadcast; the server may still have acted");
    EXPECT_TRUE(request.peer->wait_for_end());
    request.peer->close();
    EXPECT_TRUE(sending.exchange(answer_of(202))) << "over another connection";
    EXPECT_EQ(sending.peers.connections(), 2u);
}

TEST(HttpSenderEnd, CountsTheTimeInTheQueue) {
    Sending sending({.max_connections = 1});
    const Push slow = sending.send(request_of("slow"));
    const Push late = sending.send(request_of("late"), Millis(10));
    const Push next = sending.send(request_of("next"));
    const Error error = error_of(late);
    EXPECT_EQ(error.code, Errc::timeout);
    EXPECT_NE(error.message.find("was not sent"), std::string::npos) << error.message;
    for (const char* const body : {"slow", "next"}) {
        const LongPollRequest request = sending.peers.next("POST");
        EXPECT_EQ(request.body, body);
        request.peer->write(answer_of(202));
    }
    EXPECT_TRUE(result_of(slow));
    EXPECT_TRUE(result_of(next));
}

TEST(HttpSenderEnd, GivesUpWhenNobodyTakesTheConnection) {
    const SilentPort silent("127.0.0.1");
    Sending sending(nullptr, target_of(url_of(silent.port())));
    EXPECT_EQ(error_of(sending.send(request_of(), Millis(20))).code, Errc::timeout);
}

TEST(HttpSenderEnd, SaysThatNobodyIsThere) {
    Sending sending(nullptr, target_of(url_of(unused_port())));
    for (int i = 0; i < 6; ++i) {
        const Error error = error_of(sending.send());
        EXPECT_EQ(error.code, Errc::connect_failed);
        EXPECT_EQ(error.message.find("secret"), std::string::npos) << error.message;
    }
}

TEST(HttpSenderEnd, SaysThatItIsNoHttp) {
    Sending sending;
    const Push push = sending.send();
    sending.peers.next("POST").peer->write("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    EXPECT_EQ(error_of(push).code, Errc::connect_failed);
    EXPECT_TRUE(sending.exchange(answer_of(202)));
}

// ---- given up

TEST(HttpSenderEnd, FailsWhatIsOutWhenItIsDestroyed) {
    Sending sending({.max_connections = 2});
    std::vector<Push> pushes;
    for (int i = 0; i < 4; ++i) pushes.push_back(sending.send());
    const LongPollRequest first = sending.peers.next("POST"), second = sending.peers.next("POST");
    sending.end();
    for (const Push& push : pushes) EXPECT_EQ(error_of(push).code, Errc::socket_closed);
    EXPECT_TRUE(first.peer->wait_for_end());
    EXPECT_TRUE(second.peer->wait_for_end());
}

TEST(HttpSenderEnd, RefusesRequestsOnceItIsClosed) {
    Sending sending;
    sending.on_loop([&] {
        sending.sender->close();
        sending.sender->close();
    });
    EXPECT_EQ(error_of(sending.send()).code, Errc::socket_closed);
}

TEST(HttpSenderEnd, MayBeDestroyedByAHandler) {
    Sending sending;
    const Push push = sending.send(), other = sending.send();
    const LongPollRequest first = sending.peers.next("POST"), second = sending.peers.next("POST");
    Inbox<bool> answered;
    for (const Push& each : {push, other}) {
        Push(each).then([&](const Result<Reply>& result) {
            sending.sender.reset();
            answered.add(result.has_value());
        });
    }
    first.peer->write(answer_of(202));
    EXPECT_EQ(answered.wait_for(2), (std::vector<bool>{true, false}));
    EXPECT_TRUE(second.peer->wait_for_end());
}

TEST(HttpSenderEnd, TakesARequestFromAHandler) {
    Sending sending({.max_connections = 1});
    Inbox<std::shared_ptr<PushState>> again;
    Push push = sending.send(request_of("first"));
    push.then([&](const Result<Reply>&) {
        auto state = std::make_shared<PushState>(sending.socket);
        sending.sender->send(request_of("second"), generous, state);
        again.add(state);
    });
    for (const char* const body : {"first", "second"}) {
        const LongPollRequest request = sending.peers.next("POST");
        EXPECT_EQ(request.body, body);
        request.peer->write(answer_of(202));
    }
    EXPECT_TRUE(result_of(Push(again.first().value())));
}

TEST(HttpSenderEnd, CancelsWhatWaits) {
    Sending sending({.max_connections = 1});
    const Push first = sending.send(request_of("first"));
    const Push waiting = sending.send(request_of("waiting"));
    sending.on_loop([&] { sending.sender->cancel(*sending.last); });
    EXPECT_EQ(error_of(waiting).code, Errc::cancelled);
    const Push marked = sending.send(request_of("marked"));
    sending.on_loop([&] { sending.last->is_cancelled = true; });
    const Push next = sending.send(request_of("next"));
    for (const char* const body : {"first", "next"}) {
        const LongPollRequest request = sending.peers.next("POST");
        EXPECT_EQ(request.body, body);
        request.peer->write(answer_of(202));
    }
    EXPECT_TRUE(result_of(first));
    EXPECT_EQ(error_of(marked).code, Errc::cancelled);
    EXPECT_TRUE(result_of(next));
}

TEST(HttpSenderEnd, CancelsWhatIsUnderWay) {
    Sending sending({.max_connections = 1});
    const Push push = sending.send();
    const std::shared_ptr<PushState> state = sending.last;
    const LongPollRequest request = sending.peers.next("POST");
    const Push waiting = sending.send(request_of("next"));
    sending.on_loop([&] {
        sending.sender->cancel(*state);
        sending.sender->cancel(*state);
    });
    EXPECT_EQ(error_of(push).code, Errc::cancelled);
    EXPECT_TRUE(request.peer->wait_for_end());
    request.peer->close();
    const LongPollRequest next = sending.peers.next("POST");
    EXPECT_EQ(next.body, "next");
    sending.on_loop([&] { sending.last->is_cancelled = true; });
    next.peer->write(answer_of(202));
    EXPECT_EQ(error_of(waiting).code, Errc::cancelled) << "its answer comes too late";
}

// ---- the way there

TEST(HttpSenderEnd, GoesOverTls) {
    const TlsFiles files;
    ScriptedServer server(files.server_cert(), files.server_key());
    ConnectionTarget target = target_of(server.url("localhost"));
    target.tls.ca_file = files.ca();
    Sending sending(&server, target);
    EXPECT_TRUE(sending.exchange(answer_of(202), request_of(std::string(1u << 20, 'x'))));
    EXPECT_EQ(sending.failure(answer_of(401)).code, Errc::bad_auth);
    EXPECT_EQ(sending.peers.connections(), 1u);
}

TEST(HttpSenderEnd, GoesThroughAProxy) {
    ScriptedServer server;
    ConnectProxy proxy(server.port());
    ConnectionTarget target = target_of("ws://realtime.test:4000/socket");
    target.network.proxy = proxy.url();
    Sending sending(&server, target);
    EXPECT_TRUE(sending.exchange(answer_of(202)));
    const auto requests = proxy.requests(1);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_TRUE(requests[0].starts_with("CONNECT realtime.test:4000 ")) << requests[0];
    EXPECT_EQ(requests[0].find("secret"), std::string::npos);
}

TEST(HttpSenderEnd, TellsNothingToAServerThatItCannotTrust) {
    const TlsFiles files;
    ScriptedServer server(files.server_cert(), files.server_key());
    Sending sending(&server, target_of(server.url("localhost")));
    const Push push = sending.send();
    EXPECT_THROW(server.accept(), std::runtime_error);
    EXPECT_EQ(error_of(push).code, Errc::tls_failed);
}

} // namespace
} // namespace phx::test
