#include "protocol/wire/proxy.hpp"

#include <gtest/gtest.h>

#include <string>

namespace phx::protocol {
namespace {

TEST(Proxy, IsReadFromAUrl) {
    struct Case {
        const char *url, *host;
        std::uint16_t port;
        const char* credentials;
    };
    for (const auto& [url, host, port, credentials] : {
             Case{"http://proxy.example:3128", "proxy.example", 3128, ""},
             Case{"HTTP://proxy.example:3128/", "proxy.example", 3128, ""},
             Case{"proxy.example:3128", "proxy.example", 3128, ""},
             Case{"http://proxy.example", "proxy.example", 80, ""},
             Case{"http://[::1]:3128", "::1", 3128, ""},
             Case{"http://ada:secret@proxy.example:3128", "proxy.example", 3128, "ada:secret"},
             Case{"http://ada@proxy.example:3128", "proxy.example", 3128, "ada:"},
             Case{"http://@proxy.example:3128", "proxy.example", 3128, ""},
             Case{"ada:se%40cr%2Bet+@10.0.0.1:3128", "10.0.0.1", 3128, "ada:se@cr+et+"},
             Case{"http://ada:p@ss/word@proxy.example:3128", "proxy.example", 3128, "ada:p@ss/word"},
         }) {
        const auto proxy = parse_proxy(url);
        ASSERT_TRUE(proxy) << url << ": " << proxy.error().message;
        EXPECT_EQ(proxy->host, host) << url;
        EXPECT_EQ(proxy->port, port) << url;
        EXPECT_EQ(proxy->credentials, credentials) << url;
    }
}

TEST(Proxy, IsRefusedWithoutItsPassword) {
    for (const char* url : {"", "http://", "https://ada:secret@proxy:3128", "socks5://ada:secret@proxy:1080",
                            "http://ada:secret@proxy:99999", "http://ada:secret@pro xy:3128",
                            "http://ada:secret@proxy:3128/path", "http://ada:secret@proxy:3128?query",
                            "http://ada:secret@:3128", "http://ada:secret@proxy:x"}) {
        const auto proxy = parse_proxy(url);
        ASSERT_FALSE(proxy) << url;
        EXPECT_EQ(proxy.error().code, Errc::invalid_argument);
        EXPECT_EQ(proxy.error().message.find("secret"), std::string::npos) << proxy.error().message;
    }
}

TEST(Proxy, IsNamedWithoutItsCredentials) {
    EXPECT_EQ(parse_proxy("http://ada:secret@[::1]:3128")->place(), "[::1]:3128");
}

std::string chosen(const char* url, const ProxyVariables& variables) {
    return proxy_for(*parse_url(url), variables);
}

TEST(Proxy, IsChosenBySchemeAsCurlDoes) {
    const ProxyVariables all = {.http = "h", .https = "s", .all = "a"};
    EXPECT_EQ(chosen("ws://example.org", all), "h");
    EXPECT_EQ(chosen("wss://example.org", all), "s");
    EXPECT_EQ(chosen("ws://example.org", {.https = "s", .all = "a"}), "a");
    EXPECT_EQ(chosen("wss://example.org", {.http = "h", .all = "a"}), "a");
    EXPECT_EQ(chosen("wss://example.org", {.http = "h"}), "");
    EXPECT_EQ(chosen("wss://example.org", {.https = "s", .no = "example.org"}), "");
    EXPECT_EQ(chosen("wss://example.org", {}), "");
}

TEST(Proxy, IsNotAskedForThisMachine) {
    const ProxyVariables all = {.http = "h", .https = "s", .all = "a"};
    for (const char* url : {"ws://localhost:4000", "ws://LOCALHOST", "ws://localhost.", "ws://127.0.0.1",
                            "ws://127.8.9.10", "ws://[::1]", "ws://[0:0::0:1]", "ws://[::ffff:127.0.0.1]"})
        EXPECT_EQ(chosen(url, all), "") << url;
    EXPECT_EQ(chosen("ws://128.0.0.1", all), "h");
    EXPECT_EQ(chosen("ws://localhost.example.org", all), "h");
}

TEST(NoProxy, ListsHosts) {
    struct Case {
        const char *list, *host;
        bool is_listed;
    };
    for (const auto& [list, host, is_listed] : {
             Case{"", "example.org", false},
             Case{"*", "example.org", true},
             Case{"a.org,*", "example.org", true},
             Case{"example.org", "example.org", true},
             Case{"Example.ORG.", "example.org", true},
             Case{"example.org", "EXAMPLE.org.", true},
             Case{"example.org", "www.example.org", true},
             Case{".example.org", "www.example.org", true},
             Case{".example.org", "example.org", true},
             Case{"example.org", "badexample.org", false},
             Case{"www.example.org", "example.org", false},
             Case{"a.org, example.org\tb.org", "example.org", true},
             Case{"a.org b.org", "b.org", true},
             Case{",, ,", "example.org", false},
             Case{".", "example.org", false},
             Case{"10.1.2.3", "10.1.2.3", true},
             Case{"10.0.0.0/8", "10.1.2.3", true},
             Case{"10.0.0.0/8", "11.1.2.3", false},
             Case{"10.1.2.3/32", "10.1.2.3", true},
             Case{"10.1.2.2/32", "10.1.2.3", false},
             Case{"0.0.0.0/0", "10.1.2.3", true},
             Case{"0.0.0.0/0", "example.org", false},
             Case{"10.0.0.0/33", "10.1.2.3", false},
             Case{"10.0.0/8", "10.1.2.3", false},
             Case{"10.0.0.0.0/8", "10.1.2.3", false},
             Case{"10.0.0.256/8", "10.1.2.3", false},
             Case{"10.0.0.0/", "10.1.2.3", false},
             Case{"2001:db8::1", "2001:DB8::1", true},
             Case{"[2001:db8::1]", "2001:db8::1", true},
             Case{"2001:db8::1", "2001:db8::2", false},
             Case{"2001:db8::1", "2001:0db8:0:0:0:0:0:1", true},
             Case{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true},
             Case{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", true},
             Case{"2001:db8::0:0", "2001:db8::", true},
             Case{"::ffff:10.1.2.3", "::FFFF:a01:203", true},
             Case{"::ffff:10.1.2.3", "10.1.2.3", true},
             Case{"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8", false},
             Case{"1::2::3", "1::3", false},
             Case{"2001:db8::00001", "2001:db8::1", false},
             Case{"2001:db8::1:", "2001:db8::1", false},
             Case{"2.3", "10.1.2.3", false},
             Case{"1.2.3", "10.1.2.3", false},
         })
        EXPECT_EQ(is_listed_in_no_proxy(list, host, 443), is_listed) << list << " of " << host;
}

TEST(NoProxy, MayNameAPort) {
    EXPECT_TRUE(is_listed_in_no_proxy("example.org:443", "example.org", 443));
    EXPECT_FALSE(is_listed_in_no_proxy("example.org:443", "example.org", 4000));
    EXPECT_FALSE(is_listed_in_no_proxy("example.org:", "example.org", 443));
    EXPECT_FALSE(is_listed_in_no_proxy("example.org:x", "example.org", 443));
    EXPECT_TRUE(is_listed_in_no_proxy("[::2]:443", "::2", 443));
    EXPECT_FALSE(is_listed_in_no_proxy("[::2]:443", "::2", 80));
    EXPECT_FALSE(is_listed_in_no_proxy("[::2", "::2", 443));
    EXPECT_FALSE(is_listed_in_no_proxy("[::2]x", "::2", 443));
}

TEST(Proxy, IsAskedToConnect) {
    EXPECT_EQ(connect_request(*parse_url("wss://example.org/socket?token=x"), {}),
              "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
    EXPECT_EQ(connect_request(*parse_url("ws://[::1]:4000"), {.credentials = "Aladdin:open sesame"}),
              "CONNECT [::1]:4000 HTTP/1.1\r\nHost: [::1]:4000\r\n"
              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

} // namespace
} // namespace phx::protocol
