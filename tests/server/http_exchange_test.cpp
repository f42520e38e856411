#include "src/server/http_exchange.hpp"

#include "src/loop/loop_core.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace phx::shell {
namespace {

/// A request that came to the loop `here`, and its copy on the loop `there`.
struct ForwardedExchange : testing::Test {
    void SetUp() override {
        here->call([&] {
            exchange = std::make_shared<HttpExchange>("POST /a?b=c HTTP/1.1\r\nhost: h\r\nx-y: z\r\n\r\n",
                                                      "body", "192.0.2.1", [this](const HttpAnswer& answer) {
                                                          EXPECT_TRUE(here->on_loop_thread());
                                                          answers.push_back(answer.body);
                                                      });
            forwarded = exchange->forward(here, there);
        });
    }
    void TearDown() override {
        forwarded.reset();
        exchange.reset();
        here->shut_down();
        there->shut_down();
    }
    void answer_there(const std::string& text) {
        there->call([&] { forwarded->answer(HttpAnswer::text(200, text)); });
        here->call([] {}); // behind what the other posted
    }
    bool is_open_there() {
        bool is_open = false;
        there->call([&] { is_open = forwarded->is_open(); });
        return is_open;
    }

    const std::shared_ptr<LoopCore> here = LoopCore::start({}), there = LoopCore::start({});
    std::shared_ptr<HttpExchange> exchange, forwarded;
    std::vector<std::string> answers; // of the loop `here`
};

TEST_F(ForwardedExchange, IsTheSameRequestAndIsAnsweredOnceWhereItCameFrom) {
    EXPECT_EQ(forwarded->request().path, "/a");
    EXPECT_EQ(forwarded->request().query, "b=c");
    EXPECT_EQ(forwarded->request().header("x-y"), "z");
    EXPECT_EQ(forwarded->body(), "body");
    EXPECT_EQ(forwarded->peer(), "192.0.2.1");
    answer_there("first");
    EXPECT_FALSE(is_open_there());
    answer_there("second");
    EXPECT_EQ(answers, std::vector<std::string>{"first"});
    EXPECT_FALSE(exchange->is_open());
}

TEST_F(ForwardedExchange, IsClosedWhenItsClientGoesAway) {
    EXPECT_TRUE(is_open_there());
    here->call([&] { exchange->close(); });
    EXPECT_FALSE(is_open_there());
    answer_there("too late");
    EXPECT_TRUE(answers.empty());
}

TEST_F(ForwardedExchange, IsAnsweredNoMoreOnceSomebodyElseHas) {
    here->call([&] { exchange->answer(HttpAnswer::text(408, "timeout")); });
    answer_there("too late");
    EXPECT_EQ(answers, std::vector<std::string>{"timeout"});
}

TEST_F(ForwardedExchange, HoldsNeitherOfTheTwoOnceItIsAnswered) {
    const std::weak_ptr<HttpExchange> original = exchange, copy = forwarded;
    answer_there("done");
    forwarded.reset();
    exchange.reset();
    here->shut_down(); // with the tasks that held them
    there->shut_down();
    EXPECT_TRUE(original.expired());
    EXPECT_TRUE(copy.expired());
}

} // namespace
} // namespace phx::shell
