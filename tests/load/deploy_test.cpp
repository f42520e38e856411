#include "phx/channel.hpp"
#include "phx/loop.hpp"
#include "phx/socket.hpp"
#include "tests/support/bystander.hpp"
#include "tests/support/test_server.hpp"

#include <atomic>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

// A server that is replaced while everybody is busy.
namespace phx::test {
namespace {

using namespace std::chrono_literals;

/// Counts what it was asked, and answers: at once, or when it is called again.
struct Counting {
    server::Handlers handlers() {
        server::Handlers handlers;
        handlers.handle_in = [this](const server::Context& context, std::string_view event,
                                    server::PayloadView) {
            ++asked;
            if (event == "now") return server::Actions().ok();
            waiting[context.connection.id].push_back(context.reply_to);
            return server::Actions().reply_later().after(20ms, "answer");
        };
        handlers.handle_info = [this](const server::Context& context, std::string_view) {
            auto& list = waiting[context.connection.id];
            const server::ReplyTo to = list.front();
            list.pop_front();
            return server::Actions().reply_to(to, "ok");
        };
        return handlers;
    }
    std::map<std::string, std::deque<server::ReplyTo>> waiting;
    std::atomic<std::size_t> asked{0};
};

/// Pushes on and on, a few at a time, until it is closed; how many answers of the handler it got before that.
std::size_t push_until_closed(std::uint16_t port, const std::string& event, std::atomic<int>& busy) {
    WsClient client(port);
    client.call(R"(["1","1","room:1","phx_join",{}])");
    std::size_t answers = 0;
    std::string pushes;
    for (int i = 0; i < 8; ++i) pushes += raw_frame(0x81, R"(["1","2","room:1",")" + event + R"(",{}])");
    for (bool is_busy = false;;) {
        client.tcp().send(pushes);
        for (int i = 0; i < 8; ++i) {
            const ServerFrame frame = client.receive();
            if (frame.opcode == protocol::FrameOpcode::close) {
                EXPECT_TRUE(frame.is_close(1012)) << frame.code;
                client.close(1012);
                return answers;
            }
            const bool is_answer = frame.payload.find(R"("status":"ok")") != std::string::npos;
            EXPECT_TRUE(is_answer || frame.payload.find("server draining") != std::string::npos)
                << frame.payload;
            answers += is_answer;
        }
        if (!is_busy) ++busy;
        is_busy = true;
    }
}

TEST(Deploy, AnswersEverythingThatAHandlerWasAskedBeforeTheClose) {
    Counting counting;
    TestServer server({}, counting.handlers());
    constexpr int clients = 20;
    std::atomic<int> busy{0};
    std::atomic<std::size_t> answers{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i)
        threads.emplace_back([&, i] {
            try {
                answers += push_until_closed(server.port(), i % 2 == 0 ? "now" : "later", busy);
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        });
    EXPECT_TRUE(eventually([&] { return busy == clients; }));
    EXPECT_TRUE(server->drain(200ms, 10s));
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(answers, counting.asked); // not one was taken and not answered
    EXPECT_EQ(server->stats().connections, 0u);
}

TEST(Deploy, BringsClientsBackToTheNextServer) {
    Counting before, after;
    auto old = std::make_unique<TestServer>(server::Options{}, before.handlers());
    const std::uint16_t port = old->port();
    Loop loop;
    Socket socket(loop, "ws://127.0.0.1:" + std::to_string(port) + "/socket");
    Channel channel = socket.channel("room:1");
    socket.connect();
    ASSERT_TRUE(channel.join().wait());
    ASSERT_TRUE(channel.push("now").wait());
    EXPECT_TRUE((*old)->drain(0ms, 10s));
    old.reset();
    server::Options options;
    options.port = port;
    TestServer next(options, after.handlers());
    EXPECT_TRUE(channel.push("now").wait()); // buffered, and sent when it has joined again
    EXPECT_EQ(before.asked, 1u);
    EXPECT_EQ(after.asked, 1u);
}

} // namespace
} // namespace phx::test
