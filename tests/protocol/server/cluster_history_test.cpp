#include "protocol/server/publication.hpp"
#include "tests/support/realtime_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

// One machine and the broker that a test plays: the broker keeps what may be replayed.
namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::History;
using protocol::server::Publication;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// The world began at 1,000,000 ms; A is in realtime:kept.
struct KeptByTheBroker : testing::Test {
    KeptByTheBroker() {
        d.machine.set_unix_time(d.now, 1'000'000ms);
        d.open("A", RealtimeDriver::session("a"));
        d.open("B", RealtimeDriver::session("b"));
        d.join("A", "kept", R"({"private":true})");
        confirm();
    }
    static server::ServerConfig config() {
        server::ServerConfig config;
        config.peers = server::Peers::possible;
        config.policies = {RealtimeDriver::open_policy()};
        config.history = {History{.pattern = "realtime:kept", .max_messages = 30, .max_age = 60s},
                          History{.pattern = "realtime:closed", .max_messages = 0}};
        config.max_replay_bytes = 2'000;
        return config;
    }
    std::vector<std::string> confirm() {
        d.machine.handle_subscribed(d.now, d.subscription, {});
        d.drain();
        return d.masked();
    }
    std::vector<std::string> ask(const std::string& what = R"({"since":999000})") {
        return d.join("B", "kept", R"({"private":true,"broadcast":{"replay":)" + what + "}}");
    }
    std::vector<std::string> answer(const std::vector<Publication>& kept) {
        std::vector<std::string> past;
        for (const Publication& publication : kept) append_publication(past.emplace_back(), publication);
        return answer_bytes(past);
    }
    std::vector<std::string> answer_bytes(const std::vector<std::string>& past) {
        std::vector<std::shared_ptr<const std::string>> shared;
        for (const std::string& bytes : past) shared.push_back(std::make_shared<const std::string>(bytes));
        d.machine.handle_history(d.now, d.reader, std::move(shared));
        d.drain();
        return d.masked();
    }
    static Publication publication(std::string_view payload) {
        Publication made;
        made.event = "broadcast";
        made.payload = payload;
        return made;
    }
    std::vector<std::string> say(const std::string& n) {
        return d.push("A", "kept", "broadcast", "{\"n\":" + n + "}");
    }
    static std::string again(const std::string& payload) {
        return R"(B < ["1",null,"realtime:kept","broadcast",)" + payload + "]";
    }
    static std::string again_n(const std::string& n) {
        return again("{\"n\":" + n + R"(,"meta":{"id":UUID,"replayed":true}})");
    }
    const std::string asked = "read private realtime:kept since 999000 limit 25";
    const std::string joined = RealtimeDriver::joined("B", "kept");
    RealtimeDriver d{config()};
};

TEST_F(KeptByTheBroker, IsToldToOthersAndKeptInOne) {
    EXPECT_THAT(say("1"), ElementsAre(R"(keep private realtime:kept broadcast {"n":1,"meta":{"id":UUID}})"));
    d.machine.broadcast_realtime(d.now, {.topic = "realtime:kept",
                                         .event = "e",
                                         .payload = {protocol::Opcode::text, "{}"},
                                         .is_private = true});
    d.drain();
    EXPECT_THAT(
        d.masked(),
        ElementsAre(
            d.copy("A", "kept", "broadcast",
                   R"({"type":"broadcast","event":"e","payload":{},"meta":{"id":UUID}})"),
            R"(keep private realtime:kept broadcast {"type":"broadcast","event":"e","payload":{},"meta":{"id":UUID}})"));
}

TEST_F(KeptByTheBroker, IsReplayedBehindTheReplyWhichWaitsForIt) {
    EXPECT_THAT(ask(), ElementsAre(asked));
    Publication bytes = publication("raw");
    bytes.opcode = protocol::Opcode::binary;
    bytes.user_event = "e";
    bytes.metadata = R"({"id":"1"})";
    Publication user = publication(R"({"n":2})");
    user.user_event = "e";
    user.metadata = R"({"id":"2"})";
    const auto lines = answer({publication(R"({"n":1,"meta":{"id":"0"}})"), bytes, user});
    ASSERT_THAT(lines, SizeIs(4));
    EXPECT_EQ(lines[0], joined);
    EXPECT_EQ(lines[1], again(R"({"n":1,"meta":{"id":"0","replayed":true}})"));
    EXPECT_NE(lines[2].find(to_hex(R"({"id":"1","replayed":true}raw)")), std::string::npos);
    EXPECT_EQ(
        lines[3],
        again(R"({"type":"broadcast","event":"e","payload":{"n":2},"meta":{"id":"2","replayed":true}})"));
}

TEST_F(KeptByTheBroker, IsAskedForWhenTheTopicIsSubscribed) {
    d.close("A");
    d.lines();
    EXPECT_THAT(ask(), ElementsAre("subscribe private realtime:kept"));
    EXPECT_THAT(confirm(), ElementsAre(asked));
    EXPECT_THAT(answer({}), ElementsAre(joined));
    EXPECT_FALSE(d.machine.next_timeout() < d.now + 59s) << "nothing of the join is left";
}

TEST_F(KeptByTheBroker, IsNotAskedForWhereNothingIsKeptOrNobodyWantsIt) {
    EXPECT_THAT(d.join("B", "kept", R"({"private":true})"), ElementsAre(joined));
    for (const std::string topic : {"other", "closed"}) {
        d.join("B", topic, R"({"private":true,"broadcast":{"replay":{"since":0}}})");
        EXPECT_THAT(confirm(), ElementsAre(d.joined("B", topic)));
    }
}

TEST_F(KeptByTheBroker, AsksForNothingThatIsTooOldByNow) {
    EXPECT_THAT(ask(R"({"since":0,"limit":3})"),
                ElementsAre("read private realtime:kept since 940001 limit 3"));
}

TEST_F(KeptByTheBroker, IsJoinedByWhatWasSaidHereMeanwhile) {
    ask();
    say("2");
    say("3");
    EXPECT_THAT(answer({publication(R"({"n":1,"meta":{"id":"00000000-0000-4000-8000-000000000000"}})")}),
                ElementsAre(joined, again_n("1"), again_n("2"), again_n("3")));
    EXPECT_THAT(say("4"), ElementsAre(d.copy("B", "kept", "broadcast", R"({"n":4,"meta":{"id":UUID}})"),
                                      R"(keep private realtime:kept broadcast {"n":4,"meta":{"id":UUID}})"));
}

TEST_F(KeptByTheBroker, IsNoMoreThanWasAskedForWithThat) {
    ask(R"({"since":999000,"limit":2})");
    say("3");
    EXPECT_THAT(answer({publication(R"({"n":1,"meta":{"id":"00000000-0000-4000-8000-000000000000"}})"),
                        publication(R"({"n":2,"meta":{"id":"00000000-0000-4000-8000-000000000000"}})")}),
                ElementsAre(joined, again_n("2"), again_n("3")));
    ask(R"({"since":999000,"limit":2})");
    for (const char* const n : {"4", "5", "6"}) say(n);
    EXPECT_THAT(answer({publication(R"({"n":3,"meta":{"id":"00000000-0000-4000-8000-000000000000"}})")}),
                ElementsAre(joined, d.closed("B", "kept"), again_n("5"), again_n("6")));
}

TEST_F(KeptByTheBroker, IsOfTheNewestWhatWhoJoinsHasRoomFor) {
    const auto long_n = [](const std::string& n) { return n + ",\"x\":\"" + std::string(700, 'x') + '"'; };
    const auto kept_n = [](const std::string& n) {
        return "{\"n\":" + n + R"(,"meta":{"id":"00000000-0000-4000-8000-000000000000"}})";
    };
    ask();
    say(long_n("3"));
    const std::string oldest = kept_n("1"), older = kept_n(long_n("2"));
    EXPECT_THAT(answer({publication(oldest), publication(older)}),
                ElementsAre(joined, again_n("1"), again_n(long_n("2")), again_n(long_n("3"))));
    ask();
    say(long_n("4"));
    say(long_n("5"));
    EXPECT_THAT(answer({publication(oldest), publication(older)}),
                ElementsAre(joined, d.closed("B", "kept"), again_n(long_n("4")), again_n(long_n("5"))));
}

TEST_F(KeptByTheBroker, RefusesTheJoinWhenTheBrokerCannotAnswer) {
    ask();
    d.machine.handle_history_failed(d.now, d.reader);
    d.drain();
    const std::string unavailable = d.refused("B", "kept", "UnableToReplayMessages: broker unavailable");
    EXPECT_THAT(d.masked(), ElementsAre(unavailable));
    EXPECT_THAT(answer({}), IsEmpty());
    ask();
    d.advance(5s);
    EXPECT_THAT(d.masked(), ElementsAre(unavailable));
    EXPECT_THAT(answer({}), IsEmpty());
    say("1");
    d.lines();
    ask();
    EXPECT_THAT(answer({}), ElementsAre(joined));
}

TEST_F(KeptByTheBroker, ForgetsAReaderThatIsGone) {
    ask();
    d.close("B");
    d.lines();
    EXPECT_THAT(say("1"), SizeIs(1));
    EXPECT_THAT(answer({publication("{}")}), IsEmpty());
}

TEST_F(KeptByTheBroker, IsReplayedBeforeAJoinThatFollowsAtOnceReplacesIt) {
    ask();
    d.text("B", R"(["2","2","realtime:kept","phx_join",{"config":{"private":true}}])");
    say("1");
    EXPECT_THAT(
        answer({}),
        ElementsAre(
            joined, again_n("1"),
            R"(B < ["2","2","realtime:kept","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])",
            d.closed("B", "kept")));
}

TEST_F(KeptByTheBroker, IgnoresWhatItCannotRead) {
    ask();
    EXPECT_THAT(answer_bytes({"garbage", ""}), ElementsAre(joined));
    ask();
    EXPECT_THAT(answer({publication("{}"), publication("[1]"), publication(R"({"meta":{}})")}),
                ElementsAre(joined, d.closed("B", "kept")));
}

} // namespace
} // namespace phx::test
