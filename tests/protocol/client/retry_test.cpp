#include "protocol/client/retry.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) { return TimePoint{} + d; }

ClientConfig exact() {
    ClientConfig config;
    config.first_connect.jitter = Jitter::none;
    config.reconnect.jitter = Jitter::none;
    return config;
}

CloseInfo with(Errc code, int http_status = 0) {
    auto detail = std::make_shared<ErrorDetail>();
    detail->http_status = http_status;
    CloseInfo info;
    info.error = Error{make_error_code(code), Origin::peer, "", detail};
    return info;
}

TEST(Retry, ClimbsTheLadderOfTheFirstConnectUntilOneOpens) {
    Retry retry(exact());
    Random random(1);
    EXPECT_EQ(retry.attempt(), 0u);
    EXPECT_EQ(retry.handle_failed({}, random), Duration(10ms));
    EXPECT_EQ(retry.handle_failed({}, random), Duration(50ms));
    EXPECT_EQ(retry.attempt(), 2u);
    retry.handle_open(at(0s));
    EXPECT_EQ(retry.handle_lost(at(1s), {}, random), Duration(1s));
    EXPECT_EQ(retry.handle_failed({}, random), Duration(2s));
    EXPECT_EQ(retry.handle_failed({}, random), Duration(5s));
    EXPECT_EQ(retry.handle_failed({}, random), Duration(10s));
    EXPECT_EQ(retry.handle_failed({}, random), Duration(10s));
}

TEST(Retry, KeepsClimbingWhenTheServerAcceptsAndCloses) {
    Retry retry(exact());
    Random random(1);
    std::vector<Duration> waits;
    TimePoint now{};
    for (int i = 0; i < 6; ++i) {
        retry.handle_open(now);
        waits.push_back(retry.handle_lost(now += 1s, {}, random));
    }
    EXPECT_EQ(waits, (std::vector<Duration>{1s, 2s, 5s, 10s, 10s, 10s}));
    EXPECT_EQ(retry.attempt(), 6u);
}

TEST(Retry, BeginsAnewAfterAStableConnection) {
    Retry retry(exact());
    Random random(1);
    for (int i = 0; i < 4; ++i) (void)retry.handle_failed({}, random);
    retry.handle_open(at(0s));
    EXPECT_EQ(retry.handle_lost(at(9s), {}, random), Duration(1s));
    retry.handle_open(at(100s));
    EXPECT_EQ(retry.handle_lost(at(110s), {}, random), Duration(1s));
    EXPECT_EQ(retry.attempt(), 0u);
    EXPECT_EQ(retry.handle_failed({}, random), Duration(2s));
    EXPECT_EQ(retry.handle_failed({}, random), Duration(5s));
}

TEST(Retry, TakesRetryAfterAsTheLeastWait) {
    Retry retry(exact());
    Random random(1);
    CloseInfo info;
    info.retry_after = 7s;
    EXPECT_EQ(retry.handle_failed(info, random), Duration(7s));
    info.retry_after = 1ms;
    EXPECT_EQ(retry.handle_failed(info, random), Duration(50ms));
    info.retry_after = -5s;
    EXPECT_EQ(retry.handle_failed(info, random), Duration(100ms));
    info.retry_after = Duration::max();
    EXPECT_EQ(retry.handle_failed(info, random), Duration(1h));
}

TEST(Retry, IsSlowWhenTheServerRefuses) {
    Random random(1);
    EXPECT_EQ(Retry(exact()).handle_failed(with(Errc::bad_auth, 401), random), Duration(5s));
    EXPECT_EQ(Retry(exact()).handle_failed(with(Errc::bad_auth), random), Duration(5s));
    EXPECT_EQ(Retry(exact()).handle_failed(with(Errc::upgrade_refused, 403), random), Duration(5s));
    EXPECT_EQ(Retry(exact()).handle_failed(with(Errc::upgrade_refused, 404), random), Duration(5s));
    EXPECT_EQ(Retry(exact()).handle_failed(with(Errc::upgrade_refused, 503), random), Duration(10ms));
    EXPECT_EQ(Retry(exact()).handle_failed(with(Errc::connect_failed), random), Duration(10ms));
}

TEST(Retry, GivesUpAfterTheLastAttempt) {
    ClientConfig config = exact();
    config.max_attempts = 2;
    Retry retry(config);
    Random random(1);
    EXPECT_TRUE(retry.handle_failed({}, random));
    retry.handle_open(at(0s)); // an attempt that opens does not count
    (void)retry.handle_lost(at(1s), {}, random);
    EXPECT_TRUE(retry.handle_failed({}, random));
    EXPECT_EQ(retry.handle_failed({}, random), std::nullopt);
    retry.reset();
    EXPECT_TRUE(retry.handle_failed({}, random));
}

} // namespace
} // namespace phx::protocol
