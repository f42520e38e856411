#include "tests/support/bystander.hpp"
#include "tests/support/memory_peak.hpp"
#include "tests/support/test_server.hpp"

#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

// Attacks on channels: too much of what is allowed. In each a client that behaves must not notice.
namespace phx::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1u << 20;

std::string join(const std::string& topic, const std::string& payload = "{}") {
    return R"(["1","1",")" + topic + R"(","phx_join",)" + payload + "]";
}
std::string leave(const std::string& topic) { return R"(["1","2",")" + topic + R"(","phx_leave",{}])"; }

server::Options open_options() {
    using server::Requirement;
    server::Options options;
    options.policies = {
        {.topic = "realtime:*", .join = Requirement{}, .write = Requirement{}, .presence = Requirement{}}};
    return options;
}

class ChannelAttack : public testing::Test {
protected:
    explicit ChannelAttack(server::Options options = open_options())
        : server(std::move(options)), bystander(server.port()) {}
    void TearDown() override {
        bystander.expect_undisturbed();
        // Nothing is left of the attack but the channel of the bystander.
        EXPECT_TRUE(eventually([&] { return server->stats().channels <= 1; })) << server->stats().channels;
        EXPECT_LE(server->stats().topics, 1u);
    }
    TestServer server;
    Bystander bystander;
};

TEST_F(ChannelAttack, ByJoinsWithoutEndGetsAHundred) {
    const MemoryPeak memory;
    WsClient client(server.port());
    std::size_t joined = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::string reply = client.call(join("room:" + std::to_string(i)));
        joined += reply.find(R"("status":"ok")") != std::string::npos;
    }
    EXPECT_EQ(joined, 100u);
    EXPECT_EQ(server->stats().channels, 101u);
    EXPECT_LT(memory.growth(), 8 * mebibyte);
}

TEST_F(ChannelAttack, ByTopicsThatAreJoinedAndLeftKeepsNoneOfThem) {
    const MemoryPeak memory;
    WsClient client(server.port());
    for (int i = 0; i < 20'000; ++i) {
        const std::string topic = "room:" + std::to_string(i) + std::string(200, 'x');
        client.send(join(topic));
        client.send(leave(topic));
        EXPECT_THAT(client.receive_text(), HasSubstr("\"ok\""));
        EXPECT_THAT(client.receive_text(), HasSubstr("\"ok\"")); // of the leave
        EXPECT_THAT(client.receive_text(), HasSubstr("phx_close"));
    }
    EXPECT_EQ(server->stats().topics, 1u);
    EXPECT_LT(memory.growth(), 8 * mebibyte);
}

TEST_F(ChannelAttack, ByConnectionsThatJoinAndAreCutKeepsNoneOfThem) {
    const auto come_and_go = [&](int count) {
        for (int i = 0; i < count; ++i) {
            WsClient client(server.port(), i % 2 == 0 ? WsClient::v2 : WsClient::supabase_v2);
            client.call(join((i % 3 == 0 ? "realtime:" : "room:") + std::to_string(i)));
            client.tcp().reset();
        }
    };
    come_and_go(200); // what a first few need
    const MemoryPeak memory;
    come_and_go(2'000);
    EXPECT_TRUE(eventually([&] { return server->stats().connections == 1; }));
    EXPECT_LT(memory.growth(), 8 * mebibyte);
}

TEST_F(ChannelAttack, ByLargeJoinPayloadsKeepsAMebibyteOfThem) {
    const MemoryPeak memory;
    WsClient client(server.port());
    std::size_t joined = 0;
    for (int i = 0; i < 100; ++i) {
        const std::string params = R"({"x":")" + std::string(200'000, 'x') + "\"}";
        const std::string reply = client.call(join("room:" + std::to_string(i), params));
        joined += reply.find(R"("status":"ok")") != std::string::npos;
    }
    EXPECT_EQ(joined, 5u); // the others: join payload too large
    EXPECT_LT(memory.growth(), 8 * mebibyte);
}

TEST_F(ChannelAttack, ByPresenceWithoutEndKeepsOneMetaOfAMember) {
    const MemoryPeak memory;
    WsClient client(server.port(), WsClient::supabase_v2);
    client.call(join("realtime:p", R"({"config":{"presence":{"enabled":true,"key":"me"}}})"));
    const std::string text(1'000, 'x');
    for (int i = 0; i < 5'000; ++i) {
        client.send(R"(["1","2","realtime:p","presence",{"type":"presence","event":"track","payload":{"n":)" +
                    std::to_string(i) + R"(,"x":")" + text + "\"}}]");
        while (client.receive_text().find("phx_reply") == std::string::npos) {
        }
    }
    WsClient witness(server.port(), WsClient::supabase_v2);
    witness.send(join("realtime:p", R"({"config":{"presence":{"enabled":true}}})"));
    std::string state;
    while (state.find("presence_state") == std::string::npos) state = witness.receive_text();
    EXPECT_EQ(json::parse(state)[4]["me"]["metas"].size(), 1u);
    EXPECT_LT(memory.growth(), 8 * mebibyte);
}

struct ChannelAttackOnPresence : ChannelAttack {
    ChannelAttackOnPresence() : ChannelAttack(options()) {}
    static server::Options options() {
        server::Options options = open_options();
        options.max_pending_bytes = mebibyte;
        return options;
    }
};

TEST_F(ChannelAttackOnPresence, ByLargeMetasOfManyKeepsNoMoreThanWhoJoinsCanBeTold) {
    std::vector<WsClient> clients;
    std::size_t present = 0;
    const std::string text(60'000, 'x');
    for (int i = 0; i < 20; ++i) {
        WsClient& client = clients.emplace_back(server.port(), WsClient::supabase_v2);
        client.call(join("realtime:p"));
        client.send(
            R"(["1","2","realtime:p","presence",{"type":"presence","event":"track","payload":{"x":")" + text +
            "\"}}]");
        std::string reply;
        while (reply.find("phx_reply") == std::string::npos) reply = client.receive_text();
        present += reply.find("Too many members are present") == std::string::npos;
    }
    EXPECT_EQ(present, 8u);
    WsClient witness(server.port(), WsClient::supabase_v2);
    witness.send(join("realtime:p", R"({"config":{"presence":{"enabled":true}}})"));
    std::string state;
    while (state.find("presence_state") == std::string::npos) state = witness.receive_text();
    EXPECT_EQ(json::parse(state)[4].size(), present);
    EXPECT_LT(state.size(), mebibyte / 2);
}

TEST_F(ChannelAttack, ByAnswersToRequestsThatNobodyMadeIsCounted) {
    WsClient client(server.port());
    client.call(join("room:1"));
    for (int i = 0; i < 5'000; ++i)
        client.send(R"(["1",null,"room:1","rpc:response",{"id":")" + std::to_string(i) + R"(","ok":1}])");
    EXPECT_TRUE(is_served(client));
    EXPECT_EQ(server->stats().late_responses, 5'000u);
}

struct ChannelAttackWithRates : ChannelAttack {
    ChannelAttackWithRates() : ChannelAttack(options()) {}
    static server::Options options() {
        server::Options options = open_options();
        // The bystander asks no more than a thousand times a second.
        options.rates = {.messages_per_connection = 2'000, .joins_per_connection = 50, .presence_calls = 5};
        return options;
    }
};

TEST_F(ChannelAttackWithRates, ByMessagesIsToldSo) {
    constexpr int count = 20'000;
    WsClient client(server.port());
    client.call(join("room:1"));
    std::size_t limited = 0;
    for (int batch = 0; batch < count / 100; ++batch) {
        std::string bytes;
        for (int i = 0; i < 100; ++i)
            bytes += raw_frame(0x81, R"(["1","2","room:1","broadcast_nothing",{}])");
        client.tcp().send(bytes);
        for (int i = 0; i < 100; ++i)
            limited += client.receive_text().find("rate limited") != std::string::npos;
    }
    EXPECT_GT(limited, 0u);
    EXPECT_LT(limited, count - 1'999u);
}

TEST_F(ChannelAttackWithRates, ByJoinsIsClosed) {
    WsClient client(server.port());
    for (int i = 0; i < 60; ++i) client.send(join("room:1"));
    EXPECT_TRUE(client.receive_until_close().is_close(1001));
}

TEST_F(ChannelAttackWithRates, ByPresenceLosesItsChannel) {
    WsClient client(server.port(), WsClient::supabase_v2);
    client.call(join("realtime:p", R"({"config":{"presence":{"enabled":true,"key":"me"}}})"));
    for (int i = 0; i < 6; ++i)
        client.send(R"(["1","2","realtime:p","presence",{"type":"presence","event":"track","payload":{"n":)" +
                    std::to_string(i) + "}}]");
    std::string all;
    while (all.find("phx_close") == std::string::npos) all += client.receive_text();
    EXPECT_THAT(all, HasSubstr("Client presence rate limit exceeded"));
}

struct ChannelAttackByBatches : ChannelAttack {
    ChannelAttackByBatches() : ChannelAttack(options()) {
        for (int i = 0; i < 40; ++i) {
            members.emplace_back(server.port(), WsClient::supabase_v2);
            EXPECT_THAT(members.back().call(join("realtime:t")), HasSubstr("\"ok\""));
        }
    }
    void TearDown() override {
        EXPECT_EQ(server->stats().slow_consumers, 0u);
        for (WsClient& member : members) EXPECT_TRUE(is_served(member)) << "and has heard all, or nothing";
        members.clear();
        ChannelAttack::TearDown();
    }
    static server::Options options() {
        server::Options options = open_options();
        options.max_pending_bytes = mebibyte / 8;
        return options;
    }
    static std::string batch(std::size_t count, const std::string& payload) {
        std::string body = R"({"messages":[)";
        for (std::size_t i = 0; i < count; ++i)
            body += std::string(i > 0 ? "," : "") + R"({"topic":"t","event":"e","payload":)" + payload + '}';
        return body + "]}";
    }
    int post(const std::string& body) {
        return request(server.port(),
                       "POST /api/broadcast HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: " +
                           std::to_string(body.size()),
                       body)
            .status;
    }
    std::vector<WsClient> members;
};

TEST_F(ChannelAttackByBatches, OfTinyMessagesWithoutEndAreRefused) {
    const std::string body = batch(190'000, "{}");
    const MemoryPeak memory;
    EXPECT_EQ(post(body), 429);
    EXPECT_LT(memory.growth(), 64 * mebibyte); // the body, some times, but nothing for each message
}

/// Four times what may wait for a member.
TEST_F(ChannelAttackByBatches, OfAThousandMessagesCloseNobodyWhoReads) {
    const std::string payload = R"({"x":")" + std::string(500, 'x') + "\"}";
    auto status = std::async(std::launch::async, [&] { return post(batch(1'000, payload)); });
    for (int i = 0; i < 1'000; ++i)
        for (WsClient& member : members) ASSERT_THAT(member.receive_text(), HasSubstr(payload));
    EXPECT_EQ(status.get(), 202);
}

struct ChannelAttackOnHistory : ChannelAttack {
    ChannelAttackOnHistory() : ChannelAttack(options()) {}
    static server::Options options() {
        server::Options options = open_options();
        options.history = {{}};
        options.max_history_bytes = 2 * mebibyte;
        return options;
    }
};

TEST_F(ChannelAttackOnHistory, ByBroadcastsToDistinctTopicsKeepsWhatTheLimitAllows) {
    const auto post = [&](int batch) {
        json messages = json::array();
        for (int i = 0; i < 500; ++i)
            messages.push_back({{"topic", "t" + std::to_string(batch * 500 + i)},
                                {"event", "e"},
                                {"payload", {{"n", i}}},
                                {"private", true}});
        const std::string body = json({{"messages", messages}}).dump();
        return request(server.port(),
                       "POST /api/broadcast HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: " +
                           std::to_string(body.size()),
                       body)
            .status;
    };
    EXPECT_EQ(post(0), 202);
    const MemoryPeak memory;
    for (int batch = 1; batch < 100; ++batch) ASSERT_EQ(post(batch), 202);
    EXPECT_LT(memory.growth(), 5 * mebibyte);
}

} // namespace
} // namespace phx::test
