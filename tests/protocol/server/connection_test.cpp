#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using protocol::Vsn;
using server::Dialect;
using testing::ElementsAre;
using testing::IsEmpty;

struct Connection : testing::Test {
    ServerApp app;
    ServerDriver& d = app.driver;
};

TEST_F(Connection, AsksAboutAnIdleOneWithTheCodeOfItsDialect) {
    d.open("A");
    d.open("B", Vsn::v2, Dialect::supabase);
    d.advance(59s);
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre("A idle since 0 s close 1002", "B idle since 0 s close 1000"));
}

TEST_F(Connection, IsNotIdleWhenAFrameCame) {
    d.open("A");
    d.advance(40s);
    d.text("A", R"([null,"1","phoenix","heartbeat",{}])");
    d.lines();
    d.advance(59s);
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre("A idle since 40 s close 1002"));
}

TEST_F(Connection, IsNotKeptAliveByWhatItIsSent) {
    d.open("A");
    d.text("A", R"(["1","1","room:lobby","phx_join",{}])");
    d.advance(40s);
    d.machine.broadcast(d.now, "room:lobby", "x", {});
    d.drain();
    d.lines();
    d.advance(20s);
    EXPECT_THAT(d.lines(), ElementsAre("A idle since 0 s close 1002"));
}

TEST_F(Connection, IsAskedAgainWhenTheTransportKnewBetter) {
    d.open("A");
    d.advance(60s);
    d.activity("A");
    d.lines();
    d.advance(59s);
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre("A idle since 60 s close 1002"));
    d.activity("A");
    d.close("A");
    d.activity("A");
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
}

TEST_F(Connection, HasNoDeadlineWithoutAnIdleTimeout) {
    server::SessionConfig config;
    config.idle_timeout = {};
    d.machine.handle_open(d.now, config);
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
}

TEST_F(Connection, TakesAHugeIdleTimeoutAsNever) {
    d.advance(1s); // so that now + max overflows
    for (const protocol::Duration timeout : {protocol::Duration::max(), protocol::Duration::min()}) {
        server::SessionConfig config;
        config.idle_timeout = timeout;
        const server::SessionId session = d.machine.handle_open(d.now, config);
        EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
        d.machine.handle_closed(d.now, session);
    }
}

TEST_F(Connection, AsksUntilTheEndOfTime) {
    server::SessionConfig config;
    config.idle_timeout = protocol::Duration::max() / 2 + 1s;
    d.machine.handle_open(d.now, config);
    ASSERT_EQ(d.machine.next_timeout(), d.now + config.idle_timeout);
    d.machine.handle_timeout(d.now + config.idle_timeout);
    ASSERT_TRUE(d.machine.poll().has_value());
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt); // the next time is beyond it
}

TEST_F(Connection, FiresNothingEarlyAndNothingTwice) {
    d.open("A");
    d.machine.handle_timeout(d.now);
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(60s);
    d.machine.handle_timeout(d.now);
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("A idle since 0 s close 1002"));
}

TEST_F(Connection, ClosesAllOfASocketId) {
    d.open("A", Vsn::v2, Dialect::phoenix, "users:1");
    d.open("B", Vsn::v1, Dialect::phoenix, "users:1");
    d.open("C", Vsn::v2, Dialect::phoenix, "users:2");
    d.open("D");
    for (const char* const peer : {"A", "C"}) d.text(peer, R"(["1","1","room:lobby","phx_join",{}])");
    d.lines();
    d.text("A", R"(["1","2","room:lobby","kick",{}])");
    EXPECT_THAT(d.lines(), ElementsAre("A close 1001", "room:lobby ended disconnected", "B close 1001"));
    d.machine.disconnect(d.now, "users:1"); // they are closing already
    d.machine.disconnect(d.now, "users:3");
    d.machine.disconnect(d.now, "");
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty());
    d.close("A");
    d.close("B");
    d.machine.disconnect(d.now, "users:2");
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("C close 1001", "room:lobby ended disconnected"));
    EXPECT_EQ(d.machine.sessions(), 2u);
}

TEST_F(Connection, ClosesEverybodyWith1012) {
    d.open("A");
    d.open("B", Vsn::v1, Dialect::supabase);
    d.text("A", R"(["1","1","room:here","phx_join",{}])");
    d.lines();
    d.machine.close_all(d.now);
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("A close 1012", "room:here ended disconnected", "B close 1012"));
    EXPECT_EQ(d.machine.sessions(), 2u); // until the transport says that they are gone
    EXPECT_EQ(d.machine.topics(), 0u);
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
    d.close("A");
    d.close("B");
    EXPECT_EQ(d.machine.sessions(), 0u);
}

TEST_F(Connection, GetsNothingAfterTheOrderToClose) {
    d.open("A");
    d.open("B");
    for (const char* const peer : {"A", "B"}) d.text(peer, R"(["1","1","room:here","phx_join",{}])");
    d.text("A", "nonsense");
    d.lines();
    d.text("B", R"(["1","2","room:here","new_msg",{}])");
    d.text("A", R"([null,"2","phoenix","heartbeat",{}])");
    d.advance(59s);
    EXPECT_THAT(d.lines(), ElementsAre(R"(B < [null,null,"room:here","new_msg",{}])"));
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre("B idle since 0 s close 1002"));
}

TEST_F(Connection, IgnoresReportsAboutOneThatIsGone) {
    d.open("A");
    const server::SessionId old = d.id("A");
    d.close("A");
    d.open("B");
    EXPECT_EQ(server::slot(d.id("B")), server::slot(old)); // the slot is used again, the id is not
    EXPECT_NE(d.id("B"), old);
    d.machine.handle_frame(d.now, old, protocol::Opcode::text, R"([null,"1","phoenix","heartbeat",{}])");
    d.machine.handle_closed(d.now, old);
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_EQ(d.machine.sessions(), 1u);
}

TEST_F(Connection, LeavesNothingBehindInTheHeap) {
    for (int i = 0; i < 5000; ++i) {
        d.open("A");
        d.text("A", R"(["1","1","room:lobby","phx_join",{}])");
        d.text("A", R"(["1","2","room:lobby","soon",{}])");
        d.close("A");
    }
    EXPECT_EQ(d.machine.next_timeout(), std::nullopt);
    EXPECT_EQ(d.machine.members(), 0u);
    EXPECT_EQ(d.machine.topics(), 0u);
    d.lines();
    d.advance(100s);
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Connection, AnEndedMemberCanBeLookedUpUntilTheNextCall) {
    d.open("A");
    d.text("A", R"(["1","1","room:lobby","phx_join",{}])");
    d.machine.handle_closed(d.now, d.id("A"));
    const auto output = d.machine.poll();
    ASSERT_TRUE(output && std::holds_alternative<server::event::Ended>(*output));
    const auto& ended = std::get<server::event::Ended>(*output);
    EXPECT_EQ(ended.reason, server::EndReason::disconnected);
    ASSERT_TRUE(d.machine.member(ended.member));
    EXPECT_EQ(d.machine.member(ended.member)->topic, "room:lobby");
    EXPECT_EQ(d.machine.member(ended.member)->session, d.id("A"));
    d.machine.apply(d.now, ended.member, {}, phx::server::Actions().broadcast("x").push("y")); // dead: no-op
    d.machine.crash(d.now, ended.member);
    EXPECT_FALSE(d.machine.poll().has_value());
    d.machine.handle_timeout(d.now);
    EXPECT_FALSE(d.machine.member(ended.member));
}

} // namespace
} // namespace phx::test
