#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

TEST(ClientHeartbeat, PushesHeartbeatsWhenConnected) {
    ClientDriver d = open_driver();
    d.advance(30s);
    EXPECT_EQ(d.take(), (Lines{R"(send [null,"1","phoenix","heartbeat",{}])", "heartbeat sent"}));
    d.pass(20ms);
    d.receive(R"([null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}])");
    EXPECT_EQ(d.take(), (Lines{"heartbeat 20 ms"}));
    EXPECT_EQ(d.next(), Duration(30s)); // one interval after the reply
    d.advance(30s);
    EXPECT_EQ(d.take(), (Lines{R"(send [null,"2","phoenix","heartbeat",{}])", "heartbeat sent"}));
}

TEST(ClientHeartbeat, PushesHeartbeatsOverV1) {
    ClientConfig config = exact_config();
    config.vsn = Vsn::v1;
    ClientDriver d = open_driver(config);
    d.advance(30s);
    const Lines sent = d.take();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_NE(sent[0].find(R"("topic":"phoenix")"), std::string::npos) << sent[0];
    d.receive(R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"phoenix"})");
    EXPECT_EQ(d.take(), (Lines{"heartbeat 0 ms"}));
}

TEST(ClientHeartbeat, DoesNotSendHeartbeatsWhenTheyAreOff) {
    ClientConfig config = exact_config();
    config.heartbeat_interval = 0s;
    ClientDriver d = open_driver(config);
    EXPECT_EQ(d.next(), std::nullopt);
}

TEST(ClientHeartbeat, LosesTheConnectionWhenAHeartbeatIsNotAnswered) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    d.push(ChannelId{1}, "hello");
    d.advance(30s);
    d.take();
    d.advance(10s);
    EXPECT_EQ(d.take(), (Lines{"heartbeat timeout", "close 1 1000 'heartbeat timeout'",
                               "socket open -> waiting (1006, heartbeat lost)",
                               "room:a joined -> errored (heartbeat lost)"}));
    EXPECT_EQ(d.machine.state(), SocketState::waiting);
    EXPECT_EQ(d.next(), Duration(1s)); // the first step, without waiting for the close
    CloseInfo late;
    late.code = 1000;
    d.closed(late);
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientHeartbeat, DoesNotTimeOutTheHeartbeatAfterExplicitDisconnect) {
    ClientDriver d = open_driver();
    d.advance(30s);
    d.disconnect();
    d.closed();
    d.take();
    d.advance(1h);
    EXPECT_EQ(d.take(), Lines{});
}

TEST(ClientHeartbeat, ForgetsAPendingHeartbeatWithItsConnection) {
    ClientDriver d = open_driver();
    d.advance(30s);
    d.closed();
    d.advance(1s);
    d.opened();
    d.take();
    d.receive(R"([null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}])");
    EXPECT_EQ(d.take(), (Lines{R"(unclaimed phoenix phx_reply ok {})"}));
    EXPECT_EQ(d.next(), Duration(30s));
}

TEST(ClientHeartbeat, PingsWhenConnected) {
    ClientDriver d = open_driver();
    d.ping();
    EXPECT_EQ(d.take(), (Lines{R"(send [null,"1","phoenix","heartbeat",{}])"}));
    d.pass(3ms);
    d.receive(R"([null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}])");
    EXPECT_EQ(d.take(), (Lines{"p1 ok {} after 3 ms"}));
    d.ping(2s);
    d.take();
    d.advance(2s);
    EXPECT_EQ(d.take(), (Lines{"p2 timeout"}));
    d.ping();
    d.take();
    d.closed();
    EXPECT_EQ(d.take(), (Lines{"socket open -> waiting (1006)", "p3 disconnected"}));
    d.expect_all_finished();
}

TEST(ClientHeartbeat, PingFailsWhenDisconnected) {
    ClientDriver d(exact_config());
    d.ping();
    EXPECT_EQ(d.take(), (Lines{"p1 disconnected"}));
}

} // namespace
} // namespace phx::protocol::testing
