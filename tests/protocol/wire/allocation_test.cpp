#include "phx/protocol/builders.hpp"
#include "phx/protocol/codec.hpp"
#include "tests/support/alloc_count.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace phx::protocol {
namespace {

struct Wire {
    Vsn vsn;
    Direction direction;
    Opcode opcode;
    std::string bytes;
};

std::vector<Wire> frames() {
    const Address address{"room:a topic that fits no small string", JsonToken{"\"1\""}, JsonToken{"\"2\""}};
    std::vector<Wire> all;
    for (const Vsn vsn : {Vsn::v1, Vsn::v2}) {
        std::string text;
        EXPECT_TRUE(build_push(vsn, address, "event\twith an \"escape\" in a long name", Opcode::text,
                               "{\"a\":[1,\"\\n\"]}", text));
        all.push_back({vsn, Direction::to_server, Opcode::text, text});
        text.clear();
        EXPECT_TRUE(
            build_reply(vsn, address, "a status that fits no small string\n", Opcode::text, "{}", text));
        all.push_back({vsn, Direction::to_client, Opcode::text, text});
        text.clear();
        EXPECT_TRUE(
            build_server_broadcast(vsn, "room:a", "new_msg", Opcode::text, std::string(5000, '1'), text));
        all.push_back({vsn, Direction::to_client, Opcode::text, text});
    }
    std::string bytes;
    EXPECT_TRUE(build_push(Vsn::v2, address, "e", Opcode::binary, "\xFF", bytes));
    all.push_back({Vsn::v2, Direction::to_server, Opcode::binary, bytes});
    bytes.clear();
    EXPECT_TRUE(build_reply(Vsn::v2, address, "ok", Opcode::binary, "\xFF", bytes));
    all.push_back({Vsn::v2, Direction::to_client, Opcode::binary, bytes});
    bytes.clear();
    EXPECT_TRUE(build_user_push(Vsn::v2, address, "e", "{}", Opcode::text, "[1]", bytes));
    all.push_back({Vsn::v2, Direction::to_server, Opcode::binary, bytes});
    return all;
}

TEST(Allocations, DecodingAndEncodingTakeNoneInTheSteadyState) {
    const std::vector<Wire> all = frames();
    std::string scratch, out;
    const auto round = [&] {
        std::size_t good = 0;
        for (const Wire& frame : all) {
            const Result<FrameView> view =
                decode(frame.vsn, frame.direction, frame.opcode, frame.bytes, scratch);
            out.clear();
            good += view && encode(frame.vsn, frame.direction, *view, out) && out == frame.bytes;
        }
        return good;
    };
    ASSERT_EQ(round(), all.size()); // warms scratch and out
    const test::AllocationCount count;
    for (int i = 0; i < 100; ++i) ASSERT_EQ(round(), all.size());
    EXPECT_EQ(count.allocations(), 0u);
    std::string longer(1000, 'x');
    EXPECT_GE(count.allocations(), 1u); // the counter counts
}

TEST(Allocations, ATextFrameWithoutEscapesNeedsNoScratch) {
    std::string scratch;
    const std::string text =
        R"(["1","2","a topic that fits no small string","an event that fits none either",{}])";
    const test::AllocationCount count;
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(decode(Vsn::v2, Direction::to_client, Opcode::text, text, scratch));
    EXPECT_EQ(count.allocations(), 0u);
}

} // namespace
} // namespace phx::protocol
