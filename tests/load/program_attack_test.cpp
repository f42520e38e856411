#include "tests/support/bystander.hpp"
#include "tests/support/memory_peak.hpp"
#include "tests/support/server_program.hpp"
#include "tests/support/test_server.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

// Attacks on phx-server as a process: what it takes of the machine.
namespace phx::test {
namespace {

constexpr std::size_t mebibyte = 1u << 20;

class ProgramAttack : public testing::Test {
protected:
    void TearDown() override {
        bystander.reset();
        program.signal(SIGTERM);
        EXPECT_EQ(program.finish().exit_code, 0);
    }
    std::size_t memory(const std::string& figure) const { return memory_of(program.id(), figure); }
    void flood(const std::string& first, const std::string& bytes, std::size_t most) {
        try {
            TcpClient tcp(port, TcpClient::ReceiveBuffer::tiny);
            tcp.send(first);
            for (std::size_t sent = 0; sent < most; sent += bytes.size()) tcp.send(bytes);
        } catch (const std::system_error&) { // it has hung up
        }
    }

    Process program{server_command({"--listen", "127.0.0.1:0", "--insecure-no-auth", "--timeouts-write",
                                    "500ms", "--timeouts-request", "1s", "--log-level", "error"})};
    std::uint16_t port = ready_port(program);
    std::unique_ptr<Bystander> bystander = std::make_unique<Bystander>(port);
};

TEST_F(ProgramAttack, ByFloodsOfManyKindsStaysSmall) {
    const std::string kilobyte(1'000, 'x');
    const auto many = [](const std::string& bytes) {
        std::string all;
        while (all.size() < mebibyte) all += bytes;
        return all;
    };
    const std::string upgrade = upgrade_head(WsClient::v2);
    const std::string joined = upgrade + raw_frame(0x81, R"(["1","1","a","phx_join",{}])");
    const std::string chunked = "POST /api/send HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    const std::size_t before = memory("VmRSS");
    flood("GET / HTTP/1.1\r\n", many("x: " + kilobyte + "\r\n"), 64 * mebibyte);
    flood("", many("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"), 64 * mebibyte);
    flood("", many("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), 64 * mebibyte); // the status page
    flood(chunked, many("3e8\r\n" + kilobyte + "\r\n"), 64 * mebibyte);
    flood(joined, many(raw_frame(0x89, "ping")), 64 * mebibyte);
    flood(joined, many(raw_frame(0x81, R"(["1","2","a","echo",")" + kilobyte + "\"]")), 64 * mebibyte);
    flood(joined, many(raw_frame(0x81, R"(["1","2","a","shout",")" + kilobyte + "\"]")), 64 * mebibyte);
    flood(upgrade + raw_frame(0x01, "["), many(raw_frame(0x00, kilobyte)), 64 * mebibyte);
    flood(upgrade, many("\xff"), 64 * mebibyte);
    if (!is_sanitized) {
        EXPECT_LT(memory("VmHWM"), before + 64 * mebibyte);
    }
    bystander->expect_undisturbed();
}

TEST(ProgramWithoutDescriptors, ServesThoseWhoAreConnectedAndComesBack) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the undefined-behaviour sanitizer looks at memory through pipes, and there are none";
#endif
    Process program({"/bin/sh", "-c", "ulimit -n 64; exec \"$0\" --listen 127.0.0.1:0 --insecure-no-auth",
                     PHX_SERVER_PROGRAM});
    const std::uint16_t port = ready_port(program);
    auto bystander = std::make_unique<Bystander>(port);
    {
        std::vector<TcpClient> clients;
        for (int i = 0; i < 300; ++i) clients.emplace_back(port);
        int refused = 0;
        for (TcpClient& client : clients) {
            try {
                client.send("GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
                refused += client.receive_to_end().empty();
            } catch (const std::system_error&) { // reset
                ++refused;
            }
        }
        EXPECT_GT(refused, 200);
    }
    EXPECT_TRUE(eventually([&] {
        try {
            return request(port, "GET /health HTTP/1.1").status == 200;
        } catch (const std::exception&) {
            return false;
        }
    }));
    bystander->expect_undisturbed();
    bystander.reset();
    program.signal(SIGTERM);
    EXPECT_EQ(program.finish().exit_code, 0);
}

} // namespace
} // namespace phx::test
