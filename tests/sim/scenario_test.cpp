#include "tests/sim/application.hpp"
#include "tests/sim/user.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace phx::sim {
namespace {

using namespace std::chrono_literals;

/// One server, one user, a good network.
struct Stage {
    explicit Stage(Framing framing, protocol::Vsn vsn = protocol::Vsn::v2)
        : application(1, 1, findings), server(clock, network, {}, framing, application),
          user(clock, network, trace, setup(framing, vsn)) {
        application.is_kind = true;
        user.settle();
    }

    User::Setup setup(Framing framing, protocol::Vsn vsn) const {
        User::Setup s;
        s.number = 1;
        s.config.vsn = vsn;
        s.config.target.url = request_of(vsn, 1);
        s.framing = framing;
        s.host = server.host();
        return s;
    }

    /// Time heals everything: what is wanted is there; and after a disconnect nothing is left.
    void expect_to_recover() {
        if (!server.is_up()) server.start();
        clock.run_for(3min);
        user.expect_content(application);
        EXPECT_EQ(server.machine().members(), user.joined());
        user.disconnect();
        clock.run_for(3min);
        user.expect_at_rest();
        EXPECT_TRUE(network.links().empty());
        EXPECT_EQ(server.machine().sessions(), 0u);
        for (const std::string& finding : findings.all()) ADD_FAILURE() << finding;
        for (const std::string& finding : user.findings().all()) ADD_FAILURE() << finding;
    }

    Trace trace;
    Findings findings;
    VirtualClock clock;
    VirtualNetwork network{clock, 1};
    ChatApplication application;
    ServerNode server;
    User user;
};

using Step = std::function<void(Stage&)>;

/// Every operation, in an order that meets most states of a channel. Channel 0 is room:a, 1 is room:b.
const std::vector<Step>& life() {
    static const std::vector<Step> steps{
        [](Stage& s) { s.user.add_channel("room:a"), s.user.add_channel("room:b"); },
        [](Stage& s) { s.user.join(0); },
        [](Stage& s) { s.user.push(0, "echo"); },
        [](Stage& s) { s.user.connect(); },
        [](Stage& s) { s.user.join(1); },
        [](Stage& s) { s.user.push(1, "publish"), s.user.push(1, "publish"); },
        [](Stage& s) { s.user.push(0, "filter"); },
        [](Stage& s) { s.user.push(0, "slow"), s.user.send(0, "publish"); },
        [](Stage& s) { s.user.ping(); },
        [](Stage& s) { s.user.push(0, "crash"), s.user.push(0, "echo"); },
        [](Stage& s) { s.user.push(0, "refuse"); },
        [](Stage& s) { s.user.push(1, "bytes"), s.user.leave(1); },
        [](Stage& s) { s.user.join(1), s.user.push(1, "publish"); },
        [](Stage& s) { s.user.push(1, "never"); },
        [](Stage& s) { s.user.leave(0), s.user.join(0); },
        [](Stage& s) { s.user.push(0, "stop"); },
        [](Stage& s) { s.user.join(0), s.user.push(0, "publish"); },
        [](Stage& s) { s.user.remove_and_add(1); },
        [](Stage& s) { s.user.join(1), s.user.push(1, "close"); },
        [](Stage& s) { s.user.push(0, "publish"), s.user.push(1, "publish"); },
        [](Stage& s) { s.user.push(0, "crash"); },
        [](Stage& s) { s.user.give_up(0); },
        [](Stage& s) { s.user.leave(1); },
    };
    return steps;
}

void cut_all(Stage& s, VirtualNetwork::Heard heard) {
    for (const LinkId link : s.network.links()) s.network.cut(link, heard);
}

struct Loss {
    const char* name;
    Step happen;
};

const std::vector<Loss>& losses() {
    using Heard = VirtualNetwork::Heard;
    static const std::vector<Loss> all{
        {"cut", [](Stage& s) { cut_all(s, Heard::by_both); }},
        {"cut, heard by the client", [](Stage& s) { cut_all(s, Heard::by_client); }},
        {"cut, heard by the server", [](Stage& s) { cut_all(s, Heard::by_server); }},
        {"cut, heard by nobody", [](Stage& s) { cut_all(s, Heard::by_nobody); }},
        {"one way only",
         [](Stage& s) {
             for (const LinkId link : s.network.links()) s.network.lose(link, Side::server);
         }},
        {"server crash", [](Stage& s) { s.server.crash(Heard::by_both), s.server.start(); }},
        {"server gone", [](Stage& s) { s.server.crash(Heard::by_nobody); }},
        {"drain", [](Stage& s) { s.server.drain(), s.server.crash(Heard::by_both), s.server.start(); }},
        {"suspended", [](Stage& s) { s.user.suspend(2h, Heard::by_server); }},
        {"disconnected", [](Stage& s) { s.user.disconnect(), s.user.connect(); }},
        {"given up", // and the user connects again after a while
         [](Stage& s) {
             cut_all(s, Heard::by_both);
             s.clock.run_for(1ms);
             s.user.give_up();
         }},
    };
    return all;
}

void run_every_prefix(Framing framing, protocol::Vsn vsn, Duration pause) {
    for (const Loss& loss : losses()) {
        for (std::size_t n = 0; n <= life().size(); ++n) {
            for (const bool goes_on : {false, true}) {
                SCOPED_TRACE(std::string(loss.name) + " after " + std::to_string(n) + " steps" +
                             (goes_on ? ", and on" : ""));
                Stage stage(framing, vsn);
                for (std::size_t i = 0; i < n; ++i) life()[i](stage), stage.clock.run_for(pause);
                loss.happen(stage);
                for (std::size_t i = n; goes_on && i < life().size(); ++i)
                    life()[i](stage), stage.clock.run_for(pause);
                stage.expect_to_recover();
                if (::testing::Test::HasFailure()) return;
            }
        }
    }
}

TEST(SimScenario, EveryPrefixSurvivesEveryLossWhenAllHasArrived) {
    run_every_prefix(Framing::messages, protocol::Vsn::v2, 50ms);
    run_every_prefix(Framing::messages, protocol::Vsn::v1, 50ms);
}

TEST(SimScenario, EveryPrefixSurvivesEveryLossWhenMuchIsOnItsWay) {
    run_every_prefix(Framing::messages, protocol::Vsn::v2, 1500us);
    run_every_prefix(Framing::bytes, protocol::Vsn::v2, 500us);
}

/// Cuts the first connection of a life after one unit (byte or message) more each time, until nothing is left
/// of it to be cut. Returns how many units there were.
std::size_t cut_everywhere(Framing framing, Side receiver) {
    for (std::size_t units = 0;; ++units) {
        SCOPED_TRACE("after " + std::to_string(units));
        Stage stage(framing);
        bool is_armed = false;
        for (const Step& step : life()) {
            step(stage);
            if (!is_armed && !stage.network.links().empty()) {
                stage.network.cut_after(LinkId{1}, receiver, units);
                is_armed = true;
            }
            stage.clock.run_for(50ms);
        }
        const bool was_cut = stage.network.totals().cuts > 0;
        stage.expect_to_recover();
        if (::testing::Test::HasFailure() || !was_cut) return units;
    }
}

TEST(SimScenario, SurvivesACutAfterEveryMessage) {
    EXPECT_GT(cut_everywhere(Framing::messages, Side::client), 20u);
    EXPECT_GT(cut_everywhere(Framing::messages, Side::server), 20u);
}

TEST(SimScenario, SurvivesACutAfterEveryByte) {
    EXPECT_GT(cut_everywhere(Framing::bytes, Side::client), 1000u);
    EXPECT_GT(cut_everywhere(Framing::bytes, Side::server), 1000u);
}

} // namespace
} // namespace phx::sim
