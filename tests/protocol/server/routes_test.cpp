#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::test {
namespace {

using phx::server::Payload;
using phx::server::Route;
using phx::server::TopicCount;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string inbox_text(std::string_view route) {
    return R"({"type":"broadcast","event":"news","payload":{"n":1},"meta":{"route":")" + std::string(route) +
           "\"}}";
}
std::string inbox_v2(std::string_view route) {
    return R"([null,null,"realtime:$inbox","broadcast",)" + inbox_text(route) + "]";
}
std::string inbox_v1(std::string_view route) {
    return R"({"topic":"realtime:$inbox","event":"broadcast","ref":null,"payload":)" + inbox_text(route) +
           "}";
}
std::string inbox_binary(std::string_view route) {
    const std::string meta = R"({"route":")" + std::string(route) + "\"}";
    const char lengths[] = {4, 15, 4, static_cast<char>(meta.size()), 0};
    return to_hex(std::string(lengths, sizeof lengths) + "realtime:$inbox" + "news" + meta) + "0102";
}

/// ada has the connections A (v2) and B (v1), bob has C; A and C are admins. D is anonymous, and E is ada's
/// too but has not joined its inbox.
struct Routes : testing::Test {
    Routes() {
        open("A", {.user_id = "ada", .roles = {"admin", "user", "admin"}});
        open("B", {.user_id = "ada", .roles = {"user"}}, Vsn::v1);
        open("C", {.user_id = "bob", .roles = {"admin"}});
        open("D", {});
        open("E", {.user_id = "ada", .roles = {"user"}});
        for (const char* const peer : {"A", "C", "D"}) join(peer);
        d.text("B", R"({"topic":"realtime:$inbox","event":"phx_join","payload":{},"ref":"1"})");
        d.lines();
    }
    void open(const std::string& name, phx::server::Identity identity, Vsn vsn = Vsn::v2) {
        d.open(name, vsn, server::Dialect::phoenix, {}, std::move(identity));
    }
    void join(const std::string& name, std::string_view topic = "realtime:$inbox") {
        d.text(name, R"(["1","1",")" + std::string(topic) + R"(","phx_join",{}])");
    }
    std::size_t send(const Route& route, Payload payload = R"({"n":1})") {
        const std::size_t count = d.machine.send(d.now, route, "news", payload);
        d.drain();
        return count;
    }
    std::string id(const std::string& name) { return d.machine.connection(d.id(name))->id; }
    std::vector<std::string> found(const Route& route) {
        std::vector<std::string> names;
        for (const auto& connection : d.machine.connections(route)) {
            for (const char* const name : {"A", "B", "C", "D", "E"})
                if (d.machine.connection(d.id(name)) == connection) names.emplace_back(name);
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    /// Private rooms of `realtime:*` are open to everybody.
    static server::ServerConfig config() {
        using phx::server::Requirement;
        server::ServerConfig config;
        config.policies = {{.topic = "realtime:*", .join = Requirement{}}};
        return config;
    }
    ServerApp app{config()};
    ServerDriver& d = app.driver;
};

// ---- delivery

TEST_F(Routes, ReachTheInboxesOfAUser) {
    EXPECT_EQ(send(Route::user("ada")), 2u);
    EXPECT_THAT(d.lines(), ElementsAre("A < " + inbox_v2("user"), "B < " + inbox_v1("user")));
    EXPECT_EQ(send(Route::user("nobody")), 0u);
    EXPECT_EQ(send(Route::user("")), 0u); // not the anonymous
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Routes, ReachTheInboxesOfARoleOnceEach) {
    EXPECT_EQ(send(Route::role("admin")), 2u);
    EXPECT_THAT(d.lines(), ElementsAre("A,C < " + inbox_v2("role")));
}

TEST_F(Routes, ReachOneConnection) {
    EXPECT_EQ(send(Route::connection(id("C"))), 1u);
    EXPECT_THAT(d.lines(), ElementsAre("C < " + inbox_v2("connection")));
    EXPECT_EQ(send(Route::connection(id("E"))), 0u); // has not joined
    for (const std::string& wrong :
         {std::string(), std::string("0."), std::string("0"), "1" + id("C"), id("C") + "0", id("C") + "x",
          std::string("0.-1"), std::string("0.ffffffffffffffffff")})
        EXPECT_EQ(send(Route::connection(wrong)), 0u) << wrong;
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Routes, ReachAllInboxes) {
    EXPECT_EQ(send(Route::all()), 4u);
    EXPECT_THAT(d.lines(), ElementsAre("A,C,D < " + inbox_v2("all"), "B < " + inbox_v1("all")));
}

TEST_F(Routes, BringBytesAsKind4AndNothingToVersion1) {
    EXPECT_EQ(send(Route::user("ada"), Payload::binary("\x01\x02")), 1u);
    EXPECT_EQ(send(Route::all(), Payload::binary("\x01\x02")), 3u);
    EXPECT_THAT(d.lines(), ElementsAre("A < " + inbox_binary("user"), "A,C,D < " + inbox_binary("all")));
}

TEST_F(Routes, ReachTheMembersOfATopicWithTheEventItself) {
    join("A", "room:a");
    join("E", "room:a");
    d.lines();
    EXPECT_EQ(send(Route::topic("room:a")), 2u);
    EXPECT_EQ(send(Route::topic("room:b")), 0u);
    EXPECT_THAT(d.lines(), ElementsAre(R"(A,E < [null,null,"room:a","news",{"n":1}])"));
}

TEST_F(Routes, ReachTheMembersOfARealtimeTopicAsABroadcast) {
    join("A", "realtime:a");
    d.text("E", R"(["1","1","realtime:a","phx_join",{"config":{"private":true}}])");
    d.text("B", R"({"topic":"realtime:a","event":"phx_join","payload":{},"ref":"2"})");
    d.lines();
    EXPECT_EQ(send(Route::topic("realtime:a")), 3u);
    const std::string payload = R"({"type":"broadcast","event":"news","payload":{"n":1}})";
    EXPECT_THAT(
        d.lines(),
        ElementsAre("A < [null,null,\"realtime:a\",\"broadcast\"," + payload + "]",
                    R"(B < {"topic":"realtime:a","event":"broadcast","ref":null,"payload":)" + payload + "}",
                    "E < [null,null,\"realtime:a\",\"broadcast\"," + payload + "]"));
    EXPECT_EQ(send(Route::topic("realtime:a"), Payload::binary("x")), 2u);
}

TEST_F(Routes, NeedAnEventThatFits) {
    EXPECT_EQ(d.machine.send(d.now, Route::all(), "", {}), 0u);
    EXPECT_EQ(d.machine.send(d.now, Route::all(), std::string(256, 'e'), Payload::binary("x")), 0u);
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Routes, LeaveOutTheSourceOfAnAction) {
    join("A", "room:a");
    join("C", "room:a");
    d.lines();
    d.on_message = [&](auto, std::string_view event, auto) {
        if (event == "crash") return phx::server::Actions().send(Route::all(), "");
        return phx::server::Actions()
            .send(Route::user("ada"), "news", R"({"n":1})")
            .send(Route::topic("room:a"), "news")
            .send(Route::all(), "news", R"({"n":1})")
            .send(Route::connection(id("A")), "news");
    };
    d.text("A", R"(["1","2","room:a","x",{}])");
    EXPECT_THAT(d.lines(), ElementsAre("B < " + inbox_v1("user"), R"(C < [null,null,"room:a","news",{}])",
                                       "D,C < " + inbox_v2("all"), "B < " + inbox_v1("all")));
    d.text("A", R"(["1","3","room:a","crash",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","1","room:a","phx_error",{"reason":"channel_crash"}])",
                                       "room:a ended crashed"));
}

// ---- the reserved topic

TEST_F(Routes, ArriveAtATopicThatNobodyElseServesOrWritesTo) {
    server::ServerConfig config;
    config.realtime = false;
    ServerApp other(config);
    other.driver.machine.add_channel("*");
    other.driver.machine.add_channel("realtime:*");
    other.driver.open("X");
    const std::string joined =
        R"(X < ["1","1","realtime:$inbox","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])";
    other.driver.text("X", R"(["1","1","realtime:$inbox","phx_join",{"config":{"private":true}}])");
    EXPECT_THAT(other.driver.lines(), ElementsAre(joined));
    other.driver.text("X", R"(["1","2","realtime:$inbox","broadcast",{}])");
    other.driver.text("X", R"(["1","3","realtime:$inbox","access_token",{}])");
    EXPECT_THAT(
        other.driver.lines(),
        ElementsAre(
            R"(X < ["1","2","realtime:$inbox","phx_reply",{"status":"error","response":{"reason":"read only"}}])"));
    other.driver.text("X", R"(["2","4","realtime:$inbox","phx_join",{}])");
    EXPECT_THAT(
        other.driver.lines(),
        ElementsAre(
            R"(X < ["2","4","realtime:$inbox","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])",
            R"(X < ["1","1","realtime:$inbox","phx_close",{}])"));
    EXPECT_EQ(other.driver.machine.send(other.driver.now, Route::all(), "news", {}), 1u);
    other.driver.drain();
    other.driver.lines();
    other.driver.text("X", R"(["2","5","realtime:$inbox","phx_leave",{}])");
    EXPECT_THAT(other.driver.lines(),
                ElementsAre(R"(X < ["2","5","realtime:$inbox","phx_reply",{"status":"ok","response":{}}])",
                            R"(X < ["2","2","realtime:$inbox","phx_close",{}])"));
    EXPECT_EQ(other.driver.machine.topics(), 0u);
    EXPECT_EQ(other.driver.machine.send(other.driver.now, Route::all(), "news", {}), 0u);
}

// ---- topics

TEST_F(Routes, KnowTopicsByTheirNamesPageByPage) {
    for (const char* const topic : {"room:b", "room:a", "realtime:x"}) join("A", topic);
    join("C", "room:a");
    d.text("D", R"(["1","1","realtime:x","phx_join",{"config":{"private":true}}])");
    const std::vector<TopicCount> all = {
        {"realtime:$inbox", 4}, {"realtime:x", 2}, {"room:a", 2}, {"room:b", 1}};
    EXPECT_EQ(d.machine.topics("", 100), all);
    EXPECT_EQ(d.machine.topics("", static_cast<std::size_t>(-1)), all);
    EXPECT_THAT(d.machine.topics("", 2), ElementsAre(all[0], all[1]));
    EXPECT_THAT(d.machine.topics("realtime:x", 1), ElementsAre(all[2]));
    EXPECT_THAT(d.machine.topics("room:b", 9), IsEmpty());
    EXPECT_THAT(d.machine.topics("", 0), IsEmpty());
    d.text("A", R"(["1","2","room:b","phx_leave",{}])");
    d.close("C");
    EXPECT_THAT(d.machine.topics("realtime:x", 9), ElementsAre(TopicCount{"room:a", 1}));
}

TEST_F(Routes, LeadToTopicsOf1To255Bytes) {
    d.machine.add_channel("*");
    join("E", "");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(E < [null,"1","","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])"));
    join("E", "room:" + std::string(250, 'x'));
    EXPECT_THAT(d.lines(), ElementsAre(testing::HasSubstr(R"("status":"ok")")));
    join("E", "room:" + std::string(251, 'x'));
    EXPECT_THAT(d.lines(), ElementsAre(testing::HasSubstr("topic too long")));
}

TEST_F(Routes, LeaveOnceOrTwiceIsTheSame) {
    join("E", "room:a");
    d.lines();
    d.text("E", R"(["1","2","room:a","phx_leave",{}])");
    d.text("E", R"(["1","3","room:a","phx_leave",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(E < ["1","2","room:a","phx_reply",{"status":"ok","response":{}}])",
                            R"(E < ["1","1","room:a","phx_close",{}])", "room:a ended left",
                            R"(E < ["1","3","room:a","phx_reply",{"status":"ok","response":{}}])"));
}

// ---- look-ups

TEST_F(Routes, FindConnections) {
    EXPECT_THAT(found(Route::all()), ElementsAre("A", "B", "C", "D", "E"));
    EXPECT_THAT(found(Route::user("ada")), ElementsAre("A", "B", "E"));
    EXPECT_THAT(found(Route::role("admin")), ElementsAre("A", "C"));
    EXPECT_THAT(found(Route::connection(id("D"))), ElementsAre("D"));
    EXPECT_THAT(found(Route::topic("realtime:$inbox")), ElementsAre("A", "B", "C", "D"));
    EXPECT_THAT(found(Route::topic("room:none")), IsEmpty());
    EXPECT_EQ(d.machine.connection(id("C"))->user_id, "bob");
    EXPECT_EQ(d.machine.connection("0.7"), nullptr);
}

TEST_F(Routes, ForgetConnectionsThatClose) {
    const std::string a = id("A");
    d.close("A");
    d.close("A");
    EXPECT_THAT(found(Route::user("ada")), ElementsAre("B", "E"));
    EXPECT_THAT(found(Route::role("admin")), ElementsAre("C"));
    EXPECT_EQ(d.machine.connection(a), nullptr);
    EXPECT_EQ(send(Route::role("admin")), 1u);
    d.close("C");
    EXPECT_EQ(send(Route::role("admin")), 0u);
    EXPECT_EQ(send(Route::user("bob")), 0u);
    open("F", {.user_id = "bob"});
    join("F");
    EXPECT_EQ(send(Route::user("bob")), 1u);
    EXPECT_NE(id("F"), a); // a slot is reused, an id is not
}

TEST_F(Routes, CloseWhomTheyName) {
    EXPECT_EQ(d.machine.disconnect(d.now, Route::user("ada"), 4001), 3u);
    d.drain();
    EXPECT_THAT(d.lines(), UnorderedElementsAre("A close 4001", "B close 4001", "E close 4001"));
    EXPECT_THAT(found(Route::all()), ElementsAre("C", "D"));
    EXPECT_EQ(d.machine.disconnect(d.now, Route::user("ada"), 4001), 0u); // on their way already
    EXPECT_EQ(send(Route::all()), 2u);
    EXPECT_EQ(d.machine.disconnect(d.now, Route::all(), 1001), 2u);
    EXPECT_EQ(send(Route::all()), 0u);
}

} // namespace
} // namespace phx::test
