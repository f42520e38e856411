#include "protocol/wire/websocket_machine.hpp"

#include "tests/protocol/wire/websocket_connection.hpp"
#include "tests/support/alloc_count.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;
using test::AllocationCount;
using test::both_roles;
using test::Connection;
using test::Lines;

TEST(WebSocketMachine, SendsMessagesInOrder) {
    for (const auto role : both_roles) {
        Connection connection(role);
        EXPECT_TRUE(connection.machine.send(Opcode::text, "one"));
        EXPECT_TRUE(connection.machine.send(Opcode::binary, "two"));
        EXPECT_TRUE(connection.machine.ping("p"));
        std::string* out = connection.machine.begin_send();
        ASSERT_NE(out, nullptr);
        *out += "three";
        connection.machine.end_send(Opcode::text);
        ASSERT_NE(connection.machine.begin_send(), nullptr);
        connection.machine.cancel_send();
        EXPECT_EQ(connection.write(), (Lines{"text one", "binary two", "ping p", "text three"}));
        EXPECT_EQ(connection.machine.output(), "");
    }
}

TEST(WebSocketMachine, KeepsWhatIsNotWritten) {
    Connection connection(WebSocketRole::client);
    Lines expected, lines;
    for (int i = 0; i < 400; ++i) {
        const std::string payload(static_cast<std::size_t>(i) * 7, static_cast<char>('a' + i % 26));
        expected.push_back("text " + payload);
        ASSERT_TRUE(connection.machine.send(Opcode::text, payload));
        for (const auto& line : connection.write(1000)) lines.push_back(line); // slower than they come
    }
    while (!connection.machine.output().empty()) {
        for (const auto& line : connection.write(1000)) lines.push_back(line);
    }
    EXPECT_TRUE(lines == expected);
}

TEST(WebSocketMachine, RefusesWhatTheOutputCannotHold) {
    Connection connection(WebSocketRole::server, {.max_output_bytes = 100});
    EXPECT_EQ(connection.machine.send(Opcode::text, std::string(101, 'x')).error().code, Errc::buffer_full);
    EXPECT_TRUE(connection.machine.send(Opcode::text, std::string(60, 'x')));
    EXPECT_EQ(connection.machine.send(Opcode::text, std::string(60, 'y')).error().code, Errc::buffer_full);
    EXPECT_TRUE(connection.machine.send(Opcode::text,
                                        std::string(38, 'z'))); // and two bytes of header: over the limit
    EXPECT_EQ(connection.machine.send(Opcode::text, "").error().code, Errc::buffer_full);
    EXPECT_EQ(connection.machine.ping().error().code, Errc::buffer_full);
    EXPECT_EQ(connection.machine.begin_send(), nullptr);
    EXPECT_EQ(connection.write().size(), 2u);
    EXPECT_TRUE(connection.machine.send(Opcode::text, std::string(60, 'y')));
}

TEST(WebSocketMachine, RefusesALongPing) {
    Connection connection(WebSocketRole::client);
    EXPECT_EQ(connection.machine.ping(std::string(126, 'x')).error().code, Errc::invalid_argument);
    EXPECT_TRUE(connection.machine.ping(std::string(125, 'x')));
    EXPECT_EQ(connection.write(), (Lines{"ping " + std::string(125, 'x')}));
}

TEST(WebSocketMachine, AnswersEveryPingOfAChunk) {
    Connection connection(WebSocketRole::client);
    connection.receive({test::ping("1"), test::ping("2"), test::text("x"), test::ping("3")});
    EXPECT_EQ(connection.write(), (Lines{"pong 1", "pong 2", "pong 3"}));
    EXPECT_EQ(connection.reports, (Lines{"text x"}));
}

TEST(WebSocketMachine, BoundsThePongsOfAPeerThatDoesNotReadAndKeepsTheLatest) {
    Connection connection(WebSocketRole::client, {.max_pending_pongs = 3});
    for (int i = 0; i < 10'000; ++i) connection.receive({test::ping(std::to_string(i))});
    EXPECT_LT(connection.machine.output().size(), 100u);
    EXPECT_EQ(connection.write(7), (Lines{"pong 0"}));
    EXPECT_EQ(connection.write(), (Lines{"pong 1", "pong 2"}));
    EXPECT_EQ(connection.write(), (Lines{"pong 9999"}));
    EXPECT_EQ(connection.write(), Lines{});
    connection.receive({test::ping("again")});
    EXPECT_EQ(connection.write(), (Lines{"pong again"}));
}

TEST(WebSocketMachine, AnswersTheLatestPingThoughTheOutputIsNeverEmpty) {
    Connection connection(WebSocketRole::server, {.max_pending_pongs = 1});
    const std::string large(200'000, 'x');
    connection.receive({test::ping("first"), test::ping("skipped"), test::ping("latest")});
    ASSERT_TRUE(connection.machine.send(Opcode::binary, large));
    EXPECT_EQ(connection.write(8), (Lines{"pong first"}));
    ASSERT_TRUE(connection.machine.send(Opcode::binary, "after"));
    EXPECT_EQ(connection.write(), (Lines{"binary " + large, "pong latest", "binary after"}));
}

TEST(WebSocketMachine, FindsThePendingPongInAnOutputThatHasMoved) {
    Connection connection(WebSocketRole::server, {.max_pending_pongs = 1});
    const std::string large(200'000, 'x');
    ASSERT_TRUE(connection.machine.send(Opcode::binary, large));
    connection.receive({test::ping("first"), test::ping("latest")});
    ASSERT_TRUE(connection.machine.send(Opcode::binary, "after"));
    EXPECT_EQ(connection.write(150'000), Lines{});
    EXPECT_EQ(connection.write(50'010 + 7), (Lines{"binary " + large, "pong first"}));
    EXPECT_EQ(connection.write(), (Lines{"binary after", "pong latest"}));
}

TEST(WebSocketMachine, AnswersNoPingAfterAFailure) {
    Connection connection(WebSocketRole::server, {.max_pending_pongs = 1});
    connection.receive({test::ping("1"), test::ping("2"), test::text("\xff")});
    EXPECT_EQ(connection.write(), (Lines{"pong 1", "close 1007 text that is not UTF-8"}));
    EXPECT_EQ(connection.machine.output(), "");
}

TEST(WebSocketMachine, AnswersAtLeastOnePing) {
    Connection connection(WebSocketRole::server, {.max_pending_pongs = 0});
    connection.receive({test::ping("first"), test::ping("second")});
    EXPECT_EQ(connection.write(), (Lines{"pong first"}));
    EXPECT_EQ(connection.write(), (Lines{"pong second"}));
}

TEST(WebSocketMachine, ReportsPongs) {
    Connection connection(WebSocketRole::client);
    connection.receive({test::pong("p")});
    EXPECT_EQ(connection.reports, (Lines{"pong p"}));
    EXPECT_EQ(connection.machine.output(), "");
}

// A Phoenix node that is drained closes with 1012 at every deploy.
TEST(WebSocketMachine, EchoesTheCodeOfTheServerAndWaitsForItsEndOfStream) {
    Connection connection(WebSocketRole::client);
    connection.receive({test::text("a"), test::close(1012, "deploy")});
    EXPECT_EQ(connection.write(), (Lines{"close 1012 "}));
    EXPECT_EQ(connection.take_reports(), (Lines{"text a"}));
    EXPECT_EQ(connection.machine.next_timeout(), connection.now + 5s);
    connection.receive({test::text("ignored"), test::ping("ignored")});
    EXPECT_EQ(connection.take_reports(), Lines{});
    connection.receive_eof();
    EXPECT_EQ(connection.take_reports(), (Lines{"closed 1012 deploy clean"}));
    EXPECT_EQ(connection.machine.next_timeout(), std::nullopt);
    EXPECT_EQ(connection.write(), Lines{});
}

TEST(WebSocketMachine, DropsAServerThatDoesNotEndTheConnectionAfterTheHandshake) {
    Connection connection(WebSocketRole::client, {.close_timeout = 2s});
    connection.receive({test::close("")});
    EXPECT_EQ(connection.write(), (Lines{"close 1005 "}));
    connection.pass(2s - 1us);
    EXPECT_EQ(connection.take_reports(), Lines{});
    connection.pass(1us);
    EXPECT_EQ(connection.take_reports(), (Lines{"closed 1005  clean"}));
    connection.receive_eof();
    EXPECT_EQ(connection.take_reports(), Lines{});
}

TEST(WebSocketMachine, WaitsForEverOrNotAtAllForTheHandshakeIfToldSo) {
    Connection patient(WebSocketRole::client, {.close_timeout = Duration::max()});
    patient.pass(1s);
    patient.receive({test::close("")});
    EXPECT_EQ(patient.machine.next_timeout(), std::nullopt);
    patient.pass(1000h);
    EXPECT_EQ(patient.take_reports(), Lines{});

    Connection hasty(WebSocketRole::client, {.close_timeout = Duration::min()});
    hasty.receive({test::close("")});
    EXPECT_EQ(hasty.machine.next_timeout(), hasty.now);
    hasty.pass(0s);
    EXPECT_EQ(hasty.take_reports(), (Lines{"closed 1005  clean"}));
}

TEST(WebSocketMachine, EndsTheConnectionAtOnceAsAServer) {
    Connection connection(WebSocketRole::server);
    connection.receive({test::close(4001, "bye"), test::text("ignored")});
    EXPECT_EQ(connection.take_reports(), (Lines{"closed 4001 bye clean"}));
    EXPECT_EQ(connection.write(), (Lines{"close 4001 "}));
    EXPECT_EQ(connection.machine.next_timeout(), std::nullopt);
    connection.receive_eof();
    EXPECT_EQ(connection.take_reports(), Lines{});
}

TEST(WebSocketMachine, ClosesWithItsOwnCodeAndReportsTheAnswer) {
    for (const auto role : both_roles) {
        Connection connection(role);
        ASSERT_TRUE(connection.machine.send(Opcode::text, "last"));
        ASSERT_TRUE(connection.machine.close(connection.now, 4000, "gr\u00fc\u00df"));
        EXPECT_EQ(connection.write(), (Lines{"text last", "close 4000 gr\u00fc\u00df"}));
        EXPECT_EQ(connection.machine.next_timeout(), connection.now + 5s);
        connection.now += 1s;
        connection.receive({test::text("dropped"), test::pong("dropped"), test::close(4000)});
        if (role == WebSocketRole::client) {
            EXPECT_EQ(connection.take_reports(), Lines{});
            EXPECT_EQ(connection.machine.next_timeout(), connection.now + 4s); // the handshake as a whole
            connection.receive_eof();
        }
        EXPECT_EQ(connection.take_reports(), (Lines{"closed 4000  clean"}));
        EXPECT_EQ(connection.write(), Lines{});
    }
}

TEST(WebSocketMachine, ClosesWithoutACode) {
    Connection connection(WebSocketRole::client);
    ASSERT_TRUE(connection.machine.close(connection.now, 1005));
    EXPECT_EQ(connection.write(), (Lines{"close 1005 "}));
}

TEST(WebSocketMachine, WaitsForTheAnswerToItsCloseForFiveSeconds) {
    for (const auto role : both_roles) {
        Connection connection(role);
        ASSERT_TRUE(connection.machine.close(connection.now));
        connection.pass(5s - 1us);
        EXPECT_EQ(connection.take_reports(), Lines{});
        connection.pass(1us);
        EXPECT_EQ(connection.take_reports(), (Lines{"closed 1006  unclean"}));
        connection.receive({test::close(1000), test::text("late")});
        connection.receive({test::text("later")});
        connection.receive_eof();
        connection.pass(1h);
        EXPECT_EQ(connection.take_reports(), Lines{});
    }
}

TEST(WebSocketMachine, RefusesSendsAfterClose) {
    Connection connection(WebSocketRole::client);
    ASSERT_TRUE(connection.machine.close(connection.now));
    EXPECT_EQ(connection.machine.send(Opcode::text, "x").error().code, Errc::socket_closed);
    EXPECT_EQ(connection.machine.ping().error().code, Errc::socket_closed);
    EXPECT_EQ(connection.machine.begin_send(), nullptr);
    EXPECT_TRUE(connection.machine.close(connection.now + 1s, 1001)); // and does nothing
    EXPECT_EQ(connection.write(), (Lines{"close 1000 "}));
    EXPECT_EQ(connection.machine.next_timeout(), connection.now + 5s);
}

TEST(WebSocketMachine, RefusesSendsAfterTheEndOfTheStream) {
    Connection connection(WebSocketRole::client);
    connection.machine.handle_eof(connection.now);
    EXPECT_EQ(connection.machine.send(Opcode::text, "x").error().code, Errc::socket_closed);
    EXPECT_TRUE(connection.machine.close(connection.now));
    connection.drain();
    EXPECT_EQ(connection.reports, (Lines{"closed 1006  unclean"}));
    EXPECT_EQ(connection.machine.output(), "");
}

TEST(WebSocketMachine, RefusesCloseCodesAndReasonsThatNobodyMaySend) {
    Connection connection(WebSocketRole::client);
    for (const int code : {0, 999, 1004, 1006, 1015, 2999, 5000, 65535}) {
        EXPECT_EQ(connection.machine.close(connection.now, static_cast<std::uint16_t>(code)).error().code,
                  Errc::invalid_argument);
    }
    EXPECT_EQ(connection.machine.close(connection.now, 1000, "\xff").error().code, Errc::invalid_argument);
    EXPECT_EQ(connection.machine.output(), "");
    EXPECT_TRUE(connection.machine.send(Opcode::text, "still open"));
}

TEST(WebSocketMachine, AnswersNoPingAfterItsClose) {
    Connection connection(WebSocketRole::client, {.max_pending_pongs = 1});
    connection.receive({test::ping("1"), test::ping("2")});
    ASSERT_TRUE(connection.machine.close(connection.now));
    connection.receive({test::ping("3")});
    EXPECT_EQ(connection.write(), (Lines{"pong 1", "close 1000 "}));
    EXPECT_EQ(connection.machine.output(), "");
}

TEST(WebSocketMachine, ReportsAFailureOnceAndEndsWhenThePeerDoes) {
    for (const auto role : both_roles) {
        Connection connection(role);
        connection.receive({test::text("a"), test::with_first_byte(0xc1, "deflated"), test::text("b")});
        EXPECT_EQ(connection.take_reports(), (Lines{"text a", "failure 1002"}));
        EXPECT_EQ(connection.write(), (Lines{"close 1002 reserved bit set"}));
        EXPECT_EQ(connection.machine.next_timeout(), connection.now + 5s);
        EXPECT_EQ(connection.machine.send(Opcode::text, "x").error().code, Errc::socket_closed);
        connection.receive({test::close(1002), test::text("c")});
        EXPECT_EQ(connection.take_reports(), Lines{});
        connection.receive_eof();
        EXPECT_EQ(connection.take_reports(), (Lines{"closed 1006  unclean"}));
        EXPECT_EQ(connection.machine.next_timeout(), std::nullopt);
    }
}

TEST(WebSocketMachine, DropsAPeerThatStaysAfterItsFailure) {
    Connection connection(WebSocketRole::client);
    connection.receive({test::text("\xff")});
    EXPECT_EQ(connection.take_reports(), (Lines{"failure 1007"}));
    connection.pass(5s);
    EXPECT_EQ(connection.take_reports(), (Lines{"closed 1006  unclean"}));
}

TEST(WebSocketMachine, SendsNoSecondCloseFrameWhenThePeerFailsWhileClosing) {
    Connection connection(WebSocketRole::client);
    ASSERT_TRUE(connection.machine.close(connection.now, 1001));
    const auto deadline = connection.machine.next_timeout();
    connection.now += 1s;
    connection.receive({test::with_first_byte(0x83)});
    EXPECT_EQ(connection.take_reports(), (Lines{"failure 1002"}));
    EXPECT_EQ(connection.write(), (Lines{"close 1001 "}));
    EXPECT_EQ(connection.machine.next_timeout(), deadline);
    connection.receive_eof();
    EXPECT_EQ(connection.take_reports(), (Lines{"closed 1006  unclean"}));
}

TEST(WebSocketMachine, ReportsWhatCameBeforeTheEndOfTheStream) {
    Connection connection(WebSocketRole::client);
    std::string bytes = test::wire({test::text("a"), test::text("b")}, WebSocketRole::server);
    connection.machine.feed(connection.now, bytes);
    connection.machine.handle_eof(connection.now);
    connection.drain();
    EXPECT_EQ(connection.reports, (Lines{"text a", "text b", "closed 1006  unclean"}));
}

TEST(WebSocketMachine, TakesTimeoutsThatAreEarlyOrOfNothing) {
    Connection connection(WebSocketRole::client);
    connection.pass(1h);
    ASSERT_TRUE(connection.machine.close(connection.now));
    connection.pass(0s);
    connection.pass(4s);
    EXPECT_EQ(connection.reports, Lines{});
    connection.receive({test::close(1000)});
    connection.receive_eof();
    connection.pass(1h);
    EXPECT_EQ(connection.reports, (Lines{"closed 1000  clean"}));
}

TEST(WebSocketMachine, TalksToItsPeer) {
    Connection client(WebSocketRole::client, {.mask_seed = {1, 2, 3}}), server(WebSocketRole::server);
    const auto exchange = [&] {
        for (Connection* side : {&client, &server}) {
            const std::string bytes(side->machine.output());
            side->machine.consume_output(bytes.size());
            (side == &client ? server : client).receive(bytes);
        }
    };
    ASSERT_TRUE(client.machine.send(Opcode::text, "question"));
    ASSERT_TRUE(client.machine.ping("are you there"));
    exchange();
    ASSERT_TRUE(server.machine.send(Opcode::binary, std::string(100'000, 'x')));
    exchange();
    exchange();
    ASSERT_TRUE(client.machine.close(client.now, 1000, "done"));
    exchange();
    client.receive_eof();
    EXPECT_EQ(server.reports, (Lines{"text question", "closed 1000 done clean"}));
    EXPECT_EQ(client.reports,
              (Lines{"pong are you there", "binary " + std::string(100'000, 'x'), "closed 1000  clean"}));
}

TEST(WebSocketMachine, AllocatesNothingInTheSteadyState) {
    WebSocketMachine machine({.role = WebSocketRole::client});
    const std::string bytes = test::wire(
        {test::text(std::string(200, 'x')), test::ping("still there? answer")}, WebSocketRole::server);
    const std::string payload(150, 'y');
    std::string chunk = bytes;
    std::uint64_t allocations = 1;
    int messages = 0;
    for (int round = 0; round < 50; ++round) {
        const AllocationCount count;
        chunk.assign(bytes);
        machine.feed(TimePoint{1s}, chunk);
        while (machine.poll()) ++messages;
        EXPECT_TRUE(machine.send(Opcode::text, payload));
        machine.consume_output(machine.output().size());
        allocations = count.allocations();
    }
    EXPECT_EQ(messages, 50);
    EXPECT_EQ(allocations, 0u);
}

TEST(WebSocketMachine, GivesTheMemoryOfAHugeOutputBack) {
    WebSocketMachine machine({.role = WebSocketRole::server});
    const std::string huge(5'000'000, 'x');
    ASSERT_TRUE(machine.send(Opcode::binary, huge));
    machine.consume_output(machine.output().size());
    const AllocationCount count;
    ASSERT_TRUE(machine.send(Opcode::binary, "a payload too long for a string that owns no memory"));
    EXPECT_GE(count.allocations(), 1u);
}

} // namespace
} // namespace phx::protocol
