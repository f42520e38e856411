// phx-server while it runs: signals, reload, log.
#include "phx/server/token.hpp"
#include "tests/support/server_program.hpp"
#include "tests/support/temporary_file.hpp"
#include "tests/support/test_server.hpp"
#include "tests/support/tls_client.hpp"
#include "tests/support/tls_files.hpp"

#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace phx::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> insecure(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--timeouts-stop", "10ms"}); // few clients here answer a close frame
    more.insert(more.end(), {"--listen", "127.0.0.1:0", "--insecure-no-auth"});
    return server_command(more);
}

std::string shown_certificate(std::uint16_t port) {
    TlsClient client(port);
    return client.shake_hands() ? client.fingerprint() : "";
}

class ServerProgramReload : public testing::Test {
protected:
    void write(const std::string& cert, const std::string& more = {}) {
        file.write(R"({"tls":{"cert_file":")" + cert + R"(","key_file":")" + files.server_key() + "\"}" +
                   more + "}");
    }
    TlsFiles files;
    TemporaryFile file;
};

TEST_F(ServerProgramReload, TakesANewCertificateForNewConnections) {
    write(files.server_cert());
    Process program(insecure({"--config", file.path()}));
    const std::uint16_t port = ready_port(program);
    TlsClient open(port);
    ASSERT_TRUE(open.shake_hands());
    write(files.ipv6_cert());
    program.signal(SIGHUP);
    EXPECT_THAT(program.err_line_with("reloaded").value_or(""), HasSubstr("changed=tls.cert_file"));
    EXPECT_NE(shown_certificate(port), open.fingerprint());
    open.send("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    EXPECT_THAT(open.receive_to_end(), HasSubstr("200 OK"));
}

TEST_F(ServerProgramReload, ReadsACertificateAgainThatHasTheSameName) {
    TemporaryFile cert;
    std::filesystem::copy_file(files.server_cert(), cert.path(),
                               std::filesystem::copy_options::overwrite_existing);
    write(cert.path());
    Process program(insecure({"--config", file.path()}));
    const std::uint16_t port = ready_port(program);
    const std::string before = shown_certificate(port);
    std::filesystem::copy_file(files.ipv6_cert(), cert.path(),
                               std::filesystem::copy_options::overwrite_existing);
    program.signal(SIGHUP);
    EXPECT_TRUE(program.err_line_with("reloaded"));
    EXPECT_NE(shown_certificate(port), before);
}

TEST_F(ServerProgramReload, ChangesNothingWhenAnythingIsBad) {
    write(files.server_cert());
    Process program(insecure({"--config", file.path(), "--log-format", "json"}));
    const std::uint16_t port = ready_port(program);
    const std::string before = shown_certificate(port);
    const auto message_after_reload = [&] {
        program.signal(SIGHUP);
        return json::parse(program.err_line_with("reload").value_or("{}")).value("message", "nothing failed");
    };
    write(files.ipv6_cert(), R"(,"limts":{})");
    EXPECT_EQ(message_after_reload(), "limts: unknown key; did you mean limits?");
    write(files.ipv6_cert(), R"(,"allowed_origins":["nowhere"])");
    EXPECT_THAT(message_after_reload(), HasSubstr("nowhere"));
    write(files.ipv6_cert(), R"(,"policies":[{"topic":"realtime:x{sub}"}])");
    EXPECT_THAT(message_after_reload(), HasSubstr("x{sub}"));
    write(files.ca(), R"(,"allowed_origins":["https://app.example"])"); // not the certificate of the key
    EXPECT_THAT(message_after_reload(), HasSubstr(files.server_key()));
    file.write("{");
    EXPECT_THAT(message_after_reload(), HasSubstr("no JSON"));
    EXPECT_EQ(shown_certificate(port), before);
    write(files.ipv6_cert());
    EXPECT_EQ(message_after_reload(), "nothing failed");
    EXPECT_NE(shown_certificate(port), before);
}

int status_of_page(std::uint16_t port) {
    return request(port, "GET /health HTTP/1.1\r\norigin: https://app.example").status;
}

constexpr const char* join_private = R"(["1","1","realtime:room","phx_join",{"config":{"private":true}}])";

TEST(ServerProgramPolicies, ChangeWithAReloadForWhoIsConnected) {
    const std::string secret = "a secret with as many bytes as a hash has";
    const std::string token =
        server::sign_token(R"({"role":"authenticated","exp":4102444800})", {.key = secret}).value();
    TemporaryFile file(R"({"policies":[{"topic":"realtime:room","join":{}}]})");
    Process program(server_command({"--listen", "127.0.0.1:0", "--config", file.path(), "-v"}),
                    {{"PHX_SERVER_JWT_SECRET", secret}});
    const std::uint16_t port = ready_port(program);
    WsClient client(port, "/socket/websocket?vsn=2.0.0&token=" + token);
    EXPECT_THAT(client.call(join_private), HasSubstr("\"ok\""));
    file.write(R"({"policies":[],"rates":{"messages_per_topic":7}})");
    program.signal(SIGHUP);
    EXPECT_THAT(program.err_line_with("changed=").value_or(""),
                HasSubstr("policies,rates.messages_per_topic"));
    std::string heard;
    while (heard.find("phx_close") == std::string::npos) heard = heard + client.receive_text() + '\n';
    EXPECT_THAT(heard, HasSubstr("You do not have permissions to read from this Channel topic: room"));
}

TEST(ServerProgramPolicies, OfAServerThatAsksNobodyStayOpenOverAReload) {
    TemporaryFile file("{}");
    Process program(insecure({"--config", file.path(), "-v"}));
    const std::uint16_t port = ready_port(program);
    WsClient client(port);
    EXPECT_THAT(client.call(join_private), HasSubstr("\"ok\""));
    file.write(R"({"allowed_origins":["https://app.example"]})");
    program.signal(SIGHUP);
    EXPECT_TRUE(program.err_line_with("reloaded"));
    WsClient other(port);
    EXPECT_THAT(other.call(join_private), HasSubstr("\"ok\""));
}

TEST(ServerProgramOrigins, ChangeWithAReload) {
    const TemporaryFile empty("{}");
    TemporaryFile file("{}");
    Process program(insecure({"--config", file.path()}));
    const std::uint16_t port = ready_port(program);
    const auto upgrade_status = [&] {
        TcpClient tcp(port);
        tcp.send(upgrade_head(WsClient::v2, "origin: https://app.example\r\n"));
        std::string rest;
        return read_response(tcp, rest, false).status;
    };
    EXPECT_EQ(upgrade_status(), 403);
    file.write(R"({"allowed_origins":["https://app.example"]})");
    program.signal(SIGHUP);
    EXPECT_TRUE(program.err_line_with("changed=allowed_origins"));
    EXPECT_EQ(upgrade_status(), 101);
    EXPECT_EQ(status_of_page(port), 200);
}

TEST(ServerProgramKeys, AreReadAgain) {
    const std::string first = "a first secret, as long as a hash is at least";
    const std::string second = "a second secret, as long as a hash is at least";
    TemporaryFile secrets(first);
    Process program(server_command({"--listen", "127.0.0.1:0", "--jwt-secret-file", secrets.path(), "-v"}));
    const std::uint16_t port = ready_port(program);
    const auto status_with = [&](const std::string& secret) {
        const std::string claims = R"({"sub":"u1","exp":4102444800})";
        const std::string token = server::sign_token(claims, {.key = secret}).value();
        TcpClient tcp(port);
        tcp.send(upgrade_head("/socket/websocket?vsn=2.0.0&token=" + token));
        std::string rest;
        return read_response(tcp, rest, false).status;
    };
    EXPECT_EQ(status_with(first), 101);
    EXPECT_EQ(status_with(second), 403);
    secrets.write("weak");
    program.signal(SIGHUP);
    EXPECT_TRUE(program.err_line_with("reload_failed"));
    EXPECT_EQ(status_with(first), 101);
    secrets.write("");
    program.signal(SIGHUP);
    EXPECT_TRUE(program.err_line_with("reload_failed"));
    EXPECT_EQ(status_with(first), 101);
    secrets.write(second);
    program.signal(SIGHUP);
    EXPECT_TRUE(program.err_line_with("reloaded"));
    EXPECT_EQ(status_with(first), 403);
    EXPECT_EQ(status_with(second), 101);
    const std::string command = program.command_line();
    EXPECT_THAT(command, HasSubstr(secrets.path()));
    EXPECT_THAT(command, Not(HasSubstr("secret, as long")));
    program.signal(SIGTERM);
    EXPECT_THAT(program.finish().err, Not(HasSubstr("secret, as long")));
}

TEST(ServerProgramKeys, OfTheEnvironmentAreNotInTheCommandLine) {
    const std::string secret = "a secret with as many bytes as a hash has";
    Process program(server_command({"--listen", "127.0.0.1:0"}), {{"PHX_SERVER_JWT_SECRET", secret}});
    ready_port(program);
    EXPECT_THAT(program.command_line(), AllOf(HasSubstr("--listen"), Not(HasSubstr(secret))));
}

TEST(ServerProgramReloadLimits, NameTheSettingsThatNeedARestart) {
    TemporaryFile file("{}");
    Process program(insecure({"--config", file.path()}));
    ready_port(program);
    file.write(R"({"limits":{"max_pending_bytes":1},"timeouts":{"close":"2s"},"log":{"format":"json"}})");
    program.signal(SIGHUP);
    const json line = json::parse(program.err_line_with("restart_needed").value_or("{}"));
    EXPECT_EQ(line["level"], "warn");
    EXPECT_EQ(line["settings"], "limits.max_pending_bytes,timeouts.close");
}

// ---- signals

TEST(ServerProgramStop, IsAtOnceWithASecondSignal) {
    Process program(insecure({"--timeouts-stop", "1h"}));
    WsClient client(ready_port(program)); // it never answers the close frame
    program.signal(SIGTERM);
    EXPECT_TRUE(client.receive().is_close(1012));
    EXPECT_TRUE(program.err_line_with("stopping"));
    program.signal(SIGHUP); // too late
    program.signal(SIGINT);
    EXPECT_EQ(program.finish().exit_code, 128 + SIGINT);
}

// ---- log

std::vector<json> lines_of(const std::string& text) {
    std::vector<json> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
    return lines;
}

TEST(ServerProgramLog, IsJsonLinesFromStartToStop) {
    Process program(insecure({"--log-format", "json"}));
    const std::uint16_t port = ready_port(program);
    program.signal(SIGTERM);
    const auto lines = lines_of(program.finish().err);
    std::vector<std::string> events;
    for (const json& line : lines) events.push_back(line["event"]);
    EXPECT_THAT(events, testing::ElementsAre("started", "insecure", "stopping", "stopped"));
    EXPECT_EQ(lines[0]["address"], "127.0.0.1:" + std::to_string(port));
    EXPECT_EQ(lines[0]["level"], "info");
    EXPECT_EQ(lines[1]["level"], "warn");
    EXPECT_EQ(lines[2]["signal"], "SIGTERM");
}

TEST(ServerProgramLog, HasOnlyWhatTheLevelAsksFor) {
    Process program(insecure({"--log-level", "error"}));
    WsClient client(ready_port(program), WsClient::supabase_v2);
    client.send("no frame");
    EXPECT_TRUE(is_served(client));
    program.signal(SIGTERM);
    const std::string log = program.finish().err;
    EXPECT_TRUE(is_one_line(log)) << log;
    EXPECT_THAT(log, HasSubstr("INSECURE")); // whatever the level
}

TEST(ServerProgramLog, TellsOfConnectionsAndTheirFaultsWithIdAndPeer) {
    Process program(insecure({"--log-format", "json", "-v"}));
    const std::uint16_t port = ready_port(program);
    {
        WsClient client(port, WsClient::supabase_v2);
        client.send("no frame");
        EXPECT_TRUE(is_served(client));
    }
    EXPECT_TRUE(program.err_line_with(R"("state":"ended")"));
    program.signal(SIGTERM);
    std::vector<json> about; // connections
    for (const json& line : lines_of(program.finish().err))
        if (line.contains("connection")) about.push_back(line);
    ASSERT_EQ(about.size(), 3u);
    EXPECT_EQ(about[0]["event"], "connection");
    EXPECT_EQ(about[0]["level"], "info");
    EXPECT_EQ(about[0]["state"], "opened");
    EXPECT_EQ(about[1]["event"], "client_error");
    EXPECT_EQ(about[1]["level"], "debug");
    EXPECT_EQ(about[2]["event"], "connection");
    EXPECT_EQ(about[2]["state"], "ended");
    for (const json& line : about) {
        EXPECT_EQ(line["connection"], about[0]["connection"]);
        EXPECT_EQ(line["peer"], "127.0.0.1");
    }
}

TEST(ServerProgramLog, BoundsTheLinesOfConnections) {
    Process program(insecure({"--log-format", "json"}));
    const std::uint16_t port = ready_port(program);
    constexpr int connections = 100; // in far less than ten seconds
    for (int i = 0; i < connections; ++i) {
        WsClient client(port);
        EXPECT_TRUE(is_served(client));
    }
    program.signal(SIGTERM);
    std::size_t told = 0, suppressed = 0;
    for (const json& line : lines_of(program.finish().err)) {
        if (line["event"] == "connection") ++told;
        if (line["event"] == "suppressed" && line["of"] == "connection")
            suppressed += std::stoul(line["lines"].get<std::string>());
    }
    EXPECT_EQ(told + suppressed, 2u * connections);
    EXPECT_GT(suppressed, 0u);
}

TEST(ServerProgramLog, TellsOfClientsFaultsAndHowManyMoreThereWere) {
    Process program(insecure({"--log-format", "json", "-v"}));
    WsClient client(ready_port(program), WsClient::supabase_v2);
    constexpr int faults = 500; // in far less than ten seconds
    for (int i = 0; i < faults; ++i) client.send("no frame");
    EXPECT_TRUE(is_served(client));
    program.signal(SIGTERM);
    std::size_t told = 0, suppressed = 0;
    for (const json& line : lines_of(program.finish().err)) {
        if (line["event"] == "suppressed") suppressed += std::stoul(line["lines"].get<std::string>());
        if (line["event"] != "client_error") continue;
        EXPECT_EQ(line["code"], "malformed frame");
        ++told;
    }
    EXPECT_EQ(told + suppressed, static_cast<std::size_t>(faults));
    EXPECT_GE(told, 20u);
    EXPECT_GT(suppressed, 0u);
}

TEST(ServerProgramLog, TellsOfHandlersThatThrowWithoutBeingAsked) {
    Process program(insecure());
    WsClient client(ready_port(program));
    client.call(R"(["1","1","any","phx_join",{}])");
    client.call(R"(["1","2","any","crash",{}])");
    EXPECT_THAT(program.err_line_with("server_error").value_or(""),
                AllOf(HasSubstr(" error "), HasSubstr("a client asked for it")));
}

TEST(ServerProgramLog, HasNoTokensOfClients) {
    Process program(insecure({"-v"}));
    const std::uint16_t port = ready_port(program);
    WsClient client(port, "/socket/websocket?vsn=2.0.0&token=hunter2&apikey=hunter2",
                    "authorization: Bearer hunter2\r\n");
    client.call(R"(["1","1","realtime:a","phx_join",{"access_token":"hunter2"}])");
    client.send(R"(["1","2","realtime:a","access_token",{"access_token":"hunter2"}])");
    client.send(R"({"access_token":"hunter2")");
    EXPECT_TRUE(client.receive_until_close().is_close(1011));
    program.signal(SIGTERM);
    const auto ended = program.finish();
    EXPECT_THAT(ended.err, HasSubstr("client_error"));
    EXPECT_THAT(ended.err, Not(HasSubstr("hunter2")));
}

} // namespace
} // namespace phx::test
