#include "tests/client/attempt.hpp"
#include "tests/client/exchange.hpp"
#include "tests/support/tls_files.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <openssl/ssl.h>
#include <stdexcept>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace phx::test {
namespace {

constexpr const char* broken_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

std::string text_of(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

SocketOptions with_tls(TlsOptions tls) {
    SocketOptions options = quick();
    options.tls = std::move(tls);
    return options;
}

class Tls : public testing::Test {
protected:
    /// The first error of an attempt whose handshake the server sees fail.
    Error refused(const std::string& url, TlsOptions tls) {
        std::thread script([this] {
            try {
                serving->accept();
            } catch (const std::runtime_error&) { // the client hung up
            }
        });
        Inbox<Error> errors;
        {
            Loop loop;
            SocketOptions options = quick();
            options.retry.max_attempts = 1;
            options.tls = std::move(tls);
            Socket socket(loop, url, std::move(options));
            socket.on_error([&](const Error& error) { errors.add(error); });
            socket.connect();
            errors.first();
        }
        script.join();
        const auto all = errors.all();
        return all.empty() ? Error{} : all.front();
    }
    void works(const std::string& url, TlsOptions tls) {
        SocketOptions options = quick();
        options.tls = std::move(tls);
        test::works(*serving, url, std::move(options));
    }

    TlsFiles files;
    ScriptedServer server{files.server_cert(), files.server_key()};
    ScriptedServer* serving = &server;
};

TEST_F(Tls, AcceptsAServerOfItsAuthority) { works(server.url("localhost"), {.ca_file = files.ca()}); }

TEST_F(Tls, VerifiesTheNameThatIsGiven) {
    works(server.url("127.0.0.1"), {.ca_file = files.ca(), .server_name = "localhost"});
}

TEST_F(Tls, AcceptsAnybodyWhenVerificationIsOff) { works(server.url("127.0.0.1"), {.verify_peer = false}); }

TEST_F(Tls, TakesAuthoritiesFromMemory) {
    const std::string ca = text_of(files.ca()), other = text_of(files.other_ca());
    works(server.url("localhost"), {.ca_pem = ca});
    works(server.url("localhost"), {.ca_pem = other + "between\n" + ca});
    works(server.url("localhost"), {.ca_file = files.other_ca(), .ca_pem = ca});
    const Error error = refused(server.url("localhost"), {.ca_pem = other});
    EXPECT_EQ(error.code, Errc::tls_failed);
    for (const std::string& broken : {std::string("no PEM"), ca.substr(0, ca.size() / 2), ca + broken_pem}) {
        Attempt attempt(server.url("localhost"), with_tls({.ca_pem = broken}));
        EXPECT_EQ(attempt.error().code, Errc::tls_failed);
        EXPECT_NE(attempt.error().message.find("TlsOptions::ca_pem"), std::string::npos)
            << attempt.error().message;
    }
}

TEST_F(Tls, DoesNotConfuseWhatItKeeps) {
    // One loop keeps a context for each set of options.
    Loop loop;
    auto first_error = [&](TlsOptions tls) {
        std::optional<Peer> peer; // as long as the socket, which would come again
        std::thread script([&] {
            try {
                peer.emplace(server.accept());
                peer->upgrade();
            } catch (const std::runtime_error&) { // the client hung up
            }
        });
        SocketOptions options = with_tls(std::move(tls));
        options.retry.max_attempts = 1;
        Socket socket(loop, server.url("localhost"), std::move(options));
        Inbox<Errc> ends;
        socket.on_open([&] { ends.add(Errc{}); });
        socket.on_error([&](const Error& error) { ends.add(static_cast<Errc>(error.code.value())); });
        socket.connect();
        const auto end = ends.first();
        script.join();
        return end;
    };
    const std::string ca = text_of(files.ca());
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(first_error({.ca_file = files.ca()}), Errc{});
        EXPECT_EQ(first_error({.ca_pem = ca}), Errc{});
        EXPECT_EQ(first_error({.ca_file = files.other_ca()}), Errc::tls_failed);
        EXPECT_EQ(first_error({.ca_file = files.ca(), .server_name = "example.org"}), Errc::tls_failed);
        EXPECT_EQ(first_error({.ca_file = files.other_ca(), .verify_peer = false}), Errc{});
    }
}

TEST_F(Tls, DemandsAtLeastAVersion) {
    SSL_CTX_set_max_proto_version(server.tls(), TLS1_2_VERSION);
    works(server.url("localhost"), {.ca_file = files.ca()});
    const Error error =
        refused(server.url("localhost"), {.ca_file = files.ca(), .min_version = TlsVersion::v1_3});
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_NE(error.message.find("min_version"), error.message.npos) << error.message;
    SSL_CTX_set_max_proto_version(server.tls(), TLS1_3_VERSION);
    works(server.url("localhost"), {.ca_file = files.ca(), .min_version = TlsVersion::v1_3});
}

TEST_F(Tls, RefusesAnOldVersion) {
    SSL_CTX_set_security_level(server.tls(), 0);
    SSL_CTX_set_min_proto_version(server.tls(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.tls(), TLS1_1_VERSION);
    EXPECT_EQ(refused(server.url("localhost"), {.ca_file = files.ca()}).code, Errc::tls_failed);
}

TEST_F(Tls, ShowsItsCertificate) {
    SSL_CTX_load_verify_locations(server.tls(), files.ca().c_str(), nullptr);
    SSL_CTX_set_verify(server.tls(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    works(server.url("localhost"),
          {.ca_file = files.ca(), .cert_file = files.server_cert(), .key_file = files.server_key()});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) { // in 1.3 it is told after the handshake
        SSL_CTX_set_max_proto_version(server.tls(), version);
        const Error error = refused(server.url("localhost"), {.ca_file = files.ca()});
        EXPECT_EQ(error.code, Errc::tls_failed);
        EXPECT_NE(error.message.find("the server sent the alert \""), error.message.npos) << error.message;
        EXPECT_NE(error.message.find("cert_file"), error.message.npos) << error.message;
    }
}

TEST_F(Tls, SendsTheNameOfTheServer) {
    auto name_seen = [&](const std::string& url, const std::string& server_name) {
        Loop loop;
        Socket socket(loop, url, with_tls({.server_name = server_name, .verify_peer = false}));
        socket.connect();
        const Peer peer = server.accept();
        const char* const name = SSL_get_servername(peer.tls(), TLSEXT_NAMETYPE_host_name);
        return std::string(name ? name : "none");
    };
    EXPECT_EQ(name_seen(server.url("localhost"), ""), "localhost");
    EXPECT_EQ(name_seen(server.url("127.0.0.1"), "example.org"), "example.org");
    EXPECT_EQ(name_seen(server.url("127.0.0.1"), "example.org."), "example.org");
    EXPECT_EQ(name_seen(server.url("127.0.0.1"), ""), "none");
    EXPECT_EQ(name_seen(server.url("localhost"), "::1"), "none");
}

TEST_F(Tls, LogsKeysForDebuggingOnlyWhenAsked) {
    const std::string log = files.ca() + ".keys";
    setenv("SSLKEYLOGFILE", log.c_str(), 1);
    works(server.url("localhost"), {.ca_file = files.ca()});
    unsetenv("SSLKEYLOGFILE");
    EXPECT_FALSE(std::filesystem::exists(log));
    works(server.url("localhost"), {.ca_file = files.ca(), .key_log_file = log});
    const std::string first = text_of(log);
    EXPECT_NE(first.find("CLIENT_TRAFFIC_SECRET_0 "), first.npos) << first;
    EXPECT_EQ(first.back(), '\n');
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(log).permissions(), perms::owner_read | perms::owner_write);
    std::filesystem::permissions(log, perms::all);
    works(server.url("localhost"), {.ca_file = files.ca(), .key_log_file = log});
    EXPECT_GT(text_of(log).size(), first.size()) << "it is appended to";
    EXPECT_EQ(std::filesystem::status(log).permissions(), perms::owner_read | perms::owner_write);
    Attempt attempt(server.url("localhost"), with_tls({.key_log_file = "/nonexistent/keys"}));
    EXPECT_EQ(attempt.error().code, Errc::tls_failed);
    EXPECT_NE(attempt.error().message.find("/nonexistent/keys: No such file"), std::string::npos)
        << attempt.error().message;
}

TEST_F(Tls, LogsKeysOnlyToAFileOfItsOwn) {
    const std::string file = files.ca() + ".keys", link = files.ca() + ".link", pipe = files.ca() + ".pipe";
    std::ofstream(file).flush();
    std::filesystem::create_symlink(file, link);
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (const std::string& log : {link, pipe, std::string("/dev/null")}) {
        Attempt attempt(server.url("localhost"), with_tls({.key_log_file = log}));
        const Error error = attempt.error();
        EXPECT_EQ(error.code, Errc::tls_failed) << log;
        EXPECT_NE(error.message.find("cannot use the key log file " + log), error.message.npos)
            << error.message;
    }
    ::close(reader);
}

TEST_F(Tls, RefusesAServerNameThatStartsWithADot) {
    Attempt attempt(server.url("localhost"), with_tls({.server_name = ".example.org"}));
    EXPECT_EQ(attempt.error().code, Errc::tls_failed);
    EXPECT_NE(attempt.error().message.find("starts with a dot"), std::string::npos);
}

TEST_F(Tls, LeavesOutTheFinalDotOfAName) {
    works(server.url("127.0.0.1"), {.ca_file = files.ca(), .server_name = "localhost."});
}

TEST_F(Tls, RefusesAnUnknownAuthority) {
    for (const std::string& ca : {std::string(), files.other_ca()}) {
        const Error error = refused(server.url("localhost"), {.ca_file = ca});
        EXPECT_EQ(error.code, Errc::tls_failed);
        EXPECT_EQ(error.origin, Origin::peer);
        EXPECT_NE(error.message.find("unable to get local issuer certificate"), error.message.npos)
            << error.message;
    }
}

TEST_F(Tls, RefusesAnotherName) {
    const Error error = refused(server.url("127.0.0.1"), {.ca_file = files.ca()});
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_NE(error.message.find("mismatch"), error.message.npos) << error.message;
    const Error other =
        refused(server.url("localhost"), {.ca_file = files.ca(), .server_name = "example.org"});
    EXPECT_EQ(other.code, Errc::tls_failed);
    EXPECT_NE(other.message.find("mismatch"), other.message.npos) << other.message;
}

TEST_F(Tls, VerifiesAnIpv6AddressThatIsGiven) {
    // A name that libwebsockets would cut at its first ':', which leaves one that matches everything.
    for (const char* name : {"::1", ":localhost", ":", "2001:db8::1", "localhost:443"}) {
        const Error error = refused(server.url("localhost"), {.ca_file = files.ca(), .server_name = name});
        EXPECT_EQ(error.code, Errc::tls_failed) << name;
        EXPECT_EQ(error.origin, Origin::peer) << name;
        EXPECT_NE(error.message.find("mismatch"), error.message.npos) << error.message;
    }
    ScriptedServer right(files.ipv6_cert(), files.server_key());
    serving = &right;
    works(right.url("127.0.0.1"), {.ca_file = files.ca(), .server_name = "::1"});
    works(right.url("127.0.0.1"), {.ca_file = files.ca(), .server_name = "0:0::0:1"});
    const Error other = refused(right.url("127.0.0.1"), {.ca_file = files.ca(), .server_name = "::2"});
    EXPECT_EQ(other.code, Errc::tls_failed);
    const Error unknown =
        refused(right.url("127.0.0.1"), {.ca_file = files.other_ca(), .server_name = "::1"});
    EXPECT_EQ(unknown.code, Errc::tls_failed);
}

TEST_F(Tls, VerifiesTheIpv6AddressOfTheUrl) {
    std::optional<ScriptedServer> wrong, right;
    try {
        wrong.emplace(files.server_cert(), files.server_key(), ScriptedServer::Family::v6);
        right.emplace(files.ipv6_cert(), files.server_key(), ScriptedServer::Family::v6);
    } catch (const std::runtime_error& error) {
        GTEST_SKIP() << "no IPv6 loopback: " << error.what();
    }
    serving = &*wrong;
    const Error error = refused(wrong->url("[::1]"), {.ca_file = files.ca()});
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_NE(error.message.find("mismatch"), error.message.npos) << error.message;
    works(wrong->url("[::1]"), {.ca_file = files.ca(), .server_name = "localhost"});
    serving = &*right;
    works(right->url("[::1]"), {.ca_file = files.ca()});
}

TEST_F(Tls, IsNotDisturbedByAnotherLoop) {
    Loop loop;
    SocketOptions options = quick();
    options.retry.max_attempts = 1;
    options.tls.ca_file = files.ca();
    Socket socket(loop, server.url("localhost"), std::move(options));
    Inbox<std::string> seen;
    socket.on_open([&] { seen.add("open"); });
    socket.on_error([&](const Error& error) { seen.add(error.message); });
    socket.connect();
    std::optional<Loop> other;
    std::optional<Peer> peer;
    std::thread script([&] {
        try {
            peer.emplace(server.accept([&] { other.emplace(); })); // in the middle of the handshake
            peer->upgrade();
        } catch (const std::runtime_error&) { // the client hung up
        }
    });
    EXPECT_EQ(seen.first(), "open");
    script.join();
}

TEST_F(Tls, OutlivesTheLoopThatWasFirst) {
    { Loop first; }
    for (int round = 0; round < 2; ++round) works(server.url("localhost"), {.ca_file = files.ca()});
}

TEST_F(Tls, SaysThatAKeyIsEncrypted) {
    Loop loop;
    SocketOptions options = quick();
    options.retry.max_attempts = 1;
    options.tls = {
        .ca_file = files.ca(), .cert_file = files.server_cert(), .key_file = files.encrypted_key()};
    Socket socket(loop, server.url("localhost"), std::move(options));
    Inbox<Error> errors;
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::tls_failed);
    EXPECT_NE(error->message.find("encrypted.key: the key is encrypted"), error->message.npos)
        << error->message;
}

TEST_F(Tls, SaysWhichFileCannotBeUsed) {
    Loop loop; // and there is no server
    for (const TlsOptions& tls :
         {TlsOptions{.ca_file = "/nonexistent/ca.pem"}, TlsOptions{.ca_file = files.server_key()},
          TlsOptions{.ca_file = files.ca(), .cert_file = files.ca(), .key_file = files.server_key()}}) {
        SocketOptions options = quick();
        options.retry.max_attempts = 1;
        options.tls = tls;
        Socket socket(loop, "wss://127.0.0.1:" + std::to_string(unused_port()), std::move(options));
        Inbox<Error> errors;
        socket.on_error([&](const Error& error) { errors.add(error); });
        socket.connect();
        const auto error = errors.first();
        ASSERT_TRUE(error);
        EXPECT_EQ(error->code, Errc::tls_failed);
        EXPECT_NE(error->message.find("file /"), error->message.npos) << error->message;
    }
}

TEST(TlsToPlain, SaysThatThePortDoesNotSpeakTls) {
    ScriptedServer plain;
    Inbox<Error> errors;
    Loop loop;
    SocketOptions options = quick();
    options.retry.max_attempts = 1;
    Socket socket(loop, "wss://127.0.0.1:" + std::to_string(plain.port()) + "/socket", std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    socket.connect();
    Peer peer = plain.accept();
    peer.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    const auto error = errors.first();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::tls_failed) << error->message;
}

} // namespace
} // namespace phx::test
