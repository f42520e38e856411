#include "phx/presence.hpp"
#include "tests/client/client_fixture.hpp"
#include "tests/support/memory_peak.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

// What a server sends over a connection that is open, meant to hurt: each is one typed error at the most, in
// bounded memory, and the pushes of that time finish once.
namespace phx::test {
namespace {

constexpr std::size_t mebibyte = 1u << 20;

std::string bytes_of(std::initializer_list<unsigned> head, std::string_view rest = {}) {
    std::string bytes;
    for (const unsigned byte : head) bytes += static_cast<char>(byte);
    return bytes.append(rest);
}

enum class Fragment : char { next, first };

/// A frame that is not the last of its message.
std::string unfinished(std::string frame, Fragment which) {
    frame.front() = static_cast<char>(which); // no FIN; continuation or text
    return frame;
}

/// The first two bytes of the payload of a close frame.
unsigned code_of(const WsFrame& close) {
    return close.payload.size() < 2 ? 0u
                                    : static_cast<unsigned char>(close.payload[0]) * 256u +
                                          static_cast<unsigned char>(close.payload[1]);
}

/// A channel that is joined, with a push that waits for its reply.
class HostileFrames : public testing::Test {
protected:
    void start(SocketOptions options = quick()) {
        socket.emplace(loop, server.url(), std::move(options));
        socket->on_error([this](const Error& error) { errors.add(error); });
        socket->on_close([this](std::uint16_t code, std::string_view) { closes.add(code); });
        room.emplace(socket->channel("room:1"));
        room->on("shout", [this](const Message& message) { heard.add(std::string(message.text())); });
        socket->connect();
        const Push joined = room->join();
        peer.emplace(server.accept_upgraded());
        peer->accept_join();
        ASSERT_TRUE(result_of(joined));
        asked.emplace(room->push("ask", Json::object(), generous));
        asked->then([this](const Result<Reply>& result) { answers.add(result); });
        question = peer->expect("ask");
    }
    /// The server's end of the closing handshake, and the connection after it.
    void come_back() {
        peer->close();
        peer.emplace(server.accept_upgraded());
        peer->accept_join();
    }
    /// Everything before has been read.
    void expect_to_hear() {
        peer->broadcast("room:1", "shout", "hi");
        ASSERT_EQ(heard.first(), "\"hi\"");
    }
    void expect_one_error(Errc code, const std::string& what) {
        const auto all = errors.wait_for(1);
        ASSERT_EQ(all.size(), 1u) << what;
        EXPECT_EQ(all[0].code, code) << what << ": " << all[0].message;
        EXPECT_EQ(all[0].origin, Origin::peer) << what;
    }
    void expect_an_answer(const std::string& what) {
        peer->reply(question, "ok");
        peer->reply(question, "ok");
        expect_to_hear();
        ASSERT_EQ(answers.all().size(), 1u) << what;
        EXPECT_TRUE(answers.all()[0]) << what;
    }

    // Before the loop: handlers use them as long as it lives.
    ScriptedServer server;
    Inbox<Error> errors;
    Inbox<std::uint16_t> closes;
    Inbox<std::string> heard;
    Inbox<Result<Reply>> answers;
    Loop loop;
    std::optional<Socket> socket;
    std::optional<Channel> room;
    std::optional<Push> asked;
    std::optional<Peer> peer;
    PhxFrame question;
};

struct Breach {
    std::string name;
    std::string bytes;
    unsigned close_code;
    Errc error;

    friend std::ostream& operator<<(std::ostream& out, const Breach& breach) { return out << breach.name; }
};

std::vector<Breach> breaches() {
    constexpr Errc malformed = Errc::malformed_frame;
    const std::string shout = R"([null,null,"room:1","shout","no"])";
    const auto size = static_cast<unsigned>(shout.size());
    std::string masked = bytes_of({0x81, 0x80 | size, 1, 2, 3, 4}, shout);
    for (std::size_t i = 0; i < size; ++i) masked[6 + i] ^= static_cast<char>(1 + i % 4);
    return {
        {"masked", masked, 1002, malformed},
        {"compressed, which was not agreed on", bytes_of({0xc1, size}, shout), 1002, malformed},
        {"reserved bits", bytes_of({0xb1, size}, shout), 1002, malformed},
        {"an opcode that is reserved", bytes_of({0x83, size}, shout), 1002, malformed},
        {"a ping in fragments", bytes_of({0x09, 1}, "x"), 1002, malformed},
        {"a ping that is too long", bytes_of({0x89, 126, 0, 126}, std::string(126, 'x')), 1002, malformed},
        {"the end of a message that never began", bytes_of({0x80, size}, shout), 1002, malformed},
        {"a message within a message", bytes_of({0x01, 1}, "[") + bytes_of({0x81, size}, shout), 1002,
         malformed},
        {"a length with its top bit", bytes_of({0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 1}), 1002, malformed},
        {"a length beyond all memory", bytes_of({0x81, 127, 0x7f, 0, 0, 0, 0, 0, 0, 1}), 1009,
         Errc::frame_too_large},
        {"text that is not UTF-8", bytes_of({0x81, 2}, "\xc3\x28"), 1007, Errc::invalid_utf8},
        {"text that ends within a character", bytes_of({0x81, 1}, "\xc3"), 1007, Errc::invalid_utf8},
        {"a close with half a code", bytes_of({0x88, 1, 3}), 1002, malformed},
        {"a close with a code for nobody", bytes_of({0x88, 2, 3, 0xee}), 1002, malformed}, // 1006
        {"a close with a code that there is not", bytes_of({0x88, 2, 0, 7}), 1002, malformed},
        {"a close whose reason is not UTF-8", bytes_of({0x88, 3, 3, 0xe8}, "\xff"), 1007, Errc::invalid_utf8},
    };
}

class BreachOfProtocol : public HostileFrames, public testing::WithParamInterface<Breach> {};

TEST_P(BreachOfProtocol, EndsTheConnectionWithOneErrorAndTheNextOneWorks) {
    const Breach& breach = GetParam();
    start();
    peer->write(breach.bytes + Peer::frame(1, R"([null,null,"room:1","shout","after"])"));
    const WsFrame close = peer->receive();
    EXPECT_EQ(close.opcode, 8);
    EXPECT_EQ(code_of(close), breach.close_code);
    come_back();
    ASSERT_TRUE(answers.first());
    EXPECT_EQ(answers.first()->error().code, Errc::disconnected);
    expect_to_hear();
    expect_one_error(breach.error, breach.name);
    EXPECT_EQ(closes.all(), (std::vector<std::uint16_t>{1006}));
    EXPECT_EQ(answers.all().size(), 1u);
    EXPECT_EQ(heard.all().size(), 1u);
}

std::string test_name(const testing::TestParamInfo<Breach>& info) {
    std::string name = info.param.name;
    std::erase_if(name, [](char c) { return c == ',' || c == '-'; });
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(By, BreachOfProtocol, testing::ValuesIn(breaches()), test_name);

TEST_F(HostileFrames, ThatCannotBeReadAreReportedAndTheConnectionLives) {
    const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
    const std::string in_room = R"([null,null,"room:1","shout",)";
    struct Case {
        int opcode;
        std::string payload;
        Errc error;
    };
    const std::vector<Case> cases = {
        {1, "", Errc::malformed_frame},
        {1, "shout", Errc::malformed_frame},
        {1, R"({"topic":"room:1","event":"shout","payload":{},"ref":null})", Errc::malformed_frame},
        {1, in_room + "1", Errc::malformed_frame},
        {1, in_room + R"("\ud800"])", Errc::malformed_frame},
        {1, in_room + deep + "]", Errc::invalid_payload},
        {1, deep, Errc::invalid_payload},
        {2, "", Errc::malformed_frame},
        {2, std::string("\x03\x01\x01\x01\x01\x00\x01", 7), Errc::unknown_kind},
        {2, "\x09unknown", Errc::unknown_kind},
        {2, "\x02\xff\xff", Errc::malformed_frame},
        {2, in_room + "1]", Errc::unknown_kind},
    };
    start();
    std::size_t seen = 0;
    for (const auto& [opcode, payload, code] : cases) {
        const std::string what = payload.substr(0, 60);
        peer->send(opcode, payload);
        const auto all = errors.wait_for(++seen);
        ASSERT_EQ(all.size(), seen) << what;
        EXPECT_EQ(all.back().code, code) << what << ": " << all.back().message;
        EXPECT_EQ(all.back().origin, Origin::peer) << what;
    }
    expect_an_answer("after all of them");
    EXPECT_EQ(errors.all().size(), cases.size());
    EXPECT_EQ(socket->stats().frames_dropped, cases.size());
    EXPECT_TRUE(closes.all().empty());
}

TEST_F(HostileFrames, OfAMessageWithoutAnEndTakeNoMoreThanTheLimit) {
    SocketOptions options = quick();
    options.max_message_bytes = mebibyte;
    start(std::move(options));
    std::size_t connection = 0;
    for (const std::size_t size : {std::size_t{16} << 10, std::size_t{100}}) {
        const std::string fragment = unfinished(Peer::frame(0, std::string(size, 'x')), Fragment::next);
        std::string many;
        while (many.size() < mebibyte) many += fragment;
        const MemoryPeak memory;
        peer->write(unfinished(Peer::frame(1, R"([null,null,"room:1",")"), Fragment::first));
        for (int i = 0; i < 64; ++i) peer->write(many);
        EXPECT_EQ(code_of(peer->receive()), 1009u);
        come_back();
        EXPECT_LT(memory.growth(), 8 * mebibyte);
        const auto all = errors.wait_for(++connection);
        ASSERT_EQ(all.size(), connection);
        EXPECT_EQ(all.back().code, Errc::frame_too_large);
    }
    expect_to_hear();
}

TEST_F(HostileFrames, ThatCarryNothingTakeNoMemory) {
    start();
    const MemoryPeak memory;
    peer->write(unfinished(Peer::frame(1, R"([null,null,"room:1",)"), Fragment::first));
    std::string empty;
    for (int i = 0; i < 10'000; ++i) empty += unfinished(Peer::frame(0, ""), Fragment::next);
    for (int i = 0; i < 100; ++i) peer->write(empty);
    peer->write(Peer::frame(0, R"("shout","whole"])"));
    EXPECT_EQ(heard.first(), "\"whole\"");
    EXPECT_LT(memory.growth(), 16 * mebibyte);
    EXPECT_TRUE(errors.all().empty());
}

TEST_F(HostileFrames, ThatAreAFloodOfPingsAreAnsweredInBoundedMemory) {
    start();
    const MemoryPeak memory;
    std::string pings;
    for (int i = 0; i < 1000; ++i) pings += Peer::frame(9, std::string(125, 'p'));
    for (int i = 0; i < 200; ++i) peer->write(pings); // and reads nothing
    expect_an_answer("after the flood");
    EXPECT_LT(memory.growth(), 32 * mebibyte);
    EXPECT_EQ(peer->receive().opcode, 10);
    EXPECT_TRUE(errors.all().empty());
    EXPECT_TRUE(closes.all().empty());
}

TEST_F(HostileFrames, ThatBreakOffWithinAMessageAreALostConnection) {
    const std::string shout = Peer::frame(1, R"([null,null,"room:1","shout","half"])");
    start();
    std::size_t losses = 0;
    for (const std::string& part :
         {shout.substr(0, 1), shout.substr(0, 10), unfinished(shout, Fragment::first), shout.substr(0, 2)}) {
        peer->write(part);
        come_back();
        EXPECT_EQ(closes.wait_for(++losses).size(), losses);
        EXPECT_EQ(closes.all().back(), 1006);
    }
    EXPECT_EQ(answers.first()->error().code, Errc::disconnected);
    expect_to_hear();
    EXPECT_EQ(heard.all().size(), 1u);
    EXPECT_EQ(answers.all().size(), 1u);
}

TEST_F(HostileFrames, ThatCloseWithinAMessageCloseAsUsual) {
    start();
    peer->write(unfinished(Peer::frame(1, R"([null,null,"room:1","shout",)"), Fragment::first));
    peer->send_close(1012, "restart");
    EXPECT_EQ(code_of(peer->receive()), 1012u);
    come_back();
    EXPECT_EQ(closes.first(), 1012);
    EXPECT_EQ(answers.first()->error().code, Errc::disconnected);
    expect_to_hear();
    EXPECT_TRUE(errors.all().empty());
}

/// {"presence_state"} of that many members, as one frame of the protocol.
std::string state_of(std::size_t members) {
    std::string text = R"([null,null,"room:1","presence_state",{)";
    for (std::size_t i = 0; i < members; ++i) {
        const std::string number = std::to_string(i);
        text.append(i == 0 ? "\"" : ",\"").append(number);
        text.append(R"(":{"metas":[{"phx_ref":")").append(number).append("\"}]}");
    }
    return text += "}]";
}

TEST_F(HostileFrames, WithAMillionMembersAreOverTheLimitOfMessages) {
    start();
    const std::string frame = Peer::frame(1, state_of(1'000'000));
    const MemoryPeak memory;
    peer->write(frame);
    EXPECT_EQ(code_of(peer->receive()), 1009u);
    come_back();
    EXPECT_LT(memory.growth(), 8 * mebibyte);
    expect_to_hear();
    expect_one_error(Errc::frame_too_large, "a million members");
    EXPECT_EQ(answers.all().size(), 1u);
}

TEST_F(HostileFrames, WithAMillionMembersFillAPresenceUpToItsLimit) {
    SocketOptions options = quick();
    options.max_message_bytes = 64 * mebibyte;
    start(std::move(options));
    PresenceLimits limits;
    limits.max_entries = 10'000;
    Presence presence(*room, "presence_state", "presence_diff", limits);
    Inbox<bool> synced;
    presence.on_sync([&] { synced.add(true); });
    const std::string frame = Peer::frame(1, state_of(1'000'000));
    const MemoryPeak memory;
    peer->write(frame);
    ASSERT_TRUE(synced.first());
    EXPECT_EQ(presence.state().size(), limits.max_entries);
    EXPECT_LT(memory.growth(), 4 * frame.size());
    expect_an_answer("after a million members");
    expect_one_error(Errc::buffer_full, "a million members");
}

} // namespace
} // namespace phx::test
