#include "tests/support/client_driver.hpp"

#include <gtest/gtest.h>

// Frames that can be read and that no honest server sends: they reach nobody, and nothing is lost by them.
namespace phx::protocol::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view no_strings[] = {"7", "null", "true", "-0.5e9", R"({"a":[1]})", "[]"};

std::string frame(std::string_view join_ref, std::string_view ref, std::string_view topic,
                  std::string_view event, std::string_view payload = "{}") {
    std::string text = "[";
    for (const std::string_view part : {join_ref, ref, topic, event}) text.append(part).append(",");
    return text.append(payload).append("]");
}

std::string reply_frame(std::string_view join_ref, std::string_view ref) {
    return frame(join_ref, ref, R"("room:a")", R"("phx_reply")", R"({"status":"ok","response":{}})");
}

TEST(HostileFrames, ASecondReplyIsForNobody) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.reply("1", "1", "room:a", "error");
    d.push(c, "hello");
    d.take();
    d.reply("1", "2", "room:a");
    d.reply("1", "2", "room:a", "error");
    EXPECT_EQ(d.take(), (Lines{"p2 ok {}", "unclaimed room:a phx_reply error {}"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::joined);
}

TEST(HostileFrames, ASecondReplyDoesNotJoinWhatTheFirstRefused) {
    ClientDriver d = open_driver();
    const ChannelId c = d.add("room:a");
    d.join(c);
    d.reply("1", "1", "room:a", "error");
    d.take();
    d.reply("1", "1", "room:a");
    d.receive(frame("null", "null", R"("room:a")", R"("shout")"));
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}", "unclaimed room:a shout {}"}));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::errored);
    d.advance(1s);
    EXPECT_EQ(d.take(), (Lines{"room:a errored -> joining", R"(send ["2","2","room:a","phx_join",{}])"}));
}

TEST(HostileFrames, AReplyToAPushDoesNotAnswerTheJoinUnderWay) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.receive(R"(["1","1","room:a","phx_error",{}])");
    d.advance(1s);
    d.take();
    d.receive(reply_frame(R"("3")", R"("2")"));
    d.receive(reply_frame(R"("1")", R"("3")"));
    EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}", "unclaimed room:a phx_reply ok {}"}));
    d.receive(reply_frame(R"("3")", R"("3")"));
    EXPECT_EQ(d.machine.channel_state(c), ChannelState::joined);
}

TEST(HostileFrames, RefsThatWeCannotHaveMadeAnswerNothing) {
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    d.push(c, "hello");
    d.take();
    Lines refs(std::begin(no_strings), std::end(no_strings));
    for (const std::string text : {"", "0", "02", " 2", "2 ", "+2", "-2", "2.0", "0x2",
                                   "18446744073709551615", "18446744073709551616", "18446744073709551618"})
        refs.push_back('"' + text + '"');
    refs.insert(refs.end(), {"2", std::string(5000, '2'), '"' + std::string(5000, '2') + '"'});
    for (const std::string& ref : refs) {
        d.receive(reply_frame(R"("1")", ref));
        EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}"})) << ref;
        if (ref == "null" || ref == R"("")") continue; // no join_ref: it is not checked
        d.receive(reply_frame(ref, R"("2")"));
        d.receive(frame(ref, "null", R"("room:a")", R"("shout")"));
        d.receive(frame(ref, "null", R"("room:a")", R"("phx_error")"));
        EXPECT_EQ(d.take(), (Lines{"unclaimed room:a phx_reply ok {}", "unclaimed room:a shout {}",
                                   "unclaimed room:a phx_error {}"}))
            << ref;
    }
    d.reply("1", "2", "room:a");
    EXPECT_EQ(d.take(), (Lines{"p2 ok {}"}));
}

TEST(HostileFrames, TopicsAndEventsThatAreNoStringsAreForNobody) {
    ClientDriver d = open_driver();
    joined(d, "room:a", "1");
    joined(d, "", "2");
    for (const std::string_view token : no_strings) {
        d.receive(frame("null", "null", token, R"("shout")"));
        d.receive(frame("null", "null", token, R"("phx_close")"));
        d.receive(frame("null", "null", R"("room:a")", token));
        d.receive(frame("null", "null", token, token));
        EXPECT_EQ(d.take(), (Lines{"unclaimed  shout {}", "unclaimed  phx_close {}", "unclaimed room:a  {}",
                                   "unclaimed   {}"}))
            << token;
    }
}

TEST(HostileFrames, TopicsAndEventsThatAreNoStringsAreForNobodyOverV1) {
    ClientConfig config = exact_config();
    config.vsn = Vsn::v1;
    ClientDriver d = open_driver(config);
    d.join(d.add("room:a"));
    const std::string rest = R"("payload":{"status":"ok","response":{}},"ref":)";
    d.receive(R"({"topic":"room:a","event":"phx_reply",)" + rest + R"("1"})");
    d.take();
    for (const std::string_view no_string : no_strings) {
        const std::string token(no_string);
        d.receive(R"({"topic":)" + token + R"(,"event":"shout",)" + rest + "null}");
        d.receive(R"({"topic":"room:a","event":)" + token + "," + rest + "null}");
        EXPECT_EQ(d.take(), (Lines{R"(unclaimed  shout {"status":"ok","response":{}})",
                                   R"(unclaimed room:a  {"status":"ok","response":{}})"}))
            << token;
    }
}

TEST(HostileFrames, AReplyWithoutAStatusFailsItsPush) {
    Lines payloads(std::begin(no_strings), std::end(no_strings));
    for (const std::string_view status : no_strings)
        payloads.push_back(R"({"status":)" + std::string(status) + R"(,"response":{}})");
    payloads.insert(payloads.end(), {R"({"response":{}})", R"("ok")", R"(["ok"])", R"({"Status":"ok"})"});
    ClientDriver d = open_driver();
    const ChannelId c = joined(d, "room:a", "1");
    std::size_t made = 1;
    for (const std::string& payload : payloads) {
        d.push(c, "hello");
        d.take();
        const std::string number = std::to_string(++made);
        d.receive(frame(R"("1")", '"' + number + '"', R"("room:a")", R"("phx_reply")", payload));
        EXPECT_EQ(d.take(), (Lines{"p" + number + " malformed frame " + payload}));
    }
    d.expect_all_finished();
}

TEST(HostileFrames, EndsOfWhatIsNotJoinedChangeNothing) {
    for (const std::string event : {"phx_close", "phx_error"}) {
        ClientDriver d = open_driver();
        const ChannelId c = d.add("room:a");
        const auto end_it = [&](std::string_view ref) {
            d.receive(frame(ref, ref, R"("room:a")", '"' + event + '"'));
            EXPECT_EQ(d.take(), (Lines{"unclaimed room:a " + event + " {}"})) << event;
        };
        end_it("null"); // never joined
        d.join(c);
        d.take();
        end_it(R"("9")"); // joining, of another join
        d.reply("1", "1", "room:a", "error");
        d.take();
        end_it(R"("1")"); // errored
        end_it("null");
        EXPECT_EQ(d.machine.channel_state(c), ChannelState::errored);
        d.advance(1s);
        d.reply("2", "2", "room:a");
        d.leave(c);
        d.reply("2", "3", "room:a");
        d.take();
        end_it("null"); // left
        d.remove(c);
        end_it("null");
        EXPECT_EQ(d.machine.state(), SocketState::open);
    }
}

} // namespace
} // namespace phx::protocol::testing
