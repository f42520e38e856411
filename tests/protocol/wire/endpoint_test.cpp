#include "phx/protocol/endpoint.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

Url dialled(std::string_view endpoint, const std::vector<Param>& params = {}) {
    return endpoint_url(endpoint, params, Vsn::v2).value();
}

TEST(Endpoint, AppendsTheTransportOnce) {
    for (const char* text :
         {"ws://h/socket", "ws://h/socket/", "ws://h/socket/websocket", "ws://h/socket/websocket/"}) {
        EXPECT_EQ(dialled(text).path, "/socket/websocket");
    }
    EXPECT_EQ(dialled("ws://h").path, "/websocket");
    EXPECT_EQ(dialled("wss://p.supabase.co/realtime/v1").path, "/realtime/v1/websocket");
    EXPECT_EQ(dialled("ws://h/mywebsocket").path, "/mywebsocket/websocket");
}

TEST(Endpoint, PutsItsOwnQueryFirstThenTheParamsThenTheVersion) {
    EXPECT_EQ(dialled("ws://h/s").query, "vsn=2.0.0");
    EXPECT_EQ(dialled("ws://h/s?a=b%20c", {{"apikey", "\"k&y=\""}, {"n", "1.50"}}).query,
              "a=b%20c&apikey=k%26y%3D&n=1.50&vsn=2.0.0");
    EXPECT_EQ(endpoint_url("ws://h/s", {}, Vsn::v1).value().query, "vsn=1.0.0");
}

TEST(Endpoint, EndsWithItsTransport) {
    for (const char* endpoint :
         {"http://h/socket", "ws://h/socket/", "ws://h/socket/websocket", "ws://h/socket/longpoll"}) {
        EXPECT_EQ(endpoint_url(endpoint, {}, Vsn::v2, Transport::long_poll)->path, "/socket/longpoll");
        EXPECT_EQ(endpoint_url(endpoint, {}, Vsn::v2, Transport::websocket)->path, "/socket/websocket");
    }
}

TEST(Endpoint, WritesNestedParamsAsPhoenixJsDoes) {
    EXPECT_EQ(
        dialled("ws://h", {{"user", R"({"id": 7, "tags": ["x", "y z"], "deep": {"a\u00e9": true}})"}}).query,
        "user%5Bid%5D=7&user%5Btags%5D%5B0%5D=x&user%5Btags%5D%5B1%5D=y%20z&user%5Bdeep%5D%5Ba%C3%A9%5D=true&"
        "vsn=2.0.0");
    EXPECT_EQ(
        dialled("ws://h", {{"none", "null"}, {"o", "{}"}, {"l", " [ ] "}, {"s", "\"\""}, {"f", "false"}})
            .query,
        "s=&f=false&vsn=2.0.0");
}

TEST(Endpoint, RefusesParamsThatAreNoJson) {
    const Result<Url> result = endpoint_url("ws://h", {{"token", "secret"}}, Vsn::v2);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::invalid_argument);
    EXPECT_EQ(result.error().message, "param \"token\" is not JSON: byte 0: expected a JSON value");
    EXPECT_FALSE(endpoint_url("ws://h", {{"deep", std::string(10'000, '[')}}, Vsn::v2));
    EXPECT_FALSE(endpoint_url("ftp://h", {}, Vsn::v2));
}

TEST(Percent, EncodesAllButUnreservedCharacters) {
    EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
    EXPECT_EQ(percent_encode(std::string_view(" !\"%&+/:=?@[]\0\xFF", 15)),
              "%20%21%22%25%26%2B%2F%3A%3D%3F%40%5B%5D%00%FF");
    for (int c = 0; c < 256; ++c) {
        const std::string one(1, static_cast<char>(c));
        ASSERT_EQ(percent_decode(percent_encode(one)), one);
    }
}

TEST(Percent, DecodesEscapesAndPlusAndKeepsBrokenEscapes) {
    EXPECT_EQ(percent_decode("a%20b+c%2Bd%c3%A9"), "a b c+d\xC3\xA9");
    EXPECT_EQ(percent_decode("%"), "%");
    EXPECT_EQ(percent_decode("%4"), "%4");
    EXPECT_EQ(percent_decode("%41%4"), "A%4");
    EXPECT_EQ(percent_decode("%zz%41%g1"), "%zzA%g1");
    EXPECT_EQ(percent_decode("100%"), "100%");
}

TEST(TokenSubprotocols, CarryATokenAsPhoenixJsSendsIt) {
    EXPECT_EQ(token_subprotocols("1234"), "phoenix, base64url.bearer.phx.MTIzNA");
    EXPECT_EQ(token_subprotocols("\xFB\xFF\xBF"), "phoenix, base64url.bearer.phx.+/+/");
    EXPECT_EQ(token_subprotocols(""), "phoenix, base64url.bearer.phx.");
}

TEST(TokenSubprotocols, GiveTheTokenBackFromEitherAlphabet) {
    EXPECT_EQ(token_from_subprotocols("phoenix, base64url.bearer.phx.MTIzNA"), "1234");
    EXPECT_EQ(token_from_subprotocols("base64url.bearer.phx.MTIzNA==,phoenix"), "1234");
    EXPECT_EQ(token_from_subprotocols("x,\t base64url.bearer.phx.-_-_ \t"), "\xFB\xFF\xBF");
    EXPECT_EQ(token_from_subprotocols("base64url.bearer.phx.+/+/"), "\xFB\xFF\xBF");
    for (const char* none :
         {"", "phoenix", "phoenix,", ",,,", "base64url.bearer.phx.", "base64url.bearer.phx.!!!!",
          "xbase64url.bearer.phx.MTIzNA", "Base64url.bearer.phx.MTIzNA"}) {
        EXPECT_EQ(token_from_subprotocols(none), "") << none;
    }
}

} // namespace
} // namespace phx::protocol
