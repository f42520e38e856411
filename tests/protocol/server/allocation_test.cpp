#include "protocol/server/session.hpp"
#include "tests/support/alloc_count.hpp"
#include "tests/support/server_driver.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace phx::test {
namespace {

using protocol::Opcode;
using protocol::Vsn;

struct Allocations : testing::Test {
    Allocations() {
        machine.add_channel("room:*");
        for (int i = 0; i < 20; ++i) {
            server::SessionConfig config;
            config.vsn = i % 4 == 3 ? Vsn::v1 : Vsn::v2;
            const server::SessionId session = machine.handle_open(now, config);
            const std::string join = R"({"config":{"broadcast":{"self":true,"ack":true}}})";
            feed(session,
                 config.vsn == Vsn::v2
                     ? R"(["1","1","realtime:lobby","phx_join",)" + join + "]"
                     : R"({"topic":"realtime:lobby","event":"phx_join","ref":"1","payload":)" + join + "}");
            sessions.push_back(session);
        }
        feed(sessions[0], R"(["2","2","room:lobby","phx_join",{}])");
    }
    std::size_t feed(server::SessionId session, const std::string& frame, Opcode opcode = Opcode::text) {
        machine.handle_frame(now, session, opcode, frame);
        std::size_t frames = 0;
        while (const auto output = machine.poll()) {
            if (std::holds_alternative<server::act::Send>(*output)) ++frames;
            if (const auto* fanout = std::get_if<server::act::Fanout>(&*output))
                frames += fanout->sessions.size();
            if (const auto* join = std::get_if<server::event::JoinAsked>(&*output))
                machine.answer_join(now, join->member, {});
        }
        return frames;
    }
    /// Of a thousand frames, after as many to warm up.
    std::uint64_t count(const std::string& frame, std::size_t frames_out, Opcode opcode = Opcode::text) {
        for (int i = 0; i < 1000; ++i) feed(sessions[0], frame, opcode);
        const AllocationCount before;
        for (int i = 0; i < 1000; ++i)
            if (feed(sessions[0], frame, opcode) != frames_out) return ~std::uint64_t{0};
        return before.allocations();
    }
    server::ServerMachine machine{server::ServerConfig{}};
    protocol::TimePoint now{};
    std::vector<server::SessionId> sessions;
};

TEST_F(Allocations, NoneForARelayedTextBroadcast) {
    const std::string payload =
        R"({"type":"broadcast","event":"e\n","payload":")" + std::string(1000, 'x') + "\"}";
    EXPECT_EQ(count(R"(["1","2","realtime:lobby","broadcast",)" + payload + "]", 21), 0u);
}

TEST_F(Allocations, NoneForARelayedBinaryBroadcast) {
    EXPECT_EQ(count(from_hex("0301010e010001") + "12realtime:lobbye{\"x\":1}", 21, Opcode::binary), 0u);
    EXPECT_EQ(count(from_hex("0301010e010000") + "12realtime:lobbyebytes", 16, Opcode::binary), 0u);
}

TEST_F(Allocations, NoneForABroadcastOfTheServer) {
    const std::string payload = R"({"n":1})";
    const auto run = [&] {
        for (int i = 0; i < 1000; ++i) {
            machine.broadcast(now, "realtime:lobby", "news", {Opcode::text, payload});
            while (machine.poll()) {
            }
        }
    };
    run();
    const AllocationCount before;
    run();
    EXPECT_EQ(before.allocations(), 0u);
}

TEST_F(Allocations, NoneForAHeartbeatOrAnUnmatchedTopic) {
    EXPECT_EQ(count(R"([null,"5","phoenix","heartbeat",{}])", 1), 0u);
    EXPECT_EQ(count(R"([null,"5","nope","event",{}])", 1), 0u);
}

TEST_F(Allocations, NoneForAPushThatIsNeverAnswered) {
    EXPECT_EQ(count(R"(["2","77","room:lobby","event",{}])", 0), 0u);
}

TEST_F(Allocations, NoneForAPushThatIsAnswered) {
    const auto run = [&](int pushes) {
        std::uint64_t of_the_actions = 0;
        for (int i = 0; i < pushes; ++i) {
            machine.handle_frame(now, sessions[0], Opcode::text, R"(["2","77","room:lobby","event",{}])");
            const auto output = machine.poll();
            const auto& in = std::get<server::event::MessageIn>(*output);
            const AllocationCount before;
            phx::server::Actions actions;
            actions.ok();
            of_the_actions += before.allocations();
            machine.apply(now, in.member, in.reply_to, std::move(actions));
            EXPECT_TRUE(machine.poll().has_value());
        }
        return of_the_actions;
    };
    run(100);
    const AllocationCount before;
    const std::uint64_t of_the_actions = run(1000);
    EXPECT_EQ(before.allocations(), of_the_actions);
}

TEST(Actions, AreMovedOutOfTheChainThatBuiltThem) {
    const std::string payload = R"({"body":")" + std::string(100, 'x') + "\"}";
    const auto handle_in = [](phx::server::PayloadView in) { return phx::server::Actions().ok(in).stop(); };
    const AllocationCount before;
    const phx::server::Actions actions = handle_in({Opcode::text, payload});
    EXPECT_LE(before.allocations(), 3u); // the payload, and the list that grows once
    EXPECT_EQ(actions.list.size(), 2u);
}

TEST(MemorySize, OfASessionAChannelAndAnOutputIsBounded) {
    EXPECT_LE(sizeof(server::Session), 136u);
    EXPECT_LE(sizeof(server::Membership), 344u);
    EXPECT_LE(sizeof(server::Output), 104u);
}

} // namespace
} // namespace phx::test
