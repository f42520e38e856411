#include "tests/support/test_server.hpp"

#include <gtest/gtest.h>
#include <string>

namespace phx::test {
namespace {

using protocol::FrameOpcode;
using namespace std::chrono_literals;

constexpr const char* join_v2 = R"(["1","1","room:1","phx_join",{}])";
constexpr const char* joined_v2 = R"(["1","1","room:1","phx_reply",{"status":"ok","response":{}}])";

/// In each test somebody does wrong and somebody else must not notice.
class ServerBadInput : public testing::Test {
protected:
    ServerBadInput() { EXPECT_EQ(bystander.call(join_v2), joined_v2); }
    void TearDown() override {
        EXPECT_EQ(bystander.call(R"(["1","2","room:1","echo",{}])"),
                  R"(["1","2","room:1","phx_reply",{"status":"ok","response":{}}])");
    }
    /// How a WebSocket ends that sends this.
    void expect_close(std::string_view bytes, std::uint16_t code, std::string_view path = WsClient::v2) {
        WsClient client(server.port(), path);
        client.tcp().send(bytes);
        const ServerFrame frame = client.receive();
        EXPECT_TRUE(frame.is_close(code)) << frame.code << " " << frame.payload;
        EXPECT_EQ(frame.payload, "");
        EXPECT_TRUE(client.ends());
    }

    TestServer server;
    WsClient bystander{server.port()};
};

TEST_F(ServerBadInput, MalformedFramesCloseAPhoenixConnectionWith1011) {
    for (const char* text :
         {"", "nonsense", "{}", "[]", R"(["1","1","room:1","phx_join"])", R"([1,2,3,"e",{})", "\"x\"",
          R"(["1","1","room:1","e",{"a":"\ud800"}])", R"(["1","1","room:1","e",{"a":01}])"}) {
        WsClient client(server.port());
        client.send(text);
        EXPECT_TRUE(client.receive().is_close(1011)) << text;
    }
    for (const std::string& bytes : {std::string(), std::string("\0", 1), std::string("\1\1\1\1\1abcde"),
                                     std::string("\x09zzzzz"), std::string("\0\xff\xff\xff\xffx", 6)}) {
        WsClient client(server.port());
        client.send_binary(bytes);
        EXPECT_TRUE(client.receive().is_close(1011));
    }
    EXPECT_EQ(server->stats().frames_dropped, 14u);
    EXPECT_EQ(server.errors().size(), 14u);
    EXPECT_EQ(server.errors()[0].origin, Origin::peer);
}

TEST_F(ServerBadInput, MalformedFramesAreDroppedOnASupabaseConnection) {
    WsClient client(server.port(), WsClient::supabase_v2);
    for (const char* text : {"", "nonsense", "{}", R"(["1","1","room:1","phx_join"])"}) client.send(text);
    client.send_binary("\x09zzzzz");
    EXPECT_TRUE(is_served(client));
    EXPECT_EQ(server->stats().frames_dropped, 5u);
}

TEST_F(ServerBadInput, DeepJsonIsMalformed) {
    const std::string deep =
        R"(["1","1","room:1","phx_join",)" + std::string(10'000, '[') + std::string(10'000, ']') + "]";
    WsClient phoenix(server.port());
    phoenix.send(deep);
    EXPECT_TRUE(phoenix.receive().is_close(1011));
    WsClient supabase(server.port(), WsClient::supabase_v2);
    supabase.send(deep);
    EXPECT_TRUE(is_served(supabase));
}

TEST_F(ServerBadInput, TextThatIsNotUtf8Closes1007) {
    for (const std::string_view path : {WsClient::v2, WsClient::v1, WsClient::supabase_v2}) {
        expect_close(raw_frame(0x81, "[\"\xff\"]"), 1007, path);
        expect_close(raw_frame(0x81, "\xed\xa0\x80"), 1007, path);
        expect_close(raw_frame(0x81, "cut \xc3"), 1007, path);
        expect_close(raw_frame(0x01, "\xc3") + raw_frame(0x80, "x"), 1007, path);
    }
}

TEST_F(ServerBadInput, MessagesOverTheLimitClose1009FromTheirHeaderOn) {
    expect_close(std::string("\x81\xff\0\0\0\0\0\x4c\x4b\x41", 10) + "mask", 1009); // 5,000,001
    expect_close(std::string("\x82\xff\0\0\1\0\0\0\0\0", 10) + "mask", 1009);       // 2^40
    expect_close(raw_frame(0x01, std::string(3'000'000, ' ')) + raw_frame(0x80, std::string(2'000'001, ' ')),
                 1009);
}

TEST_F(ServerBadInput, SixteenMebibytesAreReadOverAndClose1009) {
    WsClient client(server.port());
    client.send(std::string(16u << 20, ' '));
    EXPECT_TRUE(client.receive().is_close(1009));
    EXPECT_TRUE(client.ends());
}

TEST_F(ServerBadInput, BrokenFramingCloses1002) {
    expect_close(std::string("\x81\x01x", 3), 1002);                            // not masked
    expect_close(raw_frame(0xc1, "x"), 1002);                                   // RSV1
    expect_close(raw_frame(0x91, "x"), 1002);                                   // RSV3
    expect_close(raw_frame(0x83, "x"), 1002);                                   // opcode 3
    expect_close(raw_frame(0x80, "x"), 1002);                                   // continues nothing
    expect_close(raw_frame(0x01, "x") + raw_frame(0x81, "y"), 1002);            // a new message inside of one
    expect_close(raw_frame(0x09, "x"), 1002);                                   // fragmented ping
    expect_close(raw_frame(0x89, std::string(126, 'x')), 1002);                 // long ping
    expect_close(std::string("\x81\xff\x80\0\0\0\0\0\0\1", 10) + "mask", 1002); // length over 2^63
    expect_close(raw_frame(0x88, "\x03"), 1002);                                // half a close code
    expect_close(raw_frame(0x88, "\x03\xed"), 1002);                            // 1005 is never sent
}

TEST_F(ServerBadInput, TheLargestMessageStillPassesInFragments) {
    WsClient client(server.port());
    EXPECT_EQ(client.call(join_v2), joined_v2);
    const std::string payload(4'000'000, 'x');
    const std::string message = R"(["1","2","room:1","echo",")" + payload + "\"]";
    std::string bytes;
    constexpr std::size_t piece = 100'000;
    for (std::size_t at = 0; at < message.size(); at += piece) {
        const unsigned first = (at == 0 ? 0x01u : 0x00u) | (at + piece >= message.size() ? 0x80u : 0x00u);
        bytes += raw_frame(first, std::string_view(message).substr(at, piece)) + raw_frame(0x89, "p");
    }
    client.tcp().send(bytes);
    for (std::size_t at = 0; at + piece < message.size(); at += piece) {
        ASSERT_EQ(client.receive().opcode, FrameOpcode::pong);
    }
    EXPECT_EQ(client.receive_text(),
              R"(["1","2","room:1","phx_reply",{"status":"ok","response":")" + payload + "\"}]");
    EXPECT_EQ(client.receive().payload, "p");
}

TEST_F(ServerBadInput, FramesMayComeByteByByte) {
    WsClient client(server.port());
    client.tcp().send_slowly(raw_frame(0x01, "[null,\"9\",\"phoe") + raw_frame(0x89, "ping") +
                             raw_frame(0x80, "nix\",\"heartbeat\",{}]"));
    const ServerFrame pong = client.receive();
    EXPECT_EQ(pong.opcode, FrameOpcode::pong);
    EXPECT_EQ(pong.payload, "ping");
    EXPECT_EQ(client.receive_text(), heartbeat_reply);
}

TEST_F(ServerBadInput, ManyEmptyFragmentsAndPingsAreNoBurden) {
    WsClient client(server.port());
    std::string bytes = raw_frame(0x01, "");
    for (int i = 0; i < 20'000; ++i) bytes += raw_frame(0x00, "");
    bytes += raw_frame(0x80, heartbeat);
    for (int i = 0; i < 1000; ++i) bytes += raw_frame(0x89, "x");
    client.tcp().send(bytes);
    EXPECT_EQ(client.receive_text(), heartbeat_reply);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(client.receive().opcode, FrameOpcode::pong); // each is answered
    EXPECT_TRUE(is_served(client));
}

TEST_F(ServerBadInput, NothingIsReadAfterAFault) {
    WsClient client(server.port());
    client.tcp().send(raw_frame(0x81, "nonsense") + raw_frame(0x81, heartbeat) + raw_frame(0x89, "x"));
    EXPECT_TRUE(client.receive().is_close(1011));
    client.close(1011);
    EXPECT_TRUE(client.ends());
}

TEST(ServerClose, EchoesTheCodesOfClients) {
    TestServer server;
    constexpr std::uint16_t codes[] = {1000, 1001, 1003, 1012, 1013, 1014, 3000, 4001, 4999};
    for (const std::uint16_t code : codes) {
        WsClient client(server.port());
        client.close(code, "bye");
        EXPECT_TRUE(client.receive().is_close(code)) << code;
        EXPECT_TRUE(client.ends());
    }
    WsClient client(server.port());
    client.send_frame(FrameOpcode::close, "");
    EXPECT_TRUE(client.receive().is_close(1005));
    EXPECT_TRUE(client.ends());
}

TEST(ServerClose, CarriesCodeAndReasonOfAHandlerAfterItsReply) {
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view, server::PayloadView payload) {
        const int code = std::stoi(std::string(payload.data));
        return server::Actions().ok().close_connection(static_cast<std::uint16_t>(code), "enough");
    };
    TestServer server({}, std::move(handlers));
    for (const auto& [asked, sent] : {std::pair{4000, 4000}, {1013, 1013}, {1005, 1011}, {7, 1011}}) {
        WsClient client(server.port());
        EXPECT_EQ(client.call(join_v2), joined_v2);
        EXPECT_EQ(client.call(R"(["1","2","room:1","x",)" + std::to_string(asked) + "]"),
                  R"(["1","2","room:1","phx_reply",{"status":"ok","response":{}}])");
        const ServerFrame frame = client.receive();
        EXPECT_TRUE(frame.is_close(static_cast<std::uint16_t>(sent)));
        EXPECT_EQ(frame.payload, "enough");
    }
}

TEST(ServerClose, DoesNotWaitForEverForTheClientsAnswer) {
    server::Options options;
    options.timeouts.close = 50ms;
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context&, std::string_view, server::PayloadView) {
        return server::Actions().close_connection(4000);
    };
    TestServer server(options, std::move(handlers));
    WsClient client(server.port());
    EXPECT_EQ(client.call(join_v2), joined_v2);
    client.send(R"(["1","2","room:1","x",{}])");
    EXPECT_TRUE(client.receive().is_close(4000));
    EXPECT_TRUE(client.ends()); // we never answered
    EXPECT_EQ(server->stats().hits(server::Limit::close_timeout), 1u);
}

TEST(ServerIdle, ClosesSilentClientsInTheDialectOfTheirEndpoint) {
    server::Options options;
    for (server::Endpoint& endpoint : options.endpoints) endpoint.idle_timeout = 100ms;
    TestServer server(options);
    WsClient phoenix(server.port());
    WsClient supabase(server.port(), WsClient::supabase_v2);
    EXPECT_EQ(supabase.call(join_v2), joined_v2);
    server->broadcast("room:1", "news", "{}"); // what the server sends does not count
    EXPECT_TRUE(phoenix.receive().is_close(1002));
    EXPECT_EQ(supabase.receive_text(), R"([null,null,"room:1","news",{}])");
    EXPECT_TRUE(supabase.receive().is_close(1000));
}

TEST(ServerIdle, IsEndedByPingsAndByPartsOfFrames) {
    server::Options options;
    options.endpoints[0].idle_timeout = 200ms;
    TestServer server(options);
    WsClient pinging(server.port());
    WsClient dripping(server.port());
    const std::string frame = raw_frame(0x81, heartbeat + std::string(1000, ' '));
    std::size_t dripped = 0;
    for (int lives = 0; lives < 3; ++lives) { // as long as three silent clients live, one after the other
        WsClient silent(server.port());
        while (!silent.tcp().is_readable(20ms)) {
            pinging.ping("x");
            ASSERT_EQ(pinging.receive().opcode, FrameOpcode::pong);
            if (dripped < frame.size()) dripping.tcp().send(frame.substr(dripped++, 1));
        }
        EXPECT_TRUE(silent.receive().is_close(1002));
    }
    EXPECT_TRUE(is_served(pinging));
    dripping.tcp().send(frame.substr(dripped));
    EXPECT_EQ(dripping.receive_text(), heartbeat_reply);
}

TEST(ServerSlowConsumer, IsClosedWith1013WhileTheOthersGetEverything) {
    server::Options options;
    options.max_pending_bytes = 1u << 20;
    TestServer server(options);
    WsClient slow(server.port(), WsClient::v2, {}, TcpClient::ReceiveBuffer::tiny);
    WsClient fast(server.port());
    EXPECT_EQ(slow.call(join_v2), joined_v2);
    EXPECT_EQ(fast.call(join_v2), joined_v2);
    const std::string payload = '"' + std::string(100'000, 'x') + '"';
    int sent = 0;
    while (server->stats().slow_consumers == 0 && sent < 1000) {
        server->broadcast("room:1", "news", payload);
        ++sent;
        ASSERT_EQ(fast.receive_text().size(), payload.size() + 28);
    }
    EXPECT_EQ(server->stats().slow_consumers, 1u);
    EXPECT_EQ(server->stats().hits(server::Limit::max_pending_bytes), 1u);
    EXPECT_EQ(server->stats().channels, 1u);
    ASSERT_EQ(server.errors().size(), 1u);
    EXPECT_EQ(server.errors()[0].code, Errc::buffer_full);
    int received = 0; // what was in flight is still delivered, in order, then the reason
    ServerFrame frame = slow.receive();
    for (; frame.opcode == FrameOpcode::text; frame = slow.receive()) ++received;
    EXPECT_TRUE(frame.is_close(1013));
    EXPECT_GT(received, 0);
    EXPECT_LT(received, sent);
    EXPECT_TRUE(is_served(fast));
}

TEST(ServerSlowConsumer, IsNobodyWhoWasToldSomethingElseRightBefore) {
    server::Options options;
    options.max_pending_bytes = 100'000;
    const std::string large = '"' + std::string(200'000, 'x') + '"'; // there is always room for one
    server::Handlers handlers;
    handlers.handle_in = [&](const server::Context&, std::string_view, server::PayloadView) {
        return server::Actions().ok().push("news", large);
    };
    TestServer server(options, handlers);
    WsClient client(server.port());
    EXPECT_EQ(client.call(join_v2), joined_v2);
    client.send(R"(["1","2","room:1","tell",{}])");
    EXPECT_EQ(client.receive_text(), R"(["1","2","room:1","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.receive_text(), R"(["1",null,"room:1","news",)" + large + "]");
    EXPECT_EQ(server->stats().slow_consumers, 0u);
}

TEST(ServerSlowConsumer, IsCutOffIfItTakesNothingOfABusyTopic) {
    server::Options options;
    options.timeouts.write = 100ms;
    TestServer server(options);
    WsClient dead(server.port(), WsClient::v2, {}, TcpClient::ReceiveBuffer::tiny);
    EXPECT_EQ(dead.call(join_v2), joined_v2);
    WsClient bystander(server.port());
    const std::string payload = '"' + std::string(1'000'000, 'x') + '"';
    for (int i = 0; i < 7; ++i) server->broadcast("room:1", "news", payload);
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (server->stats().connections == 2 && std::chrono::steady_clock::now() < give_up) {
        server->broadcast("room:1", "news", "{}"); // is new output, but nobody has taken any
        EXPECT_TRUE(is_served(bystander));
    }
    EXPECT_EQ(server->stats().connections, 1u);
    EXPECT_EQ(server->stats().slow_consumers, 0u);
}

TEST(ServerSlowConsumer, IsCutOffIfItTakesNothingAtAll) {
    server::Options options;
    options.timeouts.write = 100ms;
    TestServer server(options);
    WsClient dead(server.port(), WsClient::v2, {}, TcpClient::ReceiveBuffer::tiny);
    EXPECT_EQ(dead.call(join_v2), joined_v2);
    WsClient bystander(server.port());
    const std::string payload = '"' + std::string(1'000'000, 'x') + '"';
    for (int i = 0; i < 7; ++i) server->broadcast("room:1", "news", payload);
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (server->stats().connections == 2 && std::chrono::steady_clock::now() < give_up) {
        EXPECT_TRUE(is_served(bystander));
    }
    EXPECT_EQ(server->stats().connections, 1u);
    EXPECT_EQ(server->stats().slow_consumers, 0u);
    EXPECT_EQ(server->stats().hits(server::Limit::write_timeout), 1u);
}

} // namespace
} // namespace phx::test
