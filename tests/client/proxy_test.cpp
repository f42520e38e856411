#include "tests/client/attempt.hpp"
#include "tests/client/exchange.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/tls_files.hpp"

#include <array>
#include <cstdlib>
#include <initializer_list>
#include <map>

namespace phx::test {
namespace {

/// The environment's proxies for a while: these and no others.
class Environment {
public:
    Environment(std::initializer_list<std::pair<const char*, std::string>> variables) {
        for (const char* name : names) {
            const char* const value = std::getenv(name);
            if (value) before_.emplace(name, value);
            unsetenv(name);
        }
        for (const auto& [name, value] : variables) setenv(name, value.c_str(), 1);
    }
    ~Environment() {
        for (const char* name : names) unsetenv(name);
        for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

private:
    static constexpr std::array<const char*, 8> names = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                                         "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                                         "no_proxy",    "NO_PROXY"};
    std::map<std::string, std::string> before_;
};

SocketOptions with_proxy(const std::string& proxy) {
    SocketOptions options = quick();
    options.network.proxy = proxy;
    return options;
}

/// A name that does not resolve: the proxy has to.
std::string url_of(const ScriptedServer& server) { return server.url("phoenix.invalid"); }

std::string connect_to(const std::string& authority) {
    return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
}

TEST(Proxy, CarriesWs) {
    ScriptedServer server;
    ConnectProxy proxy(server.port());
    works(server, url_of(server), with_proxy(proxy.url()));
    EXPECT_EQ(proxy.requests(1).front(),
              connect_to("phoenix.invalid:" + std::to_string(server.port())) + "\r\n");
}

TEST(Proxy, CarriesWss) {
    const TlsFiles files;
    ScriptedServer server(files.server_cert(), files.server_key());
    ConnectProxy proxy(server.port());
    SocketOptions options = with_proxy(proxy.url());
    options.tls = {.ca_file = files.ca(), .server_name = "localhost"};
    works(server, url_of(server), std::move(options));
    EXPECT_EQ(proxy.requests(1).front(),
              connect_to("phoenix.invalid:" + std::to_string(server.port())) + "\r\n");
}

TEST(Proxy, GetsCredentials) {
    ScriptedServer server;
    ConnectProxy proxy(server.port());
    works(server, url_of(server), with_proxy(proxy.url("Aladdin:open%20sesame")));
    EXPECT_EQ(proxy.requests(1).front(),
              connect_to("phoenix.invalid:" + std::to_string(server.port())) +
                  "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

TEST(Proxy, IsAskedForLoopbackWhenItIsNamed) {
    ScriptedServer server;
    ConnectProxy proxy(server.port());
    const Environment environment{{"no_proxy", "*"}};
    works(server, server.url(), with_proxy(proxy.url()));
    EXPECT_EQ(proxy.requests(1).size(), 1u);
}

TEST(Proxy, IsTakenFromTheEnvironment) {
    const TlsFiles files;
    ScriptedServer plain, secure(files.server_cert(), files.server_key());
    ConnectProxy plain_proxy(plain.port()), secure_proxy(secure.port());
    SocketOptions over_tls = quick();
    over_tls.tls = {.ca_file = files.ca(), .server_name = "localhost"};
    {
        const Environment environment{{"http_proxy", plain_proxy.url()}, {"HTTPS_PROXY", secure_proxy.url()}};
        works(plain, url_of(plain), quick());
        works(secure, url_of(secure), std::move(over_tls));
    }
    const Environment environment{{"ALL_PROXY", plain_proxy.url()}};
    works(plain, url_of(plain), quick());
    EXPECT_EQ(plain_proxy.requests(2).size(), 2u);
    EXPECT_EQ(secure_proxy.requests(1).size(), 1u);
}

TEST(Proxy, OfTheEnvironmentIsLeftOutWhereItSaysSo) {
    ScriptedServer server;
    const std::string nobody = "http://127.0.0.1:" + std::to_string(unused_port());
    auto resolves = [&](const Environment&, SocketOptions options) {
        const Error error = Attempt(url_of(server), std::move(options)).error();
        EXPECT_NE(error.message.find("cannot resolve the host name phoenix.invalid"), error.message.npos)
            << error.message;
    };
    resolves(Environment{{"HTTP_PROXY", nobody}}, quick()); // what a CGI program has from a header
    resolves(Environment{{"https_proxy", nobody}}, quick());
    resolves(Environment{{"http_proxy", nobody}, {"NO_PROXY", "a.org, .invalid"}}, quick());
    resolves(Environment{{"http_proxy", nobody}}, with_proxy(""));
    const Environment environment{{"http_proxy", nobody}};
    works(server, server.url(), quick()); // this machine
}

TEST(Proxy, OfTheEnvironmentThatCannotBeUsedIsNamedWithoutItsPassword) {
    const Environment environment{{"all_proxy", "socks5://ada:secret@127.0.0.1:1080"}};
    const Error error = Attempt("ws://phoenix.invalid/socket").error();
    EXPECT_EQ(error.code, Errc::invalid_argument);
    EXPECT_NE(error.message.find("proxy URL: only HTTP proxies"), error.message.npos) << error.message;
    EXPECT_EQ(error.message.find("secret"), error.message.npos) << error.message;
}

/// The error of an attempt whose proxy answers the CONNECT with these bytes and hangs up.
Error refused_with(const std::string& answer) {
    ScriptedServer proxy;
    Attempt attempt("wss://phoenix.invalid/socket?token=secret",
                    with_proxy("http://ada:secret@127.0.0.1:" + std::to_string(proxy.port())));
    Peer peer = proxy.accept();
    peer.read_request();
    peer.write(answer);
    peer.close();
    const Error error = attempt.error();
    EXPECT_NE(error.message.find("the proxy 127.0.0.1:" + std::to_string(proxy.port())), error.message.npos)
        << error.message;
    EXPECT_EQ(error.message.find("secret"), error.message.npos) << error.message;
    EXPECT_EQ(error.origin, Origin::transport);
    return error;
}

TEST(Proxy, SaysWhyItRefuses) {
    struct Case {
        int status;
        Errc code;
    };
    for (const auto& [status, code] : {Case{407, Errc::bad_auth}, Case{403, Errc::connect_failed},
                                       Case{502, Errc::connect_failed}, Case{302, Errc::connect_failed}}) {
        const Error error =
            refused_with("HTTP/1.1 " + std::to_string(status) +
                         " No\r\nProxy-Authenticate: Basic\r\nContent-Length: 8\r\n\r\nnot here");
        EXPECT_EQ(error.code, code) << status;
        EXPECT_NE(error.message.find("HTTP " + std::to_string(status)), error.message.npos) << error.message;
        EXPECT_NE(error.message.find("phoenix.invalid:443"), error.message.npos) << error.message;
        ASSERT_TRUE(error.detail);
        EXPECT_EQ(error.detail->http_status, status);
        EXPECT_EQ(error.detail->http_body, "not here");
        EXPECT_EQ(error.detail->http_headers.front(),
                  (std::pair<std::string, std::string>("proxy-authenticate", "Basic")));
    }
}

TEST(Proxy, IsBlamedForWhatItSaysItself) {
    for (const std::string& answer :
         {std::string("SSH-2.0-OpenSSH_9.2\r\n"), std::string(), std::string("HTTP/1.1 200"),
          std::string("\x15\x03\x01\x00", 4), "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x')})
        EXPECT_EQ(refused_with(answer).code, Errc::connect_failed) << answer;
}

TEST(Proxy, IsNamedWhenItCannotBeReached) {
    const std::string place = "127.0.0.1:" + std::to_string(unused_port());
    const Error error = Attempt("ws://phoenix.invalid/socket", with_proxy("ada:secret@" + place)).error();
    EXPECT_EQ(error.code, Errc::connect_failed);
    EXPECT_NE(error.message.find("cannot connect to the proxy " + place + ": connection refused"),
              error.message.npos)
        << error.message;
    const Error unknown = Attempt("ws://127.0.0.1/socket", with_proxy("http://no-proxy.invalid:1")).error();
    EXPECT_NE(unknown.message.find("the proxy: cannot resolve the host name no-proxy.invalid"),
              unknown.message.npos)
        << unknown.message;
}

TEST(Proxy, IsNotBlamedForWhatTheServerSays) {
    ScriptedServer server;
    ConnectProxy proxy(server.port());
    Attempt attempt(url_of(server), with_proxy(proxy.url()));
    Peer peer = server.accept();
    EXPECT_TRUE(peer.read_request().starts_with("GET /socket/websocket?"));
    peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::bad_auth);
    EXPECT_EQ(error.origin, Origin::peer);
    EXPECT_TRUE(error.message.starts_with("phoenix.invalid:")) << error.message;
}

TEST(Proxy, DoesNotVouchForTheServer) {
    const TlsFiles files;
    ScriptedServer server(files.server_cert(), files.server_key());
    ConnectProxy proxy(server.port());
    SocketOptions options = with_proxy(proxy.url());
    options.tls.ca_file = files.ca();
    Attempt attempt(url_of(server), std::move(options));
    EXPECT_THROW(server.accept(), std::runtime_error);
    const Error error = attempt.error();
    EXPECT_EQ(error.code, Errc::tls_failed);
    EXPECT_NE(error.message.find("phoenix.invalid"), error.message.npos) << error.message;
    EXPECT_NE(error.message.find("mismatch"), error.message.npos) << error.message;
}

TEST(Proxy, MayAnswerByteByByte) {
    ScriptedServer proxy;
    Loop loop;
    Socket socket(loop, "ws://phoenix.invalid/socket",
                  with_proxy("http://127.0.0.1:" + std::to_string(proxy.port())));
    Inbox<int> opened;
    socket.on_open([&] { opened.add(1); });
    socket.connect();
    Peer peer = proxy.accept();
    EXPECT_EQ(peer.read_request(), connect_to("phoenix.invalid:80") + "\r\n");
    const std::string answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 Fine\r\nContent-Length: 5\r\n\r\n";
    for (const char byte : answer) peer.write({&byte, 1});
    peer.upgrade();
    EXPECT_TRUE(opened.first());
}

} // namespace
} // namespace phx::test
