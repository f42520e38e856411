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

TEST(ServerProgram, RefusesToStartWithoutAuthenticationUnlessToldSo) {
    const auto ended = run_server({"--listen", "127.0.0.1:0"});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(is_one_line(ended.err));
    EXPECT_NE(ended.err.find("--insecure-no-auth"), std::string::npos);
}

TEST(ServerProgram, SaysInOneLineWhyItCannotListen) {
    TestServer other;
    const auto in_use =
        run_server({"--insecure-no-auth", "--listen", "127.0.0.1:" + std::to_string(other.port())});
    EXPECT_EQ(in_use.exit_code, 1);
    EXPECT_EQ(in_use.out, "");
    EXPECT_TRUE(is_one_line(in_use.err)) << in_use.err;
    EXPECT_NE(in_use.err.find("Address already in use"), std::string::npos);
    for (const char* place : {"0.0.0.0:0", "[::]:0", "nosuchhost.invalid:0"}) {
        const auto ended = run_server({"--insecure-no-auth", "--listen", place});
        EXPECT_EQ(ended.exit_code, 1) << place;
        EXPECT_EQ(ended.out, "") << place;
        EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
    }
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
    for (const char* word : {"--listen", "--insecure-no-auth", "--limits-max-pending-bytes", "check-config",
                             "realtime:*", "shout", "Exit codes"}) {
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
