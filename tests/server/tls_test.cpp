#include "phx/channel.hpp"
#include "phx/loop.hpp"
#include "phx/socket.hpp"
#include "tests/support/test_server.hpp"
#include "tests/support/tls_client.hpp"
#include "tests/support/tls_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace phx::test {
namespace {

using testing::HasSubstr;

server::Options with_certificate(const std::string& cert, const std::string& key) {
    server::Options options;
    options.tls = server::TlsCertificate{cert, key};
    return options;
}

class ServerTls : public testing::Test {
protected:
    SocketOptions trusting() const {
        SocketOptions options;
        options.tls.ca_file = files.ca();
        return options;
    }
    std::string url() const { return "wss://localhost:" + std::to_string(server.port()) + "/socket"; }

    TlsFiles files;
    TestServer server{with_certificate(files.server_cert(), files.server_key())};
};

TEST_F(ServerTls, ServesChannelsToOurClient) {
    Loop loop;
    Socket socket(loop, url(), trusting());
    auto channel = socket.channel("room:1");
    socket.connect();
    ASSERT_TRUE(channel.join().wait());
    const auto small = channel.push("echo", {{"a", 1}}).wait();
    ASSERT_TRUE(small);
    EXPECT_EQ(small->text(), R"({"a":1})");
    const std::string big(3'000'000, 'x'); // many records, and more than a socket takes at once
    const auto reply = channel.push("echo", {{"big", big}}).wait();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text().size(), big.size() + 10);
}

TEST_F(ServerTls, AnswersHttpsAndSaysWhenItEnds) {
    TlsClient client(server.port());
    ASSERT_TRUE(client.shake_hands());
    client.send("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    EXPECT_THAT(client.receive_to_end(), testing::EndsWith(R"({"status":"ok"})"));
    EXPECT_TRUE(client.was_told_of_end());
}

TEST_F(ServerTls, RefusesWhatIsNoTlsAndServesTheOthers) {
    TlsClient bystander(server.port());
    ASSERT_TRUE(bystander.shake_hands());
    for (const char* bytes :
         {"GET /health HTTP/1.1\r\nhost: a\r\n\r\n", "\x16\x03\x01\xff\xff garbage", "nonsense"}) {
        TcpClient tcp(server.port());
        tcp.send(bytes);
        EXPECT_EQ(tcp.receive_to_end().find("HTTP"), std::string::npos);
    }
    EXPECT_FALSE(TlsClient(server.port(), TLS1_1_VERSION).shake_hands());
    EXPECT_FALSE(TlsClient(server.port(), TLS1_3_VERSION, "\x02h2").shake_hands());
    EXPECT_TRUE(TlsClient(server.port(), TLS1_2_VERSION).shake_hands());
    EXPECT_TRUE(TlsClient(server.port(), TLS1_3_VERSION, "\x02h2\x08http/1.1").shake_hands());
    bystander.send("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    EXPECT_THAT(bystander.receive_to_end(), HasSubstr("200 OK"));
    const auto errors = server.errors();
    ASSERT_GE(errors.size(), 4u);
    EXPECT_EQ(errors[0].code, Errc::tls_failed);
    EXPECT_THAT(errors[0].message, HasSubstr("TLS with 127.0.0.1 failed: http request"));
}

TEST(ServerTlsLimits, GiveUpOnAHandshakeThatDoesNotEnd) {
    TlsFiles files;
    server::Options options = with_certificate(files.server_cert(), files.server_key());
    options.timeouts.request = std::chrono::milliseconds(100);
    TestServer server(options);
    TcpClient silent(server.port());
    TcpClient half(server.port());
    half.send("\x16\x03\x01");
    EXPECT_EQ(silent.receive_to_end(), "");
    EXPECT_EQ(half.receive_to_end(), "");
}

TEST_F(ServerTls, TakesANewCertificateWhileItRuns) {
    TlsClient before(server.port());
    ASSERT_TRUE(before.shake_hands());
    for (int i = 0; i < 20; ++i) {
        const bool is_new = i % 2 == 0;
        ASSERT_TRUE(server->set_tls({is_new ? files.ipv6_cert() : files.server_cert(), files.server_key()}));
        TlsClient after(server.port());
        ASSERT_TRUE(after.shake_hands());
        EXPECT_EQ(after.fingerprint() != before.fingerprint(), is_new) << i;
    }
    before.send("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    EXPECT_THAT(before.receive_to_end(), HasSubstr("200 OK"));
}

TEST_F(ServerTls, KeepsItsCertificateWhenTheNewOneIsBad) {
    const auto set = server->set_tls({files.server_cert(), files.ca()});
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code, Errc::tls_failed);
    EXPECT_THAT(set.error().message, HasSubstr(files.ca()));
    EXPECT_TRUE(TlsClient(server.port()).shake_hands());
}

TEST(ServerTlsStart, FailsWithoutAUsableCertificate) {
    TlsFiles files;
    for (const auto& [cert, key] : {std::pair{files.server_cert() + "x", files.server_key()},
                                    std::pair{files.server_cert(), files.other_ca()},
                                    std::pair{files.server_cert(), files.encrypted_key()}}) {
        server::Server server(with_certificate(cert, key));
        const auto port = server.start();
        ASSERT_FALSE(port);
        EXPECT_EQ(port.error().code, Errc::tls_failed) << port.error().message;
    }
    server::Server plain;
    ASSERT_TRUE(plain.start());
    EXPECT_EQ(plain.set_tls({files.server_cert(), files.server_key()}).error().code, Errc::invalid_argument);
}

} // namespace
} // namespace phx::test
