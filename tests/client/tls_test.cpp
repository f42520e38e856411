#include "tests/client/client_fixture.hpp"
#include "tests/support/tls_files.hpp"

#include <thread>

namespace phx::test {
namespace {

class Tls : public testing::Test {
protected:
    /// The first error of an attempt whose handshake the server sees fail.
    Error refused(const std::string& url, TlsOptions tls) {
        std::thread script([this] {
            try {
                server.accept();
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
        Peer peer = server.accept_upgraded();
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
