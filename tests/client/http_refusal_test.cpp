#include "src/net/http_refusal.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace phx::test {
namespace {

using namespace std::chrono_literals;

TEST(HttpRefusal, IsReportedBeforeTheAttemptIsGivenUp) {
    const protocol::TimePoint now{1h};
    auto patience = [&](std::optional<protocol::TimePoint> deadline) {
        shell::ConnectionTarget target;
        target.deadline = deadline;
        return shell::HttpRefusal::patience(now, target) - now;
    };
    EXPECT_EQ(patience({}), 1s);
    EXPECT_EQ(patience(now + 10s), 1s);
    EXPECT_EQ(patience(protocol::TimePoint::max()), 1s);
    EXPECT_EQ(patience(now + 300ms), 250ms);
    EXPECT_EQ(patience(now + 10ms), 0s);
    EXPECT_EQ(patience(now - 1s), 0s) << "of a connection made later";
}

} // namespace
} // namespace phx::test
