#include "tests/support/client_operations.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

// A life with everything in it: connect, join two channels, pushes, replies, broadcasts, leave, crash,
// rejoin.
std::vector<std::function<void(ClientDriver&)>> scenario() {
    const auto a = [](ClientDriver& d) { return d.topics.begin()->first; };
    const auto b = [](ClientDriver& d) { return std::next(d.topics.begin())->first; };
    return {
        [](ClientDriver& d) { d.add("a"), d.add("b"); },
        [=](ClientDriver& d) { d.join(a(d)); },
        [=](ClientDriver& d) { d.push(a(d), "before the connection"); },
        [](ClientDriver& d) { d.connect(); },
        [=](ClientDriver& d) { d.join(b(d)); },
        [](ClientDriver& d) { d.opened(); },
        [](ClientDriver& d) { d.reply("1", "1", "a"); },
        [=](ClientDriver& d) { d.push(b(d), "buffered"); },
        [=](ClientDriver& d) { (void)d.send(b(d), "buffered, no reply"); },
        [](ClientDriver& d) { d.reply("2", "2", "b"); },
        [=](ClientDriver& d) { d.push(a(d), "one"), d.push(a(d), "two"); },
        [](ClientDriver& d) { d.reply("1", "3", "a"); },
        [](ClientDriver& d) { d.receive(R"([null,null,"a","shout",{}])"); },
        [](ClientDriver& d) { d.ping(); },
        [](ClientDriver& d) { d.reply("1", "6", "a", "error"); },
        [](ClientDriver& d) { d.receive(R"(["1","1","a","phx_error",{}])"); },
        [=](ClientDriver& d) { d.push(a(d), "while errored"); },
        [=](ClientDriver& d) { d.leave(b(d)); },
        [](ClientDriver& d) { d.advance(1s); },
        [](ClientDriver& d) { d.reply("2", "9", "b"); },
        [](ClientDriver& d) { d.reply("10", "10", "a"); },
        [=](ClientDriver& d) { d.push(a(d), "last"); },
        [=](ClientDriver& d) { d.join(b(d)), d.join(b(d)); },
        [=](ClientDriver& d) { d.leave(a(d)), d.leave(a(d)); },
        [](ClientDriver& d) { d.receive(R"(["10","10","a","phx_close",{}])"); },
        [=](ClientDriver& d) { d.remove(b(d)); },
    };
}

void run_every_prefix(const std::function<void(ClientDriver&)>& then) {
    const auto steps = scenario();
    for (std::size_t n = 0; n <= steps.size(); ++n) {
        SCOPED_TRACE("after " + std::to_string(n) + " steps");
        ClientDriver d(exact_config());
        for (std::size_t i = 0; i < n; ++i) steps[i](d);
        then(d);
        d.expect_all_finished();
    }
}

TEST(ClientScenario, GoesAsItIsWritten) {
    ClientDriver d(exact_config());
    for (const auto& step : scenario()) step(d);
    EXPECT_EQ(d.take(), (Lines{"a closed -> joining",
                               "socket idle -> connecting",
                               "open 1 ws://host/socket/websocket?vsn=2.0.0",
                               "b closed -> joining",
                               "socket connecting -> open",
                               R"(send ["1","1","a","phx_join",{}])",
                               R"(send ["2","2","b","phx_join",{}])",
                               "a joining -> joined",
                               "p1 ok {}",
                               R"(send ["1","3","a","before the connection",{}])",
                               "b joining -> joined",
                               "p3 ok {}",
                               R"(send ["2","4","b","buffered",{}])",
                               R"(send ["2","5","b","buffered, no reply",{}])",
                               R"(send ["1","6","a","one",{}])",
                               R"(send ["1","7","a","two",{}])",
                               "p2 ok {}",
                               "message a shout {}",
                               R"(send [null,"8","phoenix","heartbeat",{}])",
                               "p5 rejected error {}",
                               "a joined -> errored (channel closed)",
                               "p6 channel closed",
                               "b joined -> leaving",
                               R"(send ["2","9","b","phx_leave",{}])",
                               "a errored -> joining",
                               R"(send ["10","10","a","phx_join",{}])",
                               "b leaving -> closed",
                               "p9 ok {} after 1000 ms",
                               "p4 channel closed",
                               "a joining -> joined",
                               "gap a 1000 ms",
                               R"(send ["10","11","a","while errored",{}])",
                               R"(send ["10","12","a","last",{}])",
                               "b closed -> joining",
                               R"(send ["13","13","b","phx_join",{}])",
                               "a joined -> leaving",
                               R"(send ["10","14","a","phx_leave",{}])",
                               "a leaving -> closed",
                               "p13 ok {}",
                               "p14 ok {}",
                               "p8 channel closed",
                               "p10 channel closed",
                               R"(send ["13","15","b","phx_leave",{}])",
                               "b joining -> closed",
                               "p11 channel closed",
                               "p12 channel closed"}));
}

TEST(ClientScenario, EveryPrefixSurvivesConnectionLoss) {
    run_every_prefix([](ClientDriver& d) {
        d.closed();
        d.advance(1s);
        d.closed(); // the next attempt fails too
        d.pass(11s);
        d.timeout(); // no answer will come: every timeout is over
    });
}

TEST(ClientScenario, EveryPrefixSurvivesALostHeartbeat) {
    run_every_prefix([](ClientDriver& d) { d.advance(60s); });
}

TEST(ClientScenario, EveryPrefixSurvivesDisconnect) {
    run_every_prefix([](ClientDriver& d) {
        d.disconnect();
        d.closed();
        EXPECT_EQ(d.next(), std::nullopt);
    });
}

TEST(ClientScenario, EveryPrefixSurvivesDestruction) {
    run_every_prefix([](ClientDriver& d) {
        d.disconnect(); // what an owner does first, so that everybody hears of it
        d.machine = ClientMachine(exact_config());
    });
}

TEST(ClientScenario, EveryPrefixMayEndWithoutAWord) {
    const auto steps = scenario();
    for (std::size_t n = 0; n <= steps.size(); ++n) {
        ClientDriver d(exact_config());
        for (std::size_t i = 0; i < n; ++i) steps[i](d);
    }
}

// ---- anything in any order

void run_seed(std::uint64_t seed, int operations) {
    SCOPED_TRACE("PHX_SEED=" + std::to_string(seed));
    Random random(seed);
    ClientConfig config;
    config.seed = seed;
    config.vsn = random.below(4) == 0 ? Vsn::v1 : Vsn::v2;
    config.ask_target = random.below(3) == 0;
    config.max_attempts = random.below(3) == 0 ? 3 : 0;
    config.channel.max_buffered_pushes = 5;
    config.max_waiting_pushes = 40;
    config.channel.overflow = random.below(2) == 0 ? Overflow::reject_newest : Overflow::drop_oldest;
    config.heartbeat_interval = random.below(2) == 0 ? 3s : 30s;
    ClientOperations operate(config,
                             [&](std::size_t n) { return static_cast<std::size_t>(random.below(n)); });
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) operate.step();
    EXPECT_LE(operate.d.unfinished(), config.max_waiting_pushes);
    operate.finish();
}

TEST(ClientScenario, KeepsItsPromisesWhateverHappens) {
    if (const char* seed = std::getenv("PHX_SEED")) return run_seed(std::strtoull(seed, nullptr, 10), 2000);
    for (std::uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) run_seed(seed, 2000);
}

} // namespace
} // namespace phx::protocol::testing
