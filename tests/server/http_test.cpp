#include "tests/support/test_server.hpp"

#include <gtest/gtest.h>
#include <string>

namespace phx::test {
namespace {

int upgrade_status(std::uint16_t port, std::string_view path, std::string_view extra = {}) {
    TcpClient tcp(port);
    tcp.send(upgrade_head(path, extra));
    std::string rest;
    return read_response(tcp, rest).status;
}

TEST(ServerHttp, SaysThatItIsAlive) {
    TestServer server;
    const HttpResponse alive = request(server.port(), "GET /health HTTP/1.1");
    EXPECT_EQ(alive.status, 200);
    EXPECT_EQ(alive.body, R"({"status":"ok"})");
    EXPECT_EQ(alive.header("content-type"), "application/json");
    const HttpResponse head = request(server.port(), "HEAD /health HTTP/1.1");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("content-length"), "15");
    EXPECT_EQ(head.body, "");
}

TEST(ServerHttp, RefusesOtherMethodsAndPaths) {
    TestServer server;
    const HttpResponse post = request(server.port(), "POST /health HTTP/1.1\r\ncontent-length: 2", "{}");
    EXPECT_EQ(post.status, 405);
    EXPECT_EQ(post.header("allow"), "GET, HEAD");
    EXPECT_EQ(post.body, R"({"error":"method not allowed"})");
    for (const char* path :
         {"/", "/healthy", "/health/", "/socket", "/socket/nothing", "/%68ealth", "/a/../health"}) {
        const HttpResponse other = request(server.port(), std::string("GET ") + path + " HTTP/1.1");
        EXPECT_EQ(other.status, 404) << path;
        EXPECT_EQ(other.body, R"({"error":"not found"})") << path;
    }
    EXPECT_EQ(upgrade_status(server.port(), "/nosocket/websocket"), 404);
}

TEST(ServerHttp, KeepsConnectionsAndAnswersPipelinedRequestsInOrder) {
    TestServer server;
    TcpClient tcp(server.port());
    tcp.send(
        "POST /health HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nGET /GET /x HTTP/1.1\r\nhost: a\r\n\r\n"
        "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\nGET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    std::string rest;
    EXPECT_EQ(read_response(tcp, rest).status, 405);
    EXPECT_EQ(read_response(tcp, rest).status, 404);
    const HttpResponse last = read_response(tcp, rest);
    EXPECT_EQ(last.status, 200);
    EXPECT_EQ(last.header("connection"), "close");
    EXPECT_EQ(rest + tcp.receive_to_end(), "");
}

TEST(ServerHttp, EndsAConnectionWhoseBodyItCannotSkip) {
    TestServer server;
    for (const char* head : {"POST /health HTTP/1.1\r\ntransfer-encoding: chunked",
                             "POST /health HTTP/1.1\r\ncontent-length: 99999999999",
                             "POST /health HTTP/1.1\r\ncontent-length: 5\r\nexpect: 100-continue"}) {
        const HttpResponse response = request(server.port(), head);
        EXPECT_EQ(response.status, 405) << head;
        EXPECT_EQ(response.header("connection"), "close") << head;
    }
}

TEST(ServerHttp, AnswersAnUpgradeToAnythingElseAsIfThereWereNone) {
    TestServer server;
    const HttpResponse response = request(
        server.port(), "GET /health HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
                       "http2-settings: AAMAAABkAAQAAP__");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(request(server.port(), "GET /socket/websocket HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c")
                  .status,
              400);
}

TEST(ServerHttp, RefusesMalformedRequestsAndEndsTheConnection) {
    TestServer server;
    WsClient bystander(server.port());
    for (const std::string& bytes :
         {std::string("nonsense\r\n\r\n"), std::string("GET / HTTP/1.1\r\n\r\n"), std::string(20'000, 'a'),
          std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), std::string("\x16\x03\x01\x02\r\n\r\n")}) {
        TcpClient tcp(server.port());
        tcp.send(bytes);
        const std::string all = tcp.receive_to_end();
        EXPECT_TRUE(all.starts_with("HTTP/1.1 4") || all.starts_with("HTTP/1.1 5")) << all;
        EXPECT_NE(all.find("connection: close"), std::string::npos);
    }
    EXPECT_TRUE(is_served(bystander));
}

TEST(ServerHttp, GivesUpOnSlowAndSilentClients) {
    server::Options options;
    options.timeouts.request = std::chrono::milliseconds(100);
    TestServer server(options);
    TcpClient silent(server.port());
    TcpClient slow(server.port());
    slow.send("GET /health HT");
    TcpClient kept(server.port());
    kept.send("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");
    EXPECT_EQ(silent.receive_to_end(), "");
    EXPECT_TRUE(slow.receive_to_end().starts_with("HTTP/1.1 408 "));
    EXPECT_TRUE(kept.receive_to_end().starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(server->stats().hits(server::Limit::request_timeout), 2u) << "not of the one that was answered";
}

TEST(ServerUpgrade, NeedsTheHandshakeOfRfc6455) {
    TestServer server;
    const auto answer = [&](std::string_view head) { return request(server.port(), head); };
    const HttpResponse plain = answer("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nconnection: close");
    EXPECT_EQ(plain.status, 400);
    EXPECT_EQ(plain.body, "'connection' header must contain 'upgrade', got [\"close\"]");
    EXPECT_EQ(answer("GET /socket/websocket HTTP/1.1\r\nconnection: upgrade").body,
              "'upgrade' header must contain 'websocket', got []");
    EXPECT_EQ(answer("GET /socket/websocket HTTP/1.1\r\nconnection: upgrade\r\nupgrade: WebSocket").body,
              "'sec-websocket-key' header is absent");
    const std::string upgrade =
        "GET /socket/websocket HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
    EXPECT_EQ(answer(upgrade + "sec-websocket-key: short\r\nsec-websocket-version: 13").status, 400);
    const std::string key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    EXPECT_EQ(answer(upgrade + key + key + "sec-websocket-version: 13").body,
              "'sec-websocket-key' header must appear once");
    const HttpResponse version = answer(upgrade + key + "sec-websocket-version: 12");
    EXPECT_EQ(version.status, 400);
    EXPECT_EQ(version.body, "'sec-websocket-version' header must equal '13', got [\"12\"]");
    EXPECT_EQ(version.header("sec-websocket-version"), "13");
    const HttpResponse post = answer("POST /socket/websocket HTTP/1.1\r\ncontent-length: 0");
    EXPECT_EQ(post.status, 400);
    EXPECT_EQ(post.body, "");
    EXPECT_EQ(upgrade_status(server.port(), WsClient::v2, "content-length: 1\r\n"), 400);
    EXPECT_EQ(upgrade_status(server.port(), "/socket/websocket?a=%ff"), 400);
}

TEST(ServerUpgrade, SpeaksTheVersionsOfPhoenix) {
    TestServer server;
    for (const char* vsn :
         {"?vsn=1.0.0", "?vsn=1.0.7", "?vsn=2.0.0", "?vsn=2.0.9", "", "?other=1", "?vsn=9&vsn=2.0.0"}) {
        for (const char* path : {"/socket/websocket", "/socket/websocket/", "/realtime/v1/websocket"}) {
            EXPECT_EQ(upgrade_status(server.port(), std::string(path) + vsn), 101) << path << vsn;
        }
    }
    for (const char* vsn : {"?vsn=1.1.0", "?vsn=2.1.0", "?vsn=3.0.0", "?vsn=2", "?vsn=abc", "?vsn="}) {
        for (const char* path : {"/socket/websocket", "/realtime/v1/websocket"}) {
            TcpClient tcp(server.port());
            tcp.send(upgrade_head(std::string(path) + vsn));
            std::string rest;
            const HttpResponse refused = read_response(tcp, rest);
            EXPECT_EQ(refused.status, 403) << path << vsn;
            EXPECT_EQ(refused.body, "") << path << vsn;
        }
    }
}

TEST(ServerUpgrade, ChoosesTheSubprotocolThatCarriesATokenAndNoExtension) {
    TestServer server;
    const std::string token(2000, 'x');
    WsClient with_token(server.port(), WsClient::v2,
                        "sec-websocket-protocol: phoenix, base64url.bearer.phx." + token +
                            "\r\nsec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n");
    EXPECT_EQ(with_token.response().header("sec-websocket-protocol"), "phoenix");
    EXPECT_EQ(with_token.response().header("sec-websocket-extensions"), "");
    EXPECT_TRUE(is_served(with_token));
    WsClient other(server.port(), WsClient::v2, "sec-websocket-protocol: graphql-ws\r\n");
    EXPECT_EQ(other.response().header("sec-websocket-protocol"), "");
    EXPECT_TRUE(is_served(other));
}

TEST(ServerUpgrade, AsksWhoMayConnectAndRefusesInTheDialectOfTheEndpoint) {
    std::vector<std::string> asked;
    server::Options options;
    options.authorize = [&](const server::ConnectRequest& connect) {
        asked.emplace_back(connect.params);
        EXPECT_EQ(connect.peer, "127.0.0.1");
        if (connect.params.find("boom") != std::string_view::npos) throw std::runtime_error("no database");
        server::ConnectAnswer answer;
        if (connect.params.find("plain") != std::string_view::npos) answer = {429, "Too many requests", ""};
        if (connect.params.find("json") != std::string_view::npos) answer = {401, R"({"error":"why"})", ""};
        if (connect.params.find("silent") != std::string_view::npos) answer = {403, "", ""};
        if (connect.params.find("absurd") != std::string_view::npos) answer = {101, "", ""};
        return answer;
    };
    TestServer server(options);
    const auto refused = [&](std::string_view path) {
        TcpClient tcp(server.port());
        tcp.send(upgrade_head(path));
        std::string rest;
        return read_response(tcp, rest);
    };
    EXPECT_EQ(upgrade_status(server.port(), "/socket/websocket?user=a%20b+c%22&x&vsn=2.0.0&user=last"), 101);
    EXPECT_EQ(asked, std::vector<std::string>{R"({"user":"last","x":"","vsn":"2.0.0"})"});

    EXPECT_EQ(refused("/socket/websocket?t=silent").status, 403);
    EXPECT_EQ(refused("/socket/websocket?t=silent").body, "");
    EXPECT_EQ(refused("/socket/websocket?t=plain").status, 429);
    EXPECT_EQ(refused("/socket/websocket?t=plain").body, "Too many requests");
    EXPECT_EQ(refused("/socket/websocket?t=json").header("content-type"), "application/json");
    EXPECT_EQ(refused("/realtime/v1/websocket?t=silent").body, R"({"error":"Forbidden"})");
    EXPECT_EQ(refused("/realtime/v1/websocket?t=plain").body, R"({"error":"Too many requests"})");
    EXPECT_EQ(refused("/realtime/v1/websocket?t=json").body, R"({"error":"why"})");
    EXPECT_TRUE(server.errors().empty());
    EXPECT_EQ(refused("/socket/websocket?t=boom").status, 500);
    EXPECT_EQ(refused("/socket/websocket?t=absurd").status, 500);
    ASSERT_EQ(server.errors().size(), 2u);
    EXPECT_EQ(server.errors()[0].message, "authorize threw: no database");
    EXPECT_EQ(server.errors()[0].code, Errc::handler_failed);
}

TEST(ServerUpgrade, AsksForTheOriginsOfTheMoment) {
    TestServer server;
    const auto status = [&] {
        return upgrade_status(server.port(), WsClient::v2, "origin: https://app.example\r\n");
    };
    EXPECT_EQ(status(), 403);
    EXPECT_EQ(server->set_allowed_origins({"*", "nonsense"}).error().code, Errc::invalid_argument);
    EXPECT_EQ(status(), 403);
    ASSERT_TRUE(server->set_allowed_origins({"https://app.example"}));
    int last = 0;
    for (int tries = 0; last != 101 && tries < 1000; ++tries) last = status(); // the order is posted
    EXPECT_EQ(last, 101);
    server->stop();
    EXPECT_EQ(server->set_allowed_origins({}).error().code, Errc::invalid_argument);
}

TEST(ServerOptions, AreCheckedWithoutListening) {
    EXPECT_TRUE(server::check({}));
    server::Options options;
    options.allowed_origins = {"nonsense"};
    EXPECT_EQ(server::check(options).error().code, Errc::invalid_argument);
    options = {};
    options.tls = server::TlsCertificate{"/no/such/file"};
    EXPECT_EQ(server::check(options).error().code, Errc::tls_failed);
}

TEST(ServerUpgrade, ReadsFramesThatCameWithTheUpgrade) {
    TestServer server;
    TcpClient tcp(server.port());
    tcp.send(upgrade_head(WsClient::v2) + raw_frame(0x81, heartbeat));
    std::string rest;
    EXPECT_EQ(read_response(tcp, rest).status, 101);
    while (rest.size() < 2 + std::string_view(heartbeat_reply).size()) rest += tcp.receive();
    EXPECT_EQ(rest.substr(2), heartbeat_reply);
}

TEST(ServerUpgrade, HappensOnAKeptConnectionAndByteByByte) {
    TestServer server;
    TcpClient tcp(server.port());
    tcp.send_slowly("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");
    std::string rest;
    EXPECT_EQ(read_response(tcp, rest).status, 200);
    tcp.send_slowly(upgrade_head(WsClient::v2));
    EXPECT_EQ(read_response(tcp, rest).status, 101);
}

} // namespace
} // namespace phx::test
