#include "tests/support/server_program.hpp"
#include "tests/support/test_server.hpp"
#include "tools/phx-server/listen_address.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <string>

namespace phx::test {
namespace {

class ServerProgramSignals : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Both, ServerProgramSignals, testing::Values(SIGINT, SIGTERM));

TEST_P(ServerProgramSignals, ServesUntilASignalClosesEverybodyWith1012) {
    Process program(server_command({"--listen", "127.0.0.1:0", "--insecure-no-auth"}));
    const std::string ready = program.out_line().value_or("");
    ASSERT_TRUE(ready.starts_with("listening on 127.0.0.1:")) << ready;
    const auto port = static_cast<std::uint16_t>(std::stoi(ready.substr(ready.rfind(':') + 1)));
    WsClient phoenix(port);
    WsClient supabase(port, WsClient::supabase_v2);
    EXPECT_TRUE(is_served(phoenix));
    EXPECT_TRUE(is_served(supabase));
    program.signal(GetParam());
    EXPECT_TRUE(phoenix.receive().is_close(1012));
    EXPECT_TRUE(supabase.receive().is_close(1012));
    phoenix.close(1012);
    supabase.close(1012);
    const auto ended = program.finish();
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_EQ(ended.out, "");
    EXPECT_NE(ended.err.find("INSECURE"), std::string::npos);
}

TEST(ServerProgram, EchoesOnAnyTopicAndLeavesRealtimeToTheBuiltInChannel) {
    Process program(server_command({"--listen", "127.0.0.1:0", "--insecure-no-auth"}));
    WsClient client(ready_port(program));
    EXPECT_EQ(client.call(R"(["1","1","any","phx_join",{}])"),
              R"(["1","1","any","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.call(R"(["1","2","any","what",{"a":[1]}])"),
              R"(["1","2","any","phx_reply",{"status":"ok","response":{"a":[1]}}])");
    EXPECT_EQ(client.call(R"(["1","3","any","error",{"a":1}])"),
              R"(["1","3","any","phx_reply",{"status":"error","response":{"a":1}}])");
    EXPECT_EQ(client.call(R"(["1","4","any","shout",{"b":2}])"), R"([null,null,"any","shout",{"b":2}])");
    EXPECT_EQ(client.receive_text(), R"(["1","4","any","phx_reply",{"status":"ok","response":{}}])");
    client.send(R"(["1","5","any","noreply",{}])");
    client.send_binary(std::string("\0\1\1\3\4", 5) + "16anyechoxyz"); // kind 0, join_ref "1", ref "6"
    const ServerFrame reply = client.receive();
    EXPECT_EQ(reply.opcode, protocol::FrameOpcode::binary);
    EXPECT_EQ(reply.payload, std::string("\1\1\1\3\2") + "16anyokxyz");
    EXPECT_EQ(client.call(R"(["1","7","any","stop",{}])"), R"(["1","1","any","phx_close",{}])");
    EXPECT_EQ(client.call(R"(["2","8","any","phx_join",{}])"),
              R"(["2","8","any","phx_reply",{"status":"ok","response":{}}])");
    EXPECT_EQ(client.call(R"(["2","9","any","crash",{}])"),
              R"(["2","2","any","phx_error",{"reason":"channel_crash"}])");
    EXPECT_EQ(
        client.call(R"(["3","10","realtime:lobby","phx_join",{}])"),
        R"(["3","10","realtime:lobby","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}])");
}

TEST(ServerProgram, RefusesToStartWithoutAKeyUnlessToldSo) {
    const auto ended = run_server({"--listen", "127.0.0.1:0"});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(is_one_line(ended.err));
    for (const char* way : {"--jwt-secret-file", "PHX_SERVER_JWT_SECRET", "--jwks-file", "PHX_SERVER_JWKS",
                            "--insecure-no-auth"}) {
        EXPECT_NE(ended.err.find(way), std::string::npos) << way;
    }
}

int connect_status(std::uint16_t port, const std::string& token) {
    TcpClient tcp(port);
    tcp.send(upgrade_head("/socket/websocket?vsn=2.0.0&token=" + token));
    std::string rest;
    return read_response(tcp, rest).status;
}

TEST(ServerProgram, LetsInWhoHasATokenOfItsSecret) {
    const std::string secret = "a secret with as many bytes as a hash has";
    Process program(server_command({"--listen", "127.0.0.1:0", "--verbose"}),
                    {{"PHX_SERVER_JWT_SECRET", secret}});
    const std::uint16_t port = ready_port(program);
    const std::string claims = R"({"sub":"u1","exp":4102444800})";
    EXPECT_EQ(connect_status(port, server::sign_token(claims, {.key = secret}).value()), 101);
    const std::string forged = server::sign_token(claims, {.key = std::string(40, 'x')}).value();
    EXPECT_EQ(connect_status(port, forged), 403);
    EXPECT_EQ(connect_status(port, ""), 403);
    program.signal(SIGTERM);
    const auto ended = program.finish();
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_NE(ended.err.find("the token's signature is not of the key"), std::string::npos) << ended.err;
    EXPECT_EQ(ended.err.find("INSECURE"), std::string::npos);
    EXPECT_EQ(ended.err.find(forged), std::string::npos);
    EXPECT_EQ(ended.err.find(secret), std::string::npos);
}

TEST(ServerProgram, SaysWhichKeyItCannotUse) {
    for (const auto& [variable, value] :
         {std::pair("PHX_SERVER_JWT_SECRET", "weak-password"), std::pair("PHX_SERVER_JWKS", "{}")}) {
        const auto ended = run_server({"--listen", "127.0.0.1:0"}, {{variable, value}});
        EXPECT_EQ(ended.exit_code, 2) << variable;
        EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
        EXPECT_EQ(ended.err.find("weak-password"), std::string::npos);
    }
    EXPECT_EQ(run_server({"--jwks-file", "/nonexistent"}).exit_code, 2);
}

TEST(ServerProgram, TakesNoSecretsAsArgumentsAndRepeatsNone) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"--jwt-secret", "hunter2"}, {"--jwt-secret=hunter2"}, {"hunter2"}}) {
        const auto ended = run_server(arguments);
        EXPECT_EQ(ended.exit_code, 2);
        EXPECT_EQ(ended.err.find("hunter2"), std::string::npos) << ended.err;
    }
}

TEST(ServerProgram, SaysInOneLineWhyItCannotListen) {
    TestServer other;
    const auto in_use =
        run_server({"--insecure-no-auth", "--listen", "127.0.0.1:" + std::to_string(other.port())});
    EXPECT_EQ(in_use.exit_code, 1);
    EXPECT_EQ(in_use.out, "");
    EXPECT_TRUE(is_one_line(in_use.err)) << in_use.err;
    EXPECT_NE(in_use.err.find("Address already in use"), std::string::npos);
    const auto unknown = run_server({"--insecure-no-auth", "--listen", "nosuchhost.invalid:0"});
    EXPECT_EQ(unknown.exit_code, 1);
    EXPECT_EQ(unknown.out, "");
    EXPECT_TRUE(is_one_line(unknown.err)) << unknown.err;
}

TEST(ServerProgram, ExplainsUsageErrorsInOneLine) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--nonsense"},
                                                      {"surplus"},
                                                      {"--listen"},
                                                      {"--listen", "4000"},
                                                      {"--listen", "127.0.0.1:65536"},
                                                      {"--timeouts-stop", "10"},
                                                      {"--realtime", "perhaps"},
                                                      {"check-config", "default-config"},
                                                      {"--listen", "127.0.0.1:"},
                                                      {"--listen", "::1:80"},
                                                      {"--listen", ":80"}}) {
        const auto ended = run_server(arguments);
        EXPECT_EQ(ended.exit_code, 2) << arguments[0];
        EXPECT_EQ(ended.out, "");
        EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
    }
}

TEST(ServerProgram, TellsVersionAndHelp) {
    const auto version = run_server({"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out, "phx-server 0.1.0\n");
    const auto help = run_server({"--help"});
    EXPECT_EQ(help.exit_code, 0);
    for (const char* word : {"--listen", "--insecure-no-auth", "--limits-max-pending-bytes", "--endpoints",
                             "--policies", "--history", "check-config", "realtime:*", "private rooms",
                             "drain and log", "shout", "Exit codes", "130 or 143"}) {
        EXPECT_NE(help.out.find(word), std::string::npos) << word;
    }
}

TEST(ServerProgram, FailsIfNobodyCanHearThatItIsReady) {
    Process program(
        {"/bin/sh", "-c", "exec " PHX_SERVER_PROGRAM " --listen 127.0.0.1:0 --insecure-no-auth > /dev/full"});
    EXPECT_EQ(program.finish().exit_code, 1);
}

TEST(ListenAddress, KeepsTheBracketsOfIpv6Outside) {
    const auto v6 = tools::parse_listen_address("[::1]:80");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->host, "::1");
    EXPECT_EQ(v6->port, 80);
    EXPECT_EQ(v6->text(), "[::1]:80");
    EXPECT_EQ(tools::parse_listen_address("localhost:0")->text(), "localhost:0");
    EXPECT_FALSE(tools::parse_listen_address("[]:1"));
    EXPECT_FALSE(tools::parse_listen_address("a:-1"));
}

} // namespace
} // namespace phx::test
