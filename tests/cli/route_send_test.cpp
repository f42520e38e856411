#include "phx/json.hpp"
#include "phx/server/server.hpp"
#include "phx/server/token.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/process.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

namespace phx::test {
namespace {

const std::string cli = PHX_CLI;
const std::string secret(32, 's');

std::string token_of(const std::string& role) {
    return server::sign_token(R"({"sub":"u","role":")" + role + R"(","exp":4102444800})", {"HS256", secret})
        .value();
}

/// A server in this process that asks for tokens if they are asked for, and phx-cli beside it.
class CliSendTo : public testing::Test {
protected:
    enum class Tokens { none, needed };
    void start(Tokens tokens = Tokens::none) {
        server::Options options;
        if (tokens == Tokens::needed) options.tokens.emplace().keys.secrets = {secret};
        server.emplace(options);
        const auto port = server->start();
        ASSERT_TRUE(port) << port.error().message;
        host = "127.0.0.1:" + std::to_string(*port);
        url = "ws://" + host + "/socket";
    }
    Process::Result send(const std::vector<std::string>& words,
                         const Process::Environment& environment = {}) {
        std::vector<std::string> command{cli, "send", url};
        command.insert(command.end(), words.begin(), words.end());
        return run(command, {}, environment);
    }

    std::optional<server::Server> server;
    std::string host, url;
};

TEST_F(CliSendTo, GoesThroughTheProxyThatItIsGiven) {
    start();
    ConnectProxy proxy(std::stoi(host.substr(host.find(':') + 1)));
    url = "ws://far:80/socket";
    const auto sent = send({"--to", "all", "greeting", "--proxy", proxy.url()});
    EXPECT_EQ(sent.out, "0\n") << sent.err;
    EXPECT_TRUE(proxy.requests(1)[0].starts_with("CONNECT far:80 "));
}

TEST_F(CliSendTo, PrintsToHowManyItWent) {
    start();
    Process listener({cli, "listen", url, "realtime:$inbox", "--count", "2", "--json"});
    ASSERT_TRUE(listener.err_line_with("joined realtime:$inbox"));
    const auto sent = send({"--to", "all", "greeting", R"({"n":1})"});
    EXPECT_EQ(sent.exit_code, 0) << sent.err;
    EXPECT_EQ(sent.out, "1\n");
    EXPECT_EQ(sent.err, "");
    url = "ws://" + host + "/realtime/v1";
    const auto as_json = send({"--to", "all", "greeting", "--json", "-v"});
    EXPECT_EQ(as_json.out, "{\"accepted\":true,\"delivered\":1}\n");
    EXPECT_NE(as_json.err.find("> POST /realtime/v1/api/send {\"route\":\"all\""), std::string::npos)
        << as_json.err;
    const auto heard = listener.finish();
    const auto message = Json::parse(heard.out.substr(0, heard.out.find('\n')))["payload"];
    EXPECT_EQ(message["event"], "greeting");
    EXPECT_EQ(message["payload"], Json::parse(R"({"n":1})"));
    EXPECT_EQ(send({"--to", "user:nobody", "greeting"}).out, "0\n");
}

TEST_F(CliSendTo, NeedsATokenOfTheServiceRole) {
    start(Tokens::needed);
    const std::string user = token_of("user"), service = token_of("service_role");
    for (const std::string& token : {std::string(), user}) {
        const auto refused = send({"--to", "role:admin", "e"}, {{"PHX_TOKEN", token}});
        EXPECT_EQ(refused.exit_code, 4) << refused.err;
        EXPECT_EQ(refused.out, "");
        EXPECT_NE(refused.err.find(token.empty() ? "401: Unauthorized" : "403: this needs a token"),
                  std::string::npos)
            << refused.err;
        EXPECT_TRUE(token.empty() || refused.err.find(token) == std::string::npos);
    }
    EXPECT_EQ(send({"--to", "role:admin", "e"}, {{"PHX_TOKEN", service}}).out, "0\n");
    EXPECT_EQ(send({"--to", "role:admin", "e", "--token", service}).out, "0\n");
    EXPECT_EQ(send({"--to", "role:admin", "e", "--param", "apikey=" + service}).out, "0\n");
}

TEST_F(CliSendTo, EndsAsOtherVerbsWhenItFails) {
    start();
    EXPECT_EQ(send({"--to", "everybody", "e"}).exit_code, 2);
    EXPECT_EQ(send({"--to", "all"}).exit_code, 2);
    EXPECT_EQ(send({"--to", "all", "e", "{", "-q"}).exit_code, 2);
    EXPECT_EQ(send({"--to", "all", "e", "--ack"}).exit_code, 2);
    EXPECT_EQ(send({"--to", "all", "\xff"}).exit_code, 2);
    const auto refused = send({"--to", "all", "e", "-H", "Content-Length: 1"}); // a second one
    EXPECT_EQ(refused.exit_code, 6) << refused.err;
    EXPECT_NE(refused.err.find("HTTP 400"), std::string::npos) << refused.err;
    const std::string good = url;
    url = "ws://" + host + "/nowhere";
    const auto missing = send({"--to", "all", "e"});
    EXPECT_EQ(missing.exit_code, 3);
    EXPECT_NE(missing.err.find("404"), std::string::npos) << missing.err;
    url = good;
    server->stop();
    EXPECT_EQ(send({"--to", "all", "e"}).exit_code, 3);
}

} // namespace
} // namespace phx::test
