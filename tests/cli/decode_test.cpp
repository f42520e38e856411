#include "tests/support/process.hpp"

#include <gtest/gtest.h>

namespace phx::test {
namespace {

const std::string cli = PHX_CLI;

TEST(CliDecode, ShowsAFrameAsOneLineOfJson) {
    const auto result =
        run({cli, "decode", R"(["1", "2","room:a","phx_reply",{"status":"ok","response":{"n":1}}])"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(
        result.out,
        R"({"join_ref":"1","ref":"2","topic":"room:a","event":"phx_reply","kind":"phx_reply","status":"ok","payload":{"n":1}})"
        "\n");
    EXPECT_EQ(result.err, "");
}

TEST(CliDecode, ReadsFramesFromStandardInputAndBinaryOnesAsHex) {
    const auto result = run({cli, "decode"}, "[null,null,\"t\",\"e\",{}]\nhex 0201017465ff00\n");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(
        result.out,
        R"({"join_ref":null,"ref":null,"topic":"t","event":"e","kind":"unknown","payload":{}})"
        "\n"
        R"({"join_ref":null,"ref":null,"topic":"t","event":"e","kind":"unknown","payload_base64":"/wA="})"
        "\n");
}

TEST(CliDecode, SaysWhichFrameIsWrongAndWhereAndShowsTheOthers) {
    const auto result = run({cli, "decode"}, "[1,2\n[null,null,\"t\",\"e\",{}]\nhex 0\n\n");
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out,
              R"({"join_ref":null,"ref":null,"topic":"t","event":"e","kind":"unknown","payload":{}})"
              "\n");
    EXPECT_NE(result.err.find("phx-cli: frame 1: byte "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("phx-cli: frame 3: not hexadecimal"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("phx-cli: frame 4: "), std::string::npos) << result.err;
}

TEST(CliDecode, TakesVersionOneAndTheOtherDirection) {
    const auto v1 = run({cli, "decode", "--vsn", "1.0.0",
                         R"({"topic":"t","event":"phx_join","payload":{},"ref":"1"})", "--to-server"});
    EXPECT_EQ(v1.exit_code, 0);
    EXPECT_EQ(v1.out,
              R"({"join_ref":null,"ref":"1","topic":"t","event":"phx_join","kind":"unknown","payload":{}})"
              "\n");
    const auto push = run({cli, "decode", "--to-server", "--hex", "00010101013132746561"});
    EXPECT_EQ(push.exit_code, 0) << push.err;
    EXPECT_EQ(push.out,
              R"({"join_ref":"1","ref":"2","topic":"t","event":"e","kind":"unknown","payload_base64":"YQ=="})"
              "\n");
}

} // namespace
} // namespace phx::test
