#include "protocol/client/client_machine.hpp"
#include "src/testing/virtual_clock.hpp"
#include "tests/sim/oracles.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <variant>
#include <vector>

namespace phx::sim {
namespace {

using namespace std::chrono_literals;
using namespace protocol;

constexpr std::size_t clients = 10'000;
constexpr Duration round_trip = 2ms;

/// A server that is up or down, and clients that do nothing but connect to it.
class Crowd {
public:
    explicit Crowd(Jitter jitter = BackoffConfig::reconnect().jitter) {
        for (std::size_t i = 0; i < clients; ++i) {
            ClientConfig config;
            config.seed = i;
            config.heartbeat_interval = {};
            config.reconnect.jitter = jitter;
            all_.push_back(std::make_unique<Client>(*this, std::move(config)));
        }
    }

    /// All are connected for a minute; then the server goes, and comes back.
    void restart_server(Duration down_for) {
        for (auto& client : all_) client->machine.connect(clock.now()), client->pump();
        clock.run_for(1min);
        attempts.clear();
        lost_at = clock.now();
        is_up = down_for == Duration{0};
        for (auto& client : all_)
            client->machine.handle_closed(clock.now(), client->conn, {}), client->pump();
        clock.run_for(down_for);
        is_up = true;
        clock.run_for(2min);
    }

    std::size_t connected() const {
        std::size_t open = 0;
        for (const auto& client : all_) open += client->machine.state() == SocketState::open ? 1 : 0;
        return open;
    }

    VirtualClock clock;
    bool is_up = true;
    TimePoint lost_at = {};
    std::vector<TimePoint> attempts;

private:
    struct Client {
        Client(Crowd& c, ClientConfig config)
            : crowd(c), machine(std::move(config)), timer(c.clock, [this] {
                  machine.handle_timeout(crowd.clock.now());
                  pump();
              }) {}

        void pump() {
            while (const auto output = machine.poll()) {
                const auto* open = std::get_if<act::Open>(&*output);
                if (open == nullptr) continue;
                conn = open->conn;
                crowd.attempts.push_back(crowd.clock.now());
                crowd.clock.after(round_trip, [this] { answer(); });
            }
            timer.arm(machine.next_timeout());
        }
        void answer() {
            const TimePoint now = crowd.clock.now();
            if (crowd.is_up) {
                machine.handle_open(now, conn);
            } else {
                machine.handle_closed(now, conn, {.error = fail(Errc::connect_failed, "refused").error});
            }
            pump();
        }

        Crowd& crowd;
        ClientMachine machine;
        VirtualTimer timer;
        ConnId conn{};
    };

    std::vector<std::unique_ptr<Client>> all_;
};

Spread connects_after(Duration down_for, Jitter jitter = BackoffConfig::reconnect().jitter) {
    Crowd crowd(jitter);
    crowd.restart_server(down_for);
    EXPECT_EQ(crowd.connected(), clients);
    const Spread connects = spread(crowd.attempts, crowd.lost_at, 100ms);
    const auto last = (crowd.attempts.back() - crowd.lost_at) / 1ms;
    std::printf("down for %5d ms: %6zu connects of %zu clients in %5d ms, per 100 ms %4.0f and at most %zu\n",
                static_cast<int>(down_for / 1ms), crowd.attempts.size(), clients, static_cast<int>(last),
                connects.mean, connects.peak);
    return connects;
}

TEST(SimStampede, DoesNotFollowARestart) {
    const Spread connects = connects_after(0s);
    EXPECT_LE(static_cast<double>(connects.peak), 3 * connects.mean);
}

// Who failed tries again while others try for the first time. The mean says little here: the more patient
// most clients are, the lower it is. The measure is the second in which each of them tries once.
TEST(SimStampede, DoesNotFollowAnOutage) {
    constexpr std::size_t once_within_a_second = clients / 10; // per 100 ms
    for (const Duration down_for : {500ms, 1000ms, 2000ms, 5000ms, 20'000ms, 60'000ms})
        EXPECT_LE(connects_after(down_for).peak, once_within_a_second * 5 / 4);
}

TEST(SimStampede, IsSeenWhenThereIsNoJitter) {
    EXPECT_GE(connects_after(0s, Jitter::none).peak, clients);
    EXPECT_GE(connects_after(5s, Jitter::none).peak, clients);
}

} // namespace
} // namespace phx::sim
