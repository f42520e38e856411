#include "phx/protocol/base64.hpp"
#include "phx/protocol/endpoint.hpp"
#include "tests/support/test_server.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

namespace phx::test {
namespace {

using nlohmann::json;

const std::string secret = "a secret with as many bytes as a hash has";
const std::string next_secret = "the secret that comes after the first one";

std::string token_of(std::string_view sub, const std::string& key = secret) {
    const json claims = {{"sub", sub}, {"role", "user"}, {"permissions", {"read"}}, {"exp", 4102444800}};
    return server::sign_token(claims.dump(), {.key = key}).value();
}

server::Options with_tokens(server::TokenRules rules = {}) {
    server::Options options;
    options.tokens = {{.secrets = {secret}}, std::move(rules)};
    return options;
}

/// Tells a client what is known of it.
server::Handlers who_am_i() {
    server::Handlers handlers;
    handlers.join = [](const server::Context& context, server::PayloadView) {
        const server::Connection& c = context.connection;
        const json known = {{"user", c.user_id},
                            {"roles", c.roles},
                            {"permissions", c.permissions},
                            {"claims", json::parse(c.claims)},
                            {"params", json::parse(c.params)},
                            {"expires", c.expires_at.has_value()}};
        return server::JoinAnswer::ok(known.dump());
    };
    return handlers;
}

json who_is(std::uint16_t port, const std::string& path, const std::string& headers = {}) {
    WsClient client(port, path, headers);
    return json::parse(client.call(R"(["1","1","room:1","phx_join",{}])"))[4]["response"];
}

HttpResponse refused(std::uint16_t port, std::string_view path, const std::string& headers = {}) {
    TcpClient tcp(port);
    tcp.send(upgrade_head(path, headers));
    std::string rest;
    return read_response(tcp, rest);
}

const std::string phoenix = "/socket/websocket?vsn=2.0.0";
const std::string supabase = "/realtime/v1/websocket?vsn=2.0.0";

TEST(ConnectToken, IsFoundInFivePlacesInTheirOrder) {
    TestServer server(with_tokens(), who_am_i());
    const std::string subprotocols =
        "sec-websocket-protocol: " + protocol::token_subprotocols(token_of("protocol")) + "\r\n";
    const std::string token = "&token=" + token_of("token");
    const std::string apikey = "&apikey=" + token_of("apikey");
    const std::string bearer = "authorization: bEaReR  " + token_of("bearer") + "\r\n";
    const std::string key = "x-api-key: " + token_of("key") + "\r\n";
    const auto user = [&](const std::string& path, const std::string& headers) {
        return who_is(server.port(), path, headers)["user"];
    };
    EXPECT_EQ(user(phoenix, subprotocols), "protocol");
    EXPECT_EQ(user(phoenix + token, subprotocols), "token");
    EXPECT_EQ(user(phoenix + token + apikey, subprotocols), "apikey");
    EXPECT_EQ(user(phoenix + token + apikey, subprotocols + bearer), "bearer");
    EXPECT_EQ(user(phoenix + token + apikey, subprotocols + bearer + key), "key");
    EXPECT_EQ(user(phoenix + "&apikey=&token=" + token_of("token"),
                   "x-api-key:\r\nauthorization: Basic dXNlcg==\r\n"),
              "token")
        << "what is empty, or something else, is none";
}

TEST(ConnectToken, InASubprotocolMayUseBothAlphabets) {
    TestServer server(with_tokens(), who_am_i());
    for (const auto alphabet : {protocol::Base64Alphabet::standard, protocol::Base64Alphabet::url}) {
        const std::string encoded =
            protocol::base64_encode(token_of("u"), alphabet, protocol::Base64Padding::unpadded);
        EXPECT_EQ(who_is(server.port(), phoenix,
                         "sec-websocket-protocol: phoenix, base64url.bearer.phx." + encoded + "\r\n")["user"],
                  "u");
    }
}

TEST(ConnectToken, OfAnEarlierPlaceIsNotSavedByAGoodOneInALater) {
    TestServer server(with_tokens());
    EXPECT_EQ(refused(server.port(), phoenix + "&token=" + token_of("u"), "x-api-key: nonsense\r\n").status,
              403);
}

TEST(ConnectToken, FillsTheConnectionsRecord) {
    TestServer server(with_tokens(), who_am_i());
    const json known = who_is(server.port(), phoenix + "&room=1&token=" + token_of("u1") + "&apikey=");
    EXPECT_EQ(known["user"], "u1");
    EXPECT_EQ(known["roles"], json::array({"user"}));
    EXPECT_EQ(known["permissions"], json::array({"read"}));
    EXPECT_EQ(known["claims"]["exp"], 4102444800);
    EXPECT_EQ(known["expires"], true);
    EXPECT_EQ(known["params"], (json{{"vsn", "2.0.0"}, {"room", "1"}})) << "without the token";
}

TEST(ConnectToken, StaysAParamWhereTheServerVerifiesNone) {
    TestServer server({}, who_am_i());
    const json known = who_is(server.port(), phoenix + "&token=a&apikey=b");
    EXPECT_EQ(known["params"], (json{{"vsn", "2.0.0"}, {"token", "a"}, {"apikey", "b"}}));
    EXPECT_EQ(known["user"], "");
}

TEST(ConnectToken, IsRefusedInTheDialectOfTheEndpoint) {
    TestServer server(with_tokens({.require_role = true, .audience = "chat"}));
    const auto sign = [](const std::string& claims, const std::string& key = secret) {
        return "&apikey=" + server::sign_token(claims, {.key = key}).value();
    };
    const auto check = [&](const std::string& token, int status, const std::string& text) {
        const HttpResponse answer = refused(server.port(), supabase + token);
        EXPECT_EQ(answer.status, status) << text;
        EXPECT_EQ(answer.header("content-type"), "application/json");
        EXPECT_EQ(answer.body, json({{"error", text}}).dump());
        const HttpResponse bare = refused(server.port(), phoenix + token);
        EXPECT_EQ(bare.status, 403) << text;
        EXPECT_EQ(bare.body, "");
    };
    const std::string rest = R"(,"role":"a","aud":"chat"})";
    check("", 401, "API key is missing");
    check("&apikey=sb_publishable_x", 401, "The token provided is not a valid JWT");
    check(sign(R"({"exp":4102444800)" + rest, next_secret), 401, "Failed to validate JWT signature");
    check(sign(R"({"exp":5)" + rest), 401, "Token has expired");
    check(sign(R"({"aud":"chat"})"), 401, "Fields `role` and `exp` are required in JWT");
    check(sign(R"({"exp":"soon")" + rest), 500, "Error connecting to Realtime");
    check(sign(R"({"exp":4102444800,"nbf":4102444799)" + rest), 401, "Token is not valid yet");
    check(sign(R"({"exp":4102444800,"role":"a","aud":"mail"})"), 401, "Token is for another audience");
    check("&apikey=eyJhbGciOiJub25lIn0.e30.", 401,
          "Failed to generate JWT signer, check your JWT secret or JWKS configuration");
    check(
        "&apikey=eyJhbGciOiJFUzI1NiIsImtpZCI6IlgifQ.e30.AAAA", 401,
        "Failed to generate JWT signer for key ID (kid) \"X\", check your JWT secret or JWKS configuration");
}

TEST(ConnectToken, IsReportedAsThePeersFaultWithoutAPartOfIt) {
    TestServer server(with_tokens());
    const std::string good = token_of("u1"), forged = token_of("u1", next_secret);
    EXPECT_EQ(refused(server.port(), phoenix + "&token=" + forged).status, 403);
    EXPECT_EQ(refused(server.port(), phoenix, "x-api-key: " + good.substr(1) + "\r\n").status, 403);
    const auto errors = server.errors();
    ASSERT_EQ(errors.size(), 2u);
    for (const Error& error : errors) {
        EXPECT_EQ(error.code, Errc::bad_auth);
        EXPECT_EQ(error.origin, Origin::peer);
        for (const std::string& token : {good, forged})
            for (std::size_t i = 0; i + 8 <= token.size(); i += 8)
                EXPECT_EQ(error.message.find(token.substr(i, 8)), std::string::npos) << error.message;
    }
    EXPECT_EQ(errors[0].message,
              "a connect from 127.0.0.1 is refused: the token's signature is not of the key");
}

TEST(ConnectToken, ComesBeforeAuthorizeWhichHasTheLastWord) {
    server::Options options = with_tokens();
    int asked = 0;
    options.authorize = [&](const server::ConnectRequest& connect) {
        ++asked;
        server::ConnectAnswer answer;
        if (connect.identity.user_id == "banned") answer.http_status = 429;
        if (connect.identity.user_id == "alias") answer.identity.user_id = "somebody else";
        answer.socket_id = "users:" + connect.identity.user_id;
        return answer;
    };
    TestServer server(options, who_am_i());
    EXPECT_EQ(refused(server.port(), phoenix + "&token=nonsense").status, 403);
    EXPECT_EQ(asked, 0) << "only those with a good token";
    EXPECT_EQ(refused(server.port(), phoenix + "&token=" + token_of("banned")).status, 429);
    EXPECT_EQ(who_is(server.port(), phoenix + "&token=" + token_of("u1"))["user"], "u1");
    EXPECT_EQ(who_is(server.port(), phoenix + "&token=" + token_of("alias"))["user"], "somebody else");
}

TEST(ConnectToken, MayBeOfOtherKeysFromOneConnectToTheNext) {
    TestServer server(with_tokens(), who_am_i());
    const std::string old = phoenix + "&token=" + token_of("u1");
    const std::string fresh = phoenix + "&token=" + token_of("u1", next_secret);
    WsClient stays(server.port(), old);
    EXPECT_EQ(refused(server.port(), fresh).status, 403);
    ASSERT_TRUE(server->set_tokens({{.secrets = {secret, next_secret}}, {}}));
    EXPECT_EQ(refused(server.port(), old).status, 101);
    EXPECT_EQ(refused(server.port(), fresh).status, 101);
    ASSERT_TRUE(server->set_tokens({{.secrets = {next_secret}}, {}}));
    EXPECT_EQ(refused(server.port(), old).status, 403);
    EXPECT_EQ(refused(server.port(), fresh).status, 101);
    EXPECT_TRUE(is_served(stays));
    const auto bad = server->set_tokens({{.secrets = {"short"}}, {}});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, Errc::invalid_argument);
    EXPECT_EQ(refused(server.port(), fresh).status, 101) << "what there was stays";
}

TEST(ConnectToken, MayBeAskedForLater) {
    TestServer server({}, who_am_i());
    EXPECT_EQ(refused(server.port(), phoenix).status, 101);
    ASSERT_TRUE(server->set_tokens({{.secrets = {secret}}, {}}));
    EXPECT_EQ(refused(server.port(), phoenix).status, 403);
}

TEST(ConnectToken, OpensTheServerToTheNetwork) {
    server::Options options;
    options.host = "0.0.0.0";
    EXPECT_FALSE(server::Server(options).start());
    options.tokens = {{.secrets = {secret}}, {}};
    server::Server server(options);
    EXPECT_TRUE(server.start());
}

TEST(ConnectToken, NeedsKeysThatCanBeUsed) {
    server::Options options;
    options.tokens = server::TokenOptions{};
    const auto started = server::Server(options).start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::invalid_argument);
    EXPECT_EQ(started.error().message, "there is neither a JWT secret nor a JWKS");
}

} // namespace
} // namespace phx::test
