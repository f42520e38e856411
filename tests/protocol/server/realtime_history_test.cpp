#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::History;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

/// realtime:kept and below are kept, others are not. The world began at 1,000,000 ms.
struct Replayed : testing::Test {
    Replayed() {
        d.machine.set_unix_time(d.now, 1'000'000ms);
        d.open("A", RealtimeDriver::session("a"));
        d.open("B", RealtimeDriver::session("b"));
        d.join("A", "kept", R"({"private":true})");
    }
    static server::ServerConfig config() {
        server::ServerConfig config;
        config.policies = {RealtimeDriver::open_policy()};
        config.history = {History{.pattern = "realtime:kept*", .max_messages = 30, .max_age = 60s}};
        return config;
    }
    void say(const std::string& payload) { d.push("A", "kept", "broadcast", payload); }
    static std::string replay(const std::string& what) {
        return R"({"private":true,"broadcast":{"replay":)" + what + "}}";
    }
    static std::string again(const std::string& payload) {
        return R"(B < ["1",null,"realtime:kept","broadcast",)" + payload + "]";
    }
    RealtimeDriver d{config()};
};

TEST_F(Replayed, LiveCopiesCarryTheirId) {
    d.join("B", "kept", R"({"private":true})");
    EXPECT_THAT(d.push("A", "kept", "broadcast", R"({"event":"e","payload":{"n":1}})"),
                ElementsAre(d.copy("B", "kept", "broadcast",
                                   R"({"event":"e","payload":{"n":1},"meta":{"id":UUID}})")));
    d.join("A", "other", R"({"private":true})");
    d.join("B", "other", R"({"private":true})");
    EXPECT_THAT(d.push("A", "other", "broadcast", R"({"event":"e"})"),
                ElementsAre(d.copy("B", "other", "broadcast", R"({"event":"e"})")));
}

TEST_F(Replayed, ComesAfterTheReplyOldestFirstAndMarked) {
    say(R"({"event":"e","payload":1})");
    say(R"({"event":"e","payload":2})");
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":0})")),
                ElementsAre(d.joined("B", "kept"),
                            again(R"({"event":"e","payload":1,"meta":{"id":UUID,"replayed":true}})"),
                            again(R"({"event":"e","payload":2,"meta":{"id":UUID,"replayed":true}})")));
}

TEST_F(Replayed, GivesTheNewestOfThoseAskedFor) {
    for (int i = 0; i < 5; ++i) {
        say(R"({"n":)" + std::to_string(i) + "}");
        d.advance(1s);
    }
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":0,"limit":2})")),
                ElementsAre(d.joined("B", "kept"), again(R"({"n":3,"meta":{"id":UUID,"replayed":true}})"),
                            again(R"({"n":4,"meta":{"id":UUID,"replayed":true}})")));
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":1004000})")),
                ElementsAre(d.joined("B", "kept"), d.closed("B", "kept"),
                            again(R"({"n":4,"meta":{"id":UUID,"replayed":true}})")));
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":1004001})")), testing::SizeIs(2));
    for (int i = 5; i < 40; ++i) say(R"({"n":)" + std::to_string(i) + "}");
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":0})")), testing::SizeIs(2 + 25));
}

TEST_F(Replayed, IsOfTheNewestWhatWhoJoinsHasRoomFor) {
    server::ServerConfig small = config();
    small.max_replay_bytes = 5'000;
    RealtimeDriver room(small);
    room.machine.set_unix_time(room.now, 1'000'000ms);
    room.open("A", RealtimeDriver::session("a"));
    room.open("B", RealtimeDriver::session("b"));
    room.join("A", "kept", R"({"private":true})");
    const auto speak = [&](const std::string& name, std::size_t bytes) {
        room.push("A", "kept", "broadcast", "{\"" + name + "\":\"" + std::string(bytes, 'x') + "\"}");
    };
    const auto replayed = [](const std::string& name, std::size_t bytes) {
        return again("{\"" + name + "\":\"" + std::string(bytes, 'x') +
                     R"(","meta":{"id":UUID,"replayed":true}})");
    };
    speak("small", 1);
    for (const char* const name : {"first", "second", "third"}) speak(name, 1'900);
    EXPECT_THAT(room.join("B", "kept", replay(R"({"since":0})")),
                ElementsAre(room.joined("B", "kept"), replayed("second", 1'900), replayed("third", 1'900)))
        << "nothing that is older than what does not fit";
    speak("huge", 5'000);
    EXPECT_THAT(room.join("B", "kept", replay(R"({"since":0})")),
                ElementsAre(room.joined("B", "kept"), room.closed("B", "kept")));
    speak("last", 1);
    EXPECT_THAT(room.join("B", "kept", replay(R"({"since":0})")),
                ElementsAre(room.joined("B", "kept"), room.closed("B", "kept"), replayed("last", 1)));
}

TEST_F(Replayed, LivesWhileNobodyIsThereAndEndsInTime) {
    say(R"({"n":1})");
    d.close("A");
    EXPECT_EQ(d.machine.topics(), 0u);
    d.advance(59s);
    d.lines();
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":0})")), testing::SizeIs(2));
    d.advance(1s);
    d.lines();
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":0})")), testing::SizeIs(2)) << "reply and phx_close";
}

TEST_F(Replayed, IsRefusedInSupabasesWords) {
    const std::string params = "UnableToReplayMessages: Replay params are not valid";
    EXPECT_THAT(d.join("B", "kept", R"({"broadcast":{"replay":{"since":0}}})"),
                ElementsAre(d.refused("B", "kept",
                                      "UnableToReplayMessages: Replay is not allowed for public channels")));
    for (const char* const bad : {R"({"limit":5})", R"({"since":-1})", R"({"since":0,"limit":26})",
                                  R"({"since":0,"limit":0})", R"({"since":"0"})"})
        EXPECT_THAT(d.join("B", "kept", replay(bad)), ElementsAre(d.refused("B", "kept", params))) << bad;
}

TEST_F(Replayed, AClientCannotFakeTheMeta) {
    d.join("B", "kept", R"({"private":true})");
    EXPECT_THAT(d.push("A", "kept", "broadcast", R"({"meta":{"replayed":true},"event":"e","meta":1})"),
                ElementsAre(d.copy("B", "kept", "broadcast", R"({"event":"e","meta":{"id":UUID}})")));
    EXPECT_THAT(d.push("A", "kept", "broadcast", "{}"),
                ElementsAre(d.copy("B", "kept", "broadcast", R"({"meta":{"id":UUID}})")));
}

TEST_F(Replayed, WhatCannotCarryAnIdIsRelayedAndNotKept) {
    d.join("B", "kept", R"({"private":true})");
    EXPECT_THAT(d.push("A", "kept", "broadcast", "[1]"),
                ElementsAre(d.copy("B", "kept", "broadcast", "[1]")));
    EXPECT_THAT(d.join("B", "kept", replay(R"({"since":0})")), testing::SizeIs(2));
}

TEST_F(Replayed, BinaryBroadcastsComeAsKind4AndJsonAsText) {
    d.open("C", Vsn::v1, server::Dialect::supabase);
    d.join("B", "kept", R"({"private":true})");
    d.binary("A", "0301010d010001" + to_hex("12realtime:kepte{\"n\":1}"));
    d.binary("A", "0301010d010000" + to_hex("12realtime:kepteraw"));
    const std::vector<std::string> live = d.lines();
    ASSERT_THAT(live, testing::SizeIs(2));
    const std::string head = "B < 040d012d01" + to_hex("realtime:kepte{\"id\":\"");
    EXPECT_EQ(live[0].substr(0, head.size()), head);
    const std::vector<std::string> past = d.join("B", "kept", replay(R"({"since":0})"));
    ASSERT_THAT(past, testing::SizeIs(4));
    EXPECT_EQ(
        past[2],
        again(R"({"type":"broadcast","event":"e","payload":{"n":1},"meta":{"id":UUID,"replayed":true}})"));
    EXPECT_EQ(past[3].substr(past[3].size() - 6), to_hex("raw"));
    EXPECT_NE(past[3].find(to_hex("\"replayed\":true}")), std::string::npos);
    d.text("C", R"({"topic":"realtime:kept","event":"phx_join","payload":{"config":)" +
                    replay(R"({"since":0})") + R"(},"ref":"1"})");
    EXPECT_THAT(
        d.masked(),
        ElementsAre(
            testing::_,
            R"(C < {"topic":"realtime:kept","event":"broadcast","ref":null,"payload":{"type":"broadcast","event":"e","payload":{"n":1},"meta":{"id":UUID,"replayed":true}}})"));
}

/// Somebody speaks all the time, and somebody else comes and goes: what was missed is replayed, once.
TEST_F(Replayed, LosesAndDoublesNothingForWhoComesBack) {
    std::mt19937_64 random(7);
    std::multiset<std::string> seen;
    bool is_there = false;
    std::int64_t since = 1'000'000;
    const std::regex number(R"re("n":(\d+))re");
    const auto read = [&](const std::vector<std::string>& lines) {
        for (const std::string& line : lines)
            if (std::smatch found; line.starts_with("B") && std::regex_search(line, found, number))
                seen.insert(found[1]);
    };
    for (int i = 0; i < 500; ++i) {
        d.advance(1ms * static_cast<int>(random() % 2));
        d.lines();
        d.text("A", R"(["1","2","realtime:kept","broadcast",{"n":)" + std::to_string(i) + "}]");
        if (is_there) since = 1'000'000 + d.now.time_since_epoch() / 1ms;
        read(d.lines());
        if (random() % 5 != 0) continue;
        if (is_there) d.advance(2ms); // times are milliseconds: nothing else is said in this one
        if (is_there) {
            d.text("B", R"(["1","3","realtime:kept","phx_leave",{}])");
            d.lines();
            ++since;
        } else {
            read(d.join("B", "kept", replay(R"({"since":)" + std::to_string(since) + "}")));
        }
        is_there = !is_there;
    }
    for (const std::string& one : seen) EXPECT_EQ(seen.count(one), 1u) << one;
    EXPECT_GE(seen.size(), 480u); // but for who was away when it ended, or for more than 25 messages
}

} // namespace
} // namespace phx::test
