#include "protocol/client/long_poll.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;
using long_poll::Lane;

LongPollConfig local(std::string auth_token = {}) {
    LongPollConfig config;
    config.url = *parse_url("http://localhost/socket/longpoll?vsn=2.0.0");
    config.auth_token = std::move(auth_token);
    return config;
}

/// A machine and what it put out, as lines; the latest request of each lane is kept.
struct Session {
    explicit Session(LongPollConfig config = local()) : machine(std::move(config)) {}

    void drain() {
        while (auto report = machine.poll()) {
            std::visit([this](auto& what) { note(what); }, *report);
        }
    }
    void note(long_poll::Request& request) {
        lines.push_back(std::string(request.method) + ' ' + request.target +
                        (request.body.empty() ? "" : ' ' + request.body));
        requests[request.lane == Lane::push] = std::move(request);
    }
    void note(const long_poll::Drop& drop) {
        lines.push_back(drop.lane == Lane::poll ? "drop poll" : "drop push");
    }
    void note(const long_poll::Opened&) { lines.emplace_back("opened"); }
    void note(const long_poll::Message& message) {
        lines.push_back("message " + std::string(message.text));
        if (on_message) on_message();
    }
    void note(const long_poll::Closed& closed) {
        how = closed.how;
        lines.push_back("closed " + std::to_string(how.code) + ' ' + how.reason);
    }
    Lines take() { return std::exchange(lines, {}); }

    void start() { machine.open(now), drain(); }
    void open() { start(), answer(Lane::poll, R"({"status":410,"token":"T","messages":[]})"), lines.clear(); }
    void answer(Lane lane, std::string body, int status = 200) {
        machine.handle_answer(now, lane, HttpResponse{.status = status}, std::move(body));
        drain();
    }
    void send(const std::string& text) { ASSERT_TRUE(machine.send(Opcode::text, text)); }
    void flush() { machine.flush(now), drain(); }
    void pass(Duration time) { machine.handle_timeout(now += time), drain(); }

    TimePoint now{};
    LongPollMachine machine;
    Lines lines;
    long_poll::Request requests[2];
    CloseInfo how;
    std::function<void()> on_message;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr const char* poll_line = "GET /socket/longpoll?vsn=2.0.0&token=T";
const std::string push_line = "POST /socket/longpoll?vsn=2.0.0&token=T ";

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
