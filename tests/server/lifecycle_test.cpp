#include "tests/support/test_server.hpp"

#include <gtest/gtest.h>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;

TEST(ServerLifecycle, ClosesItsClientsWith1012WhenItStops) {
    TestServer server;
    WsClient open(server.port());
    EXPECT_TRUE(is_served(open));
    TcpClient silent(server.port());
    TcpClient kept(server.port());
    kept.send("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");
    std::string rest;
    EXPECT_EQ(read_response(kept, rest).status, 200);
    std::thread stopper([&] { server->stop(); });
    EXPECT_TRUE(open.receive().is_close(1012));
    open.close(1012);
    EXPECT_TRUE(open.ends());
    EXPECT_EQ(silent.receive_to_end(), "");
    EXPECT_EQ(kept.receive_to_end(), "");
    stopper.join();
    EXPECT_EQ(server->stats().connections, 0u);
    EXPECT_THROW(TcpClient{server.port()}, std::system_error);
    server->stop();
    server->broadcast("room:1", "news", "{}");
}

TEST(ServerLifecycle, DoesNotWaitLongForClientsThatDoNotAnswer) {
    server::Options options;
    options.timeouts.stop = 50ms;
    TestServer server(options);
    WsClient deaf(server.port());
    EXPECT_TRUE(is_served(deaf));
    server->stop();
    EXPECT_TRUE(deaf.receive().is_close(1012));
}

TEST(ServerLifecycle, EndsWithItsObjectAndMayNeverHaveStarted) {
    { server::Server never; }
    {
        server::Server stopped;
        stopped.stop();
        const auto port = stopped.start();
        ASSERT_FALSE(port);
        EXPECT_EQ(port.error().code, Errc::invalid_argument);
    }
    std::uint16_t port = 0;
    {
        TestServer server;
        port = server.port();
    }
    EXPECT_THROW(TcpClient{port}, std::system_error);
    server::Options again;
    again.port = port;
    EXPECT_EQ(TestServer(again).port(), port); // in spite of TIME_WAIT
}

TEST(ServerLifecycle, SaysWhyItCannotStart) {
    TestServer first;
    server::Options options;
    options.port = first.port();
    const auto in_use = server::Server(options).start();
    ASSERT_FALSE(in_use);
    EXPECT_EQ(in_use.error().code, Errc::system_failure);
    EXPECT_EQ(in_use.error().message,
              "cannot listen on 127.0.0.1:" + std::to_string(first.port()) +
                  ": Address already in use; end the program that uses the port, or take "
                  "another (0: any free one)");
    options.port = 0;
    for (const char* host : {"0.0.0.0", "::", "nosuchhost.invalid", "127.0.0.1 "}) {
        options.host = host;
        const auto refused = server::Server(options).start();
        ASSERT_FALSE(refused) << host;
        EXPECT_EQ(refused.error().code, Errc::invalid_argument) << host;
    }
    WsClient bystander(first.port());
    EXPECT_TRUE(is_served(bystander));
}

TEST(ServerLifecycle, ListensOnTheNetworkWhenSomebodyJudgesConnections) {
    server::Options options;
    options.host = "0.0.0.0";
    options.authorize = [](const server::ConnectRequest&) { return server::ConnectAnswer{}; };
    TestServer server(options);
    WsClient client(server.port());
    EXPECT_TRUE(is_served(client));
}

TEST(ServerLifecycle, ListensOnIpv6Loopback) {
    server::Options options;
    options.host = "::1";
    server::Server server(options);
    const auto port = server.start();
    if (!port) GTEST_SKIP() << port.error().message;
    EXPECT_GT(*port, 0);
}

TEST(ServerLifecycle, TellsOfEachConnectionThatOpensAndEnds) {
    std::mutex mutex;
    std::vector<std::string> told;
    server::Options options;
    options.on_connection = [&](const server::Connection& connection, server::ConnectionChange change) {
        const std::lock_guard lock(mutex);
        const bool is_open = change == server::ConnectionChange::opened;
        told.push_back((is_open ? "opened " : "ended ") + connection.peer + ' ' + connection.id);
        throw std::runtime_error("on purpose");
    };
    TestServer server(options);
    WsClient client(server.port());
    EXPECT_TRUE(is_served(client));
    const auto connections = server->connections();
    ASSERT_EQ(connections.size(), 1u);
    const std::string who = "127.0.0.1 " + connections.front()->id;
    EXPECT_EQ(request(server.port(), "GET /health HTTP/1.1").status, 200); // no connection in this sense
    client.close(1000);
    EXPECT_TRUE(client.receive().is_close(1000));
    EXPECT_TRUE(client.ends());
    server->stop();
    EXPECT_EQ(told, (std::vector<std::string>{"opened " + who, "ended " + who}));
}

TEST(ServerOptionsCheck, SaysWithoutListeningWhatWouldBeRefused) {
    server::Options options;
    EXPECT_TRUE(server::check(options));
    options.policies = {{.topic = "realtime:x{sub}"}};
    const auto pattern = server::check(options);
    ASSERT_FALSE(pattern);
    EXPECT_EQ(pattern.error().code, Errc::invalid_argument);
    EXPECT_NE(pattern.error().message.find("realtime:x{sub}"), std::string::npos);
    EXPECT_THROW(server::Server{options}, std::invalid_argument);
    options.policies.clear();
    for (const char* host : {"0.0.0.0", "::"}) {
        options.host = host;
        const auto open = server::check(options);
        ASSERT_FALSE(open) << host;
        EXPECT_EQ(open.error().code, Errc::invalid_argument);
        EXPECT_EQ(open.error().message, server::Server(options).start().error().message);
    }
    options.authorize = [](const server::ConnectRequest&) { return server::ConnectAnswer{}; };
    EXPECT_TRUE(server::check(options));
    options.service_role.clear(); // nobody would have to be asked for it
    EXPECT_EQ(server::check(options).error().code, Errc::invalid_argument);
    EXPECT_EQ(server::Server(options).start().error().message, server::check(options).error().message);
}

TEST(ServerLifecycle, RefusesChannelsThatCannotWork) {
    server::Server server;
    server::Handlers intercepts;
    intercepts.intercepts = {"news"};
    EXPECT_THROW(server.channel("a", intercepts), std::invalid_argument);
    ASSERT_TRUE(server.start());
    EXPECT_THROW(server.channel("a", {}), std::logic_error);
    EXPECT_FALSE(server.start());
}

TEST(ServerLifecycle, StopsWhileHandlersBroadcastAndClientsCome) {
    server::Server* self = nullptr;
    server::Handlers handlers;
    handlers.on_close = [&](const server::Context&) {
        self->broadcast("room:1", "gone", "{}");
        return server::Actions();
    };
    for (int round = 0; round < 20; ++round) {
        server::Options options;
        options.timeouts.stop = 10ms;
        TestServer server(options, handlers);
        self = &*server;
        std::vector<WsClient> clients;
        for (int i = 0; i < 5; ++i) {
            clients.emplace_back(server.port());
            clients.back().send(R"(["1","1","room:1","phx_join",{}])");
        }
        server->stop();
    }
}

} // namespace
} // namespace phx::test
