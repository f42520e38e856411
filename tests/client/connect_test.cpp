#include "tests/client/attempt.hpp"

namespace phx::test {
namespace {

TEST(Connect, SaysThatNobodyListens) {
    const int port = unused_port();
    Attempt attempt("ws://127.0.0.1:" + std::to_string(port) + "/socket");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_EQ(error.origin, Origin::transport);
    EXPECT_NE(error.message.find("127.0.0.1:" + std::to_string(port)), error.message.npos) << error.message;
    EXPECT_NE(error.message.find("connection refused"), error.message.npos) << error.message;
}

TEST(Connect, SaysThatANameDoesNotResolve) {
    Attempt attempt("ws://no-such-host.invalid/socket");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_NE(error.message.find("no-such-host.invalid"), error.message.npos) << error.message;
}

TEST(Connect, TriesTheNextAddressOfAName) {
    // localhost is ::1 and 127.0.0.1 on most systems; the server listens on the latter only.
    ScriptedServer server;
    Inbox<int> opened;
    Loop loop;
    Socket socket(loop, server.url("localhost"), quick());
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    Peer peer = server.accept();
    const std::string request = peer.upgrade();
    EXPECT_EQ(Peer::header_of(request, "Host"), "localhost:" + std::to_string(server.port()));
    EXPECT_TRUE(opened.first());
}

TEST(Connect, ReportsARefusedUpgradeWithStatusHeadersAndBody) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nx-reason: expired\r\n"
               "Content-Length: 20\r\n\r\n{\"error\":\"forbidden\"");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::bad_auth);
    EXPECT_EQ(error.origin, Origin::peer);
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_status, 403);
    EXPECT_EQ(error.detail->http_body, "{\"error\":\"forbidden\"");
    EXPECT_EQ(error.detail->http_headers,
              (std::vector<std::pair<std::string, std::string>>{
                  {"content-type", "application/json"}, {"x-reason", "expired"}, {"content-length", "20"}}));
}

TEST(Connect, ReportsARefusalThatEndsWithTheConnection) {
    ScriptedServer server;
    Attempt attempt(server.url());
    {
        Peer peer = server.accept();
        peer.read_request();
        peer.write("HTTP/1.0 404 Not Found\r\n\r\nno such path");
    }
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::upgrade_refused);
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_status, 404);
    EXPECT_EQ(error.detail->http_body, "no such path");
}

TEST(Connect, ReportsARefusalWithoutBody) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::upgrade_refused);
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_status, 503);
    EXPECT_NE(error.message.find("try again later"), std::string::npos) << error.message;
    EXPECT_EQ(error.detail->http_headers, (std::vector<std::pair<std::string, std::string>>{
                                              {"retry-after", "7"}, {"content-length", "0"}}));
}

TEST(Connect, KeepsOnlyTheBeginningOfALongRefusal) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk(0x8000, 'x');
    peer.write("8000\r\n" + chunk + "\r\n");
    const Error error = attempt.error();
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_body.size(), 16u * 1024);
}

TEST(Connect, DoesNotFollowRedirects) {
    ScriptedServer server, elsewhere;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    const std::string location = elsewhere.url("ada:secret@127.0.0.1");
    peer.write("HTTP/1.1 302 Found\r\nLocation: " + location + "\t\xff?token=x\r\nContent-Length: 0\r\n\r\n");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::upgrade_refused);
    EXPECT_NE(error.message.find("redirects with HTTP 302 to " + elsewhere.url() + "??, which"),
              error.message.npos)
        << error.message;
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_status, 302);
    EXPECT_EQ(error.detail->http_headers.front(),
              (std::pair<std::string, std::string>("location", location + "\t\xff?token=x")));
}

TEST(Connect, NamesNoCredentialsOfALongRedirect) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 302 Found\r\nLocation: http://ada:secret" + std::string(300, 'x') + "@elsewhere/" +
               std::string(300, 'y') + "\r\nContent-Length: 0\r\n\r\n");
    const Error error = attempt.error();
    EXPECT_EQ(error.message.find("secret"), error.message.npos) << error.message;
    EXPECT_NE(error.message.find("to http://elsewhere/yyy"), error.message.npos) << error.message;
    EXPECT_EQ(error.message.find(std::string(200, 'y')), error.message.npos) << error.message;
}

/// Answers the upgrade with these headers, or with these bytes as they are.
Error answer_with(const std::string& status_and_headers) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    const std::string request = peer.read_request();
    std::string answer = status_and_headers;
    if (const auto at = answer.find("ACCEPT"); at != answer.npos)
        answer.replace(at, 6, Peer::accept_of(request));
    peer.write(answer);
    peer.close();
    return attempt.error();
}

TEST(Connect, ChecksTheHandshake) {
    const std::string start = "HTTP/1.1 101 Switching Protocols\r\n";
    const std::string good = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n";
    struct Case {
        const char* what;
        std::string answer;
        Errc code;
    };
    const std::vector<Case> cases = {
        {"Accept is wrong",
         start + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
         Errc::upgrade_refused},
        {"Accept is wrong", start + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
         Errc::upgrade_refused},
        {"Upgrade header", start + "Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n",
         Errc::upgrade_refused},
        {"Connection header", start + "Upgrade: websocket\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n",
         Errc::upgrade_refused},
        {"extension", start + good + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         Errc::upgrade_refused},
        {"subprotocol", start + good + "Sec-WebSocket-Protocol: chat\r\n\r\n", Errc::upgrade_refused},
        {"did not answer with HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Errc::connect_failed},
        {"closed the connection", "", Errc::connect_failed},
        {"closed the connection", "HTTP/1.1 101 Swit", Errc::connect_failed},
    };
    for (const auto& [what, answer, code] : cases) {
        const Error error = answer_with(answer);
        EXPECT_EQ(error.code, code) << answer << error.message;
        EXPECT_NE(error.message.find(what), error.message.npos) << error.message;
    }
}

TEST(Connect, RefusesHeadersWithoutEnd) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    try {
        peer.write("HTTP/1.1 101 Switching Protocols\r\n");
        for (int i = 0; i < 10'000; ++i)
            peer.write("X-Filler-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n");
    } catch (const std::runtime_error&) { // it has hung up
    }
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_NE(error.message.find("more than 16 KiB of headers"), error.message.npos) << error.message;
}

TEST(Connect, GivesUpOnAServerThatSaysNothing) {
    ScriptedServer server;
    SocketOptions options = quick();
    options.connect_timeout = 20ms;
    Attempt attempt(server.url(), std::move(options));
    Peer peer = server.accept();
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_NE(error.message.find("20 ms"), error.message.npos) << error.message;
    EXPECT_TRUE(peer.wait_for_end());
}

TEST(Connect, SendsTokenHeadersAndParamsOfEachAttempt) {
    ScriptedServer server;
    Loop loop;
    SocketOptions options = quick();
    std::atomic<int> calls{0};
    options.params_provider = [&calls] { return Json{{"call", ++calls}, {"nested", {{"a", 1}}}}; };
    options.auth_token = [] { return std::string("secret"); };
    options.headers = {{"Authorization", "Bearer x"}, {"User-Agent", "me"}};
    options.vsn = Vsn::v1;
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    for (int call = 1; call <= 2; ++call) {
        Peer peer = server.accept();
        const std::string request = peer.read_request();
        EXPECT_TRUE(request.starts_with("GET /socket/websocket?call=" + std::to_string(call) +
                                        "&nested%5Ba%5D=1&vsn=1.0.0 HTTP/1.1\r\n"))
            << request;
        EXPECT_EQ(Peer::header_of(request, "Authorization"), "Bearer x");
        EXPECT_EQ(Peer::header_of(request, "User-Agent"), "me");
        EXPECT_EQ(Peer::header_of(request, "Sec-WebSocket-Protocol"),
                  "phoenix, base64url.bearer.phx.c2VjcmV0");
    }
}

TEST(Connect, SendsALongToken) {
    ScriptedServer server;
    const std::string token(6000, 't');
    Attempt attempt(server.url() + "?token=" + token);
    const std::string request = server.accept().read_request();
    EXPECT_TRUE(request.starts_with("GET /socket/websocket?token=" + token + "&vsn=2.0.0 HTTP/1.1\r\n"));
    EXPECT_TRUE(request.ends_with("\r\n\r\n"));
}

TEST(Connect, RefusesARequestThatNoServerTakes) {
    ScriptedServer server;
    Attempt attempt(server.url() + "?token=" + std::string(20'000, 't'));
    EXPECT_EQ(attempt.error().code, Errc::invalid_argument);
}

TEST(Connect, ReportsAProviderThatThrows) {
    ScriptedServer server;
    SocketOptions options = quick();
    options.auth_token = []() -> std::string { throw std::runtime_error("eyJhbGci is no token"); };
    Attempt attempt(server.url(), std::move(options));
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::handler_failed);
    EXPECT_EQ(error.message.find("eyJ"), error.message.npos); // it may hold what it read
}

TEST(Connect, ReportsARefusalWhoseBodyNeverEnds) {
    ScriptedServer server;
    Attempt attempt(server.url());
    Peer peer = server.accept();
    peer.read_request();
    peer.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\nhalf a body");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::bad_auth) << error.message;
    ASSERT_TRUE(error.detail);
    EXPECT_EQ(error.detail->http_status, 401);
    EXPECT_EQ(error.detail->http_body, "half a body");
}

} // namespace
} // namespace phx::test
