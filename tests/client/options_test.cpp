#include "tests/client/client_fixture.hpp"

#include <stdexcept>

namespace phx::test {
namespace {

/// What a socket with these options says when it is made; empty if it can be.
template <class Change> std::string complaint(Change change) {
    Loop loop;
    SocketOptions options;
    change(options);
    try {
        const Socket socket(loop, "ws://127.0.0.1:1/socket", std::move(options));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return {};
}

std::string complaint_of_header(const std::string& name, const std::string& value) {
    return complaint([&](SocketOptions& o) { o.headers = {{name, value}}; });
}

TEST(Options, HaveTheDefaultsOfPhoenixJs) {
    const SocketOptions options;
    EXPECT_EQ(options.timeout, 10s);
    EXPECT_EQ(options.heartbeat_interval, 30s);
    EXPECT_EQ(options.vsn, Vsn::v2);
    EXPECT_EQ(options.params, Json::object());
    EXPECT_EQ(options.retry.first_connect.steps.front(), 10ms);
    EXPECT_EQ(options.retry.first_connect.steps.back(), 5s);
    EXPECT_EQ(options.retry.rejoin.steps, (std::vector<Millis>{1s, 2s, 5s, 10s}));
}

TEST(Options, AreRefusedWhenTheyCannotBeUsed) {
    Loop loop;
    EXPECT_THROW(Socket(loop, "http//x"), std::invalid_argument);
    EXPECT_THROW(Socket(loop, ""), std::invalid_argument);
    EXPECT_NE(complaint([](auto& o) { o.params = 5; }), "");
    EXPECT_NE(complaint([](auto& o) { o.params = {{"a", "\xff"}}; }), "");
    EXPECT_NE(complaint([](auto& o) { o.timeout = Millis(0); }), "");
    EXPECT_NE(complaint([](auto& o) { o.retry.reconnect.steps.clear(); }), "");
    EXPECT_NE(complaint([](auto& o) { o.tls.key_file = "key.pem"; }), "");
    EXPECT_EQ(complaint([](auto&) {}), "");
}

TEST(Options, RefuseHeadersThatWouldEndTheirLine) {
    for (const std::string& value :
         {std::string("a\r\nb"), std::string("a\rb"), std::string("a\nb"), std::string("\r\nX: y"),
          std::string("a\0b", 3), std::string("\x7f"), std::string("a\x01")})
        EXPECT_NE(complaint_of_header("X-A", value).find("the header X-A has control characters"),
                  std::string::npos)
            << value;
    for (const std::string& name :
         {std::string(), std::string("a b"), std::string("a:"), std::string("a\r\nb"), std::string("a\nb"),
          std::string("a\0", 2), std::string("\xc3\xa4"), std::string(" a"), std::string("a\t")})
        EXPECT_NE(complaint_of_header(name, "x").find("must be a token"), std::string::npos) << name;
}

TEST(Options, RefuseHeadersOfTheUpgradeItself) {
    for (const char* name :
         {"Upgrade", "CONNECTION", "sec-websocket-key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
          "Sec-WebSocket-Extensions", "Sec-WebSocket-Accept", "Content-Length", "Transfer-Encoding"})
        EXPECT_NE(complaint_of_header(name, "x").find("belongs to the upgrade"), std::string::npos) << name;
    EXPECT_NE(complaint([](SocketOptions& o) { o.headers = {{"Host", "a"}, {"host", "b"}}; }), "");
    for (const char* name : {"Host", "Origin", "Cookie", "Authorization", "User-Agent", "X-Sec-WebSocket-A"})
        EXPECT_EQ(complaint_of_header(name, "a\tb; c=\"d\" \xc3\xa4"), "") << name;
}

TEST(Options, RefuseNetworksThatCannotBe) {
    for (const char* proxy :
         {"https://ada:secret@proxy:1", "socks5://ada:secret@proxy", "http://ada:secret@proxy:x", " "}) {
        const std::string text = complaint([&](SocketOptions& o) { o.network.proxy = proxy; });
        EXPECT_NE(text.find("network.proxy: "), std::string::npos) << text;
        EXPECT_EQ(text.find("secret"), std::string::npos) << text;
    }
    EXPECT_NE(complaint([](auto& o) { o.network.unix_socket = std::string(108, 'x'); }), "");
    EXPECT_NE(complaint([](auto& o) {
                  o.network.unix_socket = "/run/x";
                  o.network.proxy = "http://proxy:1";
              }),
              "");
    EXPECT_EQ(complaint([](auto& o) {
                  o.network.unix_socket = std::string(107, 'x');
                  o.network.proxy = "";
              }),
              "");
}

TEST(Options, MayNameAnotherHost) {
    ScriptedServer server;
    SocketOptions options = quick();
    options.headers = {{"hOst", "example.org"}, {"Origin", "https://example.org"}, {"Cookie", "a=b; c=d"}};
    Loop loop;
    Socket socket(loop, server.url(), std::move(options));
    socket.connect();
    const std::string request = server.accept().read_request();
    EXPECT_EQ(Peer::header_of(request, "hOst"), "example.org");
    EXPECT_EQ(request.find("Host: 127.0.0.1"), request.npos) << request;
    EXPECT_EQ(Peer::header_of(request, "Origin"), "https://example.org");
    EXPECT_EQ(Peer::header_of(request, "Cookie"), "a=b; c=d");
}

} // namespace
} // namespace phx::test
