#include "phx/json.hpp"
#include "phx/server/server.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>

namespace phx::test {
namespace {

const std::string cli = PHX_CLI;

/// A server in this process and phx-cli beside it.
class Cli : public ::testing::Test {
protected:
    void SetUp() override {
        server::Handlers room;
        room.join = [](const server::Context&, server::PayloadView params) {
            const auto json = Json::parse(params.data, nullptr, false);
            if (json.is_object() && json.contains("deny"))
                return server::JoinAnswer::refuse(R"({"reason":"denied"})");
            return server::JoinAnswer::ok();
        };
        room.handle_in = [](const server::Context&, std::string_view event, server::PayloadView payload) {
            server::Actions actions;
            if (event == "echo") actions.ok(payload);
            if (event == "fail") actions.error(R"({"reason":"no such thing"})");
            if (event == "shout") actions.broadcast("shout", payload);
            if (event == "stop") actions.stop();
            if (event == "crash") actions.stop(server::StopReason::crash);
            return actions;
        };
        server.emplace(options());
        server->channel("room:*", room);
        const auto port = server->start();
        ASSERT_TRUE(port) << port.error().message;
        host = "127.0.0.1:" + std::to_string(*port);
        url = "ws://" + host + "/socket";
    }

    static server::Options options() {
        server::Options options;
        options.authorize = [](const server::ConnectRequest& request) {
            server::ConnectAnswer answer;
            if (Json::parse(request.params).contains("refuse")) answer.http_status = 403;
            return answer;
        };
        return options;
    }

    std::optional<server::Server> server;
    std::string host, url;
};

std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(Cli, CallPrintsTheReply) {
    const auto result = run({cli, "call", url, "room:a", "echo", R"({"n": 1})", "-q"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "room:a phx_reply ok {\"n\": 1}\n");
    EXPECT_EQ(result.err, "");
}

TEST_F(Cli, CallPrintsNdjsonWithFixedKeysAndThePayloadAloneWhenRaw) {
    const auto json = run({cli, "call", url, "room:a", "echo", "[1,\n2]", "--json"});
    ASSERT_EQ(json.exit_code, 0) << json.err;
    ASSERT_EQ(lines(json.out), 1u);
    const auto line = Json::parse(json.out);
    for (const char* key : {"ts", "topic", "event", "ref", "join_ref", "status", "payload"}) {
        EXPECT_TRUE(line.contains(key)) << key;
    }
    EXPECT_EQ(line["status"], "ok");
    EXPECT_EQ(line["payload"], Json::parse("[1,2]"));
    const auto raw = run({cli, "call", url, "room:a", "echo", R"("x")", "--raw"});
    EXPECT_EQ(raw.out, "\"x\"\n");
}

TEST_F(Cli, CallTakesJsonFromStandardInputAndBytesFromAFile) {
    const auto text = run({cli, "call", url, "room:a", "echo", "-", "--raw"}, R"({"from":"stdin"})");
    EXPECT_EQ(text.out, "{\"from\":\"stdin\"}\n") << text.err;
    const std::string bytes("\x00\xff\n", 3);
    const auto binary = run({cli, "call", url, "room:a", "echo", "--binary", "-", "--raw"}, bytes);
    EXPECT_EQ(binary.exit_code, 0) << binary.err;
    EXPECT_EQ(binary.out, bytes);
}

TEST_F(Cli, GoesThroughTheProxyThatItIsGiven) {
    ConnectProxy proxy(std::stoi(host.substr(host.find(':') + 1)));
    const auto call = [&](const std::string& given, const std::string& in_environment) {
        return run({cli, "call", "ws://far.example:80/socket", "room:a", "echo", "1", "--raw",
                    "--no-reconnect", "--proxy", given},
                   {}, {{"all_proxy", in_environment}});
    };
    const auto through = call(proxy.url(), "");
    EXPECT_EQ(through.exit_code, 0) << through.err;
    EXPECT_EQ(through.out, "1\n");
    EXPECT_TRUE(proxy.requests(1)[0].starts_with("CONNECT far.example:80 "));
    EXPECT_EQ(call("", proxy.url()).exit_code, 3) << "an empty one is none";
}

TEST_F(Cli, AnErrorReplyIsPrintedAndEndsWithSix) {
    const auto result = run({cli, "call", url, "room:a", "fail"});
    EXPECT_EQ(result.exit_code, 6);
    EXPECT_EQ(result.out, "room:a phx_reply error {\"reason\":\"no such thing\"}\n");
}

TEST_F(Cli, APushWithoutAReplyEndsWithSevenAfterTheTimeout) {
    const auto result = run({cli, "call", url, "room:a", "nothing", "--timeout", "100ms"});
    EXPECT_EQ(result.exit_code, 7) << result.err;
    EXPECT_EQ(result.out, "");
}

TEST_F(Cli, ARefusedJoinEndsWithFiveAndSaysWhy) {
    const auto result = run({cli, "call", url, "room:a", "echo", "--join", R"({"deny":1})", "-q"});
    EXPECT_EQ(result.exit_code, 5);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(lines(result.err), 1u) << result.err;
    EXPECT_NE(result.err.find("denied"), std::string::npos) << result.err;
    const auto unmatched = run({cli, "listen", url, "nowhere"});
    EXPECT_EQ(unmatched.exit_code, 5);
    EXPECT_NE(unmatched.err.find("unmatched topic"), std::string::npos) << unmatched.err;
}

TEST_F(Cli, AChannelThatTheServerClosesEndsListenWithEight) {
    Process listener({cli, "listen", url, "room:a"});
    ASSERT_TRUE(listener.err_line_with("joined room:a"));
    const auto result = run({cli, "push", url, "room:a", "shout", "1"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(listener.out_line(), "room:a shout 1");
    const auto stopped = run({cli, "call", url, "room:a", "stop"});
    EXPECT_EQ(stopped.exit_code, 8) << stopped.err;
    listener.signal(SIGINT);
    EXPECT_EQ(listener.finish().exit_code, 130);
}

TEST_F(Cli, ListenPrintsWhatSendSentAndEndsAfterCount) {
    Process listener({cli, "listen", url, "realtime:lobby", "--count", "1", "--json"});
    ASSERT_TRUE(listener.err_line_with("joined realtime:lobby"));
    const auto sent = run({cli, "send", url, "realtime:lobby", "cursor", R"({"x":1})", "--ack"});
    EXPECT_EQ(sent.exit_code, 0) << sent.err;
    EXPECT_EQ(sent.out, "");
    const auto result = listener.finish();
    EXPECT_EQ(result.exit_code, 0);
    ASSERT_EQ(lines(result.out), 1u) << result.out;
    const auto line = Json::parse(result.out);
    EXPECT_EQ(line["topic"], "realtime:lobby");
    EXPECT_EQ(line["event"], "broadcast");
    EXPECT_EQ(line["payload"]["event"], "cursor");
    EXPECT_EQ(line["payload"]["payload"]["x"], 1);
}

TEST_F(Cli, TopicsOfTheSupabaseEndpointGetTheirPrefix) {
    const std::string endpoint = "ws://" + host + "/realtime/v1";
    Process listener({cli, "listen", endpoint, "lobby", "--count", "1"});
    ASSERT_TRUE(listener.err_line_with("joined realtime:lobby"));
    EXPECT_EQ(run({cli, "send", endpoint, "lobby", "hi"}).exit_code, 0);
    EXPECT_EQ(listener.finish().exit_code, 0);
}

TEST_F(Cli, ListenFiltersEventsAndSaysWhenFewerArrived) {
    Process listener({cli, "listen", "--event", "other", url, "room:a", "--count", "1", "--timeout", "1s"});
    ASSERT_TRUE(listener.err_line_with("joined room:a"));
    EXPECT_EQ(run({cli, "push", url, "room:a", "shout"}).exit_code, 0);
    const auto result = listener.finish();
    EXPECT_EQ(result.exit_code, 7);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(run({cli, "listen", url, "room:a", "--timeout", "50ms"}).exit_code, 0);
}

TEST_F(Cli, ListenSeesEveryLineThatPushReads) {
    constexpr int count = 2000;
    Process listener({cli, "listen", url, "room:a", "--raw", "--count", std::to_string(count)});
    ASSERT_TRUE(listener.err_line_with("joined room:a"));
    std::string input;
    for (int i = 0; i < count; ++i) input += std::to_string(i) + "\n";
    EXPECT_EQ(run({cli, "push", url, "room:a", "shout", "--lines"}, input).exit_code, 0);
    const auto result = listener.finish();
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, input);
}

TEST_F(Cli, PushStopsAtTheFirstLineThatIsNotJson) {
    const auto result = run({cli, "push", url, "room:a", "shout", "--lines", "-q"}, "1\n{\n3\n");
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.err.find("line 2 is not JSON"), std::string::npos) << result.err;
}

TEST_F(Cli, PushAndSendFailWhenTheirMessageCannotTravel) {
    const std::string bytes("\xff", 1);
    const auto longer = run({cli, "push", url, "room:a", std::string(300, 'e'), "--binary", "-"}, bytes);
    EXPECT_EQ(longer.exit_code, 1) << longer.err;
    EXPECT_NE(longer.err.find("300 bytes"), std::string::npos) << longer.err;
    const auto v1 =
        run({cli, "push", url, "room:a", "shout", "--binary", "-", "--vsn", "1.0.0", "-q"}, bytes);
    EXPECT_EQ(v1.exit_code, 1) << v1.err;
    EXPECT_EQ(lines(v1.err), 1u) << v1.err;
    const auto crash = run({cli, "push", url, "room:a", "crash", "--repeat", "3"});
    EXPECT_EQ(crash.exit_code, 8) << crash.err;
}

TEST_F(Cli, ASignalEndsPushWhileItWaitsForInput) {
    Process pusher({cli, "push", url, "room:a", "shout", "--lines"});
    ASSERT_TRUE(pusher.err_line_with("joined room:a"));
    pusher.signal(SIGTERM);
    EXPECT_EQ(pusher.finish().exit_code, 130);
}

TEST_F(Cli, ASignalEndsListenWhileItsReaderStalls) {
    Process listener({cli, "listen", url, "room:a", "--raw"});
    ASSERT_TRUE(listener.err_line_with("joined room:a"));
    const std::string payload = "\"" + std::string(1 << 20, 'x') + "\""; // more than a pipe holds
    EXPECT_EQ(run({cli, "push", url, "room:a", "shout", "-"}, payload).exit_code, 0);
    ASSERT_TRUE(listener.out_starts());
    listener.signal(SIGTERM);
    EXPECT_EQ(listener.wait_without_reading(), 130);
}

TEST_F(Cli, DataThatCannotBeWrittenIsAFailure) {
    const auto result = run({"/bin/sh", "-c", cli + " call " + url + " room:a echo '{}' >/dev/full"});
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_NE(result.err.find("cannot write to stdout"), std::string::npos) << result.err;
}

TEST_F(Cli, PresenceListsWhoIsThereAndWatchTellsChanges) {
    Process watcher({cli, "presence", url, "realtime:lobby", "--watch", "--json"});
    ASSERT_TRUE(watcher.err_line_with("joined realtime:lobby"));
    Process ada(
        {cli, "presence", url, "realtime:lobby", "--track", R"({"name":"ada"})", "--presence-key", "ada"});
    const auto joined = watcher.out_line();
    ASSERT_TRUE(joined);
    EXPECT_EQ(Json::parse(*joined)["event"], "join");
    EXPECT_EQ(Json::parse(*joined)["key"], "ada");
    const auto listed = run({cli, "presence", url, "realtime:lobby"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_EQ(listed.out, "join ada [{\"name\":\"ada\"}]\n");
    ada.signal(SIGTERM);
    EXPECT_EQ(ada.finish().exit_code, 130);
    const auto left = watcher.out_line();
    ASSERT_TRUE(left);
    EXPECT_EQ(Json::parse(*left)["event"], "leave");
}

TEST_F(Cli, VerboseShowsFramesOnStderrWithoutTokens) {
    const auto result =
        run({cli, "call", url, "room:a", "echo", "--join", R"({"access_token" : "s3cret"})", "-v"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.err.find("> [\"1\",\"1\",\"room:a\",\"phx_join\""), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("< [\"1\",\"1\",\"room:a\",\"phx_reply\""), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("s3cret"), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "room:a phx_reply ok {}\n");
}

TEST_F(Cli, BothVersionsHearEachOther) {
    Process listener({cli, "listen", url, "room:a", "--vsn", "1.0.0", "--count", "1"});
    ASSERT_TRUE(listener.err_line_with("joined room:a"));
    EXPECT_EQ(run({cli, "push", url, "room:a", "shout", "{}"}).exit_code, 0);
    EXPECT_EQ(listener.finish().out, "room:a shout {}\n");
}

TEST_F(Cli, TheUrlMayComeFromTheEnvironment) {
    const auto result = run({cli, "call", "room:a", "echo", "7", "--raw"}, {}, {{"PHX_URL", url}});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "7\n");
}

TEST_F(Cli, AnUnreachableServerEndsWithThreeInOneLine) {
    server->stop();
    const auto result = run({cli, "listen", url, "room:a"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(lines(result.err), 1u) << result.err;
    EXPECT_EQ(result.out, "");
    const auto name = run({cli, "listen", "ws://name.invalid/socket", "room:a"});
    EXPECT_EQ(name.exit_code, 3);
    EXPECT_EQ(lines(name.err), 1u) << name.err;
}

TEST_F(Cli, ARefusedUpgradeEndsWithThreeOrFour) {
    const auto missing = run({cli, "listen", "ws://" + host + "/nowhere", "room:a"});
    EXPECT_EQ(missing.exit_code, 3);
    EXPECT_EQ(lines(missing.err), 1u) << missing.err;
    EXPECT_NE(missing.err.find("404"), std::string::npos) << missing.err;
    const auto refused = run({cli, "listen", url, "room:a", "--param", "refuse=yes"});
    EXPECT_EQ(refused.exit_code, 4) << refused.err;
    EXPECT_EQ(lines(refused.err), 1u) << refused.err;
    const auto tls = run({cli, "listen", "wss://" + host + "/socket", "room:a"});
    EXPECT_EQ(tls.exit_code, 3) << tls.err;
    EXPECT_EQ(lines(tls.err), 1u) << tls.err;
}

TEST(CliServe, RunsAServerUntilASignalEndsIt) {
    Process server({cli, "serve", "--listen", "127.0.0.1:0"});
    const auto ready = server.out_line();
    ASSERT_TRUE(ready);
    ASSERT_TRUE(ready->starts_with("listening on 127.0.0.1:")) << *ready;
    const auto reply =
        run({cli, "call", "ws://" + ready->substr(13) + "/socket", "any", "echo", "[1]", "--raw"});
    EXPECT_EQ(reply.out, "[1]\n") << reply.err;
    server.signal(SIGTERM);
    EXPECT_EQ(server.finish().exit_code, 0);
    EXPECT_EQ(run({cli, "serve", "--listen", "somewhere"}).exit_code, 2);
    EXPECT_EQ(run({cli, "serve", "--listen", "0.0.0.0:0"}).exit_code, 2); // it lets everybody in
}

TEST(CliUsage, MistakesEndWithTwoAndOneLine) {
    const std::vector<std::vector<std::string>> mistakes = {
        {},
        {"nonsense"},
        {"listen"},
        {"listen", "ws://h/socket"},
        {"listen", "ws://h/socket", ""},
        {"listen", "http//h", "t"},
        {"listen", "ftp://h/socket", "t"},
        {"call", "ws://h/socket", "t", "e", "{not json"},
        {"call", "ws://h/socket", "t", "e", "@/nonexistent"},
        {"call", "ws://h/socket", "t", "e", "{}", "more"},
        {"listen", "ws://h/socket", "t", "--timeout", "soon"},
        {"listen", "ws://h/socket", "t", "--vsn", "3"},
        {"listen", "ws://h/socket", "t", "--param", "novalue"},
        {"listen", "ws://h/socket", "t", "--header", "novalue"},
        {"listen", "ws://h/socket", "t", "--json", "--raw"},
        {"presence", "ws://h/socket", "room:a", "--track", "{}"},
    };
    for (const auto& words : mistakes) {
        std::vector<std::string> argv{cli};
        argv.insert(argv.end(), words.begin(), words.end());
        const auto result = run(argv, {}, {{"PHX_URL", ""}});
        std::string shown;
        for (const auto& word : words) shown += word + " ";
        EXPECT_EQ(result.exit_code, 2) << shown;
        EXPECT_EQ(lines(result.err), 1u) << shown << result.err;
        EXPECT_EQ(result.out, "") << shown;
    }
}

TEST(CliUsage, HelpAndVersionGoToStdout) {
    const auto help = run({cli, "--help"});
    EXPECT_EQ(help.exit_code, 0);
    for (const char* verb : {"listen", "push", "call", "send", "presence", "serve", "decode"}) {
        EXPECT_NE(help.out.find(verb), std::string::npos) << verb;
    }
    EXPECT_EQ(run({cli, "--version"}).out, "phx-cli 0.1.0\n");
}

} // namespace
} // namespace phx::test
