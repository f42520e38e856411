#include "phx/server/server.hpp"
#include "tests/support/ws_client.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

// What of `realtime:*` the shell has a part in; the rest is tested with the machine.
namespace phx::test {
namespace {

using nlohmann::json;
using phx::server::Options;
using phx::server::Requirement;
using phx::server::Server;

Options open_options() {
    Options options;
    options.policies = {
        {.topic = "realtime:*", .join = Requirement{}, .write = Requirement{}, .presence = Requirement{}}};
    return options;
}

TEST(ServerRealtime, TellsSubscribersOfChangesFromAnyThread) {
    Server server{Options{}};
    WsClient client(server.start().value(), WsClient::supabase_v2);
    client.call(
        R"(["1","1","realtime:x","phx_join",{"config":{"postgres_changes":[{"table":"t","filter":"id=gt.1"}]}}])");
    EXPECT_NE(client.receive_text().find("Subscribed to PostgreSQL"), std::string::npos);
    ASSERT_TRUE(server.emit_change({.table = "t", .record = R"({"id":1})"}));
    ASSERT_TRUE(server.emit_change({.table = "t", .record = R"({"id":2})"}));
    const json data = json::parse(client.receive_text())[4]["data"];
    EXPECT_EQ(data["record"], json({{"id", 2}}));
    EXPECT_EQ(data["commit_timestamp"].get<std::string>().substr(0, 2), "20") << "the clock of the calendar";
    EXPECT_EQ(server.emit_change({.table = "t", .record = "nonsense"}).error().code, Errc::invalid_argument);
}

TEST(ServerRealtime, ObeysItsPolicies) {
    Options options;
    options.authorize = [](const server::ConnectRequest&) {
        server::ConnectAnswer answer;
        answer.identity.user_id = "7";
        return answer;
    };
    options.policies = {{.topic = "realtime:user:{sub}", .join = Requirement{}}};
    Server server(std::move(options));
    WsClient client(server.start().value(), WsClient::supabase_v2);
    const auto status = [&](const std::string& topic) {
        return json::parse(client.call(R"(["1","1",")" + topic +
                                       R"(","phx_join",{"config":{"private":true}}])"))[4]["status"];
    };
    EXPECT_EQ(status("realtime:user:7"), "ok");
    EXPECT_EQ(status("realtime:user:8"), "error");
}

TEST(ServerRealtime, RefusesAPolicyWhoseSubIsNoSegment) {
    Options options;
    options.policies = {{.topic = "realtime:user-{sub}"}};
    EXPECT_THROW(Server{std::move(options)}, std::invalid_argument);
}

TEST(ServerRealtime, ReplaysWhatWasKeptByTheTimeOfTheCalendar) {
    Options options = open_options();
    options.history = {{}};
    Server server(std::move(options));
    const std::uint16_t port = server.start().value();
    WsClient first(port, WsClient::supabase_v2);
    first.call(R"(["1","1","realtime:x","phx_join",{"config":{"private":true,"broadcast":{"ack":true}}}])");
    first.call(R"(["1","2","realtime:x","broadcast",{"event":"e","payload":{}}])");
    WsClient second(port, WsClient::supabase_v2);
    second.call(
        R"(["1","1","realtime:x","phx_join",{"config":{"private":true,"broadcast":{"replay":{"since":1700000000000}}}}])");
    EXPECT_EQ(json::parse(second.receive_text())[4]["meta"]["replayed"], true);
}

TEST(ServerRealtime, ReplaysNoMoreThanHalfOfWhatMayWaitForAClient) {
    Options options = open_options();
    options.history = {{}};
    options.max_pending_bytes = 1u << 20;
    Server server(std::move(options));
    const std::uint16_t port = server.start().value();
    WsClient first(port, WsClient::supabase_v2);
    first.call(R"(["1","1","realtime:x","phx_join",{"config":{"private":true,"broadcast":{"ack":true}}}])");
    const std::string text(300'000, 'x');
    for (int i = 0; i < 10; ++i)
        first.call(R"(["1","2","realtime:x","broadcast",{"event":"e","payload":)" + std::to_string(i) +
                   R"(,"x":")" + text + "\"}]");
    WsClient second(port, WsClient::supabase_v2);
    second.call(
        R"(["1","1","realtime:x","phx_join",{"config":{"private":true,"broadcast":{"replay":{"since":1700000000000}}}}])");
    EXPECT_EQ(json::parse(second.receive_text())[4]["payload"], 9);
    EXPECT_NE(second.call(R"([null,"2","phoenix","heartbeat",{}])").find(R"("status":"ok")"),
              std::string::npos);
}

TEST(ServerRealtime, PassesItsLimitsOn) {
    Options options = open_options();
    options.rates = {.joins_per_connection = 1};
    options.max_broadcast_bytes = 10;
    options.private_only = true;
    Server server(std::move(options));
    WsClient client(server.start().value(), WsClient::supabase_v2);
    client.call(R"(["1","1","realtime:x","phx_join",{"config":{"private":true,"broadcast":{"ack":true}}}])");
    EXPECT_NE(
        client.call(R"(["1","2","realtime:x","broadcast",{"event":"eeee"}])").find("payload_size_exceeded"),
        std::string::npos);
    EXPECT_NE(client.call(R"(["2","3","realtime:y","phx_join",{"config":{}}])").find("Too many joins"),
              std::string::npos);
}

TEST(ServerRealtime, GivesHandlersTheBinaryBroadcastsOfRealtimeJs) {
    Server server{Options{}};
    server::Handlers handlers;
    handlers.handle_in = [](const server::Context& context, std::string_view event,
                            server::PayloadView payload) {
        json told = {{"event", event}, {"user_event", context.user_event}, {"binary", payload.binary()}};
        if (!payload.binary()) told["payload"] = json::parse(payload.data);
        return server::Actions().ok(told.dump());
    };
    server.channel("realtime:mine", handlers);
    WsClient client(server.start().value(), WsClient::supabase_v2);
    client.call(R"(["1","1","realtime:mine","phx_join",{}])");
    client.send_binary(std::string("\x03\x01\x01\x0d\x01\x00\x01", 7) + "12realtime:minee{\"n\":1}");
    EXPECT_EQ(json::parse(client.receive_text())[4]["response"],
              json::parse(R"({"event":"broadcast","user_event":"e","binary":false,
                              "payload":{"type":"broadcast","event":"e","payload":{"n":1}}})"));
    client.send_binary(std::string("\x03\x01\x01\x0d\x01\x00\x00", 7) + "13realtime:mineeraw");
    EXPECT_EQ(json::parse(client.receive_text())[4]["response"],
              json::parse(R"({"event":"broadcast","user_event":"e","binary":true})"));
}

} // namespace
} // namespace phx::test
