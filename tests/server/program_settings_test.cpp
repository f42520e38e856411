// phx-server with its settings: the file, the commands about it, the example that is shipped.
#include "phx/server/token.hpp"
#include "tests/support/server_program.hpp"
#include "tests/support/temporary_file.hpp"
#include "tests/support/test_server.hpp"
#include "tests/support/tls_client.hpp"
#include "tests/support/tls_files.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

namespace phx::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json parsed(const std::string& text) { return json::parse(text, nullptr, false); }

TEST(ServerProgramConfig, PrintsADefaultThatItAccepts) {
    const auto printed = run_server({"default-config"});
    EXPECT_EQ(printed.exit_code, 0);
    EXPECT_EQ(printed.err, "");
    const TemporaryFile file(printed.out);
    const auto checked = run_server({"check-config", "--config", file.path()});
    EXPECT_EQ(checked.exit_code, 0);
    EXPECT_EQ(checked.out, printed.out);
    EXPECT_THAT(checked.err, HasSubstr("not enough to start"));
    EXPECT_TRUE(is_one_line(checked.err));
}

TEST(ServerProgramConfig, ChecksWhatIsInEffect) {
    const TemporaryFile file(R"({"listen":"127.0.0.1:1","timeouts":{"stop":"1m"},"insecure_no_auth":true})");
    const auto checked =
        run_server({"check-config", "--listen", "127.0.0.1:3", "--allowed-origins", "https://a.example",
                    "--allowed-origins", "https://b.example", "--realtime=false"},
                   {{"PHX_SERVER_CONFIG", file.path()},
                    {"PHX_SERVER_LISTEN", "127.0.0.1:2"},
                    {"PHX_SERVER_LOG_LEVEL", "warn"}});
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    EXPECT_EQ(checked.err, "");
    const json config = parsed(checked.out);
    EXPECT_EQ(config["listen"], "127.0.0.1:3");
    EXPECT_EQ(config["log"]["level"], "warn");
    EXPECT_EQ(config["timeouts"]["stop"], "1m");
    EXPECT_EQ(config["realtime"], false);
    EXPECT_EQ(config["allowed_origins"], json({"https://a.example", "https://b.example"}));
}

TEST(ServerProgramConfig, TellsEachFaultInALineAndEndsWithTwo) {
    const TemporaryFile file(R"({"limits":{"max_chanels_per_connection":5},"log":{"level":"loud"}})");
    for (const char* command : {"check-config", "--insecure-no-auth"}) {
        const auto ended = run_server({command, "--config", file.path()});
        EXPECT_EQ(ended.exit_code, 2);
        EXPECT_EQ(ended.out, "");
        EXPECT_EQ(ended.err,
                  "phx-server: limits.max_chanels_per_connection: unknown key; did you mean "
                  "limits.max_channels_per_connection?\n"
                  "phx-server: log.level: expected \"debug\", \"info\", \"warn\" or \"error\", not "
                  "this text\n");
    }
}

TEST(ServerProgramConfig, FindsFaultsThatOnlyFilesShow) {
    const TemporaryFile file;
    const std::vector<std::pair<std::vector<std::string>, std::string>> faults = {
        {{"--config", file.path() + "-not-there"}, "No such file"},
        {{"--config", "/"}, "Is a directory"},
        {{"--config", file.path()}, "no JSON"},
        {{"--tls-cert-file", file.path()}, file.path()},
        {{"--allowed-origins", "somewhere"}, "allowed_origins"},
        {{"--policies", R"([{"topic":"realtime:x{sub}"}])"}, "realtime:x{sub}"},
    };
    for (const auto& [arguments, text] : faults) {
        for (const char* command : {"check-config", "--insecure-no-auth"}) {
            auto all = arguments;
            all.insert(all.begin(), command);
            const auto ended = run_server(all);
            EXPECT_EQ(ended.exit_code, 2) << text;
            EXPECT_THAT(ended.err, HasSubstr(text));
            EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
        }
    }
}

TEST(ServerProgramConfig, RefusesToListenOnTheNetworkWhileEverybodyIsLetIn) {
    for (const char* place : {"0.0.0.0:0", "[::]:0"}) {
        const auto checked = run_server({"check-config", "--insecure-no-auth", "--listen", place});
        const auto served = run_server({"--insecure-no-auth", "--listen", place});
        for (const auto* const ended : {&checked, &served}) {
            EXPECT_EQ(ended->exit_code, 2) << place;
            EXPECT_EQ(ended->out, "") << place;
            EXPECT_THAT(ended->err, HasSubstr("listen on a loopback address"));
            EXPECT_TRUE(is_one_line(ended->err)) << ended->err;
        }
    }
    const auto without_key = run_server({"check-config", "--listen", "0.0.0.0:0"});
    EXPECT_EQ(without_key.exit_code, 0) << without_key.err;
    EXPECT_THAT(without_key.err, HasSubstr("not enough to start"));
    const auto with_key =
        run_server({"check-config", "--listen", "0.0.0.0:0"},
                   {{"PHX_SERVER_JWT_SECRET", "a secret with as many bytes as a hash has"}});
    EXPECT_EQ(with_key.exit_code, 0);
    EXPECT_EQ(with_key.err, "");
}

TEST(ServerProgramConfig, TakesListsAsJson) {
    const auto checked =
        run_server({"check-config", "--endpoints", R"([{"path":"/ws"}])", "--insecure-no-auth",
                    R"(--history=[{"pattern":"realtime:*","max_messages":5}])"},
                   {{"PHX_SERVER_POLICIES", R"([{"topic":"realtime:user:{sub}","join":{}}])"},
                    {"PHX_SERVER_ENDPOINTS", R"([{"path":"/other"}])"}});
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    const json config = parsed(checked.out);
    ASSERT_EQ(config["endpoints"].size(), 1u);
    EXPECT_EQ(config["endpoints"][0]["path"], "/ws");
    ASSERT_EQ(config["policies"].size(), 1u);
    EXPECT_EQ(config["policies"][0]["topic"], "realtime:user:{sub}");
    ASSERT_EQ(config["history"].size(), 1u);
    EXPECT_EQ(config["history"][0]["max_messages"], 5);
}

TEST(ServerProgramConfig, EndsWithAVariableThatIsNoSetting) {
    for (const char* command : {"check-config", "--insecure-no-auth"}) {
        const auto ended = run_server({command}, {{"PHX_SERVER_LOG_LEVL", "debug"}, {"PHX_CLIENT", "x"}});
        EXPECT_EQ(ended.exit_code, 2);
        EXPECT_EQ(ended.out, "");
        EXPECT_EQ(ended.err, "phx-server: PHX_SERVER_LOG_LEVL: unknown variable; did you mean "
                             "PHX_SERVER_LOG_LEVEL?\n");
    }
}

TEST(ServerProgramConfig, SaysWhenNobodyCanReadIt) {
    for (const char* command : {"check-config", "default-config"}) {
        Process program(
            {"/bin/sh", "-c", std::string("exec " PHX_SERVER_PROGRAM " ") + command + " > /dev/full"});
        EXPECT_EQ(program.finish().exit_code, 1) << command;
    }
}

TEST(ServerProgramConfig, IsWhatTheServerDoes) {
    const TemporaryFile file(R"({"listen":"127.0.0.1:0","insecure_no_auth":true,"echo":false,
        "endpoints":[{"path":"/ws"}],"limits":{"max_channels_per_connection":1},"allowed_origins":["https://app.example"]})");
    Process program(server_command({"--config", file.path()}));
    const std::uint16_t port = ready_port(program);
    WsClient client(port, "/ws/websocket?vsn=2.0.0", "origin: https://app.example\r\n");
    EXPECT_EQ(client.call(R"(["1","1","any","phx_join",{}])"),
              R"([null,"1","any","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}])");
    EXPECT_THAT(client.call(R"(["2","2","realtime:a","phx_join",{}])"), HasSubstr(R"("status":"ok")"));
    EXPECT_THAT(client.call(R"(["3","3","realtime:b","phx_join",{}])"), HasSubstr(R"("status":"error")"));
    EXPECT_EQ(request(port, "GET /socket/websocket HTTP/1.1").status, 404);
}

TEST(ServerProgramConfig, GivesEachThreadAShareOfTheConnections) {
    Process program(server_command({"--listen", "127.0.0.1:0", "--insecure-no-auth", "--threads", "2"}));
    const std::uint16_t port = ready_port(program);
    WsClient one(port), other(port);
    for (WsClient* const client : {&one, &other})
        EXPECT_THAT(client->call(R"(["1","1","any","phx_join",{}])"), HasSubstr(R"("status":"ok")"));
    one.send(R"(["1","2","any","shout",{"b":2}])");
    EXPECT_EQ(other.receive_text(), R"([null,null,"any","shout",{"b":2}])");
    std::set<std::string> nodes;
    const json answer = parsed(request(port, "GET /api/connections HTTP/1.1").body);
    for (const json& each : answer["connections"]) {
        const std::string id = each["id"];
        nodes.insert(id.substr(0, id.find('.')));
    }
    EXPECT_EQ(nodes.size(), 2u);
}

TEST(ServerProgramConfig, LimitsConnections) {
    Process program(server_command({"--listen", "127.0.0.1:0", "--insecure-no-auth"}),
                    {{"PHX_SERVER_LIMITS_MAX_CONNECTIONS_PER_ADDRESS", "1"}});
    const std::uint16_t port = ready_port(program);
    WsClient client(port);
    TcpClient refused(port);
    refused.send(upgrade_head("/socket/websocket"));
    EXPECT_THAT(refused.receive(), testing::StartsWith("HTTP/1.1 429 "));
}

// ---- the example that is shipped

json example() {
    std::ifstream file(PHX_SERVER_EXAMPLE);
    std::stringstream text;
    text << file.rdbuf();
    return parsed(text.str());
}

const std::string secret = "a secret with as many bytes as a hash has";

/// Starts with the files that the example names elsewhere.
class ServerProgramExample : public testing::Test {
protected:
    Process::Environment places() const {
        return {{"PHX_SERVER_TLS_CERT_FILE", files.server_cert()},
                {"PHX_SERVER_TLS_KEY_FILE", files.server_key()},
                {"PHX_SERVER_JWT_SECRET_FILE", secret_file.path()}};
    }
    static std::string token() {
        return server::sign_token(R"({"sub":"u1","role":"user","exp":4102444800})", {.key = secret}).value();
    }

    TlsFiles files;
    TemporaryFile secret_file{secret + "\n"};
};

TEST_F(ServerProgramExample, HasOnlyValuesThatTheServerTakes) {
    const auto checked = run_server({"check-config", "--config", PHX_SERVER_EXAMPLE}, places());
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    EXPECT_EQ(checked.err, "");
    EXPECT_THAT(checked.out, Not(HasSubstr(secret)));
    json in_effect = parsed(checked.out);
    json written = example();
    for (json* const config : {&in_effect, &written}) {
        config->erase("tls");
        config->erase("jwt_secret_file");
    }
    json merged = in_effect;
    merged.merge_patch(written);
    EXPECT_EQ(merged, in_effect);
}

TEST_F(ServerProgramExample, ServesItsEndpointsOverTls) {
    Process program(server_command({"--config", PHX_SERVER_EXAMPLE, "--listen", "127.0.0.1:0"}), places());
    const std::uint16_t port = ready_port(program);
    for (const char* path : {"/health", "/ready", "/metrics"}) {
        TlsClient client(port);
        ASSERT_TRUE(client.shake_hands());
        client.send(std::string("GET ") + path + " HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        EXPECT_THAT(client.receive_to_end(), HasSubstr("200 OK")) << path;
    }
    const json endpoints = example()["endpoints"];
    for (const json& endpoint : endpoints) {
        TlsClient client(port);
        ASSERT_TRUE(client.shake_hands());
        client.send(
            upgrade_head(endpoint["path"].get<std::string>() + "/websocket?vsn=2.0.0&token=" + token()));
        std::string answer;
        while (answer.find("\r\n\r\n") == std::string::npos) answer += client.receive();
        EXPECT_THAT(answer, HasSubstr("101 Switching Protocols")) << endpoint;
    }
    program.signal(SIGTERM);
    const auto ended = program.finish();
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.err, Not(HasSubstr(secret)));
}

TEST_F(ServerProgramExample, ServesBothDialectsToWhoHasAToken) {
    Process::Environment plain = places();
    plain[0].second = plain[1].second = "";
    Process program(server_command({"--config", PHX_SERVER_EXAMPLE, "--listen", "127.0.0.1:0"}), plain);
    const std::uint16_t port = ready_port(program);
    const std::string header = "authorization: Bearer " + token() + "\r\n";
    WsClient phoenix(port, WsClient::v2, header);
    WsClient supabase(port, WsClient::supabase_v2, header);
    EXPECT_TRUE(is_served(phoenix));
    EXPECT_TRUE(is_served(supabase));
    EXPECT_THAT(supabase.call(R"(["1","1","realtime:a","phx_join",{}])"), HasSubstr(R"("status":"ok")"));
    EXPECT_EQ(request(port, "GET /realtime/v1/websocket?vsn=2.0.0 HTTP/1.1").status, 400); // no handshake
}

} // namespace
} // namespace phx::test
