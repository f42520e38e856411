#include "protocol/server/presence_tracker.hpp"
#include "tests/support/server_app.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

/// phx_refs become R1, R2, ... in the order they are first seen.
struct Presence : testing::Test {
    std::vector<std::string> lines() {
        std::vector<std::string> masked = d.lines();
        static const std::regex ref("\"(phx_ref|phx_ref_prev)\":\"([A-Za-z0-9_-]{16})\"");
        for (std::string& line : masked) {
            std::string out;
            auto rest = line.cbegin();
            for (std::sregex_iterator it(line.begin(), line.end(), ref), end; it != end; ++it) {
                const auto at = refs.emplace((*it)[2], "R" + std::to_string(refs.size() + 1)).first;
                out.append(rest, (*it)[0].first).append("\"" + std::string((*it)[1]) + "\":" + at->second);
                rest = (*it)[0].second;
            }
            line = out.append(rest, line.cend());
        }
        return masked;
    }
    std::vector<std::string> a(const std::string& frame) {
        d.text("A", frame);
        return lines();
    }
    void join(const std::string& peer, const std::string& topic = "room:lobby") {
        d.open(peer);
        d.text(peer, R"(["1","1",")" + topic + R"(","phx_join",{}])");
    }
    ServerApp app;
    ServerDriver& d = app.driver;
    std::map<std::string, std::string> refs;
};

TEST_F(Presence, SendsTheStateBeforeOnesOwnDiff) {
    join("A", "room:here");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            R"(A < ["1","1","room:here","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["1",null,"room:here","presence_state",{}])",
            R"(A < [null,null,"room:here","presence_diff",{"joins":{"me":{"metas":[{"phx_ref":R1,"on":1}]}},"leaves":{}}])"));
    join("B", "room:here");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            R"(B < ["1","1","room:here","phx_reply",{"status":"ok","response":{}}])",
            R"(B < ["1",null,"room:here","presence_state",{"me":{"metas":[{"phx_ref":R1,"on":1}]}}])",
            R"(A,B < [null,null,"room:here","presence_diff",{"joins":{"me":{"metas":[{"phx_ref":R2,"on":1}]}},"leaves":{}}])"));
}

TEST_F(Presence, UpdatesInOneDiffAndKeepsTheOldestMetaFirst) {
    join("A", "room:here");
    join("B", "room:here");
    lines();
    EXPECT_THAT(
        a(R"(["1","2","room:here","track",{"on":2}])"),
        ElementsAre(
            R"(A,B < [null,null,"room:here","presence_diff",{"joins":{"me":{"metas":[{"phx_ref":R3,"phx_ref_prev":R1,"on":2}]}},)"
            R"("leaves":{"me":{"metas":[{"phx_ref":R1,"on":1}]}}}])",
            R"(A < ["1","2","room:here","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(
        a(R"(["1","3","room:here","list",{}])"),
        ElementsAre(
            R"(A < ["1",null,"room:here","presence_state",{"me":{"metas":[{"phx_ref":R3,"phx_ref_prev":R1,"on":2},{"phx_ref":R2,"on":1}]}}])"));
}

TEST_F(Presence, UpdatesWithTheSameMetaTooForPhoenixChannels) {
    join("A");
    a(R"(["1","2","room:lobby","track",{"on":1}])");
    EXPECT_THAT(
        a(R"(["1","3","room:lobby","track",{"on":1}])"),
        ElementsAre(
            R"(A < [null,null,"room:lobby","presence_diff",{"joins":{"me":{"metas":[{"phx_ref":R2,"phx_ref_prev":R1,"on":1}]}},)"
            R"("leaves":{"me":{"metas":[{"phx_ref":R1,"on":1}]}}}])",
            R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Presence, UntracksOnce) {
    join("A");
    a(R"(["1","2","room:lobby","track",{}])");
    EXPECT_THAT(
        a(R"(["1","3","room:lobby","untrack",{}])"),
        ElementsAre(
            R"(A < [null,null,"room:lobby","presence_diff",{"joins":{},"leaves":{"me":{"metas":[{"phx_ref":R1}]}}}])",
            R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
    EXPECT_THAT(a(R"(["1","4","room:lobby","untrack",{}])"),
                ElementsAre(R"(A < ["1","4","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Presence, LeavesWithAllKeysInOneDiffAfterPhxClose) {
    join("A");
    join("B");
    a(R"(["1","2","room:lobby","track2",{}])");
    EXPECT_THAT(
        a(R"(["1","3","room:lobby","phx_leave",{}])"),
        ElementsAre(
            R"(A < ["1","3","room:lobby","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["1","1","room:lobby","phx_close",{}])", "room:lobby ended left",
            R"(B < [null,null,"room:lobby","presence_diff",{"joins":{},"leaves":{"me":{"metas":[{"phx_ref":R1}]},"other":{"metas":[{"phx_ref":R2}]}}}])"));
}

TEST_F(Presence, LeavesWhenTheConnectionIsLostOrTheChannelCrashes) {
    join("A", "room:here");
    join("B", "room:here");
    join("C", "room:here");
    lines();
    d.close("B");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            "room:here ended disconnected",
            R"(A,C < [null,null,"room:here","presence_diff",{"joins":{},"leaves":{"me":{"metas":[{"phx_ref":R2,"on":1}]}}}])"));
    d.text("C", R"(["1","2","room:here","crash",{}])");
    EXPECT_THAT(
        lines(),
        ElementsAre(
            R"(C < ["1","1","room:here","phx_error",{"reason":"channel_crash"}])", "room:here ended crashed",
            R"(A < [null,null,"room:here","presence_diff",{"joins":{},"leaves":{"me":{"metas":[{"phx_ref":R3,"on":1}]}}}])"));
}

TEST_F(Presence, LeavesTheOldMembershipOfADuplicateJoin) {
    join("A", "room:here");
    lines();
    EXPECT_THAT(
        a(R"(["2","2","room:here","phx_join",{}])"),
        ElementsAre(
            "room:here ended replaced",
            R"(A < ["2","2","room:here","phx_reply",{"status":"ok","response":{}}])",
            R"(A < ["1","1","room:here","phx_close",{}])",
            R"(A < ["2",null,"room:here","presence_state",{}])",
            R"(A < [null,null,"room:here","presence_diff",{"joins":{"me":{"metas":[{"phx_ref":R2,"on":1}]}},"leaves":{}}])"));
}

TEST_F(Presence, DoesNotLetAClientFakeAPhxRef) {
    join("A");
    lines();
    EXPECT_THAT(
        a(R"(["1","2","room:lobby","track",{"phx_ref":"AAAAAAAAAAAAAAAA", "a" : {"phx_ref":1},"\u0070hx_ref_prev":2}])"),
        ElementsAre(
            R"(A < [null,null,"room:lobby","presence_diff",{"joins":{"me":{"metas":[{"phx_ref":R1,"a":{"phx_ref":1}}]}},"leaves":{}}])",
            R"(A < ["1","2","room:lobby","phx_reply",{"status":"ok","response":{}}])"));
}

TEST_F(Presence, CrashesTheChannelWhoseMetaIsNoObject) {
    for (const char* const meta : {"5", "[]", "\"x\"", "null"}) {
        join("A");
        lines();
        EXPECT_THAT(a(std::string(R"(["1","2","room:lobby","track",)") + meta + "]"),
                    ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                                "room:lobby ended crashed"));
    }
}

std::string meta_of(std::size_t bytes) { return "{\"m\":\"" + std::string(bytes - 8, 'x') + "\"}"; }

TEST_F(Presence, CrashesTheChannelWhoseMetaIsTooLarge) {
    join("A");
    lines();
    a(R"(["1","2","room:lobby","track",)" + meta_of(64 * 1024) + "]");
    EXPECT_THAT(lines(), IsEmpty());
    EXPECT_EQ(d.machine.members(), 1u);
    EXPECT_THAT(a(R"(["1","3","room:lobby","track",)" + meta_of(64 * 1024 + 1) + "]"),
                ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                            "room:lobby ended crashed"));
}

TEST_F(Presence, CrashesTheChannelThatTracksOneKeyTooMany) {
    join("A");
    std::string key;
    d.on_message = [&](auto, auto, auto) { return phx::server::Actions().track(key); };
    for (int i = 0; i < 16; ++i) {
        key = "k" + std::to_string(i);
        d.text("A", R"(["1","2","room:lobby","x",{}])");
    }
    lines();
    EXPECT_THAT(a(R"(["1","3","room:lobby","x",{}])"), testing::SizeIs(1)); // an update is no new key
    key = "k16";
    EXPECT_THAT(a(R"(["1","4","room:lobby","x",{}])"),
                ElementsAre(R"(A < ["1","1","room:lobby","phx_error",{"reason":"channel_crash"}])",
                            "room:lobby ended crashed"));
}

/// Of a channel of room:1 that tracks what it is told to.
struct PresenceWithin {
    explicit PresenceWithin(server::ServerConfig config) : driver(std::move(config)) {
        driver.machine.add_channel("room:*");
        driver.on_message = [this](auto, auto, auto) { return phx::server::Actions().track(key, meta); };
        driver.open("A");
        driver.text("A", R"(["1","1","room:1","phx_join",{}])");
        driver.lines();
    }
    std::vector<std::string> track(const std::string& wanted, std::size_t bytes) {
        key = wanted;
        meta = meta_of(bytes);
        driver.text("A", R"(["1","2","room:1","x",{}])");
        return driver.lines();
    }
    ServerDriver driver;
    std::string key = {}, meta = {};
};

TEST(PresenceOfATopic, CrashesTheChannelThatTracksMoreThanItHolds) {
    const auto is_crash = ElementsAre(R"(A < ["1","1","room:1","phx_error",{"reason":"channel_crash"}])",
                                      "room:1 ended crashed");
    server::ServerConfig few, small;
    few.max_metas_per_topic = 2;
    small.max_presence_bytes_per_topic = 1000;
    PresenceWithin metas(few), bytes(small);
    for (PresenceWithin* const within : {&metas, &bytes}) {
        EXPECT_THAT(within->track("a", 300), testing::SizeIs(1)); // the diff
        EXPECT_THAT(within->track("b", 300), testing::SizeIs(1));
        EXPECT_THAT(within->track("b", 310), testing::SizeIs(1));
    }
    EXPECT_THAT(metas.track("c", 10), is_crash);
    EXPECT_THAT(bytes.track("b", 700), is_crash);
}

TEST_F(Presence, WritesKeysAsJson) {
    join("A");
    lines();
    d.on_message = [](auto, auto, auto) { return phx::server::Actions().track("a\"\n\xc3\xa9"); };
    EXPECT_THAT(a(R"(["1","2","room:lobby","x",{}])"),
                ElementsAre("A < "
                            "[null,null,\"room:lobby\",\"presence_diff\",{\"joins\":{\"a\\\"\\n\xc3\xa9\":{"
                            "\"metas\":[{\"phx_ref\":R1}]}},\"leaves\":{}}]"));
}

std::vector<std::string> presence_outputs(server::ServerConfig config) {
    ServerApp app(config);
    app.driver.open("A");
    app.driver.text("A", R"(["1","1","room:here","phx_join",{}])");
    app.driver.text("A", R"(["2","2","realtime:x","phx_join",{}])");
    app.driver.text("A", R"(["2","3","realtime:x","presence",{"event":"track"}])");
    return app.driver.lines();
}

TEST(PresenceIds, SayNothingAboutTheSeedOfHashes) {
    const auto outputs = presence_outputs({.seed = 1, .hash_seed = 2});
    EXPECT_EQ(outputs, presence_outputs({.seed = 1, .hash_seed = 3}));
    EXPECT_NE(outputs, presence_outputs({.seed = 4, .hash_seed = 2}));
}

/// Members of room:big, each present; the last one has no socket id.
struct Crowd {
    static constexpr std::size_t size = 1000;
    Crowd() {
        machine.add_channel("room:*");
        for (std::size_t i = 0; i <= size; ++i) {
            server::SessionConfig config;
            if (i < size) config.record.socket_id = "users:1";
            const server::SessionId session = machine.handle_open(now, config);
            machine.handle_frame(now, session, protocol::Opcode::text,
                                 R"(["1","1","room:big","phx_join",{}])");
            while (const auto output = machine.poll()) {
                const auto* const join = std::get_if<server::event::JoinAsked>(&*output);
                if (join == nullptr) continue;
                auto answer = phx::server::JoinAnswer::ok();
                answer.then.track("user" + std::to_string(i)).track("same");
                machine.answer_join(now, join->member, std::move(answer));
            }
        }
        drain();
        outputs = receivers = 0;
    }
    void drain() {
        do {
            while (const auto output = machine.poll()) {
                ++outputs;
                if (std::holds_alternative<server::act::Close>(*output)) ++closes;
                if (std::holds_alternative<server::event::Ended>(*output)) ++ends;
                if (const auto* const fanout = std::get_if<server::act::Fanout>(&*output))
                    receivers += fanout->sessions.size();
            }
        } while (machine.handle_turn_end());
    }
    server::ServerMachine machine{server::ServerConfig{}};
    protocol::TimePoint now{};
    std::size_t outputs = 0, closes = 0, ends = 0, receivers = 0;
};

TEST(PresenceOfACrowd, IsNotToldToConnectionsThatCloseTogether) {
    Crowd crowd;
    crowd.machine.close_all(crowd.now);
    crowd.drain();
    EXPECT_EQ(crowd.closes, Crowd::size + 1);
    EXPECT_EQ(crowd.ends, Crowd::size + 1);
    EXPECT_EQ(crowd.outputs, crowd.closes + crowd.ends);
    EXPECT_EQ(crowd.machine.topics(), 0u);
}

TEST(PresenceOfACrowd, LeavesInOneDiffForWhoStays) {
    Crowd crowd;
    crowd.machine.disconnect(crowd.now, "users:1");
    crowd.drain();
    EXPECT_EQ(crowd.closes, Crowd::size);
    EXPECT_EQ(crowd.ends, Crowd::size);
    EXPECT_EQ(crowd.receivers, 1u);
    EXPECT_EQ(crowd.outputs, crowd.closes + crowd.ends + crowd.receivers);
    EXPECT_EQ(crowd.machine.members(), 1u);
}

TEST_F(Presence, IsGoneWithTheLastMemberOfATopic) {
    join("A", "room:here");
    d.machine.close_all(d.now);
    d.drain();
    join("B", "room:here");
    EXPECT_THAT(lines(), testing::Contains(R"(B < ["1",null,"room:here","presence_state",{}])"));
}

TEST(PresenceMeta, IsTheMembersOfOneWholeObject) {
    std::string members;
    EXPECT_TRUE(server::presence_meta(R"( { "a" : 1 , "b":[{}] } )", members));
    EXPECT_EQ(members, R"("a":1,"b":[{}])");
    for (const char* const text :
         {"", "{", "{\"a\"}", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,}", "[1]", "nul", "{a:1}"}) {
        members.clear();
        EXPECT_FALSE(server::presence_meta(text, members)) << text;
    }
}

TEST(PresenceIds, MakesUniqueRefsAndTheSameOnesFromTheSameSeed) {
    server::PresenceIds ids(7), same(7), other(8);
    std::set<std::string> seen;
    const std::regex shape("[A-Za-z0-9_-]{16}");
    for (int i = 0; i < 10'000; ++i) {
        const std::string ref = ids.ref();
        ASSERT_TRUE(seen.insert(ref).second);
        ASSERT_EQ(ref, same.ref());
        ASSERT_NE(ref, other.ref());
        if (i < 100) {
            ASSERT_TRUE(std::regex_match(ref, shape)) << ref;
        }
    }
}

TEST(PresenceIds, MakesUuids) {
    server::PresenceIds ids(1);
    const std::regex shape("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const std::string uuid = ids.uuid();
        EXPECT_TRUE(std::regex_match(uuid, shape)) << uuid;
        EXPECT_TRUE(seen.insert(uuid).second);
    }
}

} // namespace
} // namespace phx::test
