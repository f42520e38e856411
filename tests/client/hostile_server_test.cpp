#include "tests/client/attempt.hpp"
#include "tests/support/tls_files.hpp"

#include <csignal>
#include <openssl/ssl.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>

// Servers that answer an upgrade with what is meant to hurt: one typed error, soon, in bounded memory.
namespace phx::test {
namespace {

constexpr std::size_t gigabyte = 1u << 30;
constexpr std::size_t kernel_buffers = 64u
                                       << 20; // what may be under way when the client hangs up, generously

/// Writes the same bytes until it was a gigabyte, or the client hangs up. Returns how many it took.
std::size_t flood(Peer& peer, const std::string& bytes) {
    std::size_t written = 0;
    try {
        for (; written < gigabyte; written += bytes.size()) peer.write(bytes);
    } catch (const std::runtime_error&) { // it has hung up
    }
    return written;
}

void write_byte_by_byte(Peer& peer, const std::string& bytes) {
    for (const char byte : bytes) peer.write({&byte, 1});
}

TEST(HostileServer, IsLeftWhenItsHeadersDoNotEnd) {
    const std::vector<std::string> floods = {"X-Filler: " + std::string(1000, 'x') + "\r\n",
                                             std::string(65536, 'x'), "HTTP/1.1 103 Early Hints\r\n", "\r\n ",
                                             std::string(4096, '\0')};
    for (const std::string& bytes : floods) {
        ScriptedServer server;
        Attempt attempt(server.url());
        Peer peer = server.accept();
        peer.read_request();
        try {
            peer.write("HTTP/1.1 101 Switching Protocols\r\nX: ");
        } catch (const std::runtime_error&) {
        }
        EXPECT_LT(flood(peer, bytes), kernel_buffers);
        EXPECT_EQ(attempt.error().code, Errc::connect_failed);
    }
}

TEST(HostileServer, IsLeftWhenItsInterimAnswersDoNotEnd) {
    ScriptedServer server;
    SocketOptions options = quick();
    options.connect_timeout = 500ms;
    Attempt attempt(server.url(), std::move(options));
    Peer peer = server.accept();
    peer.read_request();
    EXPECT_LT(flood(peer, "HTTP/1.1 103 Early Hints\r\n\r\n"), gigabyte);
    EXPECT_EQ(attempt.error().code, Errc::connect_failed);
}

TEST(HostileServer, IsLeftWhenItsRefusalDoesNotEnd) {
    const std::string content(65536, 'x');
    struct Case {
        std::string framing, piece;
    };
    for (const auto& [framing, piece] :
         {Case{"Content-Length: 1073741824\r\n", content}, Case{"", content},
          Case{"Transfer-Encoding: chunked\r\n", "10000\r\n" + content + "\r\n"},
          Case{"Transfer-Encoding: chunked\r\n", content}}) {
        ScriptedServer server;
        Attempt attempt(server.url());
        Peer peer = server.accept();
        peer.read_request();
        peer.write("HTTP/1.1 404 Not Found\r\n" + framing + "\r\n");
        EXPECT_LT(flood(peer, piece), kernel_buffers) << framing;
        const Error error = attempt.error();
        EXPECT_EQ(error.code, Errc::upgrade_refused) << framing;
        ASSERT_TRUE(error.detail);
        EXPECT_EQ(error.detail->http_status, 404);
        EXPECT_LE(error.detail->http_body.size(), 16u * 1024);
    }
}

TEST(HostileServer, MayAnswerByteByByte) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept();
    const std::string request = peer.read_request();
    write_byte_by_byte(peer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: "
                             "websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                                 Peer::accept_of(request) + "\r\n\r\n");
    peer.accept_join();
    EXPECT_TRUE(result_of(joined));
}

TEST(HostileServer, MayRefuseByteByByte) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    // Up to where it knows enough, and hangs up.
    write_byte_by_byte(peer,
                       "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1\r\n!\r\n0\r\n");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::upgrade_refused);
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_body, "no!");
}

TEST(HostileServer, MaySendFramesWithTheAnswer) {
    ScriptedServer server;
    Loop loop;
    Socket socket(loop, server.url(), quick());
    Inbox<std::string> messages;
    socket.on_message([&](const Message& message) { messages.add(std::string(message.event())); });
    socket.connect();
    Peer peer = server.accept();
    const std::string request = peer.read_request();
    peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
               "Upgrade\r\nSec-WebSocket-Accept: " +
               Peer::accept_of(request) + "\r\n\r\n" + Peer::frame(1, R"([null,null,"room:1","early",{}])"));
    EXPECT_EQ(messages.first(), "early");
}

TEST(HostileServer, MayResetBehindItsAnswer) {
    for (int round = 0; round < 10; ++round) {
        ScriptedServer server;
        Attempt attempt(server.url());
        Peer peer = server.accept([] {}); // the request is there; that nobody reads it makes the reset
        peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        peer.close();
        const Error error = attempt.error();
        EXPECT_EQ(error.code, Errc::bad_auth) << error.message;
        ASSERT_TRUE(error.detail);
        EXPECT_EQ(error.detail->http_body, "no");
    }
}

TEST(HostileServer, MayResetBehindItsCloseFrame) {
    for (int round = 0; round < 10; ++round) {
        ScriptedServer server;
        Loop loop;
        Socket socket(loop, server.url(), quick());
        Inbox<std::uint16_t> codes;
        socket.on_close([&](std::uint16_t code, std::string_view) { codes.add(code); });
        socket.channel("room:1").join();
        socket.connect();
        Peer peer = server.accept_upgraded();
        EXPECT_FALSE(peer.read_some().empty()); // a part of the join, perhaps
        socket.channel("room:2").join();
        peer.wait_for_bytes();
        peer.send_close(1012, "restart");
        peer.close();
        EXPECT_EQ(codes.first(), 1012);
    }
}

TEST(HostileServer, MaySpeakTlsOnAPlainPort) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    peer.write(std::string("\x15\x03\x01\x00\x02\x02\x46", 7)); // an alert
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_NE(error.message.find("did not answer with HTTP"), error.message.npos) << error.message;
}

TEST(HostileServer, MaySpeakNonsenseOnATlsPort) {
    const std::string record("\x16\x03\x03\x40\x00", 5); // a handshake of 16 KiB
    for (const std::string& bytes :
         {std::string("\0\0\0\0\0\0", 6), std::string(65536, '\xff'), record + std::string(16384, '\x0b'),
          std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("\x15\x03\x03\x00\x02\x02\x28", 7)}) {
        ScriptedServer server;
        Attempt attempt("wss://127.0.0.1:" + std::to_string(server.port()) + "/socket");
        Peer peer = server.accept();
        EXPECT_LT(flood(peer, bytes), kernel_buffers);
        const Error error = attempt.error();
        EXPECT_EQ(error.code, Errc::tls_failed) << error.message;
        EXPECT_EQ(error.origin, Origin::peer);
    }
}

TEST(HostileServer, SaysWithAnAlertWhatItDislikes) {
    ScriptedServer server;
    Attempt attempt("wss://127.0.0.1:" + std::to_string(server.port()) + "/socket");
    Peer peer = server.accept();
    peer.write(std::string("\x15\x03\x03\x00\x02\x02\x28", 7)); // fatal, handshake_failure
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_NE(error.message.find("the server sent the alert \"handshake failure\""), error.message.npos)
        << error.message;
}

TEST(HostileServer, MayHangUpInsideTheTlsHandshake) {
    ScriptedServer server;
    Attempt attempt("wss://127.0.0.1:" + std::to_string(server.port()) + "/socket");
    server.accept().close();
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_NE(error.message.find("closed the connection"), error.message.npos) << error.message;
}

TEST(HostileServer, NamesTheEarliestRetry) {
    // By its own clock, which is decades off.
    ScriptedServer server;
    SocketOptions options = quick();
    options.retry.max_attempts = 2;
    Loop loop;
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    {
        Peer peer = server.accept();
        peer.read_request();
        peer.write(
            "HTTP/1.1 503 Busy\r\nDate: Fri, 31 Dec 1999 23:59:59 GMT\r\nRetry-After: Sat, 01 Jan 2000 "
            "00:00:00 GMT\r\nContent-Length: 0\r\n\r\n");
    }
    const auto start = std::chrono::steady_clock::now();
    server.accept();
    EXPECT_GT(std::chrono::steady_clock::now() - start, 900ms);
}

TEST(HostileServer, CannotMakeTlsAnswerWithoutEnd) {
    std::signal(SIGPIPE, SIG_IGN);
    const TlsFiles files;
    ScriptedServer server(files.server_cert(), files.server_key());
    const int few = 4096; // bytes that the system takes for it; it reads none
    setsockopt(server.fd(), SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
    SocketOptions options = quick();
    options.tls.ca_file = files.ca();
    Attempt attempt(server.url("localhost"), std::move(options));
    Peer peer = server.accept_upgraded();
    while (SSL_key_update(peer.tls(), SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(peer.tls()) == 1) {
    }
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_EQ(error.origin, Origin::peer);
    EXPECT_NE(error.message.find("does not read"), error.message.npos) << error.message;
}

} // namespace
} // namespace phx::test
