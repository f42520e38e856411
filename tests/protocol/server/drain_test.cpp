#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Actions;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

/// A and B are in room:a.
struct Drain : testing::Test {
    Drain() {
        for (const char* const peer : {"A", "B"}) {
            d.open(peer);
            d.text(peer, R"(["1","1","room:a","phx_join",{}])");
        }
        d.lines();
    }
    void drain(protocol::Duration spread = 0s, protocol::Duration timeout = 30s) {
        d.machine.drain(d.now, spread, timeout);
        d.advance(0s);
    }
    /// The shell closes what it is told to.
    void close(const std::string& peer) { d.close(peer); }

    ServerApp app;
    ServerDriver& d = app.driver;
};

TEST_F(Drain, ClosesWith1012) {
    EXPECT_FALSE(d.machine.is_draining());
    drain();
    EXPECT_TRUE(d.machine.is_draining());
    EXPECT_THAT(d.lines(), ElementsAre("A close 1012", "room:a ended disconnected", "B close 1012",
                                       "room:a ended disconnected"));
    close("A");
    close("B");
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
    EXPECT_FALSE(d.machine.has_cut_off());
}

TEST_F(Drain, RefusesJoinsAndServesOnUntilTheClose) {
    drain(10s);
    d.text("A", R"(["2","2","room:b","phx_join",{}])");
    d.text("A", R"(["1","3","room:a","echo",{"n":1}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["2","2","room:b","phx_reply",{"status":"error","response":{"reason":"server draining"}}])",
            R"(A < ["1","3","room:a","phx_reply",{"status":"ok","response":{"n":1}}])"));
}

TEST_F(Drain, SpreadsTheClosesWithJitter) {
    for (int i = 0; i < 98; ++i) d.open(std::to_string(i));
    d.machine.drain(d.now, 10s, 30s);
    std::set<protocol::TimePoint> moments;
    for (int second = 1; second <= 10; ++second) {
        std::size_t closed = 0;
        const protocol::TimePoint end = d.now + 1s;
        while (d.machine.next_timeout() && *d.machine.next_timeout() < end) {
            d.advance(*d.machine.next_timeout() - d.now);
            for (const std::string& line : d.lines()) {
                if (line.find(" close 1012") == std::string::npos) continue;
                moments.insert(d.now);
                ++closed;
            }
        }
        d.advance(end - d.now);
        EXPECT_EQ(closed, 10u) << second;
    }
    EXPECT_GT(moments.size(), 90u);
}

TEST_F(Drain, WaitsForTheAnswerOfAPushThatWasAccepted) {
    d.text("A", R"(["1","2","room:a","slow",{}])"); // answered after a second
    drain();
    EXPECT_THAT(d.lines(), ElementsAre("B close 1012", "room:a ended disconnected"));
    d.advance(999ms);
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(100ms);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","2","room:a","phx_reply",{"status":"ok","response":{"late":1}}])",
                            "A close 1012", "room:a ended disconnected"));
}

TEST_F(Drain, TakesNoFurtherPushesOfAClientThatItWaitsFor) {
    d.text("A", R"(["1","2","room:a","slow",{}])"); // answered after a second
    drain();
    d.lines();
    d.text("A", R"(["1","3","room:a","slow",{}])"); // it would be waited for as well, and so on
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","3","room:a","phx_reply",{"status":"error","response":{"reason":"server draining"}}])"));
    d.advance(1100ms);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","2","room:a","phx_reply",{"status":"ok","response":{"late":1}}])",
                            "A close 1012", "room:a ended disconnected"));
}

TEST_F(Drain, DoesNotWaitForWhatNobodyWillAnswer) {
    d.text("A", R"(["1","2","room:a","noreply",{}])"); // not answered, and nothing later is asked for
    d.text("B", R"(["1","2","room:a","soon",{}])");    // a timer, whose handler does not answer
    drain();
    EXPECT_THAT(d.lines(), Contains("A close 1012"));
    d.advance(2s);
    EXPECT_THAT(d.lines(), Contains("B close 1012"));
}

TEST_F(Drain, WaitsForJoinsAndRequestsUnderWay) {
    d.text("A", R"(["2","2","room:slow","phx_join",{}])"); // accepted after two seconds
    ASSERT_TRUE(d.machine.request(d.now, d.machine.connection(d.id("B"))->id, "room:a", "m", {}, 10s));
    drain();
    d.lines();
    d.advance(1s);
    d.text("B", R"(["1","3","room:a","rpc:response",{"id":"1","ok":1}])");
    d.advance(50ms);
    EXPECT_THAT(d.lines(), ElementsAre("request 1 ok 1", "B close 1012", "room:a ended disconnected"));
    d.text("A", R"(["2","3","room:slow","echo",{}])"); // held until then
    d.advance(2s);
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["2","2","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["2","3","room:slow","phx_reply",{"status":"ok","response":{}}])",
                            "A close 1012", "room:slow ended disconnected", "room:a ended disconnected"));
}

TEST_F(Drain, EndsAtItsTimeout) {
    d.on_message = [](auto, auto, auto) { return Actions().after(1h, "never"); };
    d.text("A", R"(["1","2","room:a","x",{}])");
    d.machine.drain(d.now, 1h, 30s); // the spread is no longer than the timeout
    drain(0s, 0s);                   // once is enough
    d.lines();
    d.advance(30s - 1us);
    EXPECT_THAT(d.lines(), Contains("B close 1012"));
    EXPECT_FALSE(d.machine.has_cut_off());
    d.advance(1us);
    EXPECT_THAT(d.lines(), ElementsAre("A close 1012", "room:a ended disconnected"));
    EXPECT_TRUE(d.machine.has_cut_off());
}

TEST_F(Drain, OfNobodyIsDoneAtOnce) {
    close("A");
    close("B");
    drain();
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
}

} // namespace
} // namespace phx::test
