#include "tests/protocol/wire/websocket_cases.hpp"
#include "tests/protocol/wire/websocket_connection.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;
using test::both_roles;
using test::Connection;
using test::Lines;
using test::peer_of;

bool starts_with(const std::string& line, std::string_view word) { return line.rfind(word, 0) == 0; }

/// What a machine reports for the events of the stream followed by the end of the connection.
Lines reports_of(const Lines& events) {
    Lines reports;
    std::string end = "closed 1006  unclean";
    for (const auto& event : events) {
        if (starts_with(event, "close ")) end = "closed" + event.substr(5) + " clean";
        if (!starts_with(event, "ping ") && !starts_with(event, "close ")) reports.push_back(event);
    }
    reports.push_back(end);
    return reports;
}

/// What it writes.
Lines answers_of(const Lines& events) {
    Lines answers;
    for (const auto& event : events) {
        if (starts_with(event, "ping ")) answers.push_back("pong" + event.substr(4));
        if (starts_with(event, "close ")) answers.push_back(event.substr(0, 10) + " ");
        if (starts_with(event, "close 1005")) answers.back() = "close 1005 ";
        if (starts_with(event, "failure ")) answers.push_back("close" + event.substr(7));
    }
    return answers;
}

/// The reason of our close frame after a failure is for people: not compared.
void cut_failure_reason(Lines& answers, const Lines& events) {
    if (!events.empty() && starts_with(events.back(), "failure ") && !answers.empty()) {
        EXPECT_GT(answers.back().size(), 12u);
        answers.back().resize(10);
    }
}

class WebSocketMachineStream : public ::testing::TestWithParam<test::StreamGroup> {};

TEST_P(WebSocketMachineStream, ReportsAndAnswersAlikeCutAnywhere) {
    for (const auto& c : GetParam().cases) {
        for (const auto role : both_roles) {
            const std::string bytes = test::wire(c.frames, peer_of(role));
            for (const std::size_t cut : test::cuts_of(bytes.size())) {
                Connection connection(role, {.max_message_bytes = c.max_message_bytes});
                connection.receive(std::string_view(bytes).substr(0, cut));
                connection.receive(std::string_view(bytes).substr(cut));
                connection.receive_eof();
                Lines answers = connection.write();
                cut_failure_reason(answers, c.expected);
                ASSERT_TRUE(connection.reports == reports_of(c.expected)) << c.name << ' ' << cut;
                ASSERT_EQ(answers, answers_of(c.expected)) << c.name << ' ' << cut;
                ASSERT_EQ(connection.machine.next_timeout(), std::nullopt);
            }
        }
    }
}

TEST_P(WebSocketMachineStream, ReportsTheEndOnceAfterEveryPrefix) {
    for (const auto& c : GetParam().cases) {
        for (const auto role : both_roles) {
            const std::string bytes = test::wire(c.frames, peer_of(role));
            const Lines all = reports_of(c.expected);
            for (const std::size_t cut : test::cuts_of(bytes.size())) {
                Connection connection(role, {.max_message_bytes = c.max_message_bytes});
                connection.receive(std::string_view(bytes).substr(0, cut));
                connection.receive_eof();
                connection.receive_eof();
                connection.receive(std::string_view(bytes).substr(cut));
                connection.pass(1h);
                const Lines& reports = connection.reports;
                ASSERT_FALSE(reports.empty());
                ASSERT_TRUE(std::equal(reports.begin(), reports.end() - 1, all.begin()))
                    << c.name << ' ' << cut;
                ASSERT_TRUE(reports == all || reports.back() == "closed 1006  unclean")
                    << c.name << ' ' << cut;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Autobahn, WebSocketMachineStream, ::testing::ValuesIn(test::stream_groups()),
                         [](const auto& group) { return group.param.name; });

} // namespace
} // namespace phx::protocol
