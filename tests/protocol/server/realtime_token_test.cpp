#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Policy;
using phx::server::Requirement;
using phx::server::Route;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

/// The token "member" has that role, "guest" has none, "soon" is good for 4 s, and all others are bad.
struct Tokens : testing::Test {
    Tokens() {
        d.on_token = [this](std::string_view token) {
            asked.emplace_back(token);
            server::TokenVerdict verdict{nullptr, {}, "MalformedJWT: bad token", "bad token"};
            if (token != "member" && token != "guest" && token != "soon") return verdict;
            phx::server::Identity identity;
            identity.user_id = token;
            if (token == "member") identity.roles = {"member"};
            verdict.identity = std::make_shared<const phx::server::Identity>(identity);
            if (token == "soon") verdict.expires_at = d.now + 4s;
            return verdict;
        };
        d.open("A", RealtimeDriver::session("anon"));
    }
    static server::ServerConfig config() {
        server::ServerConfig config;
        config.verifies_tokens = true;
        config.policies = {Policy{.topic = "realtime:room",
                                  .join = Requirement{.roles = {"member"}},
                                  .write = Requirement{.roles = {"member"}}}};
        return config;
    }
    std::vector<std::string> renew(const std::string& topic, const std::string& value) {
        return d.push("A", topic, "access_token", R"({"access_token":)" + value + "}");
    }
    RealtimeDriver d{config()};
    std::vector<std::string> asked;
    const std::string unauthorized =
        "Unauthorized: You do not have permissions to read from this Channel topic: room";
};

TEST_F(Tokens, OfAJoinAreAskedAbout) {
    EXPECT_THAT(d.join("A", "x", "{}", R"(,"access_token":"member")"), ElementsAre(d.joined("A", "x")));
    EXPECT_THAT(asked, ElementsAre("member"));
}

TEST_F(Tokens, PreferUserTokenAndFallBackToTheConnection) {
    EXPECT_THAT(d.join("A", "a", "{}", R"(,"access_token":"bad","user_token":"guest")"),
                ElementsAre(d.joined("A", "a")));
    EXPECT_THAT(d.join("A", "b", "{}", R"(,"access_token":"bad","user_token":null)"),
                ElementsAre(d.refused("A", "b", "MalformedJWT: bad token")));
    for (const char* const none : {"null", "5", "\"sb_secret_abc\""})
        EXPECT_THAT(d.join("A", "b", "{}", std::string(",\"access_token\":") + none),
                    Contains(d.joined("A", "b")))
            << none;
    EXPECT_THAT(asked, ElementsAre("guest", "bad"));
}

TEST_F(Tokens, AreIgnoredWhereNobodyVerifiesThem) {
    RealtimeDriver open;
    open.open("A", RealtimeDriver::session("anon"));
    open.on_token = [](std::string_view) {
        ADD_FAILURE();
        return server::TokenVerdict{};
    };
    EXPECT_THAT(open.join("A", "a", "{}", R"(,"access_token":"bad")"), ElementsAre(d.joined("A", "a")));
    EXPECT_THAT(open.push("A", "a", "access_token", R"({"access_token":"worse"})"), IsEmpty());
}

TEST_F(Tokens, DecideAboutPrivateChannels) {
    const std::string is_private = R"({"private":true})";
    EXPECT_THAT(d.join("A", "room", is_private), ElementsAre(d.refused("A", "room", unauthorized)));
    EXPECT_THAT(d.join("A", "room", is_private, R"(,"access_token":"guest")"),
                ElementsAre(d.refused("A", "room", unauthorized)));
    EXPECT_THAT(d.join("A", "room", is_private, R"(,"access_token":"member")"),
                ElementsAre(d.joined("A", "room")));
}

TEST_F(Tokens, HoldFramesOfTheTopicUntilTheAnswer) {
    d.on_token = nullptr;
    d.text("A",
           R"(["1","1","realtime:x","phx_join",{"config":{"broadcast":{"self":true}},"access_token":"t"}])");
    EXPECT_THAT(d.push("A", "x", "broadcast", R"({"n":1})"), IsEmpty());
    EXPECT_THAT(d.push("A", "y", "broadcast", "{}"), testing::SizeIs(1)); // other topics go on
    // Ids of members are those of their slots.
    d.machine.answer_token(d.now, server::MemberId{std::uint64_t{1} << 32},
                           {std::make_shared<const phx::server::Identity>(), {}, {}, {}});
    d.drain();
    EXPECT_THAT(d.masked(), ElementsAre(d.joined("A", "x"), d.copy("A", "x", "broadcast", R"({"n":1})")));
}

TEST_F(Tokens, AGoodRenewalIsNotAnswered) {
    d.join("A", "x");
    EXPECT_THAT(renew("x", "\"member\""), IsEmpty());
    for (const char* const ignored : {"null", "5", "\"sb_publishable_x\"", "\"member\""})
        EXPECT_THAT(renew("x", ignored), IsEmpty()) << ignored;
    EXPECT_THAT(d.push("A", "x", "access_token", "{}"), IsEmpty());
    EXPECT_THAT(asked, ElementsAre("member"));
}

TEST_F(Tokens, ABadRenewalEndsTheChannel) {
    d.join("A", "x");
    EXPECT_THAT(renew("x", "\"garbage\""), ElementsAre(d.system("A", "x", "bad token"), d.closed("A", "x")));
    EXPECT_EQ(d.machine.members(), 0u);
}

TEST_F(Tokens, ARenewalThatMayNotReadEndsTheChannelAndOneThatMayOnlyWriteLessIsObeyed) {
    d.join("A", "room", R"({"private":true})", R"(,"access_token":"member")");
    EXPECT_THAT(renew("room", "\"guest\""),
                ElementsAre(d.system("A", "room",
                                     "You do not have permissions to read from this Channel topic: room"),
                            d.closed("A", "room")));
}

TEST_F(Tokens, ExpireWhileTheSocketStays) {
    d.join("A", "x", "{}", R"(,"access_token":"soon")");
    d.join("A", "y");
    d.advance(4s - 1us);
    EXPECT_THAT(d.masked(), IsEmpty());
    d.advance(1us);
    EXPECT_THAT(d.masked(),
                ElementsAre(d.system("A", "x", "Token has expired 0 seconds ago"), d.closed("A", "x")));
    EXPECT_EQ(d.machine.members(), 1u);
}

TEST_F(Tokens, DoNotExpireOnceRenewed) {
    d.join("A", "x", "{}", R"(,"access_token":"soon")");
    renew("x", "\"member\"");
    d.advance(10s);
    EXPECT_THAT(d.masked(), IsEmpty());
    renew("x", "\"soon\"");
    d.advance(4s);
    EXPECT_THAT(d.masked(),
                ElementsAre(d.system("A", "x", "Token has expired 0 seconds ago"), d.closed("A", "x")));
}

/// As realtime-js does it: the connection has the project's key, its channels have the user's token.
struct InboxTokens : Tokens {
    void join(std::string_view payload) {
        d.text("A", R"(["1","1","realtime:$inbox","phx_join",)" + std::string(payload) + "]");
        lines = d.lines();
    }
    void renew(std::string_view token) {
        d.text("A", R"(["1","2","realtime:$inbox","access_token",{"access_token":")" + std::string(token) +
                        "\"}]");
        lines = d.lines();
    }
    std::size_t reached(const Route& route) {
        const std::size_t count = d.machine.send(d.now, route, "news", phx::server::Payload("{}"));
        d.drain();
        EXPECT_EQ(d.lines().size(), count);
        return count;
    }
    std::vector<std::string> lines;
};

TEST_F(InboxTokens, SayWhomItIsOf) {
    join(R"({"access_token":"member"})");
    EXPECT_EQ(reached(Route::user("member")), 1U);
    EXPECT_EQ(reached(Route::role("member")), 1U);
    EXPECT_EQ(reached(Route::user("anon")), 1U); // the connection's own name stays
    renew("guest");
    EXPECT_THAT(lines, IsEmpty());
    EXPECT_EQ(reached(Route::user("guest")), 1U);
    EXPECT_EQ(reached(Route::user("member")), 0U);
    EXPECT_EQ(reached(Route::role("member")), 0U);
    d.text("A", R"(["1","3","realtime:$inbox","phx_leave",{}])");
    join("{}");
    EXPECT_EQ(reached(Route::user("guest")), 0U);
    EXPECT_EQ(reached(Route::user("anon")), 1U);
    d.close("A");
    EXPECT_EQ(d.machine.send(d.now, Route::user("anon"), "news", phx::server::Payload("{}")), 0U);
}

TEST_F(InboxTokens, HideNobodyFromADisconnect) {
    join(R"({"access_token":"member"})");
    EXPECT_EQ(d.machine.connections(Route::user("anon")).size(), 1U);
    EXPECT_EQ(d.machine.connections(Route::user("member")).size(), 1U);
    EXPECT_EQ(d.machine.disconnect(d.now, Route::user("anon"), 1001), 1U);
    d.drain();
    EXPECT_EQ(d.machine.connections(Route::user("member")).size(), 0U);
}

TEST_F(InboxTokens, ThatNameTheConnectionsOwnUserFindItOnce) {
    d.open("B", RealtimeDriver::session("member", {"member"}));
    d.text("B", R"(["1","1","realtime:$inbox","phx_join",{"access_token":"member"}])");
    d.lines();
    EXPECT_EQ(reached(Route::user("member")), 1U);
    EXPECT_EQ(reached(Route::role("member")), 1U);
}

TEST_F(InboxTokens, EndItWithTheirTime) {
    join(R"({"access_token":"soon"})");
    EXPECT_EQ(reached(Route::user("soon")), 1U);
    d.advance(4s);
    EXPECT_THAT(d.lines(), Contains(testing::HasSubstr("Token has expired")));
    EXPECT_EQ(reached(Route::user("soon")), 0U);
    EXPECT_EQ(reached(Route::all()), 0U);
}

TEST_F(InboxTokens, ThatAreBadRefuseOrEndIt) {
    join(R"({"access_token":"bad"})");
    EXPECT_THAT(lines, ElementsAre(testing::HasSubstr("MalformedJWT")));
    EXPECT_EQ(reached(Route::all()), 0U);
    join(R"({"access_token":"sb_publishable_key"})"); // a key, as realtime-js sends it without a user
    EXPECT_EQ(reached(Route::user("anon")), 1U);
    renew("bad");
    EXPECT_THAT(lines, Contains(testing::HasSubstr("phx_close")));
    EXPECT_EQ(reached(Route::all()), 0U);
}

TEST_F(Tokens, OfTheConnectionEndEverythingThatLivesByThem) {
    d.machine.add_channel("room:*");
    server::SessionConfig config = RealtimeDriver::session("b");
    config.token_expires_at = d.now + 5s;
    d.open("B", config);
    d.join("B", "x");
    d.join("B", "own", "{}", R"(,"access_token":"member")");
    d.text("B", R"(["1","1","room:1","phx_join",{}])");
    d.lines();
    d.advance(5s);
    EXPECT_THAT(
        d.masked(),
        ElementsAre(
            d.system("B", "x", "Token has expired 0 seconds ago"), d.closed("B", "x"),
            R"(B < ["1",null,"room:1","system",{"message":"Token has expired 0 seconds ago","status":"error","extension":"system","channel":"room:1"}])",
            R"(B < ["1","1","room:1","phx_close",{}])", "room:1 ended stopped"));
    d.advance(3s);
    EXPECT_THAT(d.join("B", "x"),
                ElementsAre(d.refused("B", "x", "InvalidJWTToken: Token has expired 3 seconds ago")));
    EXPECT_THAT(d.join("B", "x", "{}", R"(,"access_token":"guest")"), ElementsAre(d.joined("B", "x")));
    d.text("B", R"(["1","1","room:1","phx_join",{}])");
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(B < ["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}])"));
}

TEST_F(Tokens, ThatExpireWhileTheyAreJudgedRefuseTheJoin) {
    d.on_token = [this](std::string_view) {
        server::TokenVerdict verdict;
        verdict.identity = std::make_shared<const phx::server::Identity>();
        verdict.expires_at = d.now; // and the connection's never does
        return verdict;
    };
    EXPECT_THAT(d.join("A", "x", "{}", R"(,"access_token":"late")"),
                ElementsAre(d.refused("A", "x", "InvalidJWTToken: Token has expired 0 seconds ago")));
}

TEST_F(Tokens, ThatExpireDuringADelayedJoinRefuseIt) {
    d.machine.add_channel("room:*");
    d.on_join = [](auto, auto) {
        phx::server::JoinAnswer answer;
        answer.delay = 10s;
        return answer;
    };
    server::SessionConfig config = RealtimeDriver::session("b");
    config.token_expires_at = d.now + 5s;
    d.open("B", config);
    d.text("B", R"(["1","1","room:1","phx_join",{}])");
    d.advance(10s);
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(B < ["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}])"));
}

} // namespace
} // namespace phx::test
