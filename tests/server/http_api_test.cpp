#include "tests/support/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace phx::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string secret(32, 's');

HttpResponse post(const TestServer& server, const std::string& path, const std::string& body,
                  const std::string& type = "application/json") {
    return request(server.port(),
                   "POST " + path + " HTTP/1.1\r\ncontent-type: " + type +
                       "\r\ncontent-length: " + std::to_string(body.size()),
                   body);
}

HttpResponse get(const TestServer& server, const std::string& path) {
    return request(server.port(), "GET " + path + " HTTP/1.1");
}

/// A member of a realtime topic, by either protocol version.
class Member {
public:
    Member(std::uint16_t port, const std::string& topic, bool is_private = false)
        : ws_(port, "/realtime/v1/websocket?vsn=2.0.0") {
        const json config = {{"config", {{"private", is_private}}}};
        const std::string reply = ws_.call(json::array({"1", "1", topic, "phx_join", config}).dump());
        EXPECT_THAT(reply, HasSubstr("\"ok\""));
    }
    std::string next() { return ws_.receive().payload; }
    bool hears_nothing() { return is_served(ws_); }

private:
    WsClient ws_;
};

server::Options with_open_rooms() {
    server::Options options;
    const server::Requirement nothing;
    options.policies = {{.topic = "realtime:*", .join = nothing, .write = nothing, .presence = nothing}};
    return options;
}

TEST(ServerApi, BroadcastsABatchToPublicAndPrivateRooms) {
    TestServer server(with_open_rooms());
    Member open(server.port(), "realtime:a");
    Member closed(server.port(), "realtime:a", true);
    Member other(server.port(), "realtime:b");
    for (const char* path : {"/api/broadcast", "/realtime/v1/api/broadcast"}) {
        const HttpResponse answer = post(server, path,
                                         R"({"messages":[{"topic":"a","event":"e","payload":{"n":1}},)"
                                         R"({"topic":"a","event":"p","payload":{},"private":true}]})");
        EXPECT_EQ(answer.status, 202) << answer.body;
        EXPECT_EQ(answer.body, "");
        EXPECT_EQ(
            open.next(),
            R"([null,null,"realtime:a","broadcast",{"type":"broadcast","event":"e","payload":{"n":1}}])");
        EXPECT_EQ(closed.next(),
                  R"([null,null,"realtime:a","broadcast",{"type":"broadcast","event":"p","payload":{}}])");
    }
    EXPECT_TRUE(open.hears_nothing());
    EXPECT_TRUE(closed.hears_nothing());
    EXPECT_TRUE(other.hears_nothing());
}

TEST(ServerApi, RefusesABadBatchAsSupabase) {
    TestServer server;
    const HttpResponse blank = post(server, "/api/broadcast", R"({"messages":[{"topic":"t"}]})");
    EXPECT_EQ(blank.status, 422);
    EXPECT_EQ(blank.body,
              R"({"errors":{"messages":[{"event":["can't be blank"],"payload":["can't be blank"]}]}})");
    EXPECT_EQ(post(server, "/api/broadcast", "{bad").status, 400);
    EXPECT_EQ(post(server, "/api/broadcast", "{}", "text/plain").body,
              R"({"errors":{"messages":["can't be blank"]}})");
}

TEST(ServerApi, BroadcastsOneMessageOfJsonOrBytes) {
    TestServer server;
    Member member(server.port(), "realtime:room:1");
    EXPECT_EQ(post(server, "/api/broadcast/room%3A1/events/e%20f", "[1]").status, 202);
    EXPECT_EQ(member.next(), std::string("\x04\x0f\x03\x00\x01realtime:room:1e f[1]", 26));
    EXPECT_EQ(
        post(server, "/api/broadcast/room:1/events/b", std::string("\0\xff", 2), "application/octet-stream")
            .status,
        202);
    EXPECT_EQ(member.next(), std::string("\x04\x0f\x01\x00\x00realtime:room:1b\0\xff", 23));
    EXPECT_EQ(post(server, "/api/broadcast/room:1/events/e?private=true", "{}").status, 202);
    EXPECT_TRUE(member.hears_nothing());
    EXPECT_EQ(post(server, "/api/broadcast/t/events/e", "{}", "text/plain").status, 415);
    EXPECT_EQ(post(server, "/api/broadcast/t/events/e", "{").status, 400);
    for (const char* path : {"/api/broadcast/t/events/", "/api/broadcast//events/e", "/api/broadcast/t",
                             "/api/broadcast/t/events/e/f", "/api/broadcast/%ff/events/e"})
        EXPECT_EQ(post(server, path, "{}").status, 404) << path;
}

TEST(ServerApi, SendsToARoute) {
    TestServer server;
    Member inbox(server.port(), "realtime:$inbox");
    Member outsider(server.port(), "realtime:x");
    const HttpResponse sent = post(server, "/api/send", R"({"route":"all","event":"hi","payload":{"a":1}})");
    EXPECT_EQ(sent.status, 202);
    EXPECT_EQ(sent.body, R"({"accepted":true,"delivered":1})");
    EXPECT_THAT(inbox.next(), HasSubstr(R"("event":"hi","payload":{"a":1},"meta":{"route":"all"})"));
    EXPECT_TRUE(outsider.hears_nothing());
    const HttpResponse refused = post(server, "/api/send", R"({"route":"everybody","event":"hi"})");
    EXPECT_EQ(refused.status, 422);
    EXPECT_THAT(refused.body, HasSubstr("user:ID"));
}

TEST(ServerApi, ListsConnectionsAndTopicsInPages) {
    TestServer server;
    std::vector<std::unique_ptr<Member>> members;
    for (const char* topic : {"realtime:a", "realtime:b", "realtime:b"})
        members.push_back(std::make_unique<Member>(server.port(), topic));
    const json topics = json::parse(get(server, "/api/topics?limit=1").body);
    EXPECT_EQ(topics, json::parse(R"({"topics":[{"topic":"realtime:a","members":1}],"next":"realtime:a"})"));
    const json rest = json::parse(get(server, "/api/topics?after=realtime:a").body);
    EXPECT_EQ(rest, json::parse(R"({"topics":[{"topic":"realtime:b","members":2}],"next":null})"));

    std::set<std::string> ids;
    std::string path = "/api/connections?limit=2";
    for (const std::size_t expected : {2u, 1u}) {
        const json page = json::parse(get(server, path).body);
        ASSERT_EQ(page["connections"].size(), expected);
        for (const json& one : page["connections"]) ids.insert(one["id"].get<std::string>());
        EXPECT_EQ(page["connections"][0]["peer"], "127.0.0.1");
        EXPECT_EQ(page["connections"][0]["connected_at"].get<std::string>().size(), 24u);
        EXPECT_FALSE(page["connections"][0].contains("params"));
        EXPECT_EQ(page["next"].is_null(), expected == 1);
        path = "/api/connections?limit=2&after=" + page["next"].dump();
        std::erase(path, '"');
    }
    EXPECT_EQ(ids.size(), 3u);
    EXPECT_EQ(json::parse(get(server, "/api/connections?route=topic:realtime:b").body)["connections"].size(),
              2u);
    for (const char* bad : {"limit=0", "limit=1001", "limit=x", "limit=-1"}) {
        EXPECT_EQ(get(server, std::string("/api/topics?") + bad).status, 400) << bad;
        EXPECT_EQ(get(server, std::string("/api/connections?") + bad).status, 400) << bad;
    }
    EXPECT_EQ(get(server, "/api/connections?route=x").status, 400);
}

TEST(ServerApi, DisconnectsARoute) {
    TestServer server;
    WsClient client(server.port());
    const json page = json::parse(get(server, "/api/connections").body);
    const std::string id = page["connections"].at(0)["id"];
    const HttpResponse answer = post(server, "/api/disconnect", R"({"route":"connection:)" + id + R"("})");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"disconnected":1})");
    EXPECT_EQ(client.receive_until_close().code, 1001);
    EXPECT_EQ(post(server, "/api/disconnect", R"({"route":"user:nobody"})").body, R"({"disconnected":0})");
    EXPECT_EQ(post(server, "/api/disconnect", "[]").status, 422);
}

TEST(ServerApi, TellsMetricsAndReadiness) {
    TestServer server;
    WsClient client(server.port());
    ASSERT_TRUE(is_served(client));
    const HttpResponse metrics = get(server, "/metrics");
    EXPECT_EQ(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(metrics.body, HasSubstr("\nphx_connections 1\n"));
    EXPECT_THAT(metrics.body, HasSubstr("# TYPE phx_frames_received_total counter\n"));
    EXPECT_EQ(get(server, "/ready").body, R"({"status":"ok"})");
    EXPECT_EQ(get(server, "/api/ping").body, R"({"message":"Success"})");
}

TEST(ServerApi, AnswersOtherMethodsWith405) {
    TestServer server;
    const HttpResponse wrong = get(server, "/api/broadcast");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.header("allow"), "POST");
    EXPECT_EQ(post(server, "/api/topics", "{}").header("allow"), "GET, HEAD");
    EXPECT_EQ(get(server, "/api/nothing").status, 404);
}

TEST(ServerApi, AsksForATokenAndForTheServiceRole) {
    server::Options options;
    options.tokens.emplace().keys.secrets = {secret};
    TestServer server(options);
    const auto token = [&](const char* role) {
        const std::string claims = json({{"role", role}, {"exp", 4102444800}}).dump();
        return server::sign_token(claims, {"HS256", secret}).value();
    };
    const auto status = [&](const std::string& method, const std::string& path, const std::string& header) {
        return request(server.port(), method + ' ' + path + " HTTP/1.1" + header + "\r\ncontent-length: 0")
            .status;
    };
    const std::string anon = "\r\nauthorization: Bearer " + token("anon");
    const std::string service = "\r\napikey: " + token("service_role");
    for (const char* path : {"/api/connections", "/api/topics"}) {
        EXPECT_EQ(status("GET", path, ""), 401) << path;
        EXPECT_EQ(status("GET", path, "\r\napikey: nonsense"), 401) << path;
        EXPECT_EQ(status("GET", path, anon), 403) << path;
        EXPECT_EQ(status("GET", path, service), 200) << path;
    }
    for (const char* path : {"/api/send", "/api/disconnect", "/api/changes"}) {
        EXPECT_EQ(status("POST", path, ""), 401) << path;
        EXPECT_EQ(status("POST", path, anon), 403) << path;
        const bool is_json_first = std::string(path) == "/api/changes"; // an empty body is none
        EXPECT_EQ(status("POST", path, service), is_json_first ? 400 : 422) << path;
    }
    EXPECT_EQ(status("POST", "/api/broadcast", ""), 401);
    EXPECT_EQ(status("POST", "/api/broadcast", anon), 422);
    EXPECT_EQ(status("POST", "/api/broadcast/t/events/e", anon + "\r\ncontent-type: application/json"), 202);
    EXPECT_EQ(status("GET", "/metrics", ""), 200);
    for (const Error& error : server.errors()) EXPECT_EQ(error.message.find("nonsense"), std::string::npos);
}

TEST(ServerApi, AsksThePoliciesWhoMayBroadcast) {
    server::Options options;
    options.tokens.emplace().keys.secrets = {secret};
    const server::Requirement nothing, editor{.roles = {"editor"}};
    options.policies = {{.topic = "realtime:news", .join = nothing, .write = editor}};
    TestServer server(options);
    const auto status = [&](const char* role, const std::string& target) {
        const std::string claims = json({{"role", role}, {"exp", 4102444800}}).dump();
        const std::string token = server::sign_token(claims, {"HS256", secret}).value();
        return request(server.port(), "POST " + target + " HTTP/1.1\r\napikey: " + token +
                                          "\r\ncontent-type: application/json\r\ncontent-length: 0")
            .status;
    };
    const std::string news = "/api/broadcast/news/events/e?private=true";
    EXPECT_EQ(status("editor", news), 202);
    EXPECT_EQ(status("anon", news), 403);
    EXPECT_EQ(status("service_role", news), 202);
    EXPECT_EQ(status("editor", "/api/broadcast/other/events/e?private=true"), 403);
    EXPECT_EQ(status("anon", "/api/broadcast/other/events/e"), 202);
}

TEST(ServerApi, LeavesReservedTopicsToTheServiceRole) {
    server::Options options = with_open_rooms();
    const std::string key(32, 's');
    options.tokens.emplace().keys.secrets = {key};
    TestServer server(options);
    const auto token = [&](const char* role) {
        const std::string claims = json({{"role", role}, {"exp", 4102444800}}).dump();
        return server::sign_token(claims, {"HS256", key}).value();
    };
    const auto status = [&](const char* role, const std::string& path, const std::string& body) {
        const std::string head = "POST " + path + " HTTP/1.1\r\napikey: " + token(role) +
                                 "\r\ncontent-type: application/json\r\ncontent-length: ";
        return request(server.port(), head + std::to_string(body.size()), body).status;
    };
    for (const std::string name : {"$inbox", "$status"}) {
        WsClient listener(server.port(), "/realtime/v1/websocket?vsn=2.0.0&apikey=" + token("anon"));
        EXPECT_THAT(listener.call(R"(["1","1","realtime:)" + name + R"(","phx_join",{}])"),
                    HasSubstr("\"ok\""));
        const std::string one = "/api/broadcast/" + name + "/events/e";
        const std::string batch = R"({"messages":[{"topic":")" + name + R"(","event":"e","payload":{}}]})";
        EXPECT_EQ(status("anon", one, "{}"), 403) << name;
        EXPECT_EQ(status("anon", "/api/broadcast", batch), 202) << "refused without a word, as Supabase";
        EXPECT_TRUE(is_served(listener)) << "and has heard nothing of " << name;
        EXPECT_EQ(status("service_role", one, "{}"), 202) << name;
        EXPECT_THAT(listener.receive().payload, HasSubstr("realtime:" + name));
        EXPECT_EQ(status("service_role", "/api/broadcast", batch), 202) << name;
        EXPECT_THAT(listener.receive_text(), HasSubstr("realtime:" + name));
    }
}

TEST(ServerStatusPage, HasAChannelThatNobodyWritesTo) {
    server::Options options;
    options.status_page = true;
    TestServer server(options);
    WsClient client(server.port());
    EXPECT_THAT(client.call(R"(["1","1","realtime:$status","phx_join",{}])"), HasSubstr("\"ok\""));
    client.send(R"(["1","2","realtime:$status","status",{"connections":7}])");
    std::string reply;
    while (reply.find("phx_reply") == std::string::npos) {
        EXPECT_EQ(reply.find("\"connections\":7"), std::string::npos);
        reply = client.receive_text();
    }
    EXPECT_THAT(reply, HasSubstr("read only"));
}

TEST(ServerStatusPage, ShowsWhatTheServerDoesToTheServiceRole) {
    server::Options options;
    options.status_page = true;
    TestServer server(options);
    const HttpResponse page = get(server, "/");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
    EXPECT_THAT(page.header("content-security-policy"), HasSubstr("default-src 'none'"));
    EXPECT_THAT(page.body, HasSubstr("data-socket=\"/socket\""));
    EXPECT_EQ(page.body.find("@VERSION@"), std::string::npos);
    WsClient client(server.port());
    EXPECT_THAT(client.call(R"(["1","1","realtime:$status","phx_join",{}])"), HasSubstr("\"ok\""));
    const json status = json::parse(client.receive_text());
    EXPECT_EQ(status[3], "status");
    EXPECT_EQ(status[4]["connections"], 1);
    EXPECT_EQ(status[4]["top_topics"], json::parse(R"([{"topic":"realtime:$status","members":1}])"));

    server::Options closed = options;
    closed.authorize = [](const server::ConnectRequest&) { return server::ConnectAnswer{}; };
    TestServer other(closed);
    WsClient outsider(other.port());
    EXPECT_THAT(outsider.call(R"(["1","1","realtime:$status","phx_join",{}])"), HasSubstr("unauthorized"));
    EXPECT_EQ(get(TestServer(), "/").status, 404);
}

TEST(ServerStatusPage, IsForTheServiceRoleFromTheFirstTokensOn) {
    server::Options options;
    options.status_page = true;
    TestServer server(options);
    ASSERT_TRUE(server->set_tokens(server::TokenOptions{.keys = {.secrets = {secret}}}));
    const auto join = [&](const char* role) {
        const std::string claims = json({{"role", role}, {"exp", 4102444800}}).dump();
        const std::string token = server::sign_token(claims, {"HS256", secret}).value();
        WsClient client(server.port(), "/socket/websocket?vsn=2.0.0&token=" + token);
        return client.call(R"(["1","1","realtime:$status","phx_join",{}])");
    };
    EXPECT_THAT(join("authenticated"), HasSubstr("unauthorized"));
    EXPECT_THAT(join("service_role"), HasSubstr("\"ok\""));
}

TEST(ServerApi, IsClosedWhereOnlyTheUserJudges) {
    server::Options options;
    options.authorize = [](const server::ConnectRequest&) { return server::ConnectAnswer{}; };
    TestServer server(options);
    EXPECT_EQ(get(server, "/api/topics").status, 401);
    EXPECT_EQ(get(server, "/ready").status, 200);
}

// ---- bodies

TEST(ServerBodies, ComeInChunksAndInPieces) {
    TestServer server;
    Member member(server.port(), "realtime:t");
    TcpClient tcp(server.port());
    const std::string head =
        "POST /api/broadcast/t/events/e HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    tcp.send_slowly(head +
                    "transfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\nx: y\r\n\r\n");
    // The next request waits in the same packet as the body before it.
    tcp.send(head + "content-length: 2\r\n\r\n{}" + head +
             "content-length: 2\r\nconnection: close\r\n\r\n[]");
    std::string rest;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read_response(tcp, rest).status, 202);
    EXPECT_EQ(rest + tcp.receive_to_end(), "");
    EXPECT_THAT(member.next(), testing::EndsWith(R"({"a":1})"));
    EXPECT_THAT(member.next(), testing::EndsWith("{}"));
    EXPECT_THAT(member.next(), testing::EndsWith("[]"));
}

TEST(ServerBodies, AreAskedForWhenTheClientWaits) {
    TestServer server;
    TcpClient tcp(server.port());
    tcp.send("POST /api/send HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 28\r\n\r\n");
    EXPECT_EQ(tcp.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    tcp.send(R"({"route":"all","event":"hi"})");
    std::string rest;
    EXPECT_EQ(read_response(tcp, rest).status, 202);
}

TEST(ServerBodies, ThatAreTooLargeOrBrokenEndTheConnection) {
    TestServer server;
    WsClient bystander(server.port());
    const auto status = [&](const std::string& rest) {
        TcpClient tcp(server.port());
        tcp.send("POST /api/send HTTP/1.1\r\nhost: a\r\n" + rest);
        const std::string all = tcp.receive_to_end();
        EXPECT_THAT(all, HasSubstr("connection: close"));
        return all.substr(9, 3);
    };
    EXPECT_EQ(status("content-length: 8388608\r\n\r\n"), "413");
    EXPECT_EQ(status("transfer-encoding: chunked\r\n\r\n800000\r\n" + std::string(8u << 20, 'x')), "413");
    EXPECT_EQ(status("transfer-encoding: chunked\r\n\r\nnope\r\n"), "400");
    EXPECT_EQ(status("transfer-encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"), "400"); // a lone LF
    EXPECT_EQ(status("transfer-encoding: gzip, chunked\r\n\r\n"), "501");
    EXPECT_TRUE(is_served(bystander));
}

TEST(ServerBodies, ThatNobodyReadsAreNotKept) {
    TestServer server;
    for (const char* const path : {"/metrics", "/ready", "/api/topics", "/socket/longpoll?vsn=2.0.0"}) {
        const std::string head = std::string("GET ") + path + " HTTP/1.1\r\n";
        EXPECT_EQ(request(server.port(), head + "content-length: 8000000").status, 413) << path;
        EXPECT_EQ(request(server.port(), head + "content-length: 2", "{}").status, 200) << path;
    }
}

TEST(ServerBodies, ThatDoNotArriveAreGivenUp) {
    server::Options options;
    options.timeouts.request = std::chrono::milliseconds(100);
    TestServer server(options);
    TcpClient tcp(server.port());
    tcp.send("POST /api/send HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{");
    EXPECT_TRUE(tcp.receive_to_end().starts_with("HTTP/1.1 408 "));
}

TEST(ServerQueries, WithTooManyParametersAreRefused) {
    TestServer server;
    const auto status = [&](int count) {
        std::string query = "vsn=2.0.0";
        for (int i = 1; i < count; ++i) query += "&p" + std::to_string(i) + "=1";
        return request(server.port(), upgrade_head("/socket/websocket?" + query)).status;
    };
    EXPECT_EQ(status(100), 101);
    EXPECT_EQ(status(101), 400);
}

// ---- pages of browsers

TEST(ServerOrigins, ANameThatWasPointedAtTheServerMakesNoPageItsOwn) { // DNS rebinding
    const auto status = [](const TestServer& server, const std::string& start,
                           const std::string& origin = {}) {
        TcpClient tcp(server.port());
        tcp.send(start + " HTTP/1.1\r\nhost: evil.example:4000\r\n" + origin + "\r\n");
        std::string rest;
        return read_response(tcp, rest).status;
    };
    const std::string own = "origin: http://evil.example:4000\r\n";
    const std::string upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
                                "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    TestServer open; // which asks nobody who he is
    EXPECT_EQ(status(open, "GET /socket/websocket?vsn=2.0.0", own + upgrade), 403);
    EXPECT_EQ(status(open, "GET /socket/longpoll?vsn=2.0.0"), 403);
    EXPECT_EQ(status(open, "POST /api/disconnect", own), 403);
    EXPECT_EQ(status(open, "GET /api/connections"), 403); // browsers name no origin then
    EXPECT_EQ(status(open, "GET /metrics"), 200);
    EXPECT_EQ(status(open, "GET /ready"), 200);
    EXPECT_THAT(request(open.port(), "GET /api/topics HTTP/1.1\r\norigin: http://evil.example").body,
                HasSubstr("origin not allowed"));
    server::Options options;
    options.allowed_origins = {"http://evil.example:4000"};
    TestServer listed(options);
    EXPECT_EQ(status(listed, "GET /socket/websocket?vsn=2.0.0", own + upgrade), 101);
    EXPECT_EQ(status(listed, "GET /api/connections"), 200);
    server::Options with_tokens;
    with_tokens.tokens = server::TokenOptions{.keys = {.secrets = {secret}}};
    TestServer asking(with_tokens);
    EXPECT_EQ(status(asking, "GET /api/connections"), 401); // as anybody
}

TEST(ServerOrigins, DecideWhoseScriptsMayConnectAndCall) {
    server::Options options;
    options.allowed_origins = {"https://app.example"};
    TestServer server(options);
    const auto preflight = [&](const char* origin) {
        return request(server.port(), std::string("OPTIONS /realtime/v1/api/broadcast HTTP/1.1\r\norigin: ") +
                                          origin + "\r\naccess-control-request-method: POST");
    };
    const HttpResponse allowed = preflight("https://app.example");
    EXPECT_EQ(allowed.status, 204);
    EXPECT_EQ(allowed.header("access-control-allow-origin"), "https://app.example");
    EXPECT_EQ(allowed.header("vary"), "origin");
    EXPECT_THAT(std::string(allowed.header("access-control-allow-headers")), HasSubstr("apikey"));
    const HttpResponse refused = preflight("https://evil.example");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.header("access-control-allow-origin"), "");

    const auto upgrade = [&](const std::string& extra) {
        TcpClient tcp(server.port());
        tcp.send(upgrade_head("/socket/websocket", extra));
        std::string rest;
        return read_response(tcp, rest).status;
    };
    EXPECT_EQ(upgrade(""), 101);
    EXPECT_EQ(upgrade("origin: https://app.example\r\n"), 101);
    EXPECT_EQ(upgrade("origin: https://evil.example\r\n"), 403);
    EXPECT_EQ(upgrade("origin: null\r\n"), 403);
    EXPECT_EQ(upgrade("origin: https://app.example\r\norigin: https://evil.example\r\n"), 403);
}

TEST(ServerOrigins, ThatAreNoneMakeStartFail) {
    server::Options options;
    options.allowed_origins = {"app.example"};
    server::Server server(options);
    const auto port = server.start();
    ASSERT_FALSE(port);
    EXPECT_THAT(port.error().message, HasSubstr("\"app.example\" is no origin"));
}

} // namespace
} // namespace phx::test
