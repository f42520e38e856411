#include "protocol/server/long_poll.hpp"

#include <gtest/gtest.h>

namespace phx::protocol::server {
namespace {

TEST(LongPollPosts, CarryOneMessageOrLines) {
    const auto one = read_posted("application/json", "[\"1\",\"1\",\"t\",\"e\",{\"a\":\"\\n\"}]");
    ASSERT_TRUE(one && one->size() == 1);
    EXPECT_EQ((*one)[0].opcode, Opcode::text);
    const auto v1 = read_posted("application/json; charset=utf-8", R"({"topic":"t"})");
    ASSERT_TRUE(v1 && v1->size() == 1);
    EXPECT_EQ((*v1)[0].data, R"({"topic":"t"})");
    const auto lines = read_posted("application/x-ndjson", "[1]\r\n[2]\nAAEC\n");
    ASSERT_TRUE(lines && lines->size() == 3);
    EXPECT_EQ((*lines)[0].data, "[1]");
    EXPECT_EQ((*lines)[1].data, "[2]");
    EXPECT_EQ((*lines)[2].opcode, Opcode::binary);
    EXPECT_EQ((*lines)[2].data, std::string("\0\1\2", 3));
}

TEST(LongPollPosts, ThatCannotBeReadAreTold) {
    EXPECT_FALSE(read_posted("application/json", "not json"));
    EXPECT_FALSE(read_posted("application/x-ndjson", "[1]\n!!\n"));
    std::string many;
    for (int i = 0; i < 101; ++i) many += "[1]\n";
    EXPECT_FALSE(read_posted("application/x-ndjson", many));
    EXPECT_TRUE(read_posted("application/x-ndjson", many.substr(4)));
}

TEST(LongPollQueue, GivesWhatWaitsInOrderAndOnce) {
    LongPollQueue queue("tok\"en", 100);
    EXPECT_FALSE(queue.has_messages());
    EXPECT_TRUE(queue.add(R"(["a"])"));
    EXPECT_TRUE(queue.add("[2]"));
    EXPECT_EQ(queue.take_answer(), R"({"messages":["[\"a\"]","[2]"],"status":200,"token":"tok\"en"})");
    EXPECT_FALSE(queue.has_messages());
    EXPECT_EQ(queue.bytes(), 0u);
    EXPECT_EQ(queue.answer(PollStatus::no_content), R"({"messages":[],"status":204,"token":"tok\"en"})");
    EXPECT_EQ(poll_answer(PollStatus::gone), R"({"status":410})");
}

TEST(LongPollQueue, HasRoomForOneMessageAndForAFewSmallOnes) {
    LongPollQueue queue("t", 10);
    EXPECT_TRUE(queue.add(std::string(1000, 'x')));
    EXPECT_FALSE(queue.add("y"));
    static_cast<void>(queue.take_answer());
    EXPECT_TRUE(queue.add("12345"));
    EXPECT_TRUE(queue.add("12345"));
    EXPECT_FALSE(queue.add("1"));
}

} // namespace
} // namespace phx::protocol::server
