#include "tests/client/client_fixture.hpp"
#include "tests/support/tls_files.hpp"

#include <stdexcept>
#include <thread>

namespace phx::test {
namespace {

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
    /// Joins a channel and exchanges a push.
    void works(const std::string& url, TlsOptions tls) {
        Loop loop;
        SocketOptions options = quick();
        options.tls = std::move(tls);
        Socket socket(loop, url, std::move(options));
        Inbox<Error> errors;
        socket.on_error([&](const Error& error) { errors.add(error); });
        auto room = socket.channel("room:1");
        socket.connect();
        const Push joined = room.join();
        Peer peer = serving->accept_upgraded();
        peer.accept_join();
        EXPECT_TRUE(result_of(joined));
        const Push pushed = room.push_text("big", '"' + std::string(1u << 20, 'x') + '"');
        const PhxFrame frame = peer.expect("big");
        peer.reply(frame, "ok", frame.payload);
        const auto reply = result_of(pushed);
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->text().size(), (1u << 20) + 2);
        EXPECT_TRUE(errors.all().empty());
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
    Loop loop;
    for (const TlsOptions& tls :
         {TlsOptions{.ca_file = "/nonexistent/ca.pem"}, TlsOptions{.ca_file = files.server_key()},
          TlsOptions{.ca_file = files.ca(), .cert_file = files.ca(), .key_file = files.server_key()}}) {
        SocketOptions options = quick();
        options.retry.max_attempts = 1;
        options.tls = tls;
        Socket socket(loop, server.url("localhost"), std::move(options));
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
