#include "protocol/server/publication.hpp"
#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

// One machine and the broker that a test plays.
namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Actions;
using phx::server::JoinAnswer;
using phx::server::PresenceEntry;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

server::ServerConfig with_peers() {
    server::ServerConfig config;
    config.peers = server::Peers::possible;
    return config;
}

PresenceEntry entry(const std::string& id, const std::string& key, const std::string& ref,
                    const std::string& previous = {}) {
    PresenceEntry made{"other", id, {}};
    server::append_presence_value(made.value, {key, R"("n":1)", ref, previous});
    return made;
}

struct Cluster : testing::Test {
    Cluster() : d(with_peers()) {
        d.machine.add_channel("room:*", {"asked"});
        d.machine.add_channel("doc:*");
        d.key_of = [](std::string_view topic) {
            return topic.starts_with("doc:") ? std::optional<std::string>("k") : std::nullopt;
        };
        d.on_join = [](auto, auto) {
            JoinAnswer answer = JoinAnswer::ok();
            answer.then.presence_state();
            return answer;
        };
        d.on_message = [](auto, std::string_view event, phx::server::PayloadView payload) {
            if (event == "track") return Actions().track("me");
            if (event == "untrack") return Actions().untrack("me");
            if (event == "publish") return Actions().publish(phx::server::Route::user("u"), "news", payload);
            if (event == "kick") return Actions().disconnect("s").disconnect_user("u");
            return Actions().broadcast(event, payload);
        };
        d.on_out = [](std::string_view event, phx::server::PayloadView payload) {
            return Actions().push(event, payload);
        };
        d.on_close = [](std::string_view) { return Actions(); };
        d.open("A");
    }
    void confirm(const std::vector<PresenceEntry>& present = {}) {
        d.machine.handle_subscribed(d.now, d.subscription, present);
        d.drain();
    }
    void join(const std::string& peer = "A", const std::string& topic = "room:1") {
        d.text(peer, R"(["1","1",")" + topic + R"(","phx_join",{}])");
    }
    void joined() {
        join();
        confirm();
        d.lines();
    }
    void say(const std::string& event) { d.text("A", R"(["1","2","room:1",")" + event + R"(",{"a":1}])"); }
    void told(const server::Publication& publication, std::string_view ns = "topic",
              std::string_view key = "room:1") {
        std::string bytes;
        append_publication(bytes, publication);
        d.machine.handle_publication(d.now, ns, key, bytes);
        d.drain();
    }
    const std::string ok = R"(A < ["1","1","room:1","phx_reply",{"status":"ok","response":{}}])";
    const std::string unavailable =
        R"(A < ["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"broker unavailable"}}])";
    ServerDriver d;
};

TEST_F(Cluster, AnswersTheFirstJoinOfATopicWhenTheBrokerHasConfirmed) {
    join();
    d.text("A", R"(["1","2","room:1","say",{}])"); // held
    EXPECT_THAT(d.lines(), ElementsAre("subscribe topic room:1"));
    confirm();
    EXPECT_THAT(d.lines(),
                ElementsAre(ok, R"(A < ["1",null,"room:1","presence_state",{}])",
                            R"(A < [null,null,"room:1","say",{}])", "publish topic room:1 say {}"));
    confirm(); // twice is harmless
    d.open("B");
    join("B");
    EXPECT_EQ(d.lines().front().substr(0, 1), "B"); // at once
    EXPECT_FALSE(d.machine.next_timeout() < d.now + 59s);
}

TEST_F(Cluster, RefusesAJoinThatWaitsTooLongForTheBroker) {
    join();
    d.advance(5s);
    EXPECT_THAT(d.lines(), ElementsAre("subscribe topic room:1", unavailable, "unsubscribe topic room:1"));
    confirm(); // late
    EXPECT_THAT(d.lines(), IsEmpty());
    join();
    confirm();
    EXPECT_THAT(d.lines(),
                ElementsAre("subscribe topic room:1", ok, R"(A < ["1",null,"room:1","presence_state",{}])"));
}

TEST_F(Cluster, RefusesEverybodyWhoWaitedWhenTheBrokerFails) {
    join();
    d.open("B");
    join("B");
    d.lines();
    d.machine.handle_subscribe_failed(d.now, d.subscription);
    d.drain();
    std::string other = unavailable;
    other[0] = 'B';
    EXPECT_THAT(d.lines(), ElementsAre(unavailable, other, "unsubscribe topic room:1"));
}

TEST_F(Cluster, UnsubscribesWithTheLastMember) {
    joined();
    d.open("B");
    join("B");
    d.close("A");
    EXPECT_EQ(d.lines().back(), "room:1 ended disconnected");
    d.close("B");
    EXPECT_THAT(d.lines(), ElementsAre("unsubscribe topic room:1", "room:1 ended disconnected"));
}

TEST_F(Cluster, ForgetsAMemberThatLeavesWhileItWaits) {
    join();
    d.close("A");
    EXPECT_THAT(d.lines(), ElementsAre("subscribe topic room:1", "unsubscribe topic room:1"));
    confirm();
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Cluster, WaitsForTheTopicAndForTheKey) {
    join("A", "doc:1");
    EXPECT_THAT(d.lines(), ElementsAre("subscribe topic doc:1", "subscribe channel:doc:* k"));
    confirm();
    EXPECT_THAT(d.lines(), IsEmpty());
    d.machine.handle_subscribed(d.now, server::SubscriptionId{static_cast<std::uint64_t>(d.subscription) - 1},
                                {});
    d.drain();
    EXPECT_EQ(d.lines().size(), 2u);
}

TEST_F(Cluster, MakesTheBuiltInChannelWaitToo) {
    d.text("A", R"(["1","1","realtime:a","phx_join",{"config":{"broadcast":{"self":true}}}])");
    EXPECT_THAT(d.lines(), ElementsAre("subscribe topic realtime:a"));
    confirm();
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","realtime:a","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])"));
    d.text("A", R"(["1","2","realtime:a","broadcast",{"event":"e"}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < [null,null,"realtime:a","broadcast",{"event":"e"}])",
                                       R"(publish topic realtime:a broadcast {"event":"e"})"));
}

TEST_F(Cluster, TellsOthersOfBroadcastsAndTheirsToItsMembersOnly) {
    joined();
    say("asked");
    EXPECT_THAT(d.lines(), ElementsAre(R"(publish topic room:1 asked {"a":1})",
                                       R"(A < ["1",null,"room:1","asked",{"a":1}])"));
    server::Publication publication;
    publication.event = "news";
    publication.payload = R"({"b":2})";
    told(publication);
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < [null,null,"room:1","news",{"b":2}])"));
    told(publication, "private");
    told(publication, "topic", "room:2");
    EXPECT_THAT(d.lines(), IsEmpty());
    d.machine.broadcast(d.now, "room:9", "far", {});
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("publish topic room:9 far {}")); // nobody is here
    d.machine.handle_publication(d.now, "topic", "room:1", "garbage");
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("? dropped malformed frame"));
}

TEST_F(Cluster, RelaysUserBroadcastsOfOthers) {
    d.text("A", R"(["1","1","realtime:a","phx_join",{}])");
    confirm();
    d.lines();
    server::Publication publication;
    publication.event = "broadcast";
    publication.user_event = "cursor";
    publication.payload = "{}";
    told(publication, "topic", "realtime:a");
    EXPECT_EQ(d.lines().size(), 1u);
}

TEST_F(Cluster, PublishesToChannelsOfTheKeyAtOtherNodes) {
    server::SessionConfig config;
    config.record.user_id = "u";
    d.open("B", std::move(config));
    for (const char* const peer : {"A", "B"}) {
        join(peer, "doc:1");
        const auto channel = d.subscription;
        if (peer[0] == 'B') break;
        confirm();
        d.machine.handle_subscribed(d.now, server::SubscriptionId{static_cast<std::uint64_t>(channel) - 1},
                                    {});
        d.drain();
    }
    d.lines();
    d.text("A", R"(["1","2","doc:1","publish",{"a":1}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(B < ["1",null,"doc:1","news",{"a":1}])",
                                       R"(publish channel:doc:* k newsu {"a":1})"));
    server::Publication publication;
    publication.kind = server::Publication::Kind::to_channels;
    publication.route = phx::server::Route::Kind::user;
    publication.target = "u";
    publication.event = "far";
    publication.payload = "{}";
    told(publication, "channel:doc:*", "k");
    EXPECT_THAT(d.lines(), ElementsAre(R"(B < ["1",null,"doc:1","far",{}])"));
    told(publication, "channel:doc:*", "x");
    told(publication, "channel:nothing", "k");
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Cluster, DisconnectsAtEveryNode) {
    joined();
    say("kick");
    EXPECT_THAT(d.lines(), ElementsAre("publish node all s ", "publish node all u "));
    server::SessionConfig config;
    config.record.user_id = "u";
    config.record.socket_id = "s";
    d.open("B", config);
    d.open("C", config);
    server::Publication publication;
    publication.kind = server::Publication::Kind::disconnect_user;
    publication.target = "u";
    told(publication, "node", "all");
    EXPECT_THAT(d.lines(), ElementsAre("B close 1001", "C close 1001"));
}

// ---- presence

TEST_F(Cluster, ShowsWhoIsPresentElsewhereToTheFirstMember) {
    join();
    confirm({entry("1", "bob", "r1"), entry("2", "bob", "r2")});
    EXPECT_EQ(
        d.lines().back(),
        R"(A < ["1",null,"room:1","presence_state",{"bob":{"metas":[{"phx_ref":"r1","n":1},{"phx_ref":"r2","n":1}]}}])");
}

TEST_F(Cluster, TellsTheOthersWhoComesAndGoes) {
    joined();
    const std::string id = std::to_string(static_cast<std::uint64_t>(d.asked.member)) + ".me";
    say("track");
    EXPECT_THAT(d.lines(), Contains("put room:1 " + id));
    say("track");
    EXPECT_THAT(d.lines(), Contains("put room:1 " + id));
    say("untrack");
    EXPECT_EQ(d.lines().front(), "drop room:1 " + id);
    say("track");
    d.lines();
    d.close("A");
    EXPECT_THAT(d.lines(),
                ElementsAre("unsubscribe topic room:1", "room:1 ended disconnected", "drop room:1 " + id));
}

TEST_F(Cluster, TellsItsMembersOfEveryChangeElsewhereOnce) {
    joined();
    const auto change = [&](const std::vector<PresenceEntry>& came, const std::vector<PresenceEntry>& left) {
        d.machine.handle_presence(d.now, "topic", "room:1", came, left);
        d.drain();
        return d.lines();
    };
    const std::string diff = R"(A < [null,null,"room:1","presence_diff",)";
    EXPECT_THAT(change({entry("1", "bob", "r1")}, {}),
                ElementsAre(diff + R"({"joins":{"bob":{"metas":[{"phx_ref":"r1","n":1}]}},"leaves":{}}])"));
    EXPECT_THAT(change({entry("1", "bob", "r1")}, {}), IsEmpty());
    EXPECT_THAT(
        change({entry("1", "bob", "r2", "r1")}, {}),
        ElementsAre(
            diff +
            R"({"joins":{"bob":{"metas":[{"phx_ref":"r2","phx_ref_prev":"r1","n":1}]}},"leaves":{"bob":{"metas":[{"phx_ref":"r1","n":1}]}}}])"));
    change({entry("2", "bob", "r3")}, {});
    EXPECT_THAT(
        change({}, {entry("1", "bob", "r2"), entry("2", "bob", "r3")}), // a node died: one diff
        ElementsAre(
            diff +
            R"({"joins":{},"leaves":{"bob":{"metas":[{"phx_ref":"r2","phx_ref_prev":"r1","n":1},{"phx_ref":"r3","n":1}]}}}])"));
    EXPECT_THAT(change({}, {entry("1", "bob", "r2")}), IsEmpty());
    EXPECT_THAT(change({PresenceEntry{"other", "3", "garbage"}}, {}), IsEmpty());
}

TEST_F(Cluster, ForgetsTheOthersWithItsLastMember) {
    join();
    confirm({entry("1", "bob", "r1")});
    d.text("A", R"(["1","2","room:1","phx_leave",{}])");
    join();
    d.lines();
    confirm();
    EXPECT_EQ(d.lines().back(), R"(A < ["1",null,"room:1","presence_state",{}])");
}

} // namespace
} // namespace phx::test
