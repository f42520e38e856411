#include "tests/support/bystander.hpp"
#include "tests/support/memory_peak.hpp"
#include "tests/support/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

// Attacks over long poll. In each a client that behaves must not notice.
namespace phx::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1u << 20;

std::string poll_head(const std::string& token = {}) {
    return "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\n" +
           (token.empty() ? token : "x-phoenix-longpoll-token: " + token + "\r\n") + "\r\n";
}

json post(std::uint16_t port, const std::string& token, const std::string& body) {
    const HttpResponse answer =
        request(port,
                "POST /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\ncontent-type: application/x-ndjson\r\n"
                "x-phoenix-longpoll-token: " +
                    token + "\r\ncontent-length: " + std::to_string(body.size()),
                body);
    EXPECT_EQ(answer.status, 200);
    return json::parse(answer.body);
}

std::string open_session(std::uint16_t port) {
    TcpClient tcp(port);
    tcp.send(poll_head());
    std::string rest;
    return json::parse(read_response(tcp, rest).body)["token"];
}

class PollAttack : public testing::Test {
protected:
    static server::Options options() {
        server::Options options;
        options.max_pending_bytes = 100'000;
        options.max_connections = 2'000;
        options.timeouts.poll = 60s; // longer than the attack
        return options;
    }
    void TearDown() override { bystander.expect_undisturbed(); }
    TestServer server{options()};
    Bystander bystander{server.port()};
};

TEST_F(PollAttack, BySessionsWithoutEndGetsSoMany) {
    constexpr int most = 2'000 - 2, more = 500; // the bystander and the attacker count too
    std::string requests;
    for (int i = 0; i < most + more; ++i) requests += poll_head();
    const MemoryPeak memory;
    TcpClient tcp(server.port());
    std::thread sender([&] { tcp.send(requests); });
    std::string rest;
    int opened = 0, refused = 0;
    for (int i = 0; i < most + more; ++i) {
        const HttpResponse response = read_response(tcp, rest);
        opened += response.body.find("\"status\":410") != std::string::npos;
        refused += response.status == 503;
    }
    sender.join();
    EXPECT_EQ(opened, most);
    EXPECT_EQ(refused, more);
    EXPECT_EQ(server->stats().connections, most + 1u);
    EXPECT_LT(memory.growth(), most * std::size_t{4'096} + 16 * mebibyte);
}

TEST_F(PollAttack, ByGuessedTokensFindsNoSession) {
    open_session(server.port());
    TcpClient tcp(server.port());
    std::string rest;
    for (int i = 0; i < 1'000; ++i) {
        tcp.send("POST /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nx-phoenix-longpoll-token: " +
                 std::to_string(i) + "\r\n\r\n");
        EXPECT_EQ(read_response(tcp, rest).body, R"({"status":410})");
    }
    EXPECT_EQ(server->stats().connections, 2u);
}

TEST_F(PollAttack, ByPostsWhoseAnswersNobodyFetchesEndsTheSession) {
    const std::string token = open_session(server.port());
    std::string hundred;
    for (int i = 0; i < 100; ++i) hundred += std::string(heartbeat) + '\n';
    const MemoryPeak memory;
    int posts = 0;
    while (post(server.port(), token, hundred)["status"] == 200 && posts < 1'000) ++posts;
    EXPECT_LT(posts, 100'000 / 100 / 60 + 2); // max_pending_bytes, of answers of about sixty bytes
    EXPECT_EQ(post(server.port(), token, hundred)["status"], 410);
    EXPECT_EQ(server->stats().slow_consumers, 1u);
    EXPECT_LT(memory.growth(), 8 * mebibyte);
}

TEST_F(PollAttack, ByTooManyLinesInAPostEndsTheSession) {
    const std::string token = open_session(server.port());
    std::string lines;
    for (int i = 0; i < 100'000; ++i) lines += std::string(heartbeat) + '\n';
    EXPECT_EQ(post(server.port(), token, lines)["status"], 408);
    EXPECT_EQ(post(server.port(), token, std::string(heartbeat))["status"], 410);
    EXPECT_EQ(server->stats().frames_dropped, 1u);
}

TEST_F(PollAttack, ByManyPollsOfOneSessionHoldsTheLatestOpen) {
    const std::string token = open_session(server.port());
    std::vector<TcpClient> polls;
    for (int i = 0; i < 200; ++i) {
        polls.emplace_back(server.port());
        polls.back().send(poll_head(token));
        if (i == 0) continue;
        std::string rest; // the one before is over
        EXPECT_EQ(json::parse(read_response(polls[polls.size() - 2], rest).body)["status"], 204);
    }
    EXPECT_EQ(post(server.port(), token, heartbeat)["status"], 200);
    std::string rest;
    EXPECT_EQ(json::parse(read_response(polls.back(), rest).body)["messages"].size(), 1u);
}

TEST_F(PollAttack, ByRequestsBehindAPollThatWaitsIsCutOff) {
    const std::string token = open_session(server.port());
    TcpClient tcp(server.port());
    tcp.send(poll_head(token));
    try {
        for (int i = 0; i < 1'000; ++i)
            tcp.send(std::string(64u << 10, 'x')); // nothing of it can be read yet
        ADD_FAILURE() << "the server has taken 64 MiB";
    } catch (const std::system_error&) { // it has hung up
    }
}

} // namespace
} // namespace phx::test
