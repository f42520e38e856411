#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::test {
namespace {

using phx::server::Policy;
using phx::server::Requirement;
using testing::ElementsAre;
using testing::IsEmpty;

/// A and B may do everything in realtime:room, R may only join, P may also see who is present.
struct Policies : testing::Test {
    Policies() {
        d.open("A", RealtimeDriver::session("a", {"member"}));
        d.open("R", RealtimeDriver::session("r", {"reader"}));
        d.open("P", RealtimeDriver::session("p", {"watcher"}));
        d.open("X", RealtimeDriver::session(""));
    }
    static server::ServerConfig config() {
        server::ServerConfig config;
        config.policies = {
            Policy{.topic = "realtime:room",
                   .join = Requirement{.roles = {"member", "reader", "watcher"}},
                   .write = Requirement{.roles = {"member"}},
                   .presence = Requirement{.roles = {"member", "watcher"}}},
            Policy{.topic = "realtime:user:{sub}", .join = Requirement{}, .write = Requirement{}},
            Policy{.topic = "room:{sub}", .join = Requirement{}},
            Policy{.topic = "room:open", .join = Requirement{}, .write = Requirement{}}};
        return config;
    }
    std::string no_read(const std::string& peer, const std::string& topic) {
        return d.refused(peer, topic,
                         "Unauthorized: You do not have permissions to read from this Channel topic: " +
                             topic);
    }
    RealtimeDriver d{config()};
    const std::string is_private = R"({"private":true,"broadcast":{"self":true,"ack":true}})";
    const std::string with_presence = R"({"private":true,"presence":{"enabled":true,"key":"k"}})";
};

TEST_F(Policies, OpenPrivateChannelsAndNothingElseDoes) {
    EXPECT_THAT(d.join("A", "room", is_private), ElementsAre(d.joined("A", "room")));
    EXPECT_THAT(d.join("X", "room", is_private), ElementsAre(no_read("X", "room")));
    EXPECT_THAT(d.join("A", "other", is_private), ElementsAre(no_read("A", "other")));
    EXPECT_THAT(d.join("A", "user:a", is_private), ElementsAre(d.joined("A", "user:a")));
    EXPECT_THAT(d.join("A", "user:r", is_private), ElementsAre(no_read("A", "user:r")));
    EXPECT_THAT(d.join("X", "user:", is_private), ElementsAre(no_read("X", "user:")));
    EXPECT_THAT(d.join("X", "room"), ElementsAre(d.joined("X", "room"))); // public
}

TEST_F(Policies, AWriteThatIsDeniedIsDroppedWithoutAWordEvenWithAck) {
    d.join("A", "room", is_private);
    d.join("R", "room", is_private);
    EXPECT_THAT(d.push("R", "room", "broadcast", R"({"event":"e"})"), IsEmpty());
    EXPECT_THAT(
        d.push("A", "room", "broadcast", R"({"event":"e"})"),
        ElementsAre(d.copy("A,R", "room", "broadcast", R"({"event":"e"})"), d.replied("A", "room", "ok")));
}

TEST_F(Policies, HoldByHttpAsForChannels) {
    d.machine.add_channel("realtime:user:*");
    d.join("X", "room"); // public
    d.join("A", "room", is_private);
    const phx::server::Identity reader{.user_id = "r", .roles = {"reader"}},
        member{.user_id = "a", .roles = {"member"}};
    const auto reached = [&](const phx::server::Identity& writer, std::string_view topic, bool to_private) {
        return d.machine.broadcast_realtime(
            d.now,
            {.topic = topic, .event = "e", .payload = {}, .is_private = to_private, .writer = &writer});
    };
    EXPECT_EQ(reached(reader, "realtime:room", false), 1u) << "a public room is open to everybody";
    EXPECT_EQ(reached(reader, "realtime:room", true), std::nullopt);
    EXPECT_EQ(reached(member, "realtime:room", true), 1u);
    EXPECT_EQ(reached(reader, "realtime:user:a", false), std::nullopt) << "users serve it";
    EXPECT_EQ(reached(reader, "realtime:user:r", false), 0u);
}

TEST_F(Policies, AloneOpenATopicOfUsersByHttp) {
    d.machine.add_channel("realtime:lobby");
    const phx::server::Identity member{.user_id = "a", .roles = {"member"}};
    const auto reached = [&](const phx::server::Identity* writer) {
        return d.machine.broadcast_realtime(
            d.now, {.topic = "realtime:lobby", .event = "e", .payload = {}, .writer = writer});
    };
    EXPECT_EQ(reached(&member), std::nullopt) << "its handlers, who would decide, are not asked";
    EXPECT_EQ(reached(nullptr), 0u);
}

TEST_F(Policies, OpenNoReservedTopicByHttp) {
    server::ServerConfig config;
    config.policies = {RealtimeDriver::open_policy()};
    RealtimeDriver open(config);
    open.open("A", RealtimeDriver::session("a"));
    open.join("A", "$inbox");
    open.join("A", "$status");
    const phx::server::Identity user{.user_id = "a"};
    for (const char* const topic : {"realtime:$inbox", "realtime:$status"}) {
        const auto reached = [&](const phx::server::Identity* writer, bool to_private) {
            return open.machine.broadcast_realtime(
                open.now,
                {.topic = topic, .event = "e", .payload = {}, .is_private = to_private, .writer = writer});
        };
        EXPECT_EQ(reached(&user, false), std::nullopt) << topic;
        EXPECT_EQ(reached(&user, true), std::nullopt) << topic;
        EXPECT_EQ(reached(nullptr, false), 1u) << topic << " is open to the service";
    }
}

TEST_F(Policies, PresenceIsHiddenFromWhoMayNotSeeIt) {
    d.join("A", "room", with_presence);
    EXPECT_THAT(d.join("R", "room", with_presence), ElementsAre(d.joined("R", "room")));
    EXPECT_THAT(d.join("P", "room", with_presence),
                ElementsAre(d.joined("P", "room"), R"(P < ["1",null,"realtime:room","presence_state",{}])"));
    EXPECT_THAT(d.push("A", "room", "presence", R"({"event":"track"})"),
                ElementsAre(d.replied("A", "room", "ok"),
                            d.copy("A,P", "room", "presence_diff",
                                   R"({"joins":{"k":{"metas":[{"phx_ref":R}]}},"leaves":{}})")));
    for (const char* const peer : {"R", "P"})
        EXPECT_THAT(d.push(peer, "room", "presence", R"({"event":"track"})"),
                    ElementsAre(d.replied(peer, "room", "error")));
    d.push("R", "room", "phx_leave", "{}");
    d.close("A");
    EXPECT_THAT(d.masked(), ElementsAre(d.copy("P", "room", "presence_diff",
                                               R"({"joins":{},"leaves":{"k":{"metas":[{"phx_ref":R}]}}})")));
}

TEST_F(Policies, InAPrivateRoomPresenceComesToWhoEnabledItOrTracks) {
    d.join("A", "room", with_presence);
    d.open("B", RealtimeDriver::session("b", {"member"}));
    d.join("B", "room", R"({"private":true,"presence":{"key":"b"}})");
    const std::string joins = R"({"joins":{"k":{"metas":[{"phx_ref":R}]}},"leaves":{}})";
    EXPECT_THAT(d.push("A", "room", "presence", R"({"event":"track"})"),
                ElementsAre(d.replied("A", "room", "ok"), d.copy("A", "room", "presence_diff", joins)));
    EXPECT_THAT(d.push("B", "room", "presence", R"({"event":"track"})"),
                ElementsAre(d.replied("B", "room", "ok"),
                            d.copy("A,B", "room", "presence_diff",
                                   R"({"joins":{"b":{"metas":[{"phx_ref":R}]}},"leaves":{}})")));
}

TEST_F(Policies, ADiffThatNobodyMaySeeIsNotSent) {
    d.join("R", "room", with_presence);
    d.join("A", "room", with_presence);
    d.push("A", "room", "presence", R"({"event":"track"})");
    d.close("A");
    EXPECT_THAT(d.masked(), IsEmpty());
}

TEST_F(Policies, PrivateOnlyRefusesPublicChannels) {
    server::ServerConfig config;
    config.private_only = true;
    config.policies = {RealtimeDriver::open_policy()};
    RealtimeDriver closed(config);
    closed.open("A", RealtimeDriver::session("a"));
    EXPECT_THAT(closed.join("A", "po"),
                ElementsAre(d.refused("A", "po", "PrivateOnly: This project only allows private channels")));
    EXPECT_THAT(closed.join("A", "po", is_private), ElementsAre(d.joined("A", "po")));
}

TEST_F(Policies, ThatAreNewHoldForChannelsThatAreOpen) {
    d.machine.add_channel("lobby");
    d.on_join = [](auto, auto) { return phx::server::JoinAnswer::ok(); };
    d.join("A", "room", is_private);
    d.join("R", "room", is_private);
    d.join("X", "room"); // public
    d.text("X", R"(["1","1","lobby","phx_join",{}])");
    d.lines();
    d.machine.set_policies(d.now, {Policy{.topic = "realtime:room", .join = Requirement{.roles = {"reader"}}},
                                   Policy{.topic = "lobby", .join = Requirement{.roles = {"reader"}}}});
    d.drain();
    const std::string no = "You do not have permissions to read from this Channel topic: ";
    const auto lines = d.lines();
    ASSERT_EQ(lines.size(), 5U) << testing::PrintToString(lines); // R may stay
    EXPECT_THAT(lines[0], testing::AllOf(testing::StartsWith("A <"), testing::HasSubstr(no + "room")));
    EXPECT_EQ(lines[1], R"(A < ["1","1","realtime:room","phx_close",{}])");
    EXPECT_THAT(lines[2], testing::AllOf(testing::StartsWith("X <"), testing::HasSubstr(no + "lobby")));
    EXPECT_EQ(lines[3], R"(X < ["1","1","lobby","phx_close",{}])");
    EXPECT_EQ(lines[4], "lobby ended stopped");
    EXPECT_THAT(d.join("A", "room", is_private), ElementsAre(no_read("A", "room")));
    d.machine.set_policies(d.now, config().policies);
    EXPECT_THAT(d.join("A", "room", is_private), ElementsAre(d.joined("A", "room")));
}

TEST_F(Policies, ThatAreNewHoldForJoinsThatWaitForTheirAnswer) {
    d.machine.add_channel("lobby");
    d.on_join = [](auto, auto) {
        phx::server::JoinAnswer answer;
        answer.delay = std::chrono::seconds(1);
        return answer;
    };
    d.text("X", R"(["1","1","lobby","phx_join",{}])");
    d.machine.set_policies(d.now, {Policy{.topic = "lobby", .join = Requirement{.roles = {"reader"}}}});
    d.advance(std::chrono::seconds(1));
    EXPECT_THAT(d.lines(),
                ElementsAre(testing::HasSubstr(R"("status":"error","response":{"reason":"unauthorized"})")));
}

TEST_F(Policies, RatesThatAreNewHoldForConnectionsThatAreOpen) {
    d.join("A", "room", is_private);
    d.machine.set_rates({.messages_per_topic = 1});
    const auto second = [&] {
        d.push("A", "room", "broadcast", R"({"event":"e"})");
        return d.push("A", "room", "broadcast", R"({"event":"e"})");
    };
    EXPECT_THAT(second(), testing::Contains(testing::HasSubstr("Too many messages per second")));
    d.join("A", "room", is_private);
    d.machine.set_rates({});
    EXPECT_THAT(second(), testing::Not(testing::Contains(testing::HasSubstr("Too many messages"))));
}

TEST_F(Policies, HoldForTopicsWithHandlersToo) {
    d.machine.add_channel("room:*");
    d.machine.add_channel("lobby");
    int joins = 0;
    d.on_join = [&](auto, auto) {
        ++joins;
        return phx::server::JoinAnswer::ok();
    };
    d.on_message = [](auto, auto, auto) { return phx::server::Actions().ok(); };
    const auto say = [&](const std::string& topic, const std::string& event) {
        d.text("A", R"(["1","1",")" + topic + R"(",")" + event + R"(",{}])");
        return d.lines();
    };
    const std::string reply = R"(A < ["1","1",")";
    const std::string ok = R"(","phx_reply",{"status":"ok","response":{}}])";
    const std::string no = R"(","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}])";
    EXPECT_THAT(say("room:a", "phx_join"), ElementsAre(reply + "room:a" + ok));
    EXPECT_THAT(say("room:a", "hello"), ElementsAre(reply + "room:a" + no));
    EXPECT_THAT(say("room:b", "phx_join"), ElementsAre(reply + "room:b" + no));
    EXPECT_THAT(say("room:open", "phx_join"), ElementsAre(reply + "room:open" + ok));
    EXPECT_THAT(say("room:open", "hello"), ElementsAre(reply + "room:open" + ok));
    EXPECT_THAT(say("lobby", "phx_join"), ElementsAre(reply + "lobby" + ok)); // no policy is about it
    EXPECT_THAT(say("lobby", "hello"), ElementsAre(reply + "lobby" + ok));
    EXPECT_EQ(joins, 3) << "a handler is not asked about who may not join";
}

} // namespace
} // namespace phx::test
