#include "protocol/wire/retry_after.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace phx::protocol {
namespace {

using namespace std::chrono_literals;

TEST(HttpDate, HasThreeForms) {
    const UnixSeconds rfc_9110_example{784111777s};
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), rfc_9110_example);
    EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), rfc_9110_example);
    EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), rfc_9110_example);
    EXPECT_EQ(parse_http_date(" Sun, 06 Nov 1994 08:49:37 GMT "), rfc_9110_example);
    EXPECT_EQ(parse_http_date("Sun Nov 16 08:49:37 1994"), rfc_9110_example + 240h);
    EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:60 GMT"), UnixSeconds(1709251200s));
    EXPECT_EQ(parse_http_date("Thursday, 01-Jan-26 00:00:00 GMT"), UnixSeconds(1767225600s));
}

TEST(HttpDate, RefusesEverythingElse) {
    for (const char* text : {"",
                             " ",
                             "Sun",
                             "Sun, ",
                             "06 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:49:37",
                             "Sun, 06 Nov 1994 08:49:37 GMT+1",
                             "Sun, 06 Nov 1994 08:49:37 CET",
                             "Sun, 6 Nov 1994 08:49:37 GMT",
                             "Sun, 06 nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 94 08:49:37 GMT",
                             "Sun, 31 Feb 1994 08:49:37 GMT",
                             "Sun, 00 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:00:00 GMT",
                             "Sun, 06 Nov 1994 08:60:00 GMT",
                             "Sun, 06 Nov 1994 08:49:61 GMT",
                             "Sun, 06 Nov 1994 8:49:37 GMT",
                             "Sun, 06-Nov-1994 08:49:37 GMT",
                             "Sun Nov 6 08:49:37 1994",
                             "Sun Nov  6 08:49:37 94",
                             "Sun, 06 Nov -994 08:49:37 GMT",
                             "Sun, 06 Xyz 1994 08:49:37 GMT",
                             "Sun Nov   6 08:49:37 1994"})
        EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
}

TEST(RetryAfter, IsANumberOfSeconds) {
    EXPECT_EQ(parse_retry_after("7", ""), 7s);
    EXPECT_EQ(parse_retry_after(" 120 ", ""), 120s);
    EXPECT_EQ(parse_retry_after("0", ""), 0s);
    for (const char* text : {"4294967295", "4294967296", "99999999999999999999"})
        EXPECT_EQ(parse_retry_after(text, ""), 4294967295s) << text;
    for (const char* text : {"", "-1", "+1", "1.5", "7s", "1e3", "0x10", "99999999999999999999s"})
        EXPECT_EQ(parse_retry_after(text, ""), std::nullopt) << text;
}

TEST(RetryAfter, IsADateByTheClockOfTheServer) {
    const std::string now = "Fri, 31 Dec 1999 23:58:59 GMT";
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", now), 60s);
    EXPECT_EQ(parse_retry_after("Sat, 01 Jan 2000 00:58:59 GMT", now), 1h);
    EXPECT_EQ(parse_retry_after(now, now), 0s);
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 1999 23:58:58 GMT", now), std::nullopt) << "in the past";
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", ""), std::nullopt) << "no Date";
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", "today"), std::nullopt);
}

} // namespace
} // namespace phx::protocol
