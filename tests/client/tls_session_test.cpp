#include "src/net/tls_session.hpp"

#include "tests/support/tls_files.hpp"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string>

namespace phx::test {
namespace {

using shell::TlsSession;

template <class T> using Owned = std::unique_ptr<T, void (*)(T*)>;

/// A server without a socket.
class MemoryServer {
public:
    MemoryServer() : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {}

    SSL_CTX* context() { return context_.get(); }
    SSL* tls() { return ssl_.get(); }
    void use(const TlsFiles& files) {
        SSL_CTX_use_certificate_chain_file(context(), files.server_cert().c_str());
        SSL_CTX_use_PrivateKey_file(context(), files.server_key().c_str(), SSL_FILETYPE_PEM);
    }
    void start() {
        ssl_.reset(SSL_new(context()));
        SSL_set_bio(tls(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(tls());
    }
    void feed(const std::string& bytes) {
        BIO_write(SSL_get_rbio(tls()), bytes.data(), static_cast<int>(bytes.size()));
    }
    std::string take_output() {
        std::string out(BIO_ctrl_pending(SSL_get_wbio(tls())), '\0');
        BIO_read(SSL_get_wbio(tls()), out.data(), static_cast<int>(out.size()));
        return out;
    }
    std::string read() {
        std::array<char, 1000> text{};
        const int size = SSL_read(tls(), text.data(), static_cast<int>(text.size()));
        return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
    }

private:
    Owned<SSL_CTX> context_;
    Owned<SSL> ssl_{nullptr, &SSL_free};
};

std::string output_of(TlsSession& session) {
    std::string out;
    session.take_output(out);
    return out;
}

/// Up to what the server says after the handshake, which it returns.
std::string shake_hands(TlsSession& session, MemoryServer& server) {
    server.start();
    while (session.state() == TlsSession::State::shaking_hands) {
        session.feed(server.take_output());
        session.handshake();
        server.feed(output_of(session));
        SSL_do_handshake(server.tls());
    }
    return server.take_output();
}

TEST(TlsSession, SaysHowMuchItTookWhileAMessageOfTlsIsHalfReceived) {
    const TlsFiles files;
    MemoryServer server;
    server.use(files);
    SSL_CTX_set_max_send_fragment(server.context(), 512);
    SSL_CTX_set_session_ticket_cb( // longer than a record
        server.context(),
        [](SSL* ssl, void*) {
            const std::string long_text(2000, 'x');
            return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), long_text.data(), long_text.size());
        },
        [](SSL*, SSL_SESSION*, const unsigned char*, std::size_t, SSL_TICKET_STATUS, void*) {
            return static_cast<SSL_TICKET_RETURN>(SSL_TICKET_RETURN_IGNORE);
        },
        nullptr);
    const TlsOptions options{.ca_file = files.ca()};
    shell::TlsContexts contexts;
    TlsSession session(contexts.get(options).value(), options, "localhost");
    const std::string tickets = shake_hands(session, server);
    ASSERT_EQ(session.state(), TlsSession::State::open);
    ASSERT_GT(tickets.size(), 2000u);

    std::array<char, 100> plain{};
    std::string out;
    session.feed(tickets.substr(0, 600)); // more than one record, less than the message
    EXPECT_EQ(session.read(plain), 0u);
    EXPECT_EQ(session.write("hello", out), 0u);
    EXPECT_EQ(session.state(), TlsSession::State::open);
    session.feed(tickets.substr(600));
    EXPECT_EQ(session.read(plain), 0u);
    const std::string more = "Hello, all";
    EXPECT_EQ(session.write(more, out), more.size());
    server.feed(out);
    EXPECT_EQ(server.read(), more);
}

TEST(TlsSession, NeverTakesTheCommonNameForTheName) {
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const Owned<X509> certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const subject = X509_get_subject_name(certificate.get());
    const auto* const name = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    ASSERT_NE(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    const Owned<BIO> pem(BIO_new(BIO_s_mem()), [](BIO* bio) { BIO_free(bio); });
    PEM_write_bio_X509(pem.get(), certificate.get());
    std::string ca(BIO_ctrl_pending(pem.get()), '\0');
    BIO_read(pem.get(), ca.data(), static_cast<int>(ca.size()));

    MemoryServer server;
    SSL_CTX_use_certificate(server.context(), certificate.get());
    SSL_CTX_use_PrivateKey(server.context(), key.get());
    const TlsOptions options{.ca_pem = ca};
    shell::TlsContexts contexts;
    TlsSession session(contexts.get(options).value(), options, "localhost");
    shake_hands(session, server);
    EXPECT_EQ(session.state(), TlsSession::State::failed);
    const std::string message = session.error("somewhere").message;
    EXPECT_NE(message.find("hostname mismatch"), message.npos) << message;
}

} // namespace
} // namespace phx::test
