#include "src/server/origin.hpp"

#include <gtest/gtest.h>

namespace phx::shell {
namespace {

bool allows(std::string_view origin, std::vector<std::string> allowed = {},
            std::string_view host = "chat.example.com") {
    return is_allowed_origin(origin, host, allowed);
}

TEST(Origin, OfTheServersOwnAddressIsAllowed) {
    EXPECT_TRUE(allows("https://chat.example.com"));
    EXPECT_TRUE(allows("http://CHAT.example.com"));
    EXPECT_TRUE(allows("https://chat.example.com:443"));
    EXPECT_TRUE(allows("http://127.0.0.1:4000", {}, "127.0.0.1:4000"));
    EXPECT_TRUE(allows("http://[::1]:4000", {}, "[::1]:4000"));
    EXPECT_FALSE(allows("http://127.0.0.1:4001", {}, "127.0.0.1:4000"));
    EXPECT_FALSE(allows("https://chat.example.com:444"));
    EXPECT_FALSE(allows("http://[::2]:4000", {}, "[::1]:4000"));
}

TEST(Origin, AHostThatNobodyFarAwayCanNameIsLocal) {
    for (const char* host : {"localhost", "LOCALHOST:4000", "127.0.0.1", "127.0.0.1:4000", "192.168.1.7:80",
                             "[::1]", "[::1]:4000", "phx", "phx:4000", "app.localhost:4000", "App.LocalHost"})
        EXPECT_TRUE(is_local_host(host)) << host;
    for (const char* host : {"", ":4000", "evil.example", "evil.example:4000", "127.0.0.1.evil.example",
                             "localhost.evil.example", "evillocalhost.com", ".localhost", "1.2.3",
                             "1.2.3.4.5", "localhost.", "user@localhost", "[::1"})
        EXPECT_FALSE(is_local_host(host)) << host;
}

TEST(Origin, OfAnotherSiteIsRefused) {
    for (const char* origin :
         {"https://evil.example", "https://chat.example.com.evil.example", "https://evilchat.example.com",
          "https://chat.example.com.", "https://example.com", "null", "", "chat.example.com",
          "//chat.example.com", "https:chat.example.com", "https://user@chat.example.com",
          "https://chat.example.com/path", "https://chat.example.com:", "https://chat.example.com:443443",
          "https://chat.example.com:4a", "https://", "https://[::1", "https://chat.example.com evil"})
        EXPECT_FALSE(allows(origin)) << origin;
}

TEST(Origin, OfTheListIsAllowedWithItsSchemeAndPort) {
    const std::vector<std::string> list = {"https://app.example.com", "http://localhost:3000",
                                           "//any.example"};
    EXPECT_TRUE(allows("https://app.example.com", list));
    EXPECT_TRUE(allows("https://app.example.com:443", list));
    EXPECT_TRUE(allows("http://localhost:3000", list));
    EXPECT_TRUE(allows("http://any.example", list));
    EXPECT_TRUE(allows("https://any.example:8443", list));
    EXPECT_FALSE(allows("http://app.example.com", list));
    EXPECT_FALSE(allows("https://app.example.com:8443", list));
    EXPECT_FALSE(allows("http://localhost:3001", list));
    EXPECT_FALSE(allows("null", list));
}

TEST(Origin, OfASubdomainIsAllowedByAWildcard) {
    const std::vector<std::string> list = {"https://*.example.org"};
    EXPECT_TRUE(allows("https://a.example.org", list));
    EXPECT_TRUE(allows("https://a.b.EXAMPLE.org", list));
    EXPECT_FALSE(allows("https://example.org", list));
    EXPECT_FALSE(allows("https://evilexample.org", list));
    EXPECT_FALSE(allows("http://a.example.org", list));
    EXPECT_FALSE(allows("https://a.example.org.evil.example", list));
}

TEST(Origin, OfAnySiteIsAllowedByAStar) {
    EXPECT_TRUE(allows("https://evil.example", {"*"}));
    EXPECT_TRUE(allows("null", {"*"}));
}

TEST(Origin, PatternsAreToldFromMistakes) {
    for (const char* pattern :
         {"*", "https://a.example", "//a.example", "https://*.a.example", "http://[::1]:80"})
        EXPECT_TRUE(is_origin_pattern(pattern)) << pattern;
    for (const char* pattern : {"", "a.example", "https://", "https://a.example/", "https://*",
                                "https://a.*.example", "https://**.a", "null"})
        EXPECT_FALSE(is_origin_pattern(pattern)) << pattern;
}

} // namespace
} // namespace phx::shell
