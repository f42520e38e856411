#include "src/server/http_request.hpp"

#include <gtest/gtest.h>
#include <string>

namespace phx::shell {
namespace {

using Status = ParsedHead::Status;

struct Parsed {
    ParsedHead head;
    HttpRequest request;
};

Parsed parse(std::string_view bytes) {
    Parsed parsed;
    std::size_t scanned = 0;
    parsed.head = parse_request_head(bytes, parsed.request, scanned);
    return parsed;
}

int refusal_of(std::string_view bytes) {
    const ParsedHead head = parse(bytes).head;
    return head.status == Status::refused ? head.http_status : 0;
}

TEST(HttpRequest, GivesMethodPathQueryAndHeaders) {
    const std::string bytes = "GET /a/b?c=d&e HTTP/1.1\r\nHost: x:1\r\nX-One: \t two, three \r\n\r\nrest";
    const auto [head, request] = parse(bytes);
    ASSERT_EQ(head.status, Status::complete);
    EXPECT_EQ(bytes.substr(head.bytes), "rest");
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.path, "/a/b");
    EXPECT_EQ(request.query, "c=d&e");
    EXPECT_EQ(request.header("x-one"), "two, three");
    EXPECT_TRUE(request.header_has_token("X-ONE", "Three"));
    EXPECT_FALSE(request.header_has_token("x-one", "thre"));
    EXPECT_FALSE(request.has_header("x-two"));
    EXPECT_TRUE(request.keep_alive);
}

TEST(HttpRequest, IsIncompleteForEveryPrefixAndTheSameForEverySplit) {
    const std::string bytes = "\r\nPOST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n";
    HttpRequest request;
    std::size_t scanned = 0;
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        ASSERT_EQ(parse_request_head(bytes.substr(0, length), request, scanned).status, Status::incomplete)
            << length;
    }
    const ParsedHead head = parse_request_head(bytes, request, scanned);
    EXPECT_EQ(head.status, Status::complete);
    EXPECT_EQ(head.bytes, bytes.size());
    EXPECT_EQ(request.content_length, 7u);
}

TEST(HttpRequest, RefusesTlsOnAPlainPortAtItsFirstByte) {
    HttpRequest request;
    std::size_t scanned = 0;
    const ParsedHead head = parse_request_head(std::string_view("\x16\x03\x01", 3), request, scanned);
    EXPECT_EQ(head.status, Status::refused);
    EXPECT_EQ(head.http_status, 400);
}

TEST(HttpRequest, KeepsTheConnectionAsTheClientWants) {
    EXPECT_FALSE(parse("GET / HTTP/1.1\r\nhost: a\r\nconnection: foo, Close\r\n\r\n").request.keep_alive);
    EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
}

TEST(HttpRequest, RefusesWhatTwoParsersCouldReadDifferently) {
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost : a\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
              400);
    EXPECT_EQ(
        refusal_of("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
        400);
    for (const char* length : {"", "-1", "+1", "1x", "0x10", "1, 1", "99999999999999999999"}) {
        EXPECT_EQ(
            refusal_of(std::string("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ") + length + "\r\n\r\n"),
            400)
            << length;
    }
}

TEST(HttpRequest, RefusesMalformedRequestLines) {
    for (const char* line :
         {"GET", "GET /", "GET  HTTP/1.1", "GET x HTTP/1.1", "GET http://a/ HTTP/1.1", "G@T / HTTP/1.1",
          "GET / HTTP/1.1 ", "GET / b HTTP/1.1", "GET /\x80 HTTP/1.1", "GET / HTTQ/1.1", " / HTTP/1.1"}) {
        EXPECT_EQ(refusal_of(std::string(line) + "\r\nhost: a\r\n\r\n"), 400) << line;
    }
    EXPECT_EQ(refusal_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    EXPECT_EQ(refusal_of("GET / HTTP/1.2\r\nhost: a\r\n\r\n"), 505);
    EXPECT_EQ(refusal_of(std::string("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", 34)), 400);
}

TEST(HttpRequest, BoundsTheHead) {
    EXPECT_EQ(refusal_of("GET /" + std::string(17'000, 'a')), 414);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost: a\r\nx: " + std::string(17'000, 'a')), 431);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nhost: a\r\nx: " + std::string(17'000, 'a') + "\r\n\r\n"), 431);
    std::string many = "GET / HTTP/1.1\r\nhost: a\r\n";
    for (int i = 0; i < 100; ++i) many += "x: y\r\n";
    EXPECT_EQ(refusal_of(many + "\r\n"), 431);
    const std::string fits = "GET /?" + std::string(16'000, 'a') + " HTTP/1.1\r\nhost: a\r\n\r\n";
    EXPECT_EQ(parse(fits).head.status, Status::complete);
}

} // namespace
} // namespace phx::shell
