#include "phx/server/token.hpp"
#include "tests/support/process.hpp"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <unistd.h>

namespace phx::test {
namespace {

using nlohmann::json;

const std::string secret = "a secret with as many bytes as a hash has";
const Process::Environment with_secret = {{"PHX_SERVER_JWT_SECRET", secret}};

/// A file of its own, gone at the end.
class File {
public:
    explicit File(const std::string& text) {
        const int descriptor = mkstemp(path_.data());
        if (descriptor >= 0) ::close(descriptor);
        std::ofstream(path_) << text;
    }
    ~File() { std::remove(path_.c_str()); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_ = testing::TempDir() + "phx_token_XXXXXX";
};

Process::Result program(std::vector<std::string> arguments,
                        const Process::Environment& environment = with_secret,
                        const std::string& input = {}) {
    arguments.insert(arguments.begin(), PHX_SERVER_PROGRAM);
    Process process(std::move(arguments), environment);
    process.write(input);
    process.close_stdin();
    return process.finish();
}

bool is_one_line(const std::string& text) { return !text.empty() && text.find('\n') == text.size() - 1; }

TEST(TokenProgram, MakesATokenThatItAccepts) {
    const auto made = program({"gen-token", "--sub", "u1", "--role", "admin", "--role", "user",
                               "--permission", "read", "--claim", "aud=[\"chat\"]", "--expires-in", "15m"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    EXPECT_TRUE(is_one_line(made.out));
    const auto checked = program({"check-token", "--audience", "chat"}, with_secret, made.out);
    ASSERT_EQ(checked.exit_code, 0) << checked.err;
    const json claims = json::parse(checked.out);
    EXPECT_EQ(claims["sub"], "u1");
    EXPECT_EQ(claims["role"], "admin");
    EXPECT_EQ(claims["roles"], json({"admin", "user"}));
    EXPECT_EQ(claims["permissions"], json::array({"read"}));
    EXPECT_EQ(claims["exp"].get<int>() - claims["iat"].get<int>(), 15 * 60);
}

TEST(TokenProgram, LivesAnHourByDefault) {
    const auto checked = program({"check-token"}, with_secret, program({"gen-token"}).out);
    ASSERT_EQ(checked.exit_code, 0) << checked.err;
    const json claims = json::parse(checked.out);
    EXPECT_EQ(claims["exp"].get<int>() - claims["iat"].get<int>(), 3600);
    EXPECT_EQ(claims.size(), 2u);
}

TEST(TokenProgram, ReadsKeysAndTokensFromFiles) {
    const json vectors = json::parse(std::ifstream(PHX_TEST_VECTORS "/tokens/jose.json"));
    const File pem(vectors["private_keys"]["ES384"]), jwks(vectors["jwks"].dump()),
        secrets("\n" + secret + "\r\n");
    const auto made =
        program({"gen-token", "--private-key", pem.path(), "--algorithm", "ES384", "--kid", "ES384"}, {});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const File token(made.out);
    EXPECT_EQ(
        program({"check-token", "--jwks-file", jwks.path(), "--token-file", token.path()}, {}).exit_code, 0);
    EXPECT_EQ(
        program({"check-token", "--token-file", token.path()}, {{"PHX_SERVER_JWKS", vectors["jwks"].dump()}})
            .exit_code,
        0);
    const auto hmac = program({"gen-token", "--jwt-secret-file", secrets.path()}, {});
    EXPECT_EQ(program({"check-token"}, with_secret, hmac.out).exit_code, 0);
}

TEST(TokenProgram, SaysWhyATokenIsRefused) {
    const auto refusal = [](const std::string& token, std::vector<std::string> more = {}) {
        more.insert(more.begin(), "check-token");
        const auto ended = program(more, with_secret, token);
        EXPECT_EQ(ended.exit_code, 1);
        EXPECT_EQ(ended.out, "");
        return ended.err;
    };
    const std::string token = program({"gen-token", "--sub", "u1"}).out;
    EXPECT_EQ(refusal(""), "phx-server check-token: there is no token\n");
    EXPECT_EQ(
        refusal("abc"),
        "phx-server check-token: the token is no JWT: three parts of strict base64url, at most 8 KiB\n");
    EXPECT_EQ(refusal(token, {"--issuer", "x"}),
              "phx-server check-token: the token is of another issuer (iss)\n");
    const auto other = program({"check-token"}, {{"PHX_SERVER_JWT_SECRET", std::string(40, 'x')}}, token);
    EXPECT_EQ(other.exit_code, 1);
    EXPECT_EQ(other.err, "phx-server check-token: the token's signature is not of the key\n");
    const std::string expired = program({"gen-token", "--claim", "exp=5"}).out;
    EXPECT_EQ(refusal(expired).find("phx-server check-token: the token expired "), 0u);
}

TEST(TokenProgram, JudgesByTheSettingsOfTheServer) {
    const auto signed_with = [](const std::string& claims) {
        return server::sign_token(claims, {.key = secret}).value();
    };
    const auto exit_code = [](const std::string& token, std::vector<std::string> more,
                              Process::Environment environment = with_secret) {
        more.insert(more.begin(), "check-token");
        return program(more, environment, token).exit_code;
    };
    const std::string for_ever = signed_with(R"({"sub":"u1"})");
    const File any_expiry(R"({"tokens":{"require_expiry":false}})");
    EXPECT_EQ(exit_code(for_ever, {}), 1);
    EXPECT_EQ(exit_code(for_ever, {"--tokens-require-expiry=false"}), 0);
    EXPECT_EQ(exit_code(for_ever, {"--config", any_expiry.path()}), 0);
    EXPECT_EQ(exit_code(for_ever, {}, {with_secret.front(), {"PHX_SERVER_TOKENS_REQUIRE_EXPIRY", "false"}}),
              0);
    const std::string later = R"("exp":4102444800)";
    const std::string no_role = signed_with("{" + later + "}");
    EXPECT_EQ(exit_code(no_role, {}), 0);
    EXPECT_EQ(exit_code(no_role, {"--tokens-require-role"}), 1);
    const std::string of_the_chat = signed_with(R"({"aud":"chat","iss":"we",)" + later + "}");
    EXPECT_EQ(exit_code(of_the_chat, {"--tokens-audience", "chat", "--tokens-issuer", "we"}), 0);
    EXPECT_EQ(exit_code(of_the_chat, {"--tokens-audience", "mail"}), 1);
    EXPECT_EQ(exit_code(of_the_chat, {"--tokens-audience", "mail", "--audience", "chat"}), 0);
    const std::string expired = signed_with(R"({"exp":)" + std::to_string(std::time(nullptr) - 60) + "}");
    EXPECT_EQ(exit_code(expired, {}), 1);
    EXPECT_EQ(exit_code(expired, {"--tokens-leeway", "1h"}), 0);
    const File keys(secret), config(R"({"jwt_secret_file":")" + keys.path() + R"("})");
    EXPECT_EQ(exit_code(no_role, {"--config", config.path()}, {}), 0);
}

TEST(TokenProgram, ExplainsWhatIsWrongWithItsArguments) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"gen-token", "--expires-in", "1"},
          {"gen-token", "--expires-in", "-1h"},
          {"gen-token", "--expires-in", "99999999d"},
          {"gen-token", "--claim", "a"},
          {"gen-token", "--claim", "a=text"},
          {"gen-token", "--algorithm", "none"},
          {"gen-token", "--private-key", "/dev/null"},
          {"gen-token", secret},
          {"check-token", "a.b.c"}}) {
        const auto ended = program(arguments);
        EXPECT_EQ(ended.exit_code, 2) << arguments[1];
        EXPECT_EQ(ended.out, "");
        EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
    }
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"gen-token"}, {"check-token"}}) {
        const auto ended = program(arguments, {});
        EXPECT_EQ(ended.exit_code, 2) << "no key";
        EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
    }
    EXPECT_EQ(program({"check-token", "--jwks-file", "/nonexistent"}, {}).exit_code, 2);
    EXPECT_EQ(program({"check-token", "--token-file", "/nonexistent"}).exit_code, 1);
    EXPECT_EQ(program({"check-token", "--tokens-leeway", "1"}).exit_code, 2);
    EXPECT_EQ(program({"check-token", "--insecure-no-auth"}).exit_code, 2);
    const auto weak = program({"gen-token"}, {{"PHX_SERVER_JWT_SECRET", "weak-password"}});
    EXPECT_EQ(weak.exit_code, 2);
    EXPECT_EQ(weak.err.find("weak-password"), std::string::npos);
}

} // namespace
} // namespace phx::test
