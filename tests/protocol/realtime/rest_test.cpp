#include "protocol/realtime/rest.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace phx::protocol::realtime {
namespace {

using Json = nlohmann::ordered_json; // errors are repeated as they were written

std::string base_of(std::string_view endpoint) {
    const auto url = rest_base(endpoint);
    if (!url) return url.error().message;
    return (url->tls ? "https://" : "http://") + url->host_header() + url->path +
           (url->query.empty() ? "" : "?" + url->query);
}

HttpResponse response_of(int status, std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    return response;
}

Error error_of(int status, std::string_view body, BroadcastEndpoint endpoint = BroadcastEndpoint::single) {
    const auto outcome = outcome_of_broadcast(endpoint, response_of(status), body);
    return outcome ? Error{} : outcome.error();
}

TEST(RestBase, LeavesOutWhatIsOfTheSocket) {
    const std::map<std::string, std::string> bases = {
        {"wss://x.supabase.co/realtime/v1", "https://x.supabase.co/realtime/v1"},
        {"wss://x.supabase.co/realtime/v1/", "https://x.supabase.co/realtime/v1"},
        {"wss://x.supabase.co/realtime/v1/websocket", "https://x.supabase.co/realtime/v1"},
        {"https://x.supabase.co/realtime/v1//", "https://x.supabase.co/realtime/v1"},
        {"ws://localhost:4000/socket", "http://localhost:4000"},
        {"ws://localhost:4000/socket/", "http://localhost:4000"},
        {"ws://localhost:4000/socket/websocket", "http://localhost:4000"},
        {"ws://localhost:4000/Socket/WebSocket//", "http://localhost:4000"},
        {"ws://localhost:4000", "http://localhost:4000"},
        {"ws://localhost:4000/", "http://localhost:4000"},
        {"ws://localhost/a//socket", "http://localhost/a"},
        {"ws://localhost/websocket/socket", "http://localhost"},
        {"ws://localhost/mysocket", "http://localhost/mysocket"},
        {"ws://localhost/socket/a", "http://localhost/socket/a"},
    };
    for (const auto& [endpoint, base] : bases) EXPECT_EQ(base_of(endpoint), base) << endpoint;
}

TEST(RestBase, LeavesOutTheQueryWhichHoldsTheKey) {
    EXPECT_EQ(base_of("wss://x.supabase.co/realtime/v1/websocket?apikey=secret&vsn=2.0.0"),
              "https://x.supabase.co/realtime/v1");
}

TEST(RestBase, RefusesWhatIsNoUrl) {
    for (const char* const text : {"", "x.supabase.co", "ftp://x/socket", "ws://", "ws://x/a b"}) {
        const auto url = rest_base(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().code, Errc::invalid_argument);
    }
}

TEST(SingleTarget, EncodesTopicAndEvent) {
    EXPECT_EQ(*single_target({.topic = "room", .event = "e"}), "/api/broadcast/room/events/e");
    EXPECT_EQ(*single_target({.topic = "room:p", .event = "e", .is_private = true}),
              "/api/broadcast/room%3Ap/events/e?private=true");
    EXPECT_EQ(*single_target({.topic = "a/b?c#d%&\r\n", .event = "\xC3\xA9 +"}),
              "/api/broadcast/a%2Fb%3Fc%23d%25%26%0D%0A/events/%C3%A9%20%2B");
    EXPECT_EQ(*single_target({.topic = "...", .event = ".x"}), "/api/broadcast/.../events/.x");
}

TEST(SingleTarget, RefusesWhatCannotBePartOfAPath) {
    for (const std::string_view bad : {"", ".", ".."}) {
        for (const HttpBroadcastView& message :
             {HttpBroadcastView{.topic = bad, .event = "e"}, HttpBroadcastView{.topic = "t", .event = bad}}) {
            const auto target = single_target(message);
            ASSERT_FALSE(target) << bad;
            EXPECT_EQ(target.error().code, Errc::invalid_argument);
            EXPECT_EQ(target.error().origin, Origin::local);
        }
    }
}

TEST(BatchBody, HoldsEveryMessage) {
    EXPECT_EQ(*batch_body({}), "{\"messages\":[]}");
    const std::vector<HttpBroadcastView> messages = {
        {.topic = "t", .event = "e", .payload = "{\"a\":1}"},
        {.topic = "\"\\\n", .event = "\xC3\xA9", .payload = "[1, 2]", .is_private = true},
        {.topic = "t", .event = "e"},
    };
    EXPECT_EQ(*batch_body(messages),
              "{\"messages\":[{\"topic\":\"t\",\"event\":\"e\",\"payload\":{\"a\":1},\"private\":false},"
              "{\"topic\":\"\\\"\\\\\\n\",\"event\":\"\xC3\xA9\",\"payload\":[1, 2],\"private\":true},"
              "{\"topic\":\"t\",\"event\":\"e\",\"payload\":{},\"private\":false}]}");
}

TEST(BatchBody, RefusesWhatIsNoJson) {
    const std::string deep = std::string(5000, '[') + std::string(5000, ']');
    for (const std::string_view bad : {std::string_view(""), std::string_view("{"), std::string_view("1 2"),
                                       std::string_view("\"\xFF\""), std::string_view(deep)}) {
        const std::vector<HttpBroadcastView> messages = {{.topic = "t", .event = "e"},
                                                         {.topic = "t", .event = "e", .payload = bad}};
        const auto body = batch_body(messages);
        ASSERT_FALSE(body) << bad;
        EXPECT_EQ(body.error().code, Errc::invalid_payload);
        EXPECT_TRUE(body.error().message.starts_with("message 1 of the batch: ")) << body.error().message;
    }
}

TEST(BatchBody, RefusesNamesThatAreNotUtf8) {
    for (const HttpBroadcastView& bad : {HttpBroadcastView{.topic = "\xFF", .event = "e"},
                                         HttpBroadcastView{.topic = "t", .event = "\xC3"}}) {
        const auto body = batch_body({&bad, 1});
        ASSERT_FALSE(body);
        EXPECT_EQ(body.error().code, Errc::invalid_utf8);
    }
}

/// The outcome must be the one of this answer. Returns its status.
int check_outcome(const std::string& path, const Json& record) {
    const int status = record["status"];
    const std::string body = record["text"];
    const auto endpoint = path == batch_target ? BroadcastEndpoint::batch : BroadcastEndpoint::single;
    HttpResponse response = response_of(status);
    for (const auto& [name, value] : record["headers"].items()) response.headers.emplace_back(name, value);
    const auto headers = response.headers;
    const auto outcome = outcome_of_broadcast(endpoint, response, body);
    EXPECT_EQ(outcome.has_value(), status == 202) << body;
    if (outcome) return status;
    const Error& error = outcome.error();
    EXPECT_EQ(error.code, status == 401 || status == 403 ? Errc::bad_auth : Errc::rejected) << body;
    EXPECT_EQ(error.origin, Origin::peer);
    EXPECT_NE(error.message.find("HTTP " + std::to_string(status)), std::string::npos);
    const Json answer = Json::parse(body, nullptr, false);
    std::string words;
    if (answer.is_object()) {
        words = answer.contains("message") ? answer["message"].get<std::string>()
                : answer.contains("error") ? answer["error"].get<std::string>()
                                           : answer["errors"].dump();
    }
    EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
    EXPECT_EQ(error.detail->http_status, status);
    EXPECT_EQ(error.detail->http_body, body);
    EXPECT_EQ(error.detail->http_headers, headers);
    return status;
}

TEST(BroadcastOutcome, IsTheOneOfEveryRecordedAnswer) {
    std::map<int, int> seen;
    for (const char* name : {"05_broadcast", "09_private", "11_limits_events_joins_suspend", "11a_limits",
                             "13_idle_timeout", "14_rest"}) {
        std::ifstream file(PHX_TEST_VECTORS "/supabase/" + std::string(name) + ".jsonl");
        std::string path, method;
        for (std::string line; std::getline(file, line);) {
            const Json record = Json::parse(line);
            if (record.value("op", "") != "http" || record.contains("conn")) continue;
            if (record["dir"] == "out") {
                path = record["path"];
                method = record["method"];
            } else if (path.starts_with(batch_target) && method == "POST") {
                ++seen[check_outcome(path, record)];
            }
        }
    }
    const std::map<int, int> expected = {{202, 18}, {400, 1},  {401, 4}, {403, 2},
                                         {415, 1},  {422, 15}, {429, 2}};
    EXPECT_EQ(seen, expected);
}

TEST(BroadcastOutcome, IsSuccessForAllOf2xx) {
    for (const int status : {200, 201, 202, 204, 299})
        EXPECT_TRUE(outcome_of_broadcast(BroadcastEndpoint::single, response_of(status), "<html>"));
}

TEST(BroadcastOutcome, SaysWhatTheServerSaid) {
    EXPECT_EQ(error_of(401, R"({"message":"Unauthorized"})").message,
              "the server answered the broadcast with HTTP 401: Unauthorized; check the API key and the "
              "access token");
    EXPECT_EQ(error_of(429, R"({"message":"Too many requests"})").message,
              "the server answered the broadcast with HTTP 429: Too many requests");
    EXPECT_EQ(error_of(415, R"({"error":"Unsupported Media Type"})").message,
              "the server answered the broadcast with HTTP 415: Unsupported Media Type");
    EXPECT_EQ(error_of(422, R"({"errors":{"messages":[{},{"event":["can't be blank"]}]}})").message,
              "the server answered the broadcast with HTTP 422: "
              R"({"messages":[{},{"event":["can't be blank"]}]})");
    EXPECT_EQ(error_of(413, R"({"message":null,"errors":{"detail":"Request Entity Too Large"}})").message,
              R"(the server answered the broadcast with HTTP 413: {"detail":"Request Entity Too Large"})");
}

TEST(BroadcastOutcome, SaysWhichServersHaveTheSingleEndpoint) {
    const Error single = error_of(404, "Not Found"), batch = error_of(404, "", BroadcastEndpoint::batch);
    EXPECT_EQ(single.code, Errc::rejected);
    EXPECT_NE(single.message.find("v2.97.0 or later"), std::string::npos) << single.message;
    EXPECT_EQ(batch.code, Errc::rejected);
    EXPECT_EQ(batch.message.find("2.97"), std::string::npos) << batch.message;
}

TEST(BroadcastOutcome, RepeatsNothingButJson) {
    for (const std::string_view body :
         {"<html><h1>502 Bad Gateway</h1></html>", "Bad Request", "", R"({"message":"cut o)",
          R"({"message":5})", R"(["message"])", R"({"detail":"x"})", "{\"message\":\"\xFF\"}"}) {
        const Error error = error_of(502, body);
        EXPECT_EQ(error.code, Errc::rejected);
        EXPECT_EQ(error.message, "the server answered the broadcast with HTTP 502") << body;
        EXPECT_EQ(error.detail->http_body, body);
    }
}

TEST(BroadcastOutcome, KeepsTheServersWordsShortAndOnOneLine) {
    EXPECT_EQ(error_of(500, R"({"message":"a\r\nb\u0000c\u007F"})").message,
              "the server answered the broadcast with HTTP 500: a  b c ");
    std::string words;
    for (int i = 0; i < 300; ++i) words += "\xE2\x82\xAC"; // three bytes each
    const std::string message = error_of(500, "{\"message\":\"" + words + "\"}").message;
    EXPECT_EQ(message, "the server answered the broadcast with HTTP 500: " + words.substr(0, 198) + "...");
}

TEST(BroadcastOutcome, KeepsSixteenKibibytesOfTheBody) {
    const std::string body = '"' + std::string(20'000, 'x') + '"';
    EXPECT_EQ(error_of(500, body).detail->http_body, body.substr(0, 16 * 1024));
}

TEST(BroadcastOutcome, TellsWhenToComeBack) {
    const auto outcome =
        outcome_of_broadcast(BroadcastEndpoint::batch, response_of(429, {{"retry-after", "7"}}), "");
    ASSERT_FALSE(outcome);
    const std::vector<std::pair<std::string, std::string>> headers = {{"retry-after", "7"}};
    EXPECT_EQ(outcome.error().detail->http_headers, headers);
}

TEST(BroadcastOutcome, IsNoSuccessForRedirects) {
    for (const int status : {301, 302, 307, 308}) {
        const Error error = error_of(status, "");
        EXPECT_EQ(error.code, Errc::rejected);
        EXPECT_NE(error.message.find("redirects are not followed"), std::string::npos) << error.message;
    }
    EXPECT_EQ(error_of(101, "").code, Errc::rejected);
}

} // namespace
} // namespace phx::protocol::realtime
