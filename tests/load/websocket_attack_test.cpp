#include "tests/support/bystander.hpp"
#include "tests/support/memory_peak.hpp"
#include "tests/support/test_server.hpp"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <vector>

// Attacks over WebSockets, below the channels. In each a client that behaves must not notice.
namespace phx::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1u << 20;
constexpr const char* join = R"(["1","1","room:1","phx_join",{}])";
constexpr unsigned unfinished_text = 0x01, continuation = 0x00, last = 0x80, ping = 0x89;

server::Options narrow() {
    server::Options options;
    options.max_pending_bytes = mebibyte;
    options.timeouts.write = 500ms;
    options.timeouts.close = 2s;
    for (server::Endpoint& endpoint : options.endpoints) endpoint.max_message_bytes = mebibyte;
    return options;
}

std::string repeated(const std::string& bytes, std::size_t size) {
    std::string all;
    while (all.size() < size) all += bytes;
    return all;
}

/// Sends until the server takes no more. How many it took.
std::size_t flood(TcpClient& tcp, const std::string& bytes, std::size_t most) {
    std::size_t sent = 0;
    try {
        for (; sent < most; sent += bytes.size()) tcp.send(bytes);
    } catch (const std::system_error&) { // it has hung up
    }
    return sent;
}

class WebSocketAttack : public testing::Test {
protected:
    void TearDown() override {
        bystander.expect_undisturbed();
        EXPECT_TRUE(eventually([&] { return server->stats().connections <= 1; })) << "who attacked is gone";
    }
    TestServer server{narrow()};
    Bystander bystander{server.port()};
};

TEST_F(WebSocketAttack, ByQuestionsWhoseAnswersNobodyReadsIsCutOff) {
    const std::string echo =
        repeated(raw_frame(0x81, R"(["1","2","room:1","echo",")" + std::string(1000, 'x') + "\"]"), mebibyte);
    const std::string shout = repeated(
        raw_frame(0x81, R"(["1","2","room:1","broadcast",")" + std::string(1000, 'x') + "\"]"), mebibyte);
    const std::string heartbeats = repeated(raw_frame(0x81, heartbeat), mebibyte);
    const std::string pings = repeated(raw_frame(ping, std::string(125, 'p')), mebibyte);
    const MemoryPeak memory;
    for (const std::string* questions : {&echo, &shout, &heartbeats, &pings}) {
        WsClient client(server.port(), WsClient::v2, {}, TcpClient::ReceiveBuffer::tiny);
        client.call(join);
        EXPECT_LT(flood(client.tcp(), *questions, 512 * mebibyte), 64 * mebibyte);
    }
    EXPECT_LT(memory.growth(), 32 * mebibyte);
    const server::Stats stats = server->stats();
    EXPECT_GE(stats.timed_out + stats.slow_consumers, 4u); // whichever comes first
}

TEST_F(WebSocketAttack, ByAFloodOfMessagesIsServedInTurn) {
    const std::string heartbeats = repeated(raw_frame(0x81, heartbeat), 64u << 10);
    const std::size_t each = heartbeats.size() / raw_frame(0x81, heartbeat).size();
    WsClient client(server.port());
    for (int batch = 0; batch < 100; ++batch) {
        client.tcp().send(heartbeats);
        for (std::size_t i = 0; i < each; ++i) ASSERT_EQ(client.receive_text(), heartbeat_reply);
    }
    EXPECT_GE(server->stats().frames_in, 100 * each);
    client.tcp().reset();
}

TEST_F(WebSocketAttack, ByFragmentsWithoutAnEndTakesNoMoreThanAMessage) {
    for (const std::size_t size : {std::size_t{64} << 10, std::size_t{100}, std::size_t{1}}) {
        const std::string fragments = repeated(raw_frame(continuation, std::string(size, 'x')), mebibyte);
        const MemoryPeak memory;
        WsClient client(server.port());
        client.tcp().send(raw_frame(unfinished_text, "["));
        flood(client.tcp(), fragments, 16 * mebibyte);
        EXPECT_TRUE(client.receive().is_close(1009)) << size;
        EXPECT_LT(memory.growth(), 16 * mebibyte) << size;
    }
    EXPECT_EQ(server->stats().frames_dropped, 3u);
}

TEST_F(WebSocketAttack, ByAMillionEmptyFragmentsTakesNoMemory) {
    const std::string empty = repeated(raw_frame(continuation, ""), mebibyte);
    const MemoryPeak memory;
    WsClient client(server.port());
    client.tcp().send(raw_frame(unfinished_text, ""));
    for (int i = 0; i < 6; ++i) client.tcp().send(empty); // six bytes each
    client.tcp().send(raw_frame(last, heartbeat));
    EXPECT_EQ(client.receive_text(), heartbeat_reply);
    EXPECT_LT(memory.growth(), 8 * mebibyte);
    client.tcp().reset();
}

TEST_F(WebSocketAttack, ByUnfinishedMessagesTakesOneForEachConnectionAndGivesItBack) {
    const std::string most = raw_frame(unfinished_text, std::string(mebibyte - 1, ' '));
    const std::size_t before = memory_of("self", "VmRSS");
    const MemoryPeak memory;
    {
        std::deque<WsClient> clients;
        for (int i = 0; i < 32; ++i) {
            clients.emplace_back(server.port());
            clients.back().tcp().send(most);
        }
        for (WsClient& client : clients) {
            client.ping("are you there?"); // behind all of it
            EXPECT_EQ(client.receive().payload, "are you there?");
        }
        EXPECT_LT(memory.growth(), 32 * 2 * mebibyte + 8 * mebibyte); // strings grow by doubling
    }
    ASSERT_TRUE(eventually([&] { return server->stats().connections == 1; }));
    if (!is_sanitized) {
        EXPECT_LT(memory_of("self", "VmRSS"), before + 24 * mebibyte);
    }
}

TEST_F(WebSocketAttack, ByCompressionThatNobodyAgreedOnIsRefused) {
    WsClient client(server.port(), WsClient::v2, "sec-websocket-extensions: permessage-deflate\r\n");
    EXPECT_EQ(client.response().header("sec-websocket-extensions"), "");
    client.tcp().send(raw_frame(0xc1, std::string(100, '\0')));
    EXPECT_TRUE(client.receive().is_close(1002));
}

/// Bytes at random behind a first byte that begins a frame more often than not.
std::string random_frame(std::mt19937& random) {
    static constexpr unsigned first_bytes[] = {0x81, 0x82, 0x01, 0x02, 0x00, 0x80,
                                               0x88, 0x89, 0x8a, 0xc1, 0xf1};
    std::string payload(random() % 300, '\0');
    for (char& c : payload) c = static_cast<char>(random());
    if (random() % 2 == 0) payload = R"(["1","2","room:1","echo",)" + payload;
    std::string frame = raw_frame(first_bytes[random() % std::size(first_bytes)], payload);
    if (random() % 4 == 0) frame[random() % frame.size()] = static_cast<char>(random());
    return frame;
}

TEST_F(WebSocketAttack, ByRandomFramesEndsWithAReason) {
    constexpr unsigned seed = 20261121;
    std::mt19937 random(seed);
    for (int i = 0; i < 500; ++i) {
        WsClient client(server.port(), i % 2 == 0 ? WsClient::v2 : WsClient::supabase_v2);
        client.call(join);
        std::string bytes;
        for (int k = 0; k < 20; ++k) bytes += random_frame(random);
        // One that is refused whatever the ones before were, unless it is in the middle of one.
        flood(client.tcp(), bytes + raw_frame(0xf1, "") + std::string(70'000, '\xff'), 1);
        try {
            const ServerFrame close = client.receive_until_close();
            const auto code = close.code;
            EXPECT_TRUE(code == 1002 || code == 1007 || code == 1009 || code == 1011 || code == 1005 ||
                        (code >= 1000 && code < 1004) || code >= 3000)
                << code;
        } catch (const std::exception&) { // a reset, because it had sent more than the server would read
        }
    }
}

TEST_F(WebSocketAttack, ByHugeNumbersNamesAndDepthIsAnsweredOrRefused) {
    WsClient client(server.port());
    client.call(join);
    const std::string digits(900'000, '9');
    EXPECT_EQ(client.call(R"(["1","2","room:1","echo",)" + digits + "]"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":)" + digits + "}]"); // as it is
    EXPECT_EQ(client.call(R"(["1","2","room:1",")" + digits + "\",{}]"),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_NE(client.call(R"(["2","3","room:)" + digits + R"(","phx_join",{}])").find("topic too long"),
              std::string::npos);
    EXPECT_EQ(server->stats().topics, 2u);
    for (const std::string& frame :
         {R"(["1",")" + digits + R"(","room:1","echo",{}])", // a ref is kept until it is answered
          R"(["1","2","room:1","echo",)" + std::string(400'000, '[') + std::string(400'000, ']') + "]",
          R"(["1","2","room:1","echo",{"a":)" + repeated(R"({"a":)", 500'000)}) {
        WsClient other(server.port());
        other.send(frame);
        EXPECT_TRUE(other.receive().is_close(1011));
    }
}

TEST_F(WebSocketAttack, ByConnectionsInMassesIsServedAndForgotten) {
    rlimit descriptors{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    const std::size_t many = std::min<std::size_t>(2'000, descriptors.rlim_cur / 4); // both ends are ours
    const MemoryPeak memory;
    {
        std::vector<TcpClient> clients;
        for (std::size_t i = 0; i < many; ++i) {
            clients.emplace_back(server.port());
            clients.back().send(upgrade_head(WsClient::v2));
        }
        std::string rest;
        for (TcpClient& client : clients) {
            EXPECT_EQ(read_response(client, rest).status, 101);
            rest.clear();
        }
        EXPECT_EQ(server->stats().connections, many + 1);
        EXPECT_LT(memory.growth(), many * (16u << 10)); // both ends
    }
    for (std::size_t i = 0; i < many; ++i) TcpClient(server.port()).reset(); // says nothing
    EXPECT_TRUE(eventually([&] { return server->stats().connections == 1; }));
}

TEST(WebSocketsThatVanish, AreClosedWhenTheyAreSilentForTooLong) {
    server::Options options = narrow();
    options.endpoints[0].idle_timeout = 500ms;
    TestServer server(options);
    Bystander bystander(server.port());
    std::deque<WsClient> clients; // their networks are gone: no FIN, no answer to anything
    for (int i = 0; i < 100; ++i) {
        clients.emplace_back(server.port());
        clients.back().call(join);
        if (i % 2 == 0) clients.back().tcp().send(raw_frame(unfinished_text, "half a mes"));
    }
    EXPECT_TRUE(eventually([&] { return server->stats().connections == 1; }));
    EXPECT_EQ(server->stats().channels, 1u);
    EXPECT_TRUE(eventually([&] { return server->stats().timed_out == 100; })); // none has answered the close
    bystander.expect_undisturbed();
}

} // namespace
} // namespace phx::test
