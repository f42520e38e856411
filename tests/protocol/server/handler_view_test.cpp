#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

namespace phx::test {
namespace {

using phx::server::Actions;
using phx::server::PayloadView;
using protocol::server::ReplyTo;
using testing::ElementsAre;
using testing::MatchesRegex;

/// What handlers can ask for about the channel they belong to.
struct HandlerView : testing::Test {
    HandlerView() { driver.machine.add_channel("room:*"); }
    ServerDriver driver;
};

TEST_F(HandlerView, AnswersAPushWithEverybodyWhoIsThere) {
    driver.on_message = [](ReplyTo, std::string_view event, PayloadView) {
        if (event == "track") return Actions().ok().track("alice", R"({"n":1})");
        return Actions().reply_presence().ok(R"({"ignored":"a second answer"})");
    };
    driver.open("A");
    driver.text("A", R"(["1","1","room:a","phx_join",{}])");
    driver.lines();
    driver.text("A", R"(["1","2","room:a","who",{}])");
    EXPECT_THAT(driver.lines(),
                ElementsAre(R"(A < ["1","2","room:a","phx_reply",{"status":"ok","response":{}}])"));
    driver.text("A", R"(["1","3","room:a","track",{}])");
    driver.lines();
    driver.text("A", R"(["1","4","room:a","who",{}])");
    EXPECT_THAT(driver.lines(),
                ElementsAre(MatchesRegex(R"(A < \["1","4","room:a","phx_reply",\{"status":"ok","response":)"
                                         R"(\{"alice":\{"metas":\[.*"n":1.*\]\}\}\}\])")));
}

TEST_F(HandlerView, KnowsTheJoinRefAsItWasSent) {
    for (const char* join_ref : {R"("10")", "10", "null"}) {
        std::optional<std::string> seen;
        protocol::server::MemberId id{};
        driver.open("A");
        driver.machine.handle_frame(driver.now, driver.id("A"), protocol::Opcode::text,
                                    "[" + std::string(join_ref) + R"(,"11","room:a","phx_join",{}])");
        while (const auto output = driver.machine.poll()) {
            if (const auto* asked = std::get_if<protocol::server::event::JoinAsked>(&*output))
                id = asked->member;
        }
        if (const auto member = driver.machine.member(id)) seen = member->join_ref;
        EXPECT_EQ(seen, join_ref);
        driver.close("A");
    }
}

} // namespace
} // namespace phx::test
