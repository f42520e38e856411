#include "phx/protocol/endpoint.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

std::string refusal(std::string_view text) {
    const Result<Url> result = parse_url(text);
    EXPECT_FALSE(result) << text;
    if (result) return "";
    EXPECT_EQ(result.error().code, Errc::invalid_argument);
    EXPECT_EQ(result.error().origin, Origin::local);
    return result.error().message;
}

TEST(Url, HasSchemeHostPortPathAndQuery) {
    const Url url = parse_url("wss://example.com:8443/a/b?x=1&y=2?3").value();
    EXPECT_TRUE(url.tls);
    EXPECT_EQ(url.host, "example.com");
    EXPECT_EQ(url.port, 8443);
    EXPECT_EQ(url.path, "/a/b");
    EXPECT_EQ(url.query, "x=1&y=2?3");
    EXPECT_EQ(url.host_header(), "example.com:8443");
}

TEST(Url, TakesHttpForWsAndKnowsTheDefaultPorts) {
    for (const char* text : {"ws://h", "http://h", "WS://h/", "Http://h:80", "ws://h:"}) {
        const Url url = parse_url(text).value();
        EXPECT_FALSE(url.tls);
        EXPECT_EQ(url.port, 80);
        EXPECT_EQ(url.path, "/");
        EXPECT_EQ(url.host_header(), "h");
    }
    for (const char* text : {"wss://h", "HTTPS://h", "wss://h:443?q"}) {
        const Url url = parse_url(text).value();
        EXPECT_TRUE(url.tls);
        EXPECT_EQ(url.port, 443);
        EXPECT_EQ(url.host_header(), "h");
    }
    EXPECT_EQ(parse_url("ws://h:443").value().host_header(), "h:443");
}

TEST(Url, TakesIpv6InBrackets) {
    const Url url = parse_url("ws://[::1]:4000/socket").value();
    EXPECT_EQ(url.host, "::1");
    EXPECT_EQ(url.port, 4000);
    EXPECT_EQ(url.host_header(), "[::1]:4000");
    EXPECT_EQ(parse_url("wss://[::ffff:1.2.3.4]").value().host_header(), "[::ffff:1.2.3.4]");
}

TEST(Url, EncodesWhatIsNotAsciiInPathAndQuery) {
    const Url url = parse_url("ws://h/\xC3\xA9%20?q=\xE2\x82\xAC").value();
    EXPECT_EQ(url.path, "/%C3%A9%20");
    EXPECT_EQ(url.query, "q=%E2%82%AC");
}

TEST(Url, SaysWhichPartIsWrong) {
    const std::string scheme = "URL: expected ws://, wss://, http:// or https://";
    for (const char* text :
         {"", "example.com", "ftp://h", "://h", "ws:/h", "wss//h", "javascript://h", "w s://h"}) {
        EXPECT_EQ(refusal(text), scheme);
    }
    for (const char* text : {"ws://", "ws:///path", "ws://:80", "ws://?x"})
        EXPECT_EQ(refusal(text), "URL: the host is missing");
    for (const char* text :
         {"ws://h:0", "ws://h:65536", "ws://h:-1", "ws://h:8x", "ws://h:80:80", "ws://h: 80", "ws://h:+80"}) {
        EXPECT_TRUE(refusal(text).find("port") != std::string::npos ||
                    refusal(text).find("space") != std::string::npos);
    }
    for (const char* text : {"ws://[::1", "ws://[]", "ws://[h]", "ws://[::1%25eth0]"})
        EXPECT_EQ(refusal(text), "URL: bad IPv6 address");
    EXPECT_EQ(refusal("ws://[::1]x"), "URL: expected ':' or '/' after the IPv6 address");
    EXPECT_EQ(refusal("ws://user:pass@h/"), "URL: credentials do not belong in it, use params or a token");
    for (const char* text : {"wss://.example.org", "wss://.", "wss://.:443"})
        EXPECT_EQ(refusal(text), "URL: the host starts with a dot");
    EXPECT_EQ(refusal("ws://h/#top"), "URL: WebSocket URLs have no fragment (#)");
    for (const char* text : {"ws://h\xC3\xA9/", "ws://h%20/", "ws://a,b/", "ws://h\\x"}) {
        EXPECT_EQ(refusal(text).substr(0, 30), "URL: bad character in the host") << text;
    }
}

TEST(Url, RefusesWhatWouldEndTheRequestLine) {
    for (const std::string part : {"\r\nX: y", " ", "\n", "\t", "\x7F"}) {
        for (const std::string& text : {"ws://h" + part, "ws://h/" + part, "ws://h/?" + part}) {
            EXPECT_EQ(refusal(text), "URL: it has a space or a control character");
        }
    }
    EXPECT_EQ(refusal(std::string_view("ws://h/\0", 8)), "URL: it has a space or a control character");
}

TEST(Url, NeverRepeatsTheTextInAnError) {
    for (const char* text : {"ftp://h?token=secret", "ws://h:x?token=secret", "ws://h/?token=secret#",
                             "ws://h/?token=secret x"}) {
        EXPECT_EQ(refusal(text).find("secret"), std::string::npos);
    }
}

} // namespace
} // namespace phx::protocol
