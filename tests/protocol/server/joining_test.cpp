#include "tests/support/server_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phx::test {
namespace {

using phx::server::Actions;
using phx::server::JoinAnswer;
using phx::server::Payload;
using phx::server::PayloadView;
using protocol::Vsn;
using testing::ElementsAre;
using testing::IsEmpty;

struct Joining : testing::Test {
    Joining() { driver.machine.add_channel("room:*"); }
    ServerDriver driver;
};

TEST_F(Joining, AnswersAnAcceptedJoinWithItsRefs) {
    driver.on_join = [](std::string_view topic, PayloadView params) {
        return JoinAnswer::ok("{\"topic\":\"" + std::string(topic) +
                              "\",\"params\":" + std::string(params.data) + "}");
    };
    driver.open("A");
    driver.text("A", R"(["10","11","room:lobby","phx_join",{"n":1}])");
    EXPECT_THAT(
        driver.lines(),
        ElementsAre(
            R"(A < ["10","11","room:lobby","phx_reply",{"status":"ok","response":{"topic":"room:lobby","params":{"n":1}}}])"));
    EXPECT_EQ(driver.machine.members(), 1u);
    EXPECT_EQ(driver.machine.topics(), 1u);
}

} // namespace
} // namespace phx::test
