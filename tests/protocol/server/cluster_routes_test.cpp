#include "protocol/server/publication.hpp"
#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

// Routes, disconnects and `realtime:*` of one machine, and the broker that a test plays.
namespace phx::test {
namespace {

using phx::server::Actions;
using phx::server::PresenceEntry;
using phx::server::Requirement;
using phx::server::Route;
using server::Publication;
using testing::ElementsAre;
using testing::IsEmpty;

/// A and B have joined their inboxes and room:1, A as ada and B as bob. The machine is one of server "s".
struct ClusterRoutes : testing::Test {
    ClusterRoutes() : d(config()) {
        d.machine.add_channel("room:*");
        d.on_message = [](auto, std::string_view event, phx::server::PayloadView payload) {
            return Actions().send(Route::user("ada"), event, payload);
        };
        d.open("A", protocol::Vsn::v2, server::Dialect::phoenix, {}, {.user_id = "ada"});
        d.open("B", protocol::Vsn::v2, server::Dialect::phoenix, {}, {.user_id = "bob"});
        for (const char* const topic : {"realtime:$inbox", "room:1"}) {
            join("A", topic);
            confirm();
            join("B", topic);
        }
        d.lines();
    }
    static server::ServerConfig config() {
        server::ServerConfig config;
        config.peers = server::Peers::possible;
        config.server = "s";
        config.policies = {{.topic = "realtime:*", .join = Requirement{}, .write = Requirement{}}};
        config.history = {{.pattern = "realtime:kept"}};
        return config;
    }
    void join(const std::string& peer, const std::string& topic, const std::string& params = "{}") {
        d.text(peer, R"(["1","1",")" + topic + R"(","phx_join",)" + params + "]");
    }
    void confirm(const std::vector<PresenceEntry>& present = {}) {
        d.machine.handle_subscribed(d.now, d.subscription, present);
        d.drain();
    }
    void told(const Publication& publication, std::string_view ns = server::node_ns,
              std::string_view key = server::all_nodes) {
        std::string bytes;
        append_publication(bytes, publication);
        d.machine.handle_publication(d.now, ns, key, bytes);
        d.drain();
    }
    static Publication news(Route::Kind kind, std::string_view target) {
        Publication publication;
        publication.kind = Publication::Kind::send;
        publication.route = kind;
        publication.target = target;
        publication.event = "news";
        publication.payload = R"({"n":1})";
        return publication;
    }
    static std::string inbox(const std::string& peer, const std::string& route) {
        return peer + R"( < [null,null,"realtime:$inbox","broadcast",)" +
               R"({"type":"broadcast","event":"news","payload":{"n":1},"meta":{"route":")" + route +
               R"("}}])";
    }
    const phx::server::PayloadView one{protocol::Opcode::text, R"({"n":1})"};
    ServerDriver d;
};

TEST_F(ClusterRoutes, AnswerTheFirstJoinOfTheInboxWhenTheBrokerHasConfirmed) {
    ServerDriver other(config());
    other.open("X");
    other.text("X", R"(["1","1","realtime:$inbox","phx_join",{}])");
    EXPECT_THAT(other.lines(), ElementsAre("subscribe topic realtime:$inbox"));
    EXPECT_EQ(other.machine.send(other.now, Route::all(), "news", {}), 0u);
    other.machine.handle_subscribed(other.now, other.subscription, {});
    other.drain();
    const std::string ok =
        R"(X < ["1","1","realtime:$inbox","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])";
    EXPECT_THAT(other.lines(), ElementsAre(ok));
    EXPECT_EQ(other.machine.send(other.now, Route::all(), "news", {}), 1u);
}

TEST_F(ClusterRoutes, CarryWhatAHandlerSendsToAllOtherNodes) {
    d.text("B", R"(["1","2","room:1","news",{"n":1}])");
    EXPECT_THAT(d.lines(), ElementsAre(inbox("A", "user"), R"(publish node all newsada {"n":1})"));
}

TEST_F(ClusterRoutes, CarryACommandOnlyWhenItIsToReachOtherServers) {
    EXPECT_EQ(d.machine.send(d.now, Route::user("ada"), "news", one), 1u);
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(inbox("A", "user")));
    d.machine.send(d.now, Route::user("ada"), "news", one, server::Reach::other_servers);
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(R"(publish node all newsada {"n":1})", inbox("A", "user")));
    EXPECT_EQ(d.machine.disconnect(d.now, Route::user("bob"), 1001, server::Reach::other_servers), 1u);
    d.drain();
    EXPECT_THAT(d.lines(),
                ElementsAre("publish node all bob 1001", "B close 1001", "room:1 ended disconnected"));
}

TEST_F(ClusterRoutes, BringWhatOtherNodesSend) {
    told(news(Route::Kind::user, "ada"));
    told(news(Route::Kind::all, ""));
    told(news(Route::Kind::topic, "room:1"));
    told(news(Route::Kind::role, "admin"));
    EXPECT_THAT(d.lines(), ElementsAre(inbox("A", "user"), inbox("A,B", "all"),
                                       R"(A,B < [null,null,"room:1","news",{"n":1}])"));
}

TEST_F(ClusterRoutes, SkipWhatTheirOwnServerHasAskedThemForAlready) {
    Publication publication = news(Route::Kind::user, "ada");
    publication.skipped_server = "s";
    told(publication);
    EXPECT_THAT(d.lines(), IsEmpty());
    publication.skipped_server = "t";
    told(publication);
    EXPECT_THAT(d.lines(), ElementsAre(inbox("A", "user")));
}

TEST_F(ClusterRoutes, DisconnectWithTheCodeThatAnotherNodeSays) {
    Publication publication = news(Route::Kind::user, "ada");
    publication.kind = Publication::Kind::disconnect;
    publication.payload = "1012";
    told(publication);
    EXPECT_THAT(d.lines(), ElementsAre("A close 1012", "room:1 ended disconnected"));
}

// ---- the built-in channel

TEST_F(ClusterRoutes, AnswerAJoinOfRealtimeWithThePresenceOfOtherNodes) {
    join("A", "realtime:x", R"({"config":{"presence":{"enabled":true}}})");
    EXPECT_THAT(d.lines(), ElementsAre("subscribe topic realtime:x"));
    PresenceEntry there{"other", "1", {}};
    server::append_presence_value(there.value, {"bob", R"("n":1)", "ref", {}});
    confirm({there});
    const std::string to_a = R"(A < ["1",)";
    EXPECT_THAT(d.lines(), ElementsAre(to_a + R"("1","realtime:x","phx_reply",{"status":"ok","response":)" +
                                           R"({"postgres_changes":[]}}])",
                                       to_a + R"(null,"realtime:x","presence_state",)" +
                                           R"({"bob":{"metas":[{"phx_ref":"ref","n":1}]}}])"));
}

TEST_F(ClusterRoutes, RefuseAJoinOfRealtimeThatWaitsTooLongForTheBroker) {
    join("A", "realtime:x");
    d.advance(std::chrono::seconds(5));
    EXPECT_THAT(d.lines(),
                ElementsAre("subscribe topic realtime:x",
                            R"(A < ["1","1","realtime:x","phx_reply",{"status":"error","response":)"
                            R"({"reason":"broker unavailable"}}])",
                            "unsubscribe topic realtime:x"));
}

TEST_F(ClusterRoutes, TellOtherNodesOfBroadcastsByHttpAlsoOfRoomsThatNobodyIsInHere) {
    d.machine.broadcast_realtime(d.now, {.topic = "realtime:x", .event = "e", .payload = one});
    d.drain();
    const std::string envelope = R"({"type":"broadcast","event":"e","payload":{"n":1}})";
    EXPECT_THAT(d.lines(), ElementsAre("publish topic realtime:x broadcast " + envelope));
    d.machine.add_channel("realtime:mine");
    d.machine.broadcast_realtime(d.now, {.topic = "realtime:mine", .event = "e", .payload = one});
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(R"(publish topic realtime:mine e {"n":1})"));
}

TEST_F(ClusterRoutes, GiveAKeptBroadcastTheSameIdAtAllNodes) {
    const std::string is_private = R"({"config":{"private":true,"broadcast":{"self":true}}})";
    join("A", "realtime:kept", is_private);
    confirm();
    d.lines();
    d.text("A", R"(["1","2","realtime:kept","broadcast",{"type":"broadcast","event":"e","payload":{}}])");
    const auto lines = d.lines();
    ASSERT_EQ(lines.size(), 2u);
    const std::size_t here = lines[0].find(R"("meta":{"id":")"), there = lines[1].find(R"("meta":{"id":")");
    ASSERT_NE(here, std::string::npos);
    ASSERT_NE(there, std::string::npos);
    EXPECT_EQ(lines[0].substr(here, 50), lines[1].substr(there, 50));
    EXPECT_EQ(lines[1].substr(0, 27), "keep private realtime:kept ");
}

TEST_F(ClusterRoutes, KeepTheMetadataOfABroadcastFromAnotherNode) {
    join("A", "realtime:x");
    confirm();
    d.lines();
    Publication publication;
    publication.opcode = protocol::Opcode::binary;
    publication.event = "broadcast";
    publication.user_event = "e";
    publication.metadata = R"({"id":"1"})";
    publication.payload = "\x01";
    told(publication, server::open_topic_ns, "realtime:x");
    EXPECT_THAT(d.lines(), ElementsAre("A < 040a010a00" + to_hex(R"(realtime:xe{"id":"1"})") + "01"));
}

} // namespace
} // namespace phx::test
