#include "protocol/client/send_buffer.hpp"

#include <gtest/gtest.h>

namespace phx::protocol {
namespace {

BufferedPush push(std::uint64_t id, std::string_view payload) {
    return {PushId{id}, {"e", Opcode::text, payload}};
}

TEST(SendBuffer, GivesBackWhatItGotInOrder) {
    SendBuffer buffer(10, 1000);
    buffer.add(push(1, "a"));
    buffer.add(push(2, "b"));
    EXPECT_EQ(buffer.take_front().payload, "a");
    EXPECT_EQ(buffer.take_front().payload, "b");
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.bytes(), 0u);
}

TEST(SendBuffer, IsBoundedByNumber) {
    SendBuffer buffer(2, 1000);
    EXPECT_TRUE(buffer.fits(1));
    buffer.add(push(1, "a"));
    buffer.add(push(2, "b"));
    EXPECT_FALSE(buffer.fits(0));
    EXPECT_TRUE(buffer.could_fit(1));
    EXPECT_FALSE(SendBuffer(0, 1000).could_fit(0));
}

TEST(SendBuffer, IsBoundedByBytes) {
    SendBuffer buffer(100, 10);
    EXPECT_TRUE(buffer.fits(10));
    EXPECT_FALSE(buffer.fits(11));
    buffer.add(push(1, "12345"));
    EXPECT_EQ(buffer.bytes(), 6u);
    EXPECT_TRUE(buffer.fits(4));
    EXPECT_FALSE(buffer.fits(5));
    EXPECT_FALSE(buffer.fits(SIZE_MAX));
    EXPECT_FALSE(buffer.could_fit(11));
}

TEST(SendBuffer, RemovesWhatTimesOutOrIsCancelled) {
    SendBuffer buffer(10, 1000);
    for (std::uint64_t id = 1; id <= 5; ++id) buffer.add(push(2 * id, "x"));
    buffer.remove(PushId{6});
    buffer.remove(PushId{2});
    buffer.remove(PushId{10});
    buffer.remove(PushId{3});
    buffer.remove(PushId{99});
    EXPECT_EQ(buffer.size(), 2u);
    EXPECT_EQ(buffer.bytes(), 4u);
    EXPECT_EQ(buffer.take_front().id, PushId{4});
    EXPECT_EQ(buffer.take_front().id, PushId{8});
}

} // namespace
} // namespace phx::protocol
