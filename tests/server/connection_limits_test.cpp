#include "src/server/connection_limits.hpp"

#include "tests/support/poller.hpp"
#include "tests/support/test_server.hpp"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using shell::ConnectionLimits;
using shell::Crowded;
using testing::HasSubstr;

// ---- the counting

std::shared_ptr<ConnectionLimits> limits(std::uint32_t in_all, std::uint32_t per_address) {
    return std::make_shared<ConnectionLimits>(in_all, per_address);
}

TEST(ConnectionLimits, CountInAllAndForEachAddress) {
    const auto two = limits(3, 2);
    const auto a = two->enter("192.0.2.1"), b = two->enter("192.0.2.1");
    EXPECT_EQ(a.crowded, Crowded::no);
    EXPECT_EQ(b.crowded, Crowded::no);
    EXPECT_EQ(two->enter("192.0.2.1").crowded, Crowded::address);
    const auto c = two->enter("192.0.2.2");
    EXPECT_EQ(c.crowded, Crowded::no);
    EXPECT_EQ(two->enter("192.0.2.3").crowded, Crowded::server);
}

TEST(ConnectionLimits, OfZeroAreNone) {
    const auto none = limits(0, 0);
    std::vector<ConnectionLimits::Entry> entries;
    for (int i = 0; i < 1000; ++i) entries.push_back(none->enter("192.0.2.1"));
    for (const auto& entry : entries) EXPECT_EQ(entry.crowded, Crowded::no);
}

TEST(ConnectionLimits, TakeANetworkOf64BitsForOneAddress) {
    const auto one = limits(0, 1);
    const auto a = one->enter("2001:db8::1"), b = one->enter("2001:db8:0:1::1"), c = one->enter("::1");
    const auto d = one->enter("0.0.0.1"), unknown = one->enter("");
    for (const auto* const entry : {&a, &b, &c, &d, &unknown})
        EXPECT_EQ(entry->crowded, entry == &unknown ? Crowded::address : Crowded::no);
    EXPECT_EQ(one->enter("2001:db8::ffff:2").crowded, Crowded::address);
    EXPECT_EQ(one->enter("2001:db8:0:2::1").crowded, Crowded::no);
}

TEST(ConnectionLimits, GiveThePlaceOfWhoLeavesToWhoWaits) {
    const auto one = limits(1, 1);
    auto first = one->enter("192.0.2.1");
    auto second = one->enter("192.0.2.1");
    ASSERT_TRUE(second.place);
    EXPECT_EQ(second.place->claim(), Crowded::server);
    first.place.reset();
    EXPECT_EQ(second.place->claim(), Crowded::no);
    EXPECT_EQ(second.place->claim(), Crowded::no);
    EXPECT_EQ(one->enter("192.0.2.1").crowded, Crowded::server);
    second.place.reset();
    EXPECT_EQ(one->enter("192.0.2.1").crowded, Crowded::no);
}

TEST(ConnectionLimits, LetNoMoreThanSomeWait) {
    const auto one = limits(1, 0);
    const auto first = one->enter("192.0.2.1");
    std::vector<ConnectionLimits::Entry> waiting;
    for (std::size_t i = 0; i < ConnectionLimits::max_waiting; ++i) {
        waiting.push_back(one->enter("192.0.2.1"));
        EXPECT_TRUE(waiting.back().place);
    }
    EXPECT_FALSE(one->enter("192.0.2.1").place);
    waiting.pop_back();
    EXPECT_TRUE(one->enter("192.0.2.1").place);
}

// ---- the server

server::Options with_limits(std::uint32_t in_all, std::uint32_t per_address) {
    server::Options options;
    options.max_connections = in_all;
    options.max_connections_per_address = per_address;
    return options;
}

HttpResponse upgrade(const TestServer& server, std::string_view path = WsClient::v2) {
    TcpClient tcp(server.port());
    tcp.send(upgrade_head(path));
    std::string rest;
    return read_response(tcp, rest);
}

/// Until who has left is gone.
void wait_until_let_in(const TestServer& server) {
    while (upgrade(server).status != 101) std::this_thread::yield();
}

TEST(ServerConnectionLimits, RefuseOneMoreUpgradeInTheMannerOfItsDialect) {
    TestServer server(with_limits(1, 0));
    auto first = std::make_unique<WsClient>(server.port());
    const HttpResponse phoenix = upgrade(server);
    EXPECT_EQ(phoenix.status, 503);
    EXPECT_EQ(phoenix.body, "too many connections");
    EXPECT_EQ(phoenix.header("retry-after"), "5");
    EXPECT_EQ(phoenix.header("connection"), "close");
    const HttpResponse supabase = upgrade(server, WsClient::supabase_v2);
    EXPECT_EQ(supabase.status, 503);
    EXPECT_EQ(supabase.body, R"({"error":"too many connections"})");
    EXPECT_EQ(server->stats().refused_for_server, 2u);
    EXPECT_EQ(server->stats().hits(server::Limit::max_connections), 2u);
    EXPECT_THAT(server.errors().at(0).message, HasSubstr("see Options::max_connections"));
    EXPECT_TRUE(is_served(*first));
    first.reset();
    wait_until_let_in(server);
}

TEST(ServerConnectionLimits, RefuseAnAddressThatHasTooMany) {
    TestServer server(with_limits(0, 2));
    WsClient first(server.port()), second(server.port());
    const HttpResponse refused = upgrade(server, WsClient::supabase_v2);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.body, R"({"error":"too many connections of your address"})");
    EXPECT_EQ(refused.header("retry-after"), "5");
    EXPECT_EQ(server->stats().hits(server::Limit::max_connections_per_address), 1u);
    EXPECT_THAT(request(server.port(), "GET /metrics HTTP/1.1").body,
                HasSubstr("\nphx_connections_refused_total{reason=\"server\"} 0\n"
                          "phx_connections_refused_total{reason=\"address\"} 1\n"));
}

TEST(ServerConnectionLimits, CountSocketsThatSayNothing) {
    TestServer server(with_limits(2, 0));
    TcpClient silent(server.port());
    WsClient client(server.port());
    EXPECT_EQ(upgrade(server).status, 503);
    silent.reset();
    wait_until_let_in(server);
    EXPECT_TRUE(is_served(client));
}

TEST(ServerConnectionLimits, CloseUnheardWhoComesWhenManyWait) {
    server::Options options = with_limits(1, 0);
    options.timeouts.request = 10min;
    TestServer server(options);
    WsClient client(server.port());
    std::vector<TcpClient> waiting;
    for (std::size_t i = 0; i < ConnectionLimits::max_waiting; ++i) waiting.emplace_back(server.port());
    TcpClient last(server.port());
    EXPECT_EQ(last.receive_to_end(), "");
    EXPECT_EQ(server->stats().refused_for_server, 1u);
    EXPECT_EQ(server->stats().hits(server::Limit::max_connections), 1u);
    for (const TcpClient* const one : {&waiting.front(), &waiting.back()}) EXPECT_FALSE(one->is_readable());
    EXPECT_TRUE(is_served(client));
}

TEST(ServerConnectionLimits, AnswerOneOtherRequestOfAConnectionThatWaits) {
    TestServer server(with_limits(1, 0));
    WsClient client(server.port());
    for (const char* path : {"/health", "/ready", "/metrics", "/api/topics"}) {
        const HttpResponse answer = request(server.port(), std::string("GET ") + path + " HTTP/1.1");
        EXPECT_EQ(answer.status, 200) << path;
        EXPECT_EQ(answer.header("connection"), "close") << path;
    }
    EXPECT_EQ(server->stats().refused_for_server, 0u);
}

TEST(ServerConnectionLimits, CountSessionsOfLongPoll) {
    TestServer server(with_limits(2, 0));
    Poller first(server.port());
    first.join("room:1"); // a session and the connection of its polls; the posts wait and are answered
    const HttpResponse refused = request(server.port(), "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("retry-after"), "5");
    EXPECT_EQ(first.post(R"(["1","2","room:1","a",{}])")["status"], 200);
    EXPECT_EQ(Poller::messages(first.poll()).at(0)[1], "2");
}

} // namespace
} // namespace phx::test
