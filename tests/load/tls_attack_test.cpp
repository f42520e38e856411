#include "tests/support/bystander.hpp"
#include "tests/support/memory_peak.hpp"
#include "tests/support/test_server.hpp"
#include "tests/support/tls_client.hpp"
#include "tests/support/tls_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <system_error>
#include <vector>

// Attacks on TLS. A client that is connected must not notice.
namespace phx::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1u << 20;

class TlsAttack : public testing::Test {
protected:
    TlsAttack() { EXPECT_TRUE(bystander.shake_hands()); }
    void TearDown() override {
        bystander.send("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        EXPECT_THAT(bystander.receive_to_end(), HasSubstr("200 OK"));
    }
    server::Options options() {
        server::Options options;
        options.tls = server::TlsCertificate{files.server_cert(), files.server_key()};
        options.timeouts.write = 1s;
        options.timeouts.request = 60s; // the bystander waits so long at the most
        return options;
    }
    /// What a client of OpenSSL says first.
    std::string hello() {
        TlsClient client(server.port());
        return client.first_flight();
    }

    TlsFiles files;
    TestServer server{options()};
    TlsClient bystander{server.port()};
};

TEST_F(TlsAttack, ByBytesThatChangeOnTheirWayIsRefused) {
    constexpr unsigned seed = 20261121;
    std::mt19937 random(seed);
    const std::string good = hello();
    for (int i = 0; i < 300; ++i) {
        std::string bad = good;
        for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
        if (i % 3 == 0) bad.resize(random() % bad.size() + 1);
        TcpClient tcp(server.port());
        tcp.send(bad + std::string(16, '\0'));
        tcp.reset();
    }
}

TEST_F(TlsAttack, ByRenegotiationIsRefused) {
    TlsClient client(server.port(), TLS1_2_VERSION);
    ASSERT_TRUE(client.shake_hands());
    EXPECT_FALSE(client.renegotiate());
}

TEST_F(TlsAttack, ByKeyUpdatesTakesNoMemory) {
    TlsClient client(server.port());
    ASSERT_TRUE(client.shake_hands());
    const MemoryPeak memory;
    try {
        for (int i = 0; i < 20'000; ++i) client.update_keys(); // each asks for one of the server's
    } catch (const std::system_error&) { // it has hung up, or reads no more while nobody reads what it says
    }
    EXPECT_LT(memory.growth(), 16 * mebibyte);
}

TEST(TlsAttackByHandshakes, ThatStopHalfWayEndsThem) {
    TlsFiles files;
    server::Options options;
    options.tls = server::TlsCertificate{files.server_cert(), files.server_key()};
    options.timeouts.request = 1s;
    TestServer server(options);
    const std::string hello = TlsClient(server.port()).first_flight();
    std::vector<TcpClient> clients;
    for (std::size_t i = 0; i < 200; ++i) {
        clients.emplace_back(server.port());
        clients.back().send(std::string_view(hello).substr(0, i % 2 == 0 ? hello.size() : hello.size() / 2));
    }
    for (TcpClient& client : clients) client.receive_to_end();
    EXPECT_TRUE(eventually([&] { return server->stats().timed_out >= 200; })) << server->stats().timed_out;
    EXPECT_EQ(server->stats().connections, 0u);
}

} // namespace
} // namespace phx::test
