#include "tests/support/bystander.hpp"
#include "tests/support/memory_peak.hpp"
#include "tests/support/test_server.hpp"

#include "phx/server/token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

// Attacks before there is a WebSocket. In each a client that behaves must not notice.
namespace phx::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1u << 20;
constexpr std::size_t too_much = std::size_t{16} << 30; // more than anybody takes in the time that he has

/// Sends the same bytes again and again, reads nothing, and ends when the server has ended the connection or
/// `most` bytes are sent. How many it took.
std::size_t flood(TcpClient& tcp, const std::string& bytes, std::size_t most) {
    std::size_t sent = 0;
    try {
        for (; sent < most; sent += bytes.size()) tcp.send(bytes);
    } catch (const std::system_error&) { // it has hung up, or takes nothing more
    }
    return sent;
}

/// A byte more for each, in turn, until the server has ended them all; what it said to each.
std::vector<std::string> drip(std::vector<TcpClient>& clients) {
    std::vector<std::string> said(clients.size());
    std::vector<bool> is_over(clients.size());
    for (std::size_t left = clients.size(); left > 0;) {
        for (std::size_t i = 0; i < clients.size(); ++i) {
            if (is_over[i]) continue;
            if (clients[i].is_readable(i == 0 ? 5ms : 0ms)) {
                said[i] = clients[i].receive_to_end();
                is_over[i] = true;
                --left;
                continue;
            }
            flood(clients[i], "a", 1);
        }
    }
    return said;
}

server::Options impatient() {
    server::Options options;
    options.timeouts.request = 1s;
    options.timeouts.write = 1s;
    options.timeouts.close = 500ms;
    return options;
}

class HttpAttack : public testing::Test {
protected:
    void TearDown() override { bystander.expect_undisturbed(); }
    TestServer server{impatient()};
    Bystander bystander{server.port()};
};

TEST_F(HttpAttack, BySlowHeadersAndHalfUpgradesEndsIn408) {
    const std::string upgrade = upgrade_head(WsClient::v2);
    const std::vector<std::string> begins = {
        "G", "GET /health HTTP/1.1\r\nhost: a\r\nx-slow: ",
        upgrade.substr(0, upgrade.size() - 2) + "x-slow: ", upgrade.substr(0, 60)};
    const MemoryPeak memory;
    std::vector<TcpClient> clients;
    for (std::size_t i = 0; i < 200; ++i) {
        clients.emplace_back(server.port());
        clients.back().send(begins[i % begins.size()]);
    }
    for (const std::string& answer : drip(clients)) {
        // What was sent after the last answer may take it away with a reset.
        EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 408 ")) << answer;
    }
    EXPECT_TRUE(eventually([&] { return server->stats().timed_out == 200; })) << server->stats().timed_out;
    EXPECT_LT(memory.growth(), 32 * mebibyte);
}

TEST_F(HttpAttack, BySlowBodiesEndsIn408) {
    const MemoryPeak memory;
    std::vector<TcpClient> clients;
    for (int i = 0; i < 100; ++i) {
        clients.emplace_back(server.port());
        clients.back().send(
            i % 2 == 0
                ? "POST /api/send HTTP/1.1\r\nhost: a\r\ncontent-length: 8000000\r\n\r\n"
                : "POST /api/broadcast HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffff\r\n");
    }
    for (const std::string& answer : drip(clients))
        EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 408 ")) << answer;
    EXPECT_TRUE(eventually([&] { return server->stats().timed_out == 100; })) << server->stats().timed_out;
    EXPECT_LT(memory.growth(), 32 * mebibyte); // what is announced is not reserved
}

TEST_F(HttpAttack, ByConnectionsThatSayNothingEndsThem) {
    std::vector<TcpClient> silent;
    for (int i = 0; i < 200; ++i) silent.emplace_back(server.port());
    for (TcpClient& client : silent) EXPECT_EQ(client.receive_to_end(), "");
    EXPECT_EQ(server->stats().timed_out, 200u);
}

TEST_F(HttpAttack, ByRequestsWhoseAnswersNobodyReadsIsCutOff) {
    std::string requests;
    while (requests.size() < mebibyte) requests += "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    const MemoryPeak memory;
    for (int i = 0; i < 4; ++i) {
        TcpClient tcp(server.port(), TcpClient::ReceiveBuffer::tiny);
        EXPECT_LT(flood(tcp, requests, 256 * mebibyte), 64 * mebibyte);
    }
    EXPECT_LT(memory.growth(), 24 * mebibyte);
    EXPECT_TRUE(eventually([&] { return server->stats().timed_out == 4; }));
}

TEST_F(HttpAttack, ByPipelinedRequestsIsAnsweredInOrder) {
    constexpr int count = 5'000;
    std::string requests;
    for (int i = 0; i < count; ++i) requests += "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    requests += "GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    TcpClient tcp(server.port());
    std::thread sender([&] { flood(tcp, requests, 1); });
    std::string rest;
    for (int i = 0; i < count; ++i) ASSERT_EQ(read_response(tcp, rest).status, 200) << i;
    EXPECT_EQ(read_response(tcp, rest).status, 404);
    sender.join();
}

TEST_F(HttpAttack, ByBodiesWithoutAnEndIsReadNoFurtherThanTheLimit) {
    const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
    const std::string chunked = " HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    const std::string counted = " HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n";
    const MemoryPeak memory;
    for (const std::string path :
         {"/api/send", "/api/broadcast/t/events/e", "/socket/longpoll", "/health", "/no"}) {
        TcpClient endless(server.port());
        endless.send("POST " + path + chunked);
        EXPECT_LT(flood(endless, chunk, too_much), too_much) << path;
        TcpClient announced(server.port());
        announced.send("POST " + path + counted);
        EXPECT_LT(flood(announced, chunk, too_much), too_much) << path;
        TcpClient extended(server.port());
        extended.send("POST " + path + chunked + "1;x=");
        EXPECT_LT(flood(extended, chunk, too_much), too_much) << path;
    }
    EXPECT_LT(memory.growth(), 32 * mebibyte);
}

// RFC 9112 section 11.2: what two servers could read differently is refused, and nothing behind it is read.
TEST_F(HttpAttack, BySmuggledRequestsIsAnsweredOnceAndCutOff) {
    const std::string post = "POST /api/send HTTP/1.1\r\nhost: a\r\n";
    const std::string smuggled = "GET /health HTTP/1.1\r\nhost: a\r\n\r\n";
    for (const std::string& headers :
         {std::string("content-length: 4\r\ncontent-length: 5\r\n\r\n"),
          std::string("content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
          std::string("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n"),
          std::string("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
          std::string("transfer-encoding : chunked\r\n\r\n0\r\n\r\n"),
          std::string("content-length: +4\r\n\r\n"), std::string("content-length: 0x4\r\n\r\n"),
          std::string("content-length: 4, 4\r\n\r\n"),
          std::string("content-length: 99999999999999999999\r\n\r\n"),
          std::string("x: a\r\n content-length: 4\r\n\r\n"), std::string("x: a\ncontent-length: 4\r\n\r\n"),
          std::string("x: a\rcontent-length: 4\r\n\r\n"), std::string("x\0: a\r\n\r\n", 9),
          std::string("host: b\r\n\r\n"), std::string("transfer-encoding: chunked\r\n\r\n0\n\n"),
          std::string("transfer-encoding: chunked\r\n\r\n-1\r\n\r\n"),
          std::string("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n")}) {
        TcpClient tcp(server.port());
        tcp.send(post + headers + smuggled);
        const std::string all = tcp.receive_to_end();
        EXPECT_TRUE(all.starts_with("HTTP/1.1 400 ") || all.starts_with("HTTP/1.1 501 ")) << headers << all;
        EXPECT_THAT(all, HasSubstr("connection: close")) << headers;
        EXPECT_EQ(all.find("HTTP/1.1", 1), std::string::npos) << headers << all;
    }
}

TEST_F(HttpAttack, ByPathsThatClimbFindsNothing) {
    for (const std::string path :
         {"/../../etc/passwd", "/socket/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
          "/..%2f..%2fetc/passwd", "//etc/passwd", "/./health", "/health%00", "/socket//websocket",
          "/socket/%2e/websocket", "/api/../health", "/api/broadcast/../../health",
          "/realtime/v1/../../metrics", "/.git/config", "/proc/self/environ"}) {
        EXPECT_EQ(request(server.port(), "GET " + path + " HTTP/1.1").status, 404) << path;
    }
    EXPECT_EQ(request(server.port(), "GET http://other/health HTTP/1.1").status, 400); // no proxy
}

std::string random_request(std::mt19937& random) {
    static const std::vector<std::string> methods = {"GET",   "POST", "PUT",     "DELETE", "OPTIONS", "TRACE",
                                                     "PATCH", "HEAD", "CONNECT", "get",    "G\x01T",  ""};
    static const std::vector<std::string> paths = {"/",
                                                   "/socket/websocket?vsn=9",
                                                   "/socket/longpoll?vsn=%ff",
                                                   "/api/connections?limit=-1",
                                                   "/api/topics?after=%00&limit=99999999999999999999",
                                                   "/api/send",
                                                   "/api/broadcast/%ff/events/%fe",
                                                   "/metrics?%%%",
                                                   "*",
                                                   "health",
                                                   "/\x80",
                                                   "/ready"};
    static const std::vector<std::string> headers = {
        "upgrade: websocket",
        "upgrade: h2c",
        "connection: upgrade, keep-alive, , ,",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-key: =",
        "sec-websocket-version: 13",
        "sec-websocket-version: -1",
        "sec-websocket-protocol: phoenix, base64url.bearer.phx.@@@",
        "sec-websocket-extensions: permessage-deflate;;=",
        "content-length: 2",
        "content-length: two",
        "expect: 100-continue",
        "expect: nothing",
        "origin: null",
        "authorization: Bearer",
        "authorization: Basic !!!",
        "accept-encoding: gzip",
        "range: bytes=0-99999999999",
        "host: b",
        ": nameless",
        "x:\x01"};
    const auto pick = [&](const auto& list) { return list[random() % list.size()]; };
    std::string text = pick(methods) + ' ' + pick(paths) + (random() % 8 == 0 ? " HTTP/3.7" : " HTTP/1.1") +
                       "\r\nhost: a\r\n";
    for (auto n = random() % 6; n > 0; --n) text += pick(headers) + "\r\n";
    return text + "connection: close\r\n\r\n{}";
}

TEST_F(HttpAttack, ByRandomRequestsIsAlwaysAnsweredWithAStatus) {
    constexpr unsigned seed = 20261121;
    std::mt19937 random(seed);
    for (int i = 0; i < 1'000; ++i) {
        const std::string text = random_request(random);
        TcpClient tcp(server.port());
        tcp.send(text);
        std::string rest;
        const HttpResponse answer = read_response(tcp, rest, false);
        EXPECT_TRUE((answer.status >= 100 && answer.status < 500) || answer.status == 501 ||
                    answer.status == 505)
            << answer.status << " to " << text;
        EXPECT_EQ(rest.find("\"claims\""), std::string::npos);
    }
}

TEST(HttpAttackByStrangers, WithLargeBodiesIsRefusedBeforeTheyAreRead) {
    server::Options options = impatient();
    options.tokens = server::TokenOptions{.keys = {.secrets = {std::string(32, 's')}}};
    TestServer server(options);
    const std::string length = " HTTP/1.1\r\nhost: a\r\ncontent-length: 8000000\r\n";
    const MemoryPeak memory;
    std::vector<TcpClient> clients;
    for (int i = 0; i < 64; ++i) {
        TcpClient& tcp = clients.emplace_back(server.port());
        const bool is_api = i % 2 == 0;
        tcp.send(is_api ? "POST /api/broadcast" + length + "authorization: Bearer nonsense\r\n\r\n"
                        : "POST /socket/longpoll?vsn=2.0.0" + length +
                              "x-phoenix-longpoll-token: guessed\r\n\r\n");
        std::string rest;
        const HttpResponse answer = read_response(tcp, rest); // not a byte of the body was sent
        EXPECT_EQ(answer.status, is_api ? 401 : 200);
        EXPECT_EQ(answer.body, is_api ? R"({"message":"Unauthorized"})" : R"({"status":410})");
        EXPECT_EQ(answer.header("connection"), "close");
        flood(tcp, std::string(100'000, 'x'), 1 * mebibyte);
    }
    EXPECT_LT(memory.growth(), 16 * mebibyte);
}

} // namespace
} // namespace phx::test
