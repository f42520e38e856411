#include "tests/realtime/http_sender_fixture.hpp"
#include "tests/support/recorded_lines.hpp"

#include <set>
#include <stdexcept>
#include <sys/socket.h>

// What is asked, and what becomes of the answers.
namespace phx::test {
namespace {

TEST(HttpSender, PostsABroadcast) {
    Sending sending;
    const Push push = sending.send(request_of("{\"a\":1}"));
    const LongPollRequest request = sending.peers.next("POST");
    EXPECT_EQ(request.target(), "/api/broadcast/t/events/e");
    EXPECT_EQ(request.header("Host"), "127.0.0.1:" + std::to_string(sending.server.port()));
    EXPECT_EQ(request.header("apikey"), secret_key);
    EXPECT_EQ(request.header("Authorization"), std::string("Bearer ") + secret_token);
    EXPECT_EQ(request.header("Content-Type"), "application/json");
    EXPECT_EQ(request.header("Content-Length"), "7");
    EXPECT_EQ(request.body, "{\"a\":1}");
    request.peer->write(answer_of(202));
    const auto reply = result_of(push);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status(), "ok");
    EXPECT_EQ(reply->text(), "");
    EXPECT_GT(reply->elapsed(), Micros(0));
}

TEST(HttpSender, PostsBytesBelowThePathOfItsBase) {
    ScriptedServer server;
    ConnectionTarget target =
        target_of("ws://127.0.0.1:" + std::to_string(server.port()) + "/realtime/v1/websocket?apikey=secret");
    target.headers = {{"X-Mine", "1"}, {"apikey", "never"}};
    Sending sending(&server, target);
    const std::string bytes("\0\xFF\r\n\r\n", 6);
    HttpSender::Request broadcast = request_of(bytes);
    broadcast.content_type = "application/octet-stream";
    const Push push = sending.send(std::move(broadcast));
    const LongPollRequest request = sending.peers.next("POST");
    EXPECT_EQ(request.target(), "/realtime/v1/api/broadcast/t/events/e");
    EXPECT_EQ(request.header("Content-Type"), "application/octet-stream");
    EXPECT_EQ(request.header("X-Mine"), "1");
    EXPECT_EQ(request.head.find("never"), std::string::npos);
    EXPECT_EQ(request.body, bytes);
    request.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(push));
}

TEST(HttpSender, TakesTheRecordedAnswersOverOneConnection) {
    Sending sending;
    std::set<int> seen;
    bool is_post = false;
    for (const json& record : recorded_lines("supabase/14_rest.jsonl")) {
        if (record.value("op", "") != "http") continue;
        if (record["dir"] == "out") {
            is_post = record["method"] == "POST";
            continue;
        }
        if (!is_post) continue;
        const int status = record["status"];
        std::string answer = "HTTP/1.1 " + std::to_string(status) + " x\r\n";
        for (const auto& [name, value] : record["headers"].items())
            answer += name + ": " + value.get<std::string>() + "\r\n";
        const std::string body = record["text"];
        const auto result = sending.exchange(answer + "\r\n" + body);
        seen.insert(status);
        ASSERT_EQ(result.has_value(), status == 202) << record;
        if (result) continue;
        const Error& error = result.error();
        EXPECT_EQ(error.code, status == 401 || status == 403 ? Errc::bad_auth : Errc::rejected) << record;
        EXPECT_EQ(error.origin, Origin::peer);
        EXPECT_EQ(error.detail->http_status, status);
        EXPECT_EQ(error.detail->http_body, body);
        EXPECT_EQ(error.detail->http_headers.size(), record["headers"].size());
        EXPECT_EQ(error.message.find("secret"), std::string::npos) << error.message;
    }
    EXPECT_EQ(seen, (std::set<int>{202, 400, 401, 403, 415, 422}));
    EXPECT_EQ(sending.peers.connections(), 1u);
}

TEST(HttpSender, MapsWhatWasNotRecorded) {
    Sending sending;
    for (const int status : {404, 413, 429, 500, 503, 504})
        EXPECT_EQ(sending.failure(answer_of(status)).code, Errc::rejected) << status;
    const Error limited =
        sending.failure(answer_of(429, R"({"message":"Too many requests"})", "Retry-After: 7\r\n"));
    EXPECT_NE(limited.message.find("Too many requests"), std::string::npos) << limited.message;
    const std::pair<std::string, std::string> retry_after("retry-after", "7");
    EXPECT_EQ(limited.detail->http_headers.at(1), retry_after);
}

TEST(HttpSender, DoesNotRepeatAPageOfHtml) {
    Sending sending;
    const std::string page = "<html><h1>Bad Gateway</h1></html>";
    const Error error = sending.failure(answer_of(502, page, "content-type: text/html\r\n"));
    EXPECT_EQ(error.code, Errc::rejected);
    EXPECT_EQ(error.message, "the server answered the broadcast with HTTP 502");
    EXPECT_EQ(error.detail->http_body, page);
}

TEST(HttpSender, HidesItsSecretsFromErrors) {
    Sending sending;
    const std::string words = "no key is secret-key, no token secret-token";
    const Error error = sending.failure(answer_of(401, json({{"message", words + words}}).dump()));
    EXPECT_NE(error.message.find("no key is ***, no token ***no key is ***"), std::string::npos)
        << error.message;
    EXPECT_EQ(error.message.find("secret"), std::string::npos) << error.message;
    EXPECT_EQ(error.detail->http_body.find("secret"), std::string::npos) << error.detail->http_body;
}

TEST(HttpSender, ReadsAChunkedBody) {
    Sending sending;
    constexpr const char* head = "HTTP/1.1 422 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const Error error =
        sending.failure(std::string(head) + "9\r\n{\"errors\"\r\n9\r\n:{\"a\":1}}\r\n0\r\n\r\n");
    EXPECT_EQ(error.detail->http_body, "{\"errors\":{\"a\":1}}");
    EXPECT_NE(error.message.find("{\"a\":1}"), std::string::npos) << error.message;
    EXPECT_TRUE(sending.exchange(answer_of(202)));
    EXPECT_EQ(sending.peers.connections(), 1u);
}

TEST(HttpSender, HandsOnABodyThatIsJson) {
    Sending sending;
    EXPECT_EQ(sending.exchange(answer_of(200, "{\"a\":1}")).value().text(), "{\"a\":1}");
    EXPECT_EQ(sending.exchange(answer_of(200, "<html>")).value().text(), "");
}

TEST(HttpSender, DoesNotFollowRedirects) {
    Sending sending;
    const Error error = sending.failure(answer_of(307, "", "Location: http://127.0.0.1/elsewhere\r\n"));
    EXPECT_EQ(error.code, Errc::rejected);
    EXPECT_EQ(error.detail->http_status, 307);
    const Push push = sending.send(request_of("next"));
    const LongPollRequest request = sending.peers.next("POST");
    EXPECT_EQ(request.body, "next");
    request.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(push));
}

TEST(HttpSender, SendsAFewAtATime) {
    Sending sending;
    std::vector<Push> pushes;
    for (int i = 0; i < 6; ++i) pushes.push_back(sending.send(request_of(std::to_string(i))));
    std::vector<LongPollRequest> requests;
    std::set<std::string> bodies;
    for (int i = 0; i < 4; ++i) {
        requests.push_back(sending.peers.next("POST"));
        bodies.insert(requests.back().body);
    }
    EXPECT_EQ(bodies, (std::set<std::string>{"0", "1", "2", "3"}));
    for (const char* const body : {"4", "5"}) {
        requests.back().peer->write(answer_of(202));
        requests.pop_back();
        requests.insert(requests.begin(), sending.peers.next("POST"));
        EXPECT_EQ(requests.front().body, body);
    }
    for (const LongPollRequest& request : requests) request.peer->write(answer_of(202));
    for (const Push& push : pushes) EXPECT_TRUE(result_of(push));
    EXPECT_EQ(sending.peers.connections(), 4u);
}

TEST(HttpSender, RefusesWhatIsTooMuch) {
    Sending sending({.max_connections = 1, .max_requests = 2});
    const Push first = sending.send(), second = sending.send();
    const Error error = error_of(sending.send());
    EXPECT_EQ(error.code, Errc::buffer_full);
    EXPECT_EQ(error.origin, Origin::local);
    for (const Push& push : {first, second}) {
        sending.peers.next("POST").peer->write(answer_of(202));
        EXPECT_TRUE(result_of(push));
    }
    EXPECT_TRUE(sending.exchange(answer_of(202))) << "there is room again";
}

TEST(HttpSender, RefusesWhatIsTooLarge) {
    Sending sending({.max_bytes = 1000});
    EXPECT_EQ(error_of(sending.send(request_of(std::string(1000, 'x')))).code, Errc::buffer_full);
    const Push first = sending.send(request_of(std::string(500, 'x')));
    EXPECT_EQ(error_of(sending.send(request_of(std::string(500, 'x')))).code, Errc::buffer_full);
    sending.peers.next("POST").peer->write(answer_of(202));
    EXPECT_TRUE(result_of(first));
    EXPECT_TRUE(sending.exchange(answer_of(202), request_of(std::string(500, 'x'))));
}

TEST(HttpSender, RefusesATokenThatCouldEndTheHead) {
    Sending sending;
    for (const char* const token : {"secret\r\nX: 1", "secret\n", "secret\x7F"}) {
        HttpSender::Request request = request_of();
        request.headers[1].second = token;
        const Error error = error_of(sending.send(std::move(request)));
        EXPECT_EQ(error.code, Errc::invalid_argument);
        EXPECT_EQ(error.message, "the value of the header Authorization has control characters");
    }
    EXPECT_TRUE(sending.exchange(answer_of(202)));
}

// ---- connections

TEST(HttpSender, ConnectsAgainWhenTheServerHasClosed) {
    Sending sending;
    Push push = sending.send();
    const LongPollRequest request = sending.peers.next("POST");
    request.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(push));
    ::shutdown(request.peer->fd(), SHUT_WR);
    EXPECT_TRUE(request.peer->wait_for_end()) << "the sender has noticed";
    request.peer->close();
    EXPECT_TRUE(sending.exchange(answer_of(202, "", "Connection: close\r\n")));
    EXPECT_TRUE(sending.exchange(answer_of(202)));
    EXPECT_EQ(sending.peers.connections(), 3u);
}

TEST(HttpSender, ClosesAConnectionThatItDoesNotNeed) {
    Sending sending({.max_idle = Millis(1)});
    const Push push = sending.send();
    const LongPollRequest request = sending.peers.next("POST");
    request.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(push));
    EXPECT_TRUE(request.peer->wait_for_end());
    request.peer->close();
    EXPECT_TRUE(sending.exchange(answer_of(202)));
}

TEST(HttpSender, NeverSendsABroadcastTwice) {
    Sending sending;
    EXPECT_TRUE(sending.exchange(answer_of(202)));
    const Push lost = sending.send(request_of("lost"));
    const LongPollRequest request = sending.peers.next("POST");
    EXPECT_EQ(sending.peers.connections(), 1u);
    request.peer->close(); // as if it had been idle
    const Error error = error_of(lost);
    EXPECT_EQ(error.code, Errc::disconnected);
    EXPECT_EQ(error.origin, Origin::peer);
    const Push push = sending.send(request_of("next"));
    const LongPollRequest next = sending.peers.next("POST");
    EXPECT_EQ(next.body, "next");
    next.peer->write(answer_of(202));
    EXPECT_TRUE(result_of(push));
    EXPECT_EQ(sending.peers.connections(), 2u);
}

TEST(HttpSender, TakesAnAnswerThatComesBeforeTheRequestIsWritten) {
    ScriptedServer server;
    Sending sending(&server, {});
    const Push large = sending.send(request_of(std::string(32u << 20, 'x')));
    Peer peer = server.accept();
    peer.read_request();
    peer.write(answer_of(413));
    const Error error = error_of(large);
    EXPECT_EQ(error.code, Errc::rejected);
    EXPECT_EQ(error.detail->http_status, 413);
    EXPECT_TRUE(sending.exchange(answer_of(202))) << "over another connection";
}

// ---- bodies without an end

TEST(HttpSender, ReadsNoMoreOfABodyThanItNeeds) {
    Sending sending;
    for (const int status : {500, 200}) {
        const Push push = sending.send();
        const LongPollRequest request = sending.peers.next("POST");
        bool is_cut = false;
        try {
            request.peer->write("HTTP/1.1 " + std::to_string(status) + " x\r\n\r\n");
            for (int i = 0; i < 100; ++i) request.peer->write(std::string(1u << 20, 'x'));
        } catch (const std::runtime_error&) { // it takes no more
            is_cut = true;
        }
        EXPECT_TRUE(is_cut);
        const auto result = result_of(push);
        ASSERT_EQ(result.has_value(), status == 200);
        if (result) continue;
        EXPECT_EQ(result.error().detail->http_status, 500);
        EXPECT_EQ(result.error().detail->http_body, std::string(16 * 1024, 'x'));
    }
}

TEST(HttpSender, TakesTheStatusOfAnAnswerThatBreaksOff) {
    Sending sending;
    for (const int status : {202, 500}) {
        const Push push = sending.send();
        const LongPollRequest request = sending.peers.next("POST");
        request.peer->write("HTTP/1.1 " + std::to_string(status) +
                            " x\r\nContent-Length: 100\r\n\r\n{\"mess");
        request.peer->close();
        const auto result = result_of(push);
        ASSERT_EQ(result.has_value(), status == 202);
        if (result) continue;
        EXPECT_EQ(result.error().detail->http_body, "{\"mess");
    }
}

} // namespace
} // namespace phx::test
