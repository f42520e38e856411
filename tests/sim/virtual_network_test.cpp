#include "src/testing/virtual_network.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace phx::sim {
namespace {

using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

/// One client and one host, who write down what they are told.
class VirtualNetworkTest : public ::testing::Test, protected Host {
protected:
    struct Client : LinkUser {
        VirtualNetworkTest& test;
        explicit Client(VirtualNetworkTest& t) : test(t) {}
        void handle_open(LinkId) override { test.say("client open"); }
        void handle_refused(LinkId, const Refusal& r) override {
            test.say("client refused " + std::to_string(r.http_status));
        }
        void handle_packet(LinkId, Packet& p) override { test.say("client " + p.bytes); }
        void handle_ended(LinkId, LinkEnd end) override {
            test.say(end == LinkEnd::closed ? "client closed" : "client broken");
        }
    };

    std::optional<Refusal> accept(LinkId, const std::string& request) override {
        say("host " + request);
        return refusal;
    }
    void handle_open(LinkId) override {}
    void handle_refused(LinkId, const Refusal&) override {}
    void handle_packet(LinkId, Packet& p) override { say("host " + p.bytes); }
    void handle_ended(LinkId, LinkEnd end) override {
        say(end == LinkEnd::closed ? "host closed" : "host broken");
    }

    void say(const std::string& what) {
        lines.push_back(std::to_string(clock.now().time_since_epoch() / 1ms) + " " + what);
    }
    Lines take() { return std::exchange(lines, {}); }
    LinkId opened() {
        const LinkId link = network.dial(client, host, "GET");
        clock.run_for(1s);
        lines.clear();
        return link;
    }
    void send(LinkId link, Side from, std::string bytes) {
        network.send(link, from, {Packet::Kind::bytes, 0, std::move(bytes)});
    }

    VirtualClock clock;
    VirtualNetwork network{clock, 1};
    Client client{*this};
    HostId host = network.add_host(*this);
    std::optional<Refusal> refusal = {};
    Lines lines;
};

TEST_F(VirtualNetworkTest, OpensAfterTheHandshakeAndARoundTrip) {
    network.weather = [] { return LinkQuality{.latency = 10ms, .handshake = 100ms}; };
    network.dial(client, host, "GET");
    clock.run_for(1s);
    EXPECT_EQ(lines, (Lines{"110 host GET", "120 client open"}));
}

TEST_F(VirtualNetworkTest, RefusesAndLetsGo) {
    refusal = Refusal{503, std::nullopt};
    network.dial(client, host, "GET");
    clock.run_for(1s);
    EXPECT_EQ(lines, (Lines{"1 host GET", "2 client refused 503"}));
    EXPECT_TRUE(network.links().empty());
}

TEST_F(VirtualNetworkTest, HangsUntilTheClientGivesUp) {
    network.weather = [] { return LinkQuality{.hangs = true}; };
    const LinkId link = network.dial(client, host, "GET");
    clock.run_for(1h);
    network.abort(link, Side::client);
    EXPECT_TRUE(lines.empty());
    EXPECT_TRUE(network.links().empty());
}

TEST_F(VirtualNetworkTest, KeepsTheOrderWhateverTheJitterAndTheBandwidth) {
    network.weather = [] {
        return LinkQuality{.latency = 10ms, .jitter = 50ms, .bytes_per_second = 1000, .max_chunk = 3};
    };
    const LinkId link = opened();
    send(link, Side::client, std::string(100, 'a'));
    send(link, Side::client, std::string(100, 'b'));
    clock.run_for(1s);
    std::string all;
    for (const std::string& line : lines) all += line.substr(line.rfind(' ') + 1);
    EXPECT_EQ(all, std::string(100, 'a') + std::string(100, 'b'));
    EXPECT_GT(lines.size(), 60u);
    EXPECT_GE(std::stoi(lines.back()), 1210); // 200 bytes at 1000 a second
}

TEST_F(VirtualNetworkTest, DeliversEverythingBeforeTheClose) {
    const LinkId link = opened();
    send(link, Side::server, "last");
    network.close(link, Side::server);
    send(link, Side::client, "too late");
    clock.run_for(1s);
    EXPECT_EQ(lines, (Lines{"1001 client last", "1001 client closed"}));
    EXPECT_TRUE(network.links().empty());
}

TEST_F(VirtualNetworkTest, LosesWhatIsOnItsWayWhenAborted) {
    const LinkId link = opened();
    send(link, Side::client, "lost");
    network.abort(link, Side::client);
    clock.run_for(1s);
    EXPECT_EQ(lines, Lines{"1001 host broken"});
    EXPECT_TRUE(network.links().empty());
}

TEST_F(VirtualNetworkTest, CutsForWhoeverHearsOfIt) {
    using Heard = VirtualNetwork::Heard;
    const std::vector<std::pair<Heard, std::size_t>> cases{
        {Heard::by_both, 2}, {Heard::by_client, 1}, {Heard::by_server, 1}, {Heard::by_nobody, 0}};
    for (const auto& [heard, told] : cases) {
        const LinkId link = opened();
        send(link, Side::client, "lost");
        network.cut(link, heard);
        send(link, Side::server, "lost");
        clock.run_for(1s);
        EXPECT_EQ(take().size(), told);
        network.close(link, Side::client);
        network.close(link, Side::server);
        clock.run_for(1s);
        EXPECT_TRUE(take().empty());
        EXPECT_TRUE(network.links().empty());
    }
}

TEST_F(VirtualNetworkTest, CutsInTheMiddleOfAPacket) {
    const LinkId link = opened();
    network.cut_after(link, Side::server, 6);
    send(link, Side::client, "four");
    send(link, Side::client, "eight");
    clock.run_for(1s);
    EXPECT_EQ(lines, (Lines{"1001 host four", "1001 host ei", "1001 client broken", "1001 host broken"}));
}

TEST_F(VirtualNetworkTest, LosesOneDirectionWithoutAWord) {
    const LinkId link = opened();
    network.lose(link, Side::client);
    send(link, Side::client, "lost");
    send(link, Side::server, "heard");
    clock.run_for(1s);
    EXPECT_EQ(lines, Lines{"1001 client heard"});
}

TEST_F(VirtualNetworkTest, StallsAndLosesNothing) {
    const LinkId link = opened();
    send(link, Side::client, "one");
    network.stall(link, clock.now() + 5s);
    send(link, Side::client, "two");
    clock.run_for(10s);
    EXPECT_EQ(lines, (Lines{"6000 host one", "6000 host two"}));
}

TEST(VirtualClock, RunsTasksInTheOrderOfTimeAndOfGiving) {
    VirtualClock clock;
    std::string order;
    clock.after(2s, [&] { order += 'c'; });
    clock.after(1s, [&] {
        order += 'a';
        clock.at(TimePoint{}, [&] { order += 'b'; }); // has passed: now
    });
    clock.after(2s, [&] { order += 'd'; });
    clock.after(3s, [&] { order += 'e'; });
    clock.run_until(TimePoint{} + 2s);
    EXPECT_EQ(order, "abcd");
    EXPECT_EQ(clock.now(), TimePoint{} + 2s);
    EXPECT_EQ(clock.waiting(), 1u);
}

TEST(VirtualTimer, FiresOnceAtWhatItWasArmedForLast) {
    VirtualClock clock;
    std::vector<TimePoint> fired;
    VirtualTimer timer(clock, [&] { fired.push_back(clock.now()); });
    timer.arm(TimePoint{} + 2s);
    timer.arm(TimePoint{} + 1s);
    clock.run_for(3s);
    timer.arm(TimePoint{} + 4s);
    timer.arm(TimePoint{} + 6s);
    clock.run_for(2s);
    EXPECT_EQ(fired, std::vector<TimePoint>{TimePoint{} + 1s});
    clock.run_for(2s);
    timer.arm(TimePoint{} + 8s);
    timer.arm({});
    clock.run_for(2s);
    EXPECT_EQ(fired, (std::vector<TimePoint>{TimePoint{} + 1s, TimePoint{} + 6s}));
}

} // namespace
} // namespace phx::sim
