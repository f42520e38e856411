#include "protocol/wire/http_response.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace phx::protocol {
namespace {

using Status = HttpResponseReader::Status;
using Headers = std::vector<std::pair<std::string, std::string>>;

TEST(HttpResponse, ReadsTheHeadAndLeavesWhatFollows) {
    HttpResponseReader reader;
    const std::string head =
        "HTTP/1.1 403 Forbidden\r\nContent-Type:  text/plain \r\nX-A: \r\nx-a: 2\r\n\r\n";
    const auto fed = reader.feed(head + "body");
    EXPECT_EQ(fed.status, Status::complete);
    EXPECT_EQ(fed.taken, head.size());
    EXPECT_EQ(reader.response().status, 403);
    EXPECT_EQ(reader.response().headers,
              (Headers{{"content-type", "text/plain"}, {"x-a", ""}, {"x-a", "2"}}));
    EXPECT_EQ(reader.response().header("content-type"), "text/plain");
    EXPECT_EQ(reader.response().header("server"), "");
}

TEST(HttpResponse, IsTheSameInEverySplit) {
    const std::string head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const std::string bytes = head + "\x81";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        HttpResponseReader reader;
        auto fed = reader.feed(bytes.substr(0, cut));
        if (fed.status == Status::incomplete) {
            fed = reader.feed(bytes.substr(cut));
            EXPECT_EQ(fed.taken, head.size() - cut) << cut;
        }
        EXPECT_EQ(fed.status, Status::complete) << cut;
        EXPECT_EQ(reader.response().status, 101) << cut;
        EXPECT_EQ(reader.response().headers, (Headers{{"upgrade", "websocket"}})) << cut;
    }
    HttpResponseReader reader;
    for (std::size_t i = 0; i + 1 < head.size(); ++i)
        EXPECT_EQ(reader.feed(head.substr(i, 1)).status, Status::incomplete) << i;
    const auto last = reader.feed(head.substr(head.size() - 1));
    EXPECT_EQ(last.status, Status::complete);
    EXPECT_EQ(last.taken, 1u);
}

TEST(HttpResponse, RefusesWhatIsNotHttp) {
    for (const std::string bytes :
         {"S", "HTTP/2", "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01", "http/1.1 200 OK\r\n\r\n",
          "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 020 OK\r\n\r\n",
          "HTTP/1.x 200 OK\r\n\r\n", "HTTP/1.1-200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
          "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
          "HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "HTTP/1.1 200 OK\r\na : c\r\n\r\n",
          "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n",
          "HTTP/1.1 100 Continue\r\n\r\nSSH"}) {
        HttpResponseReader reader;
        EXPECT_EQ(reader.feed(bytes).status, Status::malformed) << bytes;
    }
    HttpResponseReader reader;
    EXPECT_EQ(reader.feed("HTTP/1.1 200\r\n\r\n").status, Status::complete) << "without a reason";
}

TEST(HttpResponse, RefusesAHeadWithoutEnd) {
    HttpResponseReader reader;
    std::size_t fed = 0;
    auto status = reader.feed("HTTP/1.1 200 OK\r\n").status;
    for (; status == Status::incomplete; fed += 1000)
        status = reader.feed("x: " + std::string(995, 'y') + "\r\n").status;
    EXPECT_EQ(status, Status::too_large);
    EXPECT_LE(fed, HttpResponseReader::max_head_bytes + 1000);
    HttpResponseReader at_once;
    EXPECT_EQ(at_once.feed("HTTP/1.1 200 OK\r\nx: " + std::string(1u << 20, 'y')).status, Status::too_large);
}

TEST(HttpResponse, DoesNotCountInterimHeads) {
    constexpr std::size_t most = HttpResponseReader::max_head_bytes;
    auto head_of = [](const std::string& line, std::size_t size) {
        const std::string start = line + "\r\nx: ";
        return start + std::string(size - start.size() - 4, 'y') + "\r\n\r\n";
    };
    std::string interim = head_of("HTTP/1.1 103 Early Hints", most);
    for (int i = 0; i < 2000; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    for (const auto& [size, status] :
         {std::pair(most, Status::complete), std::pair(most + 1, Status::too_large)}) {
        const std::string bytes = interim + head_of("HTTP/1.1 200 OK", size) + "body";
        for (const std::size_t piece : {bytes.size(), most, most + 1, std::size_t{1000}, std::size_t{1}}) {
            HttpResponseReader reader;
            HttpResponseReader::Fed fed;
            std::size_t at = 0;
            for (; at < bytes.size() && fed.status == Status::incomplete; at += piece) {
                fed = reader.feed(std::string_view(bytes).substr(at, piece));
                if (fed.status != Status::complete) continue;
                EXPECT_EQ(at + fed.taken, bytes.size() - 4) << piece;
            }
            EXPECT_EQ(fed.status, status) << piece;
        }
    }
}

TEST(HttpResponse, FindsTokensInListsOfAnyCase) {
    HttpResponse response{.status = 101, .headers = {{"connection", "keep-alive , UpGrade"}, {"a", "b"}}};
    EXPECT_TRUE(response.has_token("connection", "upgrade"));
    EXPECT_FALSE(response.has_token("connection", "up"));
    EXPECT_FALSE(response.has_token("a", "upgrade"));
}

/// What is kept of a body that comes in pieces of this size, and whether it was over then.
std::pair<std::string, bool> body_of(const HttpResponse& response, std::string_view bytes, std::size_t piece,
                                     std::size_t max_bytes = 100) {
    HttpBody body(response, max_bytes);
    for (std::size_t at = 0; at < bytes.size(); at += piece) body.feed(bytes.substr(at, piece));
    return {body.text(), body.is_over()};
}

TEST(HttpBody, EndsWhereItsFramingSays) {
    const HttpResponse counted{.status = 403, .headers = {{"content-length", "5"}}};
    const HttpResponse chunked{.status = 500, .headers = {{"transfer-encoding", "gzip, Chunked"}}};
    const HttpResponse neither{.status = 404, .headers = {}};
    using Kept = std::pair<std::string, bool>;
    for (std::size_t piece = 1; piece <= 40; ++piece) {
        EXPECT_EQ(body_of(counted, "helloxx", piece), Kept("hello", true));
        EXPECT_EQ(body_of(counted, "hel", piece), Kept("hel", false));
        EXPECT_EQ(body_of(neither, "hello", piece), Kept("hello", false));
        EXPECT_EQ(body_of(chunked, "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n", piece),
                  Kept("abc0123456789", true));
        EXPECT_EQ(body_of(chunked, "3\r\nabc\r\n4\r\nde", piece), Kept("abcde", false));
        EXPECT_EQ(body_of(chunked, "3\r\nabcd\r\n", piece), Kept("abc", true)) << "too long a chunk";
        EXPECT_EQ(body_of(chunked, "zz\r\nabc", piece), Kept("", true));
        EXPECT_EQ(body_of(chunked, "3\nabc", piece), Kept("", true)) << "a bare LF";
        EXPECT_EQ(body_of(chunked, "ffffffffffffffffff\r\nabc", piece), Kept("", true));
    }
    EXPECT_EQ(body_of(chunked, std::string(1000, ' '), 7), Kept("", true));
    EXPECT_EQ(body_of(chunked, "3" + std::string(1000, ';'), 1000), Kept("", true));
}

TEST(HttpBody, IsOverAtOnceWhereThereIsNone) {
    EXPECT_TRUE(HttpBody({.status = 204, .headers = {}}, 10).is_over());
    EXPECT_TRUE(HttpBody({.status = 304, .headers = {}}, 10).is_over());
    EXPECT_TRUE(HttpBody({.status = 302, .headers = {{"content-length", "0"}}}, 10).is_over());
    for (const char* length : {"x", "-1", "5x", "99999999999999999999"})
        EXPECT_FALSE(HttpBody({.status = 200, .headers = {{"content-length", length}}}, 10).is_over());
}

TEST(HttpBody, KeepsOnlyTheBeginning) {
    using Kept = std::pair<std::string, bool>;
    EXPECT_EQ(body_of({.status = 404, .headers = {}}, "0123456789", 3, 4), Kept("0123", true));
    EXPECT_EQ(body_of({.status = 404, .headers = {{"content-length", "10"}}}, "0123456789", 10, 4),
              Kept("0123", true));
    EXPECT_EQ(body_of({.status = 404, .headers = {{"transfer-encoding", "chunked"}}},
                      "ffffffff\r\n" + std::string(100, 'x'), 9, 4),
              Kept("xxxx", true));
}

/// What the exchange on a connection comes to: whole, and whether another may follow.
std::pair<bool, bool> end_of(const HttpResponse& response, std::string_view bytes, std::size_t piece) {
    HttpBody body(response, 100);
    for (std::size_t at = 0; at < bytes.size(); at += piece) body.feed(bytes.substr(at, piece));
    const bool ends_cleanly = body.ends_cleanly();
    body.handle_end();
    return {body.is_whole(), ends_cleanly};
}

TEST(HttpBody, KnowsWhetherItIsWholeAndWhetherMoreMayFollow) {
    const HttpResponse counted{.status = 200, .headers = {{"content-length", "5"}}};
    const HttpResponse chunked{.status = 200, .headers = {{"transfer-encoding", "chunked"}}};
    using End = std::pair<bool, bool>;
    std::string endless = "0\r\n";
    for (int i = 0; i < 65; ++i) endless += "T: 1\r\n";
    for (std::size_t piece = 1; piece <= 20; ++piece) {
        EXPECT_EQ(end_of(counted, "hello", piece), End(true, true));
        EXPECT_EQ(end_of(counted, "hellox", piece), End(true, false)) << "what nobody asked for";
        EXPECT_EQ(end_of(counted, "hell", piece), End(false, false));
        EXPECT_EQ(end_of({.status = 200}, "hello", piece), End(true, false)) << "up to the end";
        EXPECT_EQ(end_of(chunked, "5\r\nhello\r\n0\r\n\r\n", piece), End(true, true));
        EXPECT_EQ(end_of(chunked, "5\r\nhello\r\n0\r\nT: 1\r\n\r\n", piece), End(true, true));
        EXPECT_EQ(end_of(chunked, "5\r\nhello\r\n0\r\nT: 1\r\n\r\nx", piece), End(true, false));
        EXPECT_EQ(end_of(chunked, "5\r\nhello\r\n0\r\n", piece), End(false, false));
        EXPECT_EQ(end_of(chunked, "5\r\nhello\r\n", piece), End(false, false));
        EXPECT_EQ(end_of(chunked, "5\r\nhellox", piece), End(false, false));
        EXPECT_EQ(end_of(chunked, endless + "\r\n", piece), End(false, false));
        EXPECT_EQ(end_of({.status = 200}, std::string(200, 'x'), piece), End(false, false))
            << "more than is kept";
    }
    EXPECT_EQ(end_of({.status = 204}, "", 1), End(true, true));
}

TEST(HttpResponse, KnowsWhetherItsConnectionGoesOn) {
    auto keeps_alive = [](const std::string& head) {
        HttpResponseReader reader;
        EXPECT_EQ(reader.feed(head + "\r\n").status, HttpResponseReader::Status::complete);
        return reader.response().keeps_alive();
    };
    EXPECT_TRUE(keeps_alive("HTTP/1.1 200 OK\r\n"));
    EXPECT_FALSE(keeps_alive("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n"));
    EXPECT_FALSE(keeps_alive("HTTP/1.0 200 OK\r\n"));
    EXPECT_TRUE(keeps_alive("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"));
}

} // namespace
} // namespace phx::protocol
