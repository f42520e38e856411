#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

// Channels with a broker key: their answers come when what they share has been stored.
namespace phx::test {
namespace {

using namespace std::chrono_literals;
using phx::server::Actions;
using phx::server::JoinAnswer;
using testing::ElementsAre;
using testing::IsEmpty;

std::string reply(const std::string& peer, const std::string& ref, const std::string& rest) {
    return peer + R"( < ["1",")" + ref + R"(","doc:1","phx_reply",)" + rest + "]";
}
const std::string ok = R"({"status":"ok","response":{}})";

struct Keyed : testing::Test {
    explicit Keyed(server::ServerConfig config = {}) : d(std::move(config)) {
        d.machine.add_channel("doc:*");
        d.machine.add_channel("plain");
        d.key_of = [](std::string_view topic) {
            return topic == "plain" ? std::nullopt : std::optional<std::string>("k");
        };
        d.open("A");
        d.text("A", R"(["1","1","doc:1","phx_join",{}])");
        d.lines();
        doc = d.asked.member;
    }
    void say(const std::string& ref, const std::string& event = "say", const std::string& topic = "doc:1") {
        d.text("A", R"(["1",")" + ref + "\",\"" + topic + "\",\"" + event + R"(",{}])");
    }
    void answer(const Actions& actions) {
        d.machine.apply(d.now, d.asked.member, d.asked.reply_to, actions);
        d.drain();
    }
    ServerDriver d;
    server::MemberId doc;
};

TEST_F(Keyed, HoldsTheFramesOfAChannelThatWaitsAndLetsOtherChannelsGoOn) {
    d.text("A", R"(["1","1","plain","phx_join",{}])");
    d.lines();
    say("2");
    say("3");
    say("4", "say", "plain");
    EXPECT_EQ(d.asked.reply_to.id, 2u); // the third push is the second question
    d.machine.apply(d.now, d.asked.member, d.asked.reply_to, Actions().ok());
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","4","plain","phx_reply",{"status":"ok","response":{}}])"));
    d.machine.apply(d.now, doc, server::ReplyTo{1}, Actions().ok());
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "2", ok)));
    answer(Actions().error());
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "3", R"({"status":"error","response":{}})")));
}

TEST_F(Keyed, LeavesAfterWhatWasSaidBefore) {
    say("2");
    say("3", "phx_leave");
    EXPECT_THAT(d.lines(), IsEmpty());
    answer(Actions().ok());
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "2", ok), reply("A", "3", ok),
                                       R"(A < ["1","1","doc:1","phx_close",{}])", "doc:1 ended left"));
}

TEST_F(Keyed, IsToldOfAResponseWhenItsTurnHasCome) {
    std::vector<std::string> told;
    d.on_response = [&](std::string_view tag, const Result<phx::server::Payload>& answer) {
        told.push_back(std::string(tag) + " " + (answer ? answer->data : "failed"));
        return Actions();
    };
    say("2");
    answer(Actions().request("tag", "ask"));
    say("3");
    const auto asked = d.asked; // frames wait; what the machine itself finds out does too
    d.advance(10s);
    EXPECT_TRUE(told.empty());
    d.machine.apply(d.now, asked.member, asked.reply_to, Actions().ok());
    d.drain();
    EXPECT_EQ(told, std::vector<std::string>{"tag failed"});
}

TEST_F(Keyed, IsAnsweredBeforeADrainClosesItsConnection) {
    say("2");
    d.machine.drain(d.now, 0s, 30s);
    d.advance(1s);
    EXPECT_THAT(d.lines(), IsEmpty());
    answer(Actions().ok());
    d.advance(1s);
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "2", ok), "A close 1012", "doc:1 ended disconnected"));
}

TEST_F(Keyed, AsksAboutTheEndOnlyWhenTheLastAnswerHasCome) {
    say("2");
    d.close("A");
    EXPECT_THAT(d.lines(), IsEmpty());
    d.on_close = [](std::string_view) { return Actions().push("never").effect("closed"); };
    answer(Actions().ok().push("never").effect("stored", R"({"n":1})"));
    EXPECT_THAT(d.lines(),
                ElementsAre(R"(effect stored {"n":1})", "doc:1 ended disconnected", "effect closed {}"));
    d.open("B"); // frees what has ended
    EXPECT_FALSE(d.machine.member(doc));
}

TEST_F(Keyed, KeepsAnEndedMemberUntilItsOwnEndIsAnswered) {
    d.close("A");
    EXPECT_THAT(d.lines(), ElementsAre("doc:1 ended disconnected"));
    d.open("B");
    ASSERT_TRUE(d.machine.member(doc));
    EXPECT_EQ(*d.machine.member(doc)->broker_key, "k");
    d.machine.apply_closed(d.now, doc, Actions().effect("bye"));
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("effect bye {}"));
    d.open("C");
    EXPECT_FALSE(d.machine.member(doc));
}

TEST_F(Keyed, CrashesWithTheBrokersReasonAndDoesNothingOfTheHandler) {
    say("2");
    d.machine.crash(d.now, doc, "broker unavailable");
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(R"(A < ["1","1","doc:1","phx_error",{"reason":"broker unavailable"}])",
                                       "doc:1 ended crashed"));
}

TEST_F(Keyed, RefusesFramesBeyondTheLimitsButNeverLosesALeave) {
    say("2");
    for (int i = 0; i < 64; ++i) say(std::to_string(10 + i));
    EXPECT_THAT(d.lines(), IsEmpty());
    say("99");
    EXPECT_THAT(d.lines(),
                ElementsAre(reply("A", "99", R"({"status":"error","response":{"reason":"channel busy"}})")));
    say("100", "phx_leave");
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "100", ok), R"(A < ["1","1","doc:1","phx_close",{}])"));
    answer(Actions().ok());
    EXPECT_EQ(d.lines().front(), "doc:1 ended left");
}

TEST_F(Keyed, AsksInfoAndPublishesOneAfterTheOther) {
    d.open("B");
    d.text("B", R"(["1","1","doc:1","phx_join",{}])");
    const server::MemberId other = d.asked.member;
    say("2");
    answer(Actions().ok().after(1s, "tick"));
    say("3");
    const auto in = d.asked;
    d.text("B", R"(["1","2","doc:1","say",{}])");
    d.machine.apply(d.now, other, d.asked.reply_to, Actions().publish(phx::server::Route::all(), "news"));
    d.drain(); // no handle_broker: pushed at once
    d.asked = {};
    d.advance(2s);
    EXPECT_EQ(d.asked.member, server::MemberId{}); // not while "3" waits
    d.lines();
    d.on_info = [](std::string_view info) { return Actions().push(info); };
    d.machine.apply(d.now, in.member, in.reply_to, Actions().ok());
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "3", ok), R"(A < ["1",null,"doc:1","tick",{}])"));
}

struct KeyedNarrow : Keyed {
    static server::ServerConfig narrow() {
        server::ServerConfig config;
        config.max_held_questions = 2;
        return config;
    }
    KeyedNarrow() : Keyed(narrow()) {}
};

TEST_F(KeyedNarrow, CrashesTheChannelForWhomTooManyMessagesWait) {
    say("2");
    answer(Actions().after(1s, "a").after(1s, "b").after(1s, "c"));
    say("3");
    d.lines();
    d.advance(2s);
    EXPECT_THAT(
        d.lines(),
        ElementsAre(
            R"(A < ["1","1","doc:1","phx_error",{"reason":"too many messages wait for the broker"}])"));
    answer(Actions().ok());
    EXPECT_THAT(d.lines(), ElementsAre("doc:1 ended crashed"));
}

TEST(KeyedJoin, EndsOnCloseOfAMemberWhoWentAwayWhileItsJoinWasStored) {
    ServerDriver d;
    d.machine.add_channel("doc:*");
    d.open("A");
    d.machine.handle_frame(d.now, d.id("A"), protocol::Opcode::text, R"(["1","1","doc:1","phx_join",{}])");
    const auto output = d.machine.poll();
    const server::MemberId member = std::get<server::event::JoinAsked>(*output).member;
    d.machine.set_broker_key(member, "k");
    d.close("A");
    EXPECT_THAT(d.lines(), IsEmpty());
    d.machine.answer_join(d.now, member, JoinAnswer::ok());
    d.drain();
    EXPECT_THAT(d.lines(), ElementsAre("doc:1 ended disconnected"));
    d.machine.apply_closed(d.now, member, {});
    d.open("B");
    EXPECT_FALSE(d.machine.member(member));
}

TEST(KeyedJoin, DoesNotEndWhatWasRefused) {
    ServerDriver d;
    d.machine.add_channel("doc:*");
    d.key_of = [](std::string_view) { return "k"; };
    d.on_join = [](std::string_view, phx::server::PayloadView) { return JoinAnswer::refuse("{}"); };
    d.open("A");
    d.text("A", R"(["1","1","doc:1","phx_join",{}])");
    EXPECT_THAT(d.lines(), ElementsAre(reply("A", "1", R"({"status":"error","response":{}})")));
    d.open("B");
    EXPECT_FALSE(d.machine.member(d.asked.member));
}

} // namespace
} // namespace phx::test
