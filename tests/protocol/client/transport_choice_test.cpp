#include "protocol/client/transport_choice.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

constexpr Transport websocket = Transport::websocket;
constexpr Transport long_poll = Transport::long_poll;

TimePoint at(Duration d) { return TimePoint{} + d; }

TransportChoice with_fallback() { return TransportChoice({.fallback = 2500ms, .retry_websocket = 5min}); }

/// Dials what is next, which fails at once.
Transport fail_at(TransportChoice& choice, Duration time) {
    const Transport next = choice.next(at(time));
    choice.handle_dialled(at(time), next);
    choice.handle_lost(at(time));
    return next;
}

TEST(TransportChoice, StaysWithWhatWasAskedForUnlessToldToFallBack) {
    for (const Transport transport : {websocket, long_poll}) {
        TransportChoice choice({.transport = transport});
        for (const Duration time : {0s, 1s, 1000s}) {
            choice.handle_dialled(at(time), choice.next(at(time)));
            EXPECT_EQ(choice.next_timeout(), std::nullopt);
            EXPECT_FALSE(choice.handle_open(at(time)));
            EXPECT_EQ(choice.next_timeout(), std::nullopt);
            EXPECT_FALSE(choice.handle_lost(at(time)));
            EXPECT_EQ(fail_at(choice, time), transport);
        }
    }
    TransportChoice choice({.transport = long_poll, .fallback = 1s});
    EXPECT_EQ(fail_at(choice, 0s), long_poll);
    EXPECT_EQ(fail_at(choice, 0s), long_poll);
}

TEST(TransportChoice, FallsBackWhenTheFirstWebSocketFails) {
    TransportChoice choice = with_fallback();
    EXPECT_EQ(choice.next(at(0s)), websocket);
    choice.handle_dialled(at(0s), websocket);
    EXPECT_TRUE(choice.handle_lost(at(1s))) << "need not wait";
    EXPECT_EQ(choice.next_timeout(), std::nullopt);
    EXPECT_EQ(choice.next(at(1s)), long_poll);
}

TEST(TransportChoice, FallsBackWhenTheWebSocketDoesNotOpenInTime) {
    TransportChoice choice = with_fallback();
    choice.handle_dialled(at(1s), websocket);
    EXPECT_EQ(choice.next_timeout(), at(3500ms));
    EXPECT_FALSE(choice.handle_timeout(at(3499ms)));
    EXPECT_TRUE(choice.handle_timeout(at(3500ms)));
    EXPECT_FALSE(choice.handle_timeout(at(3500ms))) << "once";
    EXPECT_TRUE(choice.handle_lost(at(3500ms)));
    EXPECT_EQ(choice.next(at(3500ms)), long_poll);
}

TEST(TransportChoice, FallsBackWhenTheWebSocketOpensAndStaysSilent) {
    TransportChoice choice = with_fallback();
    choice.handle_dialled(at(0s), websocket);
    EXPECT_TRUE(choice.handle_open(at(2s))) << "it should be asked for something";
    EXPECT_EQ(choice.next_timeout(), at(4500ms)) << "the time once more";
    EXPECT_TRUE(choice.handle_timeout(at(4500ms)));
    EXPECT_TRUE(choice.handle_lost(at(4500ms)));
    EXPECT_EQ(choice.next(at(4500ms)), long_poll);
}

TEST(TransportChoice, FallsBackWhenTheWebSocketIsLostBeforeItSaidAnything) {
    TransportChoice choice = with_fallback();
    choice.handle_dialled(at(0s), websocket);
    choice.handle_open(at(1s));
    EXPECT_TRUE(choice.handle_lost(at(1s)));
    EXPECT_EQ(choice.next(at(1s)), long_poll);
}

TEST(TransportChoice, NeverFallsBackOnceAWebSocketHasWorked) {
    TransportChoice choice = with_fallback();
    choice.handle_dialled(at(0s), websocket);
    choice.handle_open(at(1s));
    choice.handle_message();
    EXPECT_EQ(choice.next_timeout(), std::nullopt);
    EXPECT_FALSE(choice.handle_lost(at(2s)));
    for (const Duration time : {3s, 4s, 1000s}) EXPECT_EQ(fail_at(choice, time), websocket);
}

TEST(TransportChoice, TriesTheWebSocketAgainAfterAWhile) {
    TransportChoice choice = with_fallback();
    EXPECT_EQ(fail_at(choice, 0s), websocket);
    auto long_poll_between = [&](Duration begin, Duration end) {
        EXPECT_EQ(choice.next(at(begin)), long_poll);
        choice.handle_dialled(at(begin), long_poll);
        EXPECT_EQ(choice.next_timeout(), std::nullopt);
        EXPECT_FALSE(choice.handle_open(at(begin)));
        choice.handle_message();
        EXPECT_FALSE(choice.handle_lost(at(end)));
    };
    long_poll_between(0s, 10s);
    long_poll_between(10s, 299s);
    long_poll_between(299s, 300s);
    EXPECT_EQ(fail_at(choice, 300s), websocket);
    long_poll_between(599s, 1000s); // a session is not cut off for it
    EXPECT_EQ(choice.next(at(1000s)), websocket);
    choice.handle_dialled(at(1000s), websocket);
    choice.handle_open(at(1000s));
    choice.handle_message();
    choice.handle_lost(at(1001s));
    EXPECT_EQ(fail_at(choice, 1001s), websocket);
    EXPECT_EQ(fail_at(choice, 1001s), websocket);
}

TEST(TransportChoice, TriesTheWebSocketAgainWhenLongPollFailsToo) {
    TransportChoice choice = with_fallback();
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(fail_at(choice, 0s), websocket);
        EXPECT_EQ(choice.next(at(0s)), long_poll);
        choice.handle_dialled(at(0s), long_poll);
        EXPECT_FALSE(choice.handle_lost(at(0s))) << "a dead server must be waited for";
    }
}

TEST(TransportChoice, GivesLongPollItsTurnHoweverSoonTheWebSocketIsTriedAgain) {
    TransportChoice choice({.fallback = 2500ms, .retry_websocket = 0s});
    EXPECT_EQ(fail_at(choice, 0s), websocket);
    EXPECT_EQ(choice.next(at(1h)), long_poll);
    choice.handle_dialled(at(1h), long_poll);
    choice.handle_open(at(1h));
    choice.handle_lost(at(1h));
    EXPECT_EQ(fail_at(choice, 1h), websocket);
    EXPECT_EQ(fail_at(choice, 1h), long_poll);
}

TEST(TransportChoice, BlamesNoTransportForWhatHappensWithoutAConnection) {
    TransportChoice choice = with_fallback();
    EXPECT_FALSE(choice.handle_lost(at(0s))) << "nothing was dialled";
    EXPECT_EQ(choice.next(at(0s)), websocket);
    choice.handle_dialled(at(0s), websocket);
    choice.handle_stopped(); // by this program
    EXPECT_EQ(choice.next_timeout(), std::nullopt);
    EXPECT_FALSE(choice.handle_lost(at(1s)));
    EXPECT_EQ(choice.next(at(1s)), websocket);
    EXPECT_EQ(fail_at(choice, 2s), websocket);
    EXPECT_FALSE(choice.handle_lost(at(3s)));
    EXPECT_EQ(choice.next(at(3s)), long_poll);
}

} // namespace
} // namespace phx::protocol
