#include "protocol/client/client_machine.hpp"

#include "phx/protocol/builders.hpp"
#include "tests/support/alloc_count.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <string>

namespace phx::protocol {
namespace {

/// A joined channel on an open connection, quiet and with all buffers grown.
class ClientAllocation : public ::testing::Test {
protected:
    ClientAllocation() : machine(ClientConfig{}) {
        machine.connect(now);
        drain();
        machine.handle_open(now, ConnId{1});
        drain();
        room = machine.add_channel("room:a", "{}");
        machine.join(now, room);
        drain();
        receive(R"(["1","1","room:a","phx_reply",{"status":"ok","response":{}}])");
    }

    int drain() {
        int outputs = 0;
        while (machine.poll()) ++outputs;
        return outputs;
    }
    int receive(std::string_view frame, Opcode opcode = Opcode::text) {
        machine.handle_frame(now, ConnId{1}, opcode, frame);
        return drain();
    }
    template <class Act> std::uint64_t count(Act act) {
        for (int i = 0; i < 200; ++i) act();
        const test::AllocationCount allocations;
        for (int i = 0; i < 1000; ++i) act();
        return allocations.allocations();
    }

    TimePoint now{};
    ClientMachine machine;
    ChannelId room{};
};

TEST_F(ClientAllocation, ReceivingAMessageDoesNotAllocate) {
    const std::string plain = R"([null,null,"room:a","shout",{"body":")" + std::string(200, 'x') + R"("}])";
    EXPECT_EQ(count([&] { ASSERT_EQ(receive(plain), 1); }), 0u);
    const std::string escaped = R"(["1",null,"room:\u0061","sho\u0075t",{}])";
    EXPECT_EQ(count([&] { ASSERT_EQ(receive(escaped), 1); }), 0u);
    const std::string binary("\x02\x06\x05room:ashout\x00\x01\x02", 17);
    EXPECT_EQ(count([&] { ASSERT_EQ(receive(binary, Opcode::binary), 1); }), 0u);
    const std::string nobody = R"([null,null,"room:nobody","shout",{}])";
    EXPECT_EQ(count([&] { ASSERT_EQ(receive(nobody), 1); }), 0u);
}

TEST_F(ClientAllocation, APushAndItsReplyDoNotAllocate) {
    std::uint64_t ref = 1;
    std::string reply;
    reply.reserve(200);
    EXPECT_EQ(count([&] {
                  machine.push(now, room, "shout", Opcode::text, R"({"body":"hi"})");
                  ASSERT_EQ(drain(), 1);
                  char digits[24];
                  const auto end = std::to_chars(digits, digits + sizeof digits, ++ref).ptr;
                  reply.assign(R"(["1",")").append(digits, end).append(R"(","room:a","phx_reply",)");
                  reply.append(R"({"response":{},"status":"ok"}])");
                  ASSERT_EQ(receive(reply), 1);
              }),
              0u);
}

TEST_F(ClientAllocation, SendingDoesNotAllocate) {
    EXPECT_EQ(count([&] {
                  ASSERT_TRUE(machine.send(now, room, "cursor", Opcode::text, R"({"x":1,"y":2})"));
                  ASSERT_TRUE(machine.send(now, room, "cursor", Opcode::binary, "xy"));
                  ASSERT_EQ(drain(), 2);
              }),
              0u);
}

} // namespace
} // namespace phx::protocol
