#include "tests/protocol/client/long_poll_session.hpp"

// How a session of the long poll ends, and what it does with what it cannot read.
namespace phx::protocol {
namespace {

TEST(LongPoll, EndsAsTheServerSays) {
    struct Case {
        Lane lane;
        int status;
        const char* line;
        Errc code;
    };
    const Case cases[] = {
        {Lane::poll, 403, "closed 1008 forbidden", Errc::bad_auth},
        {Lane::poll, 500, "closed 1011 internal server error", Errc::server_closed},
        {Lane::poll, 401, "closed 1011 internal server error", Errc::server_closed},
        {Lane::push, 408, "closed 1011 internal server error", Errc::server_closed},
        {Lane::push, 500, "closed 1011 internal server error", Errc::server_closed},
        {Lane::push, 204, "closed 1011 internal server error", Errc::server_closed},
    };
    for (const auto& [lane, status, line, code] : cases) {
        Session session;
        session.open();
        session.send("[1]");
        session.flush();
        session.take();
        session.answer(lane, R"({"status":)" + std::to_string(status) + '}');
        EXPECT_EQ(session.take(), Lines{line});
        EXPECT_EQ(session.how.error->code, code);
        EXPECT_EQ(session.machine.waiting_bytes(), 0u);
        EXPECT_EQ(session.machine.send(Opcode::text, "[]").error().code, Errc::socket_closed);
    }
}

TEST(LongPoll, SaysWhyNoSessionWasOpened) {
    struct Case {
        int http_status;
        const char* body;
        Errc code;
        int status; // in the detail
    };
    const Case cases[] = {
        {200, R"({"status":403})", Errc::bad_auth, 403},
        {200, R"({"status":200,"messages":[]})", Errc::upgrade_refused, 200},
        {200, R"({"status":410})", Errc::upgrade_refused, 410},
        {200, R"({"status":500,"token":"T"})", Errc::upgrade_refused, 500},
        {401, "no", Errc::bad_auth, 401},
        {403, "", Errc::bad_auth, 403},
        {404, "<html>", Errc::upgrade_refused, 404},
        {500, R"({"status":410,"token":"T"})", Errc::upgrade_refused, 500},
    };
    for (const auto& [http_status, body, code, status] : cases) {
        Session session;
        session.start();
        session.take();
        session.answer(Lane::poll, body, http_status);
        ASSERT_EQ(session.take().size(), 1u) << body;
        ASSERT_TRUE(session.how.error);
        EXPECT_EQ(session.how.error->code, code) << body;
        EXPECT_EQ(session.how.error->origin, Origin::peer);
        ASSERT_TRUE(session.how.error->detail);
        EXPECT_EQ(session.how.error->detail->http_status, status);
    }
}

TEST(LongPoll, KeepsWhatARefusalSays) {
    Session session;
    session.start();
    session.machine.handle_answer(session.now, Lane::poll,
                                  HttpResponse{.status = 503, .headers = {{"retry-after", "7"}}},
                                  std::string(20u << 10, 'x'));
    session.drain();
    EXPECT_EQ(session.how.retry_after, Duration(7s));
    EXPECT_EQ(session.how.error->detail->http_body.size(), 16u << 10);
    EXPECT_EQ(session.how.error->detail->http_headers, (Headers{{"retry-after", "7"}}));
}

TEST(LongPoll, EndsWithOneErrorForWhatItCannotRead) {
    const std::string too_long(4097, 'x');
    const Lines bodies = {"",
                          "<html>",
                          "null",
                          "[]",
                          "{",
                          "{}",
                          R"({"status":"200"})",
                          R"({"status":200.5})",
                          R"({"status":1e2})",
                          R"({"status":99999999999999999999})",
                          R"({"status":200,"messages":{}})",
                          R"({"status":200,"messages":[[]]})",
                          R"({"status":200,"messages":[1]})",
                          R"({"status":200,"messages":["a",null]})",
                          R"({"status":200,"messages":["a"})",
                          R"({"status":200,"messages":["a" "b"]})",
                          R"({"status":200,"messages":["a",]})",
                          R"({"status":200,"messages":["\ud800"]})",
                          "{\"status\":200,\"messages\":[\"\xff\"]}",
                          R"({"status":200,"messages":["a"]} x)",
                          R"({"status":410,"token":5})",
                          R"({"status":410,"token":""})",
                          R"({"status":410,"token":"a b"})",
                          R"({"status":410,"token":"a\r\nHost: evil"})",
                          R"({"status":410,"token":"é"})",
                          R"({"status":410,"token":")" + too_long + "\"}",
                          R"({"status":200,"x":)" + std::string(10'000, '[')};
    for (const std::string& body : bodies) {
        for (const bool is_open : {false, true}) {
            Session session;
            is_open ? session.open() : session.start();
            session.take();
            session.answer(Lane::poll, body);
            EXPECT_EQ(session.take(), Lines{"closed 1011 unreadable answer"}) << body;
            ASSERT_TRUE(session.how.error);
            EXPECT_EQ(session.how.error->origin, Origin::peer);
            EXPECT_EQ(session.how.error->message.find("evil"), std::string::npos);
        }
    }
}

TEST(LongPoll, SurvivesEveryPrefixOfAnAnswer) {
    const std::string answer = R"({"messages":["[\"é\"]","[2]"],"status":200,"token":"T","x":[{"y":null}]})";
    for (std::size_t size = 0; size < answer.size(); ++size) {
        Session session;
        session.open();
        session.answer(Lane::poll, answer.substr(0, size));
        EXPECT_EQ(session.take(), Lines{"closed 1011 unreadable answer"}) << size;
    }
}

TEST(LongPoll, EndsWhenAMessageIsTooLarge) {
    LongPollConfig config = local();
    config.max_message_bytes = 3;
    Session session(std::move(config));
    session.open();
    session.answer(Lane::poll, R"({"status":200,"messages":["\u0061bc","abcd","[]"]})");
    EXPECT_EQ(session.take(), (Lines{"message abc", "closed 1009 message too large"}));
    EXPECT_EQ(session.how.error->code, Errc::frame_too_large);
}

TEST(LongPoll, EndsWhenARequestFails) {
    for (const Lane lane : {Lane::poll, Lane::push}) {
        Session session;
        session.open();
        session.send("[1]");
        session.flush();
        session.take();
        CloseInfo info;
        info.error = fail(Errc::connect_failed, "refused", Origin::transport).error;
        info.retry_after = 3s;
        session.machine.handle_failure(session.now, lane, info);
        session.drain();
        EXPECT_EQ(session.take(), Lines{"closed 1011 internal server error"});
        EXPECT_EQ(session.how.error->code, Errc::connect_failed);
        EXPECT_EQ(session.how.retry_after, Duration(3s));
    }
}

TEST(LongPoll, IgnoresAnswersThatNobodyWaitsFor) {
    Session session;
    session.start();
    session.take();
    session.answer(Lane::push, R"({"status":500})");
    session.machine.handle_failure(session.now, Lane::push, {});
    session.drain();
    EXPECT_EQ(session.take(), Lines{});
    session.machine.close(session.now);
    session.drain();
    session.take();
    session.answer(Lane::poll, R"({"status":410,"token":"T"})");
    session.pass(1h);
    session.machine.close(session.now);
    session.machine.open(session.now);
    session.flush();
    EXPECT_EQ(session.take(), Lines{});
}

TEST(LongPoll, ClosesAtOnceWhenNothingWaits) {
    Session session;
    session.open();
    session.machine.close(session.now, 4001, "bye");
    session.drain();
    EXPECT_EQ(session.take(), Lines{"closed 4001 bye"});
    EXPECT_FALSE(session.how.error);
}

TEST(LongPoll, ClosesAtOnceBeforeItIsOpen) {
    Session idle;
    idle.machine.close(idle.now);
    idle.drain();
    EXPECT_EQ(idle.take(), Lines{"closed 1000 "});
    Session session;
    session.start();
    session.send("[1]");
    session.take();
    session.machine.close(session.now);
    session.drain();
    EXPECT_EQ(session.take(), Lines{"closed 1000 "});
}

TEST(LongPoll, BringsTheOutputOutBeforeItCloses) {
    Session session;
    session.open();
    session.send("[1]");
    session.flush();
    session.send("[2]");
    session.take();
    session.machine.close(session.now, 4001, "bye");
    session.drain();
    EXPECT_EQ(session.take(), Lines{"drop poll"});
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.take(), Lines{push_line + "[2]"});
    session.answer(Lane::push, R"({"status":200})");
    EXPECT_EQ(session.take(), Lines{"closed 4001 bye"});
}

TEST(LongPoll, ClosesAsAskedWhateverHappensToTheLastOutput) {
    const std::vector<std::function<void(Session&)>> ends = {
        [](Session& session) { session.pass(5s); },
        [](Session& session) { session.answer(Lane::push, R"({"status":410})"); },
        [](Session& session) { session.answer(Lane::push, "", 500); },
        [](Session& session) {
            session.machine.handle_failure(session.now, Lane::push, {}), session.drain();
        },
    };
    for (const auto& end : ends) {
        Session session;
        session.open();
        session.send("[1]");
        session.machine.close(session.now, 4001, "bye");
        session.drain();
        EXPECT_EQ(session.take(), (Lines{"drop poll", push_line + "[1]"}));
        end(session);
        EXPECT_EQ(session.take(), Lines{"closed 4001 bye"});
        EXPECT_FALSE(session.how.error);
    }
}

TEST(LongPoll, ReportsNoMessageAfterItWasClosed) {
    Session session;
    session.open();
    session.on_message = [&] { session.machine.close(session.now); };
    session.answer(Lane::poll, R"({"status":200,"messages":["1","2"]})");
    EXPECT_EQ(session.take(), (Lines{"message 1", "closed 1000 "}));
}

TEST(LongPoll, PollsAgainOnlyWhenTheMessagesAreHandled) {
    Session session;
    session.open();
    session.machine.handle_answer(session.now, Lane::poll, HttpResponse{.status = 200},
                                  R"({"status":200,"messages":["1","2"]})");
    EXPECT_TRUE(std::holds_alternative<long_poll::Message>(*session.machine.poll()));
    EXPECT_TRUE(std::holds_alternative<long_poll::Message>(*session.machine.poll()));
    EXPECT_TRUE(std::holds_alternative<long_poll::Request>(*session.machine.poll()));
    EXPECT_FALSE(session.machine.poll());
}

} // namespace
} // namespace phx::protocol
