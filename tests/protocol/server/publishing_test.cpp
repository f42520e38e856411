#include "protocol/server/publication.hpp"
#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Actions;
using phx::server::JoinAnswer;
using phx::server::Payload;
using phx::server::Route;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string ok = R"({"status":"ok","response":{}})";

/// The payload of a push is what its handler publishes to: "all", "user u1", ...; the key is in the topic.
struct Publishing : testing::Test {
    explicit Publishing(server::ChannelTraits traits = {}) {
        d.machine.add_channel("doc:*", {}, traits);
        d.machine.add_channel("other:*");
        d.key_of = [](std::string_view topic) {
            const auto at = topic.find('@');
            return at == std::string_view::npos ? std::nullopt
                                                : std::optional(std::string(topic.substr(at + 1)));
        };
        d.on_message = [this](auto, std::string_view, auto) {
            return Actions().publish(route, "news", R"({"n":1})");
        };
    }
    void join(const std::string& peer, const std::string& topic, std::string user = {},
              std::string role = {}) {
        server::SessionConfig config;
        config.record.user_id = std::move(user);
        if (!role.empty()) config.record.roles = {std::move(role)};
        d.open(peer, std::move(config));
        d.text(peer, R"(["1","1",")" + topic + R"(","phx_join",{}])");
        topics[peer] = topic;
        d.lines();
    }
    /// The peers who get what `from` publishes.
    std::set<std::string> publish(const std::string& from, Route to) {
        route = std::move(to);
        d.text(from, R"(["1","2",")" + topics[from] + R"(","say",{}])");
        std::set<std::string> got;
        for (const std::string& line : d.lines()) {
            EXPECT_TRUE(got.insert(line.substr(0, 1)).second) << line; // once
            EXPECT_EQ(line.substr(1),
                      R"( < ["1",null,")" + topics[line.substr(0, 1)] + R"(","news",{"n":1}])");
        }
        return got;
    }
    std::string id(const std::string& peer) { return d.machine.connection(d.id(peer))->id; }
    ServerDriver d;
    Route route;
    std::map<std::string, std::string> topics;
};

using Names = std::set<std::string>;

TEST_F(Publishing, GoesToWhomTheRouteNamesUnderTheSameKeyButNotToItsSource) {
    join("A", "doc:1@k", "u1", "r1");
    join("B", "doc:2@k", "u1", "r2");
    join("C", "doc:3@k", "u2", "r2");
    join("D", "doc:2@x", "u1", "r2");   // another key
    join("E", "doc:2", "u1", "r2");     // none
    join("F", "other:2@k", "u1", "r2"); // another pattern
    EXPECT_EQ(publish("A", Route::all()), (Names{"B", "C"}));
    EXPECT_EQ(publish("A", Route::user("u1")), (Names{"B"}));
    EXPECT_EQ(publish("A", Route::role("r2")), (Names{"B", "C"}));
    EXPECT_EQ(publish("A", Route::connection(id("C"))), (Names{"C"}));
    EXPECT_EQ(publish("A", Route::connection(id("A"))), Names{});
    EXPECT_EQ(publish("A", Route::topic("doc:2@k")), (Names{"B"}));
    EXPECT_EQ(publish("A", Route::topic("doc:2@x")), Names{});
    d.close("B");
    d.lines();
    EXPECT_EQ(publish("A", Route::all()), (Names{"C"}));
}

TEST_F(Publishing, StaysAmongChannelsWithoutAKeyWhenItsSourceHasNone) {
    join("A", "doc:1", "u1", "r1");
    join("B", "doc:2", "u1", "r2");
    join("C", "doc:3@k", "u1", "r2");
    join("D", "other:1", "u1", "r2");
    EXPECT_EQ(publish("A", Route::all()), (Names{"B"}));
    EXPECT_EQ(publish("A", Route::user("u1")), (Names{"B"}));
    EXPECT_EQ(publish("A", Route::role("r1")), Names{});
    EXPECT_EQ(publish("A", Route::connection(id("B"))), (Names{"B"}));
    EXPECT_EQ(publish("A", Route::topic("doc:2")), (Names{"B"}));
    EXPECT_EQ(publish("A", Route::topic("doc:3@k")), Names{});
}

TEST_F(Publishing, ToTheUserWithoutANameReachesNobody) {
    for (const std::string key : {"", "@k"}) {
        join("A", "doc:1" + key);
        join("B", "doc:2" + key);
        EXPECT_EQ(publish("A", Route::user("")), Names{});
        EXPECT_EQ(publish("A", Route::all()), (Names{"B"}));
        for (const char* const peer : {"A", "B"}) d.close(peer);
        d.lines();
    }
}

struct PublishingToHandlers : Publishing {
    PublishingToHandlers() : Publishing({.published = server::ChannelTraits::Published::asked}) {}
};

TEST_F(PublishingToHandlers, AsksTheReceiverWhatItsClientGets) {
    join("A", "doc:1@k");
    join("B", "doc:2@k");
    d.on_broker = [](std::string_view event, phx::server::PayloadView payload) {
        return Actions().push("heard_" + std::string(event), payload).effect("heard");
    };
    d.text("A", R"(["1","2","doc:1@k","say",{}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(B < ["1",null,"doc:2@k","heard_news",{"n":1}])", "effect heard {}"));
}

TEST_F(Publishing, OfOnCloseReachesTheOthers) {
    join("A", "doc:1@k");
    join("B", "doc:1@k");
    d.on_close = [](std::string_view) {
        return Actions().publish(Route::all(), "gone").broadcast("gone_too").ok().push("never").stop();
    };
    d.close("A");
    EXPECT_THAT(d.lines(), ElementsAre("doc:1@k ended disconnected", R"(B < ["1",null,"doc:1@k","gone",{}])",
                                       R"(B < [null,null,"doc:1@k","gone_too",{}])"));
}

// ---- effects and replies

struct Acting : testing::Test {
    Acting() {
        d.machine.add_channel("room:*");
        d.on_join = [](auto, auto) {
            JoinAnswer answer = JoinAnswer::ok();
            answer.then.effect("join", "1").push("hello").effect("join", "2");
            return answer;
        };
        d.open("A");
    }
    void join() { d.text("A", R"(["1","1","room:1","phx_join",{}])"); }
    void say() { d.text("A", R"(["1","2","room:1","say",{}])"); }
    ServerDriver d;
};

TEST_F(Acting, WhatStandsBehindTheEndOfTheChannelHappensAsFarAsItCan) {
    d.open("B");
    join();
    d.text("B", R"(["1","1","room:1","phx_join",{}])");
    d.lines();
    d.on_message = [](auto, auto, auto) {
        return Actions().ok().stop().effect("mail").broadcast("gone").push("never").effect("log");
    };
    say();
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","2","room:1","phx_reply",{"status":"ok","response":{}}])",
                            R"(A < ["1","1","room:1","phx_close",{}])", "room:1 ended stopped",
                            "effect mail {}", R"(B < [null,null,"room:1","gone",{}])", "effect log {}"));
}

TEST_F(Acting, RunsEffectsInOrderOnEveryPath) {
    join();
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","1","room:1","phx_reply",{"status":"ok","response":{}}])",
                            "effect join 1", R"(A < ["1",null,"room:1","hello",{}])", "effect join 2"));
    d.on_message = [](auto, auto, auto) { return Actions().effect("in").ok().after(1s, "x"); };
    d.on_info = [](auto) { return Actions().effect("info"); };
    d.on_close = [](auto) { return Actions().effect("close"); };
    say();
    d.advance(1s);
    d.close("A");
    EXPECT_THAT(d.lines(), ElementsAre("effect in {}",
                                       R"(A < ["1","2","room:1","phx_reply",{"status":"ok","response":{}}])",
                                       "effect info {}", "room:1 ended disconnected", "effect close {}"));
}

TEST_F(Acting, AnswersWithATimeoutWhatWasToBeAnsweredLater) {
    join();
    d.lines();
    d.on_message = [](auto, auto, auto) { return Actions().reply_later(3s); };
    say();
    d.advance(2999ms);
    EXPECT_THAT(d.lines(), IsEmpty());
    d.advance(1ms);
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"timeout"}}])"));
    d.machine.apply(d.now, d.asked.member, {}, Actions().reply_to(d.asked.reply_to, "ok"));
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty()); // once
}

TEST_F(Acting, TimesEachLateReplyByItself) {
    join();
    d.lines();
    std::chrono::seconds timeout = 5s;
    d.on_message = [&](auto, auto, auto) { return Actions().reply_later(timeout); };
    say();
    const auto first = d.asked;
    timeout = 2s;
    say();
    d.machine.apply(d.now, first.member, {}, Actions().reply_to(first.reply_to, "ok"));
    d.drain();
    EXPECT_EQ(d.lines().size(), 1u);
    d.advance(2s);
    EXPECT_EQ(d.lines().size(), 1u);
    d.advance(60s);
    EXPECT_THAT(d.lines(), ElementsAre("A idle since 0 s close 1002"));
}

TEST_F(Acting, KeepsOneDeadlineForLateRepliesHoweverTheyCome) {
    join();
    d.lines();
    std::chrono::microseconds timeout = 1h;
    d.on_message = [&](auto, auto, auto) { return Actions().reply_later(timeout); };
    for (int i = 0; i < 1000; ++i) { // each sooner than the one before, but for those that have passed
        timeout = std::chrono::milliseconds(10 + i % 7 * 1000);
        say();
        d.advance(20ms);
    }
    std::size_t answers = d.lines().size();
    d.advance(10s);
    answers += d.lines().size();
    EXPECT_EQ(answers, 1000u);
}

TEST_F(Acting, NeverAnswersWhatGetsNoReply) {
    join();
    d.lines();
    d.on_message = [](auto, auto, auto) { return Actions().no_reply().ok(); };
    say();
    EXPECT_THAT(d.lines(), IsEmpty());
}

TEST_F(Acting, ClosesEveryConnectionOfAUser) {
    for (const char* const peer : {"B", "C", "D"}) {
        server::SessionConfig config;
        config.record.user_id = peer[0] == 'D' ? "v" : "u";
        d.open(peer, std::move(config));
    }
    join();
    d.lines();
    d.on_message = [](auto, auto, auto) { return Actions().disconnect_user("u"); };
    say();
    EXPECT_THAT(d.lines(), ElementsAre("B close 1001", "C close 1001"));
}

TEST_F(Acting, CrashesAChannelWithoutAKeyThatStoresAnEntity) {
    join();
    d.lines();
    d.on_message = [](auto, auto, auto) { return Actions().update_entity("x"); };
    say();
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","1","room:1","phx_error",{"reason":"channel_crash"}])",
                                       "room:1 ended crashed"));
}

// ---- the first message

struct FirstMessage : testing::Test {
    FirstMessage() {
        d.machine.add_channel("room:*", {}, {.first_message = server::ChannelTraits::First::judged});
        d.open("A");
        d.text("A", R"(["1","1","room:1","phx_join",{}])");
        d.lines();
        d.on_first = [](std::string_view event, phx::server::PayloadView payload) {
            if (event != "auth" || payload.data != R"({"code":7})")
                return JoinAnswer::refuse(R"({"reason":"no"})");
            JoinAnswer answer = JoinAnswer::ok(R"({"welcome":1})");
            answer.then.push("hello");
            return answer;
        };
        d.on_message = [](auto, auto, auto) { return Actions().ok(); };
    }
    ServerDriver d;
};

TEST_F(FirstMessage, MakesAMemberOfWhoIsAccepted) {
    d.machine.broadcast(d.now, "room:1", "secret", {});
    d.drain();
    EXPECT_THAT(d.lines(), IsEmpty());
    EXPECT_EQ(d.machine.members(), 0u);
    d.text("A", R"(["1","2","room:1","auth",{"code":7}])");
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(A < ["1","2","room:1","phx_reply",{"status":"ok","response":{"welcome":1}}])",
                            R"(A < ["1",null,"room:1","hello",{}])"));
    d.text("A", R"(["1","3","room:1","auth",{"code":8}])");
    d.machine.broadcast(d.now, "room:1", "secret", {});
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","3","room:1","phx_reply",{"status":"ok","response":{}}])",
                                       R"(A < [null,null,"room:1","secret",{}])"));
}

TEST_F(FirstMessage, ClosesTheChannelOfWhoIsRefused) {
    d.text("A", R"(["1","2","room:1","auth",{"code":8}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(R"(A < ["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"no"}}])",
                    R"(A < ["1","1","room:1","phx_close",{}])", "room:1 ended stopped"));
}

TEST_F(FirstMessage, TakesNothingElseWhileItIsJudged) {
    const auto judge = std::exchange(d.on_first, nullptr);
    d.text("A", R"(["1","2","room:1","auth",{"code":7}])");
    const auto asked = d.asked;
    d.text("A", R"(["1","3","room:1","say",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","3","room:1","phx_reply",{"status":"error","response":{"reason":"not judged yet"}}])"));
    d.machine.answer_first(d.now, asked.member, asked.reply_to, judge("auth", Payload(R"({"code":7})")));
    d.drain();
    EXPECT_EQ(d.lines().size(), 2u);
}

TEST_F(FirstMessage, MayNeverComeAndTheChannelEndsOnce) {
    d.text("A", R"(["1","2","room:1","phx_leave",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","2","room:1","phx_reply",{"status":"ok","response":{}}])",
                                       R"(A < ["1","1","room:1","phx_close",{}])", "room:1 ended left"));
}

// ---- what travels between nodes

TEST(PublicationBytes, AreReadBackAsTheyWereWritten) {
    server::Publication told;
    told.kind = server::Publication::Kind::to_channels;
    told.opcode = protocol::Opcode::binary;
    told.route = Route::Kind::user;
    told.event = "e";
    told.payload = std::string_view("\0\1", 2);
    told.target = "u";
    told.user_event = "cursor";
    std::string bytes;
    append_publication(bytes, told);
    const auto read = server::read_publication(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kind, told.kind);
    EXPECT_EQ(read->opcode, told.opcode);
    EXPECT_EQ(read->route, told.route);
    EXPECT_EQ(read->event, "e");
    EXPECT_EQ(read->payload, told.payload);
    EXPECT_EQ(read->target, "u");
    EXPECT_EQ(read->user_event, "cursor");
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(server::read_publication(bytes.substr(0, size))) << size;
    EXPECT_FALSE(server::read_publication(bytes + "x"));
    for (std::size_t i = 0; i < 5; ++i) {
        std::string wrong = bytes;
        wrong[i] = '\x7f';
        EXPECT_FALSE(server::read_publication(wrong)) << i;
    }
}

} // namespace
} // namespace phx::test
