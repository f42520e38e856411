#include "phx/channel.hpp"
#include "phx/loop.hpp"
#include "phx/socket.hpp"
#include "tests/support/test_server.hpp"
#include "tests/support/tls_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <string>

namespace phx::test {
namespace {

using testing::HasSubstr;

server::Options with_certificate(const std::string& cert, const std::string& key) {
    server::Options options;
    options.tls = server::TlsCertificate{cert, key};
    return options;
}

/// A client of OpenSSL's own over a blocking socket, for what our client would not do.
class TlsClient {
public:
    explicit TlsClient(std::uint16_t port, int max_version = TLS1_3_VERSION, const char* alpn = nullptr)
        : tcp_(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
          ssl_(SSL_new(context_.get()), &SSL_free) {
        SSL_set_max_proto_version(ssl_.get(), max_version);
        SSL_set_security_level(ssl_.get(), 0);
        SSL_set_cipher_list(ssl_.get(), "ALL:@SECLEVEL=0");
        if (alpn)
            SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(alpn),
                                static_cast<unsigned>(std::string_view(alpn).size()));
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
    }

    /// False if the server refuses it.
    bool shake_hands() {
        for (;;) {
            const int result = SSL_do_handshake(ssl_.get());
            flush();
            if (result == 1) return true;
            if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ || !fill()) return false;
        }
    }
    void send(std::string_view text) {
        SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
        flush();
    }
    std::string receive_to_end() {
        std::string all;
        char buffer[4096];
        for (;;) {
            const int length = SSL_read(ssl_.get(), buffer, sizeof buffer);
            if (length > 0) {
                all.append(buffer, static_cast<std::size_t>(length));
            } else if (SSL_get_error(ssl_.get(), length) != SSL_ERROR_WANT_READ || !fill()) {
                was_told_of_end_ = SSL_get_error(ssl_.get(), length) == SSL_ERROR_ZERO_RETURN;
                return all;
            }
        }
    }
    bool was_told_of_end() const { return was_told_of_end_; }
    /// Which certificate the server has shown.
    std::string fingerprint() const {
        const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(ssl_.get()), &X509_free);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        if (shown) X509_digest(shown.get(), EVP_sha256(), digest, &length);
        return {reinterpret_cast<char*>(digest), length};
    }

private:
    bool fill() {
        const std::string bytes = tcp_.receive();
        BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
        return !bytes.empty();
    }
    void flush() {
        char buffer[16384];
        for (;;) {
            const int length = BIO_read(SSL_get_wbio(ssl_.get()), buffer, sizeof buffer);
            if (length <= 0) return;
            tcp_.send({buffer, static_cast<std::size_t>(length)});
        }
    }

    TcpClient tcp_;
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
    bool was_told_of_end_ = false;
};

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
    ASSERT_TRUE(server->set_tls({files.ipv6_cert(), files.server_key()}));
    std::string shown = before.fingerprint();
    // The order is posted to the server's thread.
    for (int tries = 0; shown == before.fingerprint() && tries < 1000; ++tries) {
        TlsClient after(server.port());
        ASSERT_TRUE(after.shake_hands());
        shown = after.fingerprint();
    }
    EXPECT_NE(shown, before.fingerprint());
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
