#include "tests/support/process.hpp"
#include "tests/support/test_server.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <string>
#include <vector>

using namespace phx::test;

namespace {

Process::Result run_program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PHX_CONFORMANCE_SERVER);
    return run(std::move(arguments));
}

class ConformanceServerSignals : public testing::TestWithParam<int> {};

} // namespace

TEST_P(ConformanceServerSignals, ServesUntilASignal) {
    Process program({PHX_CONFORMANCE_SERVER, "--listen", "127.0.0.1:0"});
    const std::string line = program.out_line().value_or("");
    ASSERT_TRUE(line.starts_with("listening on 127.0.0.1:")) << line;
    const int port = std::stoi(line.substr(line.rfind(':') + 1));
    WsClient client(static_cast<std::uint16_t>(port));
    EXPECT_TRUE(is_served(client));
    program.signal(GetParam());
    EXPECT_TRUE(client.receive().is_close(1012));
    client.close(1012);
    const Process::Result ended = program.finish();
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, "");
}

INSTANTIATE_TEST_SUITE_P(Both, ConformanceServerSignals, testing::Values(SIGINT, SIGTERM));

TEST(ConformanceServer, SaysWhatIsWrongWithItsArguments) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                      {"--listen"},
                                                      {"--listen", "127.0.0.1"},
                                                      {"--listen", ":1"},
                                                      {"--listen", "127.0.0.1:65536"},
                                                      {"--listen", "127.0.0.1:1x"},
                                                      {"--listen", "127.0.0.1:0", "--jwt-secret-file"},
                                                      {"--other", "127.0.0.1:0"}}) {
        const Process::Result ended = run_program(arguments);
        EXPECT_EQ(ended.exit_code, 2);
        EXPECT_EQ(ended.out, "");
        EXPECT_NE(ended.err.find("usage: phx-conformance-server --listen HOST:PORT"), std::string::npos)
            << ended.err;
    }
}

TEST(ConformanceServer, SaysThatItCannotReadItsSecret) {
    const Process::Result ended =
        run_program({"--listen", "127.0.0.1:0", "--jwt-secret-file", "/nonexistent/secret"});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_EQ(ended.err, "phx-conformance-server: cannot read /nonexistent/secret\n");
}

TEST(ConformanceServer, SaysThatAnAddressIsInUse) {
    Process first({PHX_CONFORMANCE_SERVER, "--listen", "127.0.0.1:0"});
    const std::string line = first.out_line().value_or("");
    const Process::Result second =
        run_program({"--listen", line.substr(std::string("listening on ").size())});
    EXPECT_EQ(second.exit_code, 1);
    EXPECT_EQ(second.out, "");
    EXPECT_NE(second.err.find("in use"), std::string::npos) << second.err;
}
