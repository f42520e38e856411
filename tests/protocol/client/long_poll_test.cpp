#include "tests/protocol/client/long_poll_session.hpp"

namespace phx::protocol {
namespace {

TEST(LongPoll, OpensASessionAndPolls) {
    Session session;
    session.start();
    EXPECT_EQ(session.take(), Lines{"GET /socket/longpoll?vsn=2.0.0"});
    EXPECT_EQ(session.requests[0].headers, (Headers{{"Accept", "application/json"}}));
    session.answer(Lane::poll, R"({"messages":[],"status":410,"token":"T"})");
    EXPECT_EQ(session.take(), (Lines{"opened", poll_line}));
    session.answer(Lane::poll, R"({"status":204,"token":"T","messages":[]})");
    EXPECT_EQ(session.take(), Lines{poll_line});
    session.answer(Lane::poll, R"({"status":200,"messages":["[\"1\",2]","","é\u00e9"]})");
    EXPECT_EQ(session.take(), (Lines{"message [\"1\",2]", "message ", "message éé", poll_line}));
}

TEST(LongPoll, ShouldIncludeAuthTokenInHeadersWhenPresent) {
    Session session(local("se/cret"));
    session.start();
    EXPECT_EQ(session.requests[0].headers,
              (Headers{{"Accept", "application/json"}, {"X-Phoenix-AuthToken", "se/cret"}}));
    session.answer(Lane::poll, R"({"status":410,"token":"T"})");
    EXPECT_EQ(session.requests[0].headers, (Headers{{"X-Phoenix-Longpoll-Token", "T"},
                                                    {"Accept", "application/json"},
                                                    {"X-Phoenix-AuthToken", "se/cret"}}));
}

TEST(LongPoll, RefusesAnAuthTokenThatWouldEndItsHeader) {
    Session session(local("a\r\nHost: evil"));
    session.start();
    EXPECT_EQ(session.take(), Lines{"closed 1005 "});
    EXPECT_EQ(session.how.error->code, Errc::invalid_argument);
}

TEST(LongPoll, ShouldSendTheSessionTokenInAHeader) {
    Session session;
    session.start();
    session.answer(Lane::poll, R"({"status":410,"token":"a+/b=="})");
    EXPECT_EQ(session.requests[0].headers.front(), Headers::value_type("X-Phoenix-Longpoll-Token", "a+/b=="));
    EXPECT_EQ(session.requests[0].target, "/socket/longpoll?vsn=2.0.0&token=a%2B%2Fb%3D%3D");
}

TEST(LongPoll, ShouldSendTheTokenHeaderOnBatchedPushes) {
    Session session;
    session.open();
    session.send("[1]");
    session.send("[2]");
    session.flush();
    EXPECT_EQ(session.requests[1].headers,
              (Headers{{"X-Phoenix-Longpoll-Token", "T"}, {"Content-Type", "application/x-ndjson"}}));
}

TEST(LongPoll, TakesTheTokenOfEachAnswer) {
    Session session;
    session.open();
    session.answer(Lane::poll, R"({"status":204,"token":"U"})");
    session.answer(Lane::poll, R"({"status":204,"token":null})");
    EXPECT_EQ(session.requests[0].target, "/socket/longpoll?vsn=2.0.0&token=U");
}

TEST(LongPoll, ShouldTreat410AsErrorWhenTokenAlreadyExists) {
    for (const Lane lane : {Lane::poll, Lane::push}) {
        Session session;
        session.open();
        session.send("[1]");
        session.flush();
        session.take();
        session.answer(lane, R"({"status":410,"token":"U"})");
        EXPECT_EQ(session.take(), Lines{"closed 3410 session_gone"});
        EXPECT_EQ(session.how.error->code, Errc::server_closed);
        EXPECT_EQ(session.how.error->detail->close_code, 3410);
        EXPECT_EQ(session.machine.next_timeout(), std::nullopt);
    }
}

TEST(LongPoll, ShouldSendWithCorrectContentTypeHeaderFormat) {
    Session session;
    session.open();
    auto type_of_next = [&] {
        session.flush();
        const std::string type = session.requests[1].headers.back().second;
        session.answer(Lane::push, R"({"status":200})");
        return type;
    };
    session.send("[1]");
    EXPECT_EQ(type_of_next(), "application/json");
    ASSERT_TRUE(session.machine.send(Opcode::binary, "\x01"));
    EXPECT_EQ(type_of_next(), "application/x-ndjson") << "only there is base64 understood";
    session.send("[1]");
    session.send("[2]");
    EXPECT_EQ(type_of_next(), "application/x-ndjson");
}

TEST(LongPoll, CoalescesRapidSendCallsAndBuffersSendsMadeDuringAnInFlightBatch) {
    Session session;
    session.open();
    session.send("[1]");
    session.drain();
    EXPECT_EQ(session.take(), Lines{}) << "the turn is not over";
    session.send("[2]");
    session.flush();
    EXPECT_EQ(session.take(), Lines{push_line + "[1]\n[2]"});
    session.send("[3]");
    session.flush();
    session.send("[4]");
    session.flush();
    EXPECT_EQ(session.take(), Lines{});
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.take(), Lines{push_line + "[3]\n[4]"});
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.take(), Lines{});
    EXPECT_EQ(session.machine.waiting_bytes(), 0u);
}

TEST(LongPoll, Splits150RapidSendCallsIntoTwoRequestsInOrder) {
    Session session;
    session.open();
    std::string expected[2];
    for (int i = 0; i < 150; ++i) {
        const std::string frame = '[' + std::to_string(i) + ']';
        session.send(frame);
        std::string& body = expected[i / 100];
        body += (body.empty() ? "" : "\n") + frame;
    }
    session.flush();
    EXPECT_EQ(session.take(), Lines{push_line + expected[0]});
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.take(), Lines{push_line + expected[1]});
}

TEST(LongPoll, SplitsWhatIsTooLargeForOneRequest) {
    Session session;
    session.open();
    const std::string large = '"' + std::string(2u << 20, 'x') + '"';
    for (int i = 0; i < 3; ++i) session.send(large);
    session.flush();
    EXPECT_EQ(session.requests[1].body, large);
    session.answer(Lane::push, R"({"status":200})");
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.take().size(), 3u);
}

TEST(LongPoll, ClosesAndRetriesWhenABatchPostTimesOut) {
    Session session;
    session.open();
    session.pass(5s);
    session.send("[1]");
    session.flush();
    session.answer(Lane::poll, R"({"status":204})");
    session.take();
    EXPECT_EQ(session.machine.next_timeout(), session.now + 20s);
    session.pass(20s - 1us);
    EXPECT_EQ(session.take(), Lines{});
    session.pass(1us);
    EXPECT_EQ(session.take(), Lines{"closed 1005 timeout"});
    EXPECT_EQ(session.how.error->code, Errc::timeout);
}

TEST(LongPoll, ClosesWhenAPollTimesOut) {
    Session session;
    session.start();
    session.take();
    EXPECT_EQ(session.machine.next_timeout(), session.now + 20s);
    session.pass(20s);
    EXPECT_EQ(session.take(), Lines{"closed 1005 timeout"});
}

TEST(LongPoll, EncodesBinaryAsBase64) {
    Session session;
    session.open();
    ASSERT_TRUE(session.machine.send(Opcode::binary, std::string_view("\0\x01\xff", 3)));
    session.send("[1]");
    session.flush();
    EXPECT_EQ(session.take(), Lines{push_line + "AAH/\n[1]"});
}

TEST(LongPoll, KeepsAFrameOnOneLine) {
    Session session;
    session.open();
    session.send("[1,\r\n2]");
    session.send("[3]");
    session.flush();
    EXPECT_EQ(session.take(), Lines{push_line + "[1,  2]\n[3]"});
}

TEST(LongPoll, RefusesWhatDoesNotFitIntoItsOutput) {
    LongPollConfig config = local();
    config.max_output_bytes = 8;
    Session session(std::move(config));
    session.open();
    session.send("[12]");
    session.flush(); // under way
    session.send("[3]");
    EXPECT_EQ(session.machine.send(Opcode::text, "[]").error().code, Errc::buffer_full);
    EXPECT_EQ(session.machine.send(Opcode::binary, "\x01").error().code, Errc::buffer_full)
        << "four as base64";
    EXPECT_EQ(session.machine.waiting_bytes(), 7u);
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.machine.waiting_bytes(), 3u);
    session.send("[]");
}

} // namespace
} // namespace phx::protocol
