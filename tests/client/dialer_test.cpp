#include "src/net/dialer.hpp"

#include "src/net/socket_address.hpp"
#include "tests/client/client_fixture.hpp"
#include "tests/support/silent_port.hpp"

#include <array>
#include <future>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace phx::test {
namespace {

using shell::Descriptor;
using shell::Dialer;
using shell::DialTarget;
using shell::Duration;
using Strings = std::vector<std::string>;

TEST(Dialer, LetsTheFamiliesTakeTurns) {
    using shell::interleave_families;
    EXPECT_EQ(interleave_families({}), Strings{});
    EXPECT_EQ(interleave_families({"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"}),
              (Strings{"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"}));
    EXPECT_EQ(interleave_families({"10.0.0.1", "10.0.0.2", "::1"}), (Strings{"10.0.0.1", "::1", "10.0.0.2"}));
    EXPECT_EQ(interleave_families({"10.0.0.1", "10.0.0.2"}), (Strings{"10.0.0.1", "10.0.0.2"}));
}

/// A dialer on a loop, and what became of it.
class Dialling {
public:
    /// `busy`: for how long the loop does not come back from `done`.
    Dialling(DialTarget target, Duration attempt_delay, Duration busy = 0ms) {
        loop_->call([&] {
            dialer_ = std::make_unique<Dialer>(*loop_, attempt_delay);
            dialer_->dial(std::move(target), [this, busy](Result<Descriptor> result) {
                for (const auto end = loop_->now() + busy; loop_->now() < end;) {
                }
                outcome_.set_value(result ? peer_of(result->get()) : "error: " + result.error().message);
            });
        });
    }
    ~Dialling() {
        drop();
        loop_->shut_down();
    }
    /// The address that won, or the error.
    std::string outcome() { return get(outcome_.get_future()); }
    void drop() {
        loop_->call([&] { dialer_.reset(); });
    }
    /// Those that are due.
    void let_timers_fire() {
        std::promise<void> fired;
        std::optional<shell::LoopTimer> timer;
        loop_->call([&] {
            timer.emplace(*loop_, [&] { fired.set_value(); });
            timer->arm(loop_->now());
        });
        get(fired.get_future());
        loop_->call([&] { timer.reset(); });
    }

private:
    static std::string peer_of(int descriptor) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        std::array<char, NI_MAXHOST> text{};
        getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
        getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST);
        return text.data();
    }

    std::shared_ptr<shell::LoopCore> loop_ = shell::LoopCore::start({});
    std::unique_ptr<Dialer> dialer_;
    std::promise<std::string> outcome_;
};

DialTarget target_of(Strings addresses, int port) {
    DialTarget target;
    target.place = "somewhere";
    target.addresses = std::move(addresses);
    target.port = static_cast<std::uint16_t>(port);
    return target;
}

constexpr Duration never = 1h;

TEST(Dialer, GoesOnWhenAnAddressDoesNotAnswerInTime) {
    const ScriptedServer server; // on 127.0.0.1
    const SilentPort silent("127.0.0.2", server.port());
    const auto start = std::chrono::steady_clock::now();
    Dialling dialling(target_of({"127.0.0.2", "127.0.0.1"}, server.port()), Dialer::rfc_attempt_delay);
    EXPECT_EQ(dialling.outcome(), "127.0.0.1");
    EXPECT_GE(std::chrono::steady_clock::now() - start, Dialer::rfc_attempt_delay - 2ms);
}

TEST(Dialer, GoesOnAtOnceWhenAnAddressRefuses) {
    const ScriptedServer server;
    Dialling dialling(target_of({"127.0.0.3", "127.0.0.2", "127.0.0.1"}, server.port()), never);
    EXPECT_EQ(dialling.outcome(), "127.0.0.1");
}

TEST(Dialer, DoesNotWaitForALaterAddressWhenTheFirstAnswers) {
    const ScriptedServer server;
    const SilentPort silent("127.0.0.2", server.port());
    Dialling dialling(target_of({"127.0.0.1", "127.0.0.2"}, server.port()), 0ms);
    EXPECT_EQ(dialling.outcome(), "127.0.0.1");
}

TEST(Dialer, TriesTheOtherFamilyBeforeTheRestOfTheFirst) {
    std::optional<ScriptedServer> server;
    try {
        server.emplace("", "", ScriptedServer::Family::v6);
    } catch (const std::runtime_error& error) {
        GTEST_SKIP() << "no IPv6 loopback: " << error.what();
    }
    const SilentPort first("127.0.0.2", server->port()), second("127.0.0.3", server->port());
    Dialling dialling(target_of({"127.0.0.2", "127.0.0.3", "::1"}, server->port()), 10ms);
    EXPECT_EQ(dialling.outcome(), "::1");
}

TEST(Dialer, SaysOfEachAddressWhyItFailed) {
    Dialling dialling(target_of({"127.0.0.2", "127.0.0.3"}, unused_port()), never);
    EXPECT_EQ(dialling.outcome(),
              "error: cannot connect to somewhere: 127.0.0.2: connection refused, 127.0.0.3: connection "
              "refused; check address, port and network, and that the server runs");
    Strings many;
    for (int i = 1; i <= 200; ++i) many.push_back("127.0.1." + std::to_string(i));
    Dialling long_one(target_of(many, unused_port()), never);
    EXPECT_LT(long_one.outcome().size(), 1000u);
}

TEST(Dialer, TriesNothingMoreOnceAllHaveFailed) {
    const Duration attempt_delay = 20ms;
    Dialling dialling(target_of({"127.0.0.2", "not numeric"}, unused_port()), attempt_delay,
                      2 * attempt_delay);
    EXPECT_EQ(dialling.outcome(),
              "error: cannot connect to somewhere: 127.0.0.2: connection refused, not numeric: no address; "
              "check address, port and network, and that the server runs");
    dialling.let_timers_fire();
}

TEST(Dialer, CanBeDroppedWhileItDials) {
    const SilentPort silent("127.0.0.2");
    Dialling dialling(target_of({"127.0.0.2", "127.0.0.2"}, silent.port()), 0ms);
    dialling.drop(); // and the loop ends, with nothing left open
}

} // namespace
} // namespace phx::test
