#include "protocol/wire/websocket_parser.hpp"

#include "tests/protocol/wire/websocket_cases.hpp"
#include "tests/support/alloc_count.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

namespace phx::protocol {
namespace {

using test::AllocationCount;
using test::StreamCase;
using Kind = WebSocketEvent::Kind;
using Lines = std::vector<std::string>;

constexpr WebSocketRole both_roles[] = {WebSocketRole::client, WebSocketRole::server};

WebSocketRole peer_of(WebSocketRole role) {
    return role == WebSocketRole::client ? WebSocketRole::server : WebSocketRole::client;
}

std::string line_of(const WebSocketEvent& event) {
    const std::string payload(event.payload);
    switch (event.kind) {
    case Kind::text: return "text " + payload;
    case Kind::binary: return "binary " + payload;
    case Kind::ping: return "ping " + payload;
    case Kind::pong: return "pong " + payload;
    case Kind::close: return "close " + std::to_string(event.code) + " " + payload;
    case Kind::failure: return "failure " + std::to_string(event.code);
    }
    return "?";
}

/// Each chunk lies in memory of its own and of just its size, which is spoilt after use.
void feed(WebSocketParser& parser, std::string_view bytes, Lines& lines) {
    const auto chunk = std::make_unique<char[]>(bytes.size());
    bytes.copy(chunk.get(), bytes.size());
    parser.feed({chunk.get(), bytes.size()});
    while (const auto event = parser.next()) lines.push_back(line_of(*event));
    std::memset(chunk.get(), '!', bytes.size());
}

Lines parse(WebSocketRole role, std::size_t limit, std::string_view bytes,
            const std::vector<std::size_t>& ends) {
    WebSocketParser parser(role, limit);
    Lines lines;
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
        feed(parser, bytes.substr(begin, end - begin), lines);
        begin = end;
    }
    feed(parser, bytes.substr(begin), lines);
    return lines;
}

class WebSocketParserStream : public ::testing::TestWithParam<test::StreamGroup> {};

/// Not EXPECT_EQ: it would print payloads of 64 kB.
void expect_lines(const Lines& lines, const StreamCase& wanted, const std::string& how) {
    if (lines == wanted.expected) return;
    ADD_FAILURE() << wanted.name << ", " << how << ": " << lines.size() << " events, the last "
                  << (lines.empty() ? "none" : lines.back().substr(0, 100));
}

TEST_P(WebSocketParserStream, IsReadAlikeWholeBytewiseAndCutAnywhere) {
    for (const auto& c : GetParam().cases) {
        for (const auto role : both_roles) {
            const std::string bytes = test::wire(c.frames, peer_of(role));
            expect_lines(parse(role, c.max_message_bytes, bytes, {}), c, "whole");
            std::vector<std::size_t> everywhere(bytes.size());
            for (std::size_t i = 0; i < bytes.size(); ++i) everywhere[i] = i;
            expect_lines(parse(role, c.max_message_bytes, bytes, everywhere), c, "bytewise");
            for (const std::size_t cut : test::cuts_of(bytes.size())) {
                expect_lines(parse(role, c.max_message_bytes, bytes, {cut}), c,
                             "cut at " + std::to_string(cut));
            }
        }
    }
}

TEST_P(WebSocketParserStream, SaysNothingNewOnAPrefix) {
    for (const auto& c : GetParam().cases) {
        for (const auto role : both_roles) {
            const std::string bytes = test::wire(c.frames, peer_of(role));
            for (const std::size_t cut : test::cuts_of(bytes.size())) {
                const Lines lines =
                    parse(role, c.max_message_bytes, std::string_view(bytes).substr(0, cut), {});
                ASSERT_LE(lines.size(), c.expected.size());
                ASSERT_TRUE(std::equal(lines.begin(), lines.end(), c.expected.begin()))
                    << c.name << ' ' << cut;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Autobahn, WebSocketParserStream, ::testing::ValuesIn(test::stream_groups()),
                         [](const auto& group) { return group.param.name; });

TEST(WebSocketParser, ReadsRandomChunksAsTheWhole) {
    std::vector<test::TestFrame> frames;
    for (const auto& group : test::stream_groups()) {
        for (const auto& c : group.cases) {
            const bool ends = c.expected.back().rfind("failure", 0) == 0 ||
                              c.expected.back().rfind("close", 0) == 0 || c.name == "6 not yet wrong";
            if (!ends) frames.insert(frames.end(), c.frames.begin(), c.frames.end());
        }
    }
    for (const auto role : both_roles) {
        const std::string bytes = test::wire(frames, peer_of(role));
        const Lines whole = parse(role, 1 << 20, bytes, {});
        ASSERT_GT(whole.size(), 80u);
        ASSERT_EQ(whole.back().rfind("failure", 0), std::string::npos);
        for (unsigned seed = 0; seed < 40; ++seed) {
            std::mt19937 random(seed);
            std::vector<std::size_t> ends;
            const std::size_t longest = std::size_t{2} << seed % 16;
            for (std::size_t at = random() % longest; at < bytes.size(); at += 1 + random() % longest) {
                ends.push_back(at);
            }
            ASSERT_TRUE(parse(role, 1 << 20, bytes, ends) == whole) << "seed " << seed;
        }
    }
}

TEST(WebSocketParser, JudgesEveryCloseCodeAsTheRfc) {
    for (unsigned code = 0; code < 65536; ++code) {
        const std::string bytes = test::wire({test::close(code)}, WebSocketRole::server);
        const bool valid = is_close_code(static_cast<std::uint16_t>(code));
        const Lines expected = {valid ? "close " + std::to_string(code) + " " : "failure 1002"};
        ASSERT_EQ(parse(WebSocketRole::client, 100, bytes, {}), expected);
    }
}

TEST(WebSocketParser, HandsOutWholeMessagesAsViewsOfTheChunk) {
    for (const auto role : both_roles) {
        std::string bytes =
            test::wire({test::text("first"), test::ping("p"), test::binary("second")}, peer_of(role));
        WebSocketParser parser(role, 100);
        parser.feed(bytes);
        for (const std::string_view payload : {"first", "p", "second"}) {
            const auto event = parser.next();
            ASSERT_TRUE(event);
            EXPECT_EQ(event->payload, payload);
            EXPECT_TRUE(event->payload.data() > bytes.data() &&
                        event->payload.data() < bytes.data() + bytes.size());
        }
        EXPECT_FALSE(parser.next());
    }
}

TEST(WebSocketParser, PutsALargeMessageTogetherAndGivesItsMemoryBack) {
    std::string payload(3'000'000, ' ');
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>('a' + i % 23);
    for (const auto role : both_roles) {
        std::string bytes = test::wire({test::text(payload), test::text("small")}, peer_of(role));
        WebSocketParser parser(role, 4'000'000);
        int messages = 0;
        for (std::size_t at = 0; at < bytes.size(); at += 65536) {
            parser.feed(std::span(bytes).subspan(at, std::min<std::size_t>(65536, bytes.size() - at)));
            while (const auto event = parser.next()) {
                ASSERT_EQ(event->kind, Kind::text);
                ASSERT_TRUE(event->payload == (messages == 0 ? payload : "small"));
                ++messages;
            }
        }
        EXPECT_EQ(messages, 2);
        EXPECT_LE(parser.buffer_bytes(), WebSocketParser::kept_buffer_bytes);
    }
}

TEST(WebSocketParser, GrowsWithWhatArrivesNotWithWhatIsAnnounced) {
    std::string bytes = test::wire({test::announce(900'000'000, test::binary("few"))}, WebSocketRole::server);
    WebSocketParser parser(WebSocketRole::client, 1'000'000'000);
    parser.feed(bytes);
    EXPECT_FALSE(parser.next());
    EXPECT_LE(parser.buffer_bytes(), WebSocketParser::kept_buffer_bytes);
}

TEST(WebSocketParser, GivesTheMemoryOfAnUnfinishedMessageBackAfterTheEnd) {
    for (const auto& last : {test::close(1000), test::text("within a message")}) {
        std::string bytes =
            test::wire({test::more(test::binary(std::string(100'000, 'x'))), last}, WebSocketRole::server);
        WebSocketParser parser(WebSocketRole::client, 1'000'000);
        parser.feed(bytes);
        EXPECT_TRUE(parser.next());
        EXPECT_FALSE(parser.next());
        EXPECT_TRUE(parser.is_finished());
        EXPECT_LT(parser.buffer_bytes(), 100u);
    }
}

TEST(WebSocketParser, SpendsNoMemoryOnFloodsOfEmptyFragmentsAndPings) {
    const std::string flood = test::wire(
        {test::more(test::last("")), test::ping("flood"), test::pong("flood")}, WebSocketRole::server);
    WebSocketParser parser(WebSocketRole::client, 1000);
    Lines none;
    feed(parser, test::wire({test::more(test::text(""))}, WebSocketRole::server), none);
    std::string chunk;
    const AllocationCount count;
    int pings = 0;
    for (int i = 0; i < 10'000; ++i) {
        chunk = flood; // allocates once at the most
        parser.feed(chunk);
        while (const auto event = parser.next()) pings += event->kind == Kind::ping ? 1 : 0;
    }
    EXPECT_EQ(pings, 10'000);
    EXPECT_LE(count.allocations(), 1u);
    EXPECT_LT(parser.buffer_bytes(), 100u);
}

TEST(WebSocketParser, AllocatesNothingInTheSteadyState) {
    for (const auto role : both_roles) {
        const std::string bytes =
            test::wire({test::text(std::string(200, 'x')), test::ping("p"), test::more(test::text("frag")),
                        test::last("ment"), test::binary(std::string(2000, 'y'))},
                       peer_of(role));
        WebSocketParser parser(role, 1 << 20);
        std::string chunk;
        std::uint64_t allocations = 1;
        int events = 0;
        for (int round = 0; round < 20; ++round) {
            const AllocationCount count;
            for (std::size_t at = 0; at < bytes.size(); at += 97) { // most messages span chunks
                chunk.assign(bytes, at, 97);
                parser.feed(chunk);
                while (parser.next()) ++events;
            }
            allocations = count.allocations();
        }
        EXPECT_EQ(events, 20 * 4);
        EXPECT_EQ(allocations, 0u);
    }
}

TEST(WebSocketParser, IgnoresEverythingAfterAFailure) {
    WebSocketParser parser(WebSocketRole::client, 100);
    Lines lines;
    feed(parser, "\xff", lines);
    EXPECT_TRUE(parser.is_finished());
    feed(parser, test::wire({test::text("a")}, WebSocketRole::server), lines);
    EXPECT_EQ(lines, (Lines{"failure 1002"}));
}

TEST(WebSocketParser, TakesEmptyChunks) {
    WebSocketParser parser(WebSocketRole::client, 100);
    Lines lines;
    feed(parser, "", lines);
    feed(parser, "\x81", lines);
    feed(parser, "", lines);
    feed(parser, "\x02H", lines);
    feed(parser, "", lines);
    feed(parser, "i", lines);
    EXPECT_EQ(lines, (Lines{"text Hi"}));
}

TEST(WebSocketError, NamesTheKindOfFaultAndWhoseItWas) {
    const std::pair<std::uint16_t, Errc> kinds[] = {
        {1002, Errc::malformed_frame}, {1007, Errc::invalid_utf8}, {1009, Errc::frame_too_large}};
    for (const auto& [code, errc] : kinds) {
        const Error error = websocket_error(code, "why");
        EXPECT_EQ(error.code, errc);
        EXPECT_EQ(error.origin, Origin::peer);
        EXPECT_EQ(error.message, "why");
    }
}

} // namespace
} // namespace phx::protocol
