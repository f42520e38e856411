// A list of operations, one or two bytes each: a user, a network and a server in any order. The first bytes
// choose the configuration. The driver stops the fuzzer when a push finishes twice or never, a change of
// state goes unreported, a frame leaves without a connection, a timer does not move on, or an idle machine
// stirs.
#define PHX_FUZZING 1
#include "tests/support/client_operations.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace phx::protocol;
    std::size_t at = 0;
    const auto byte = [&]() -> std::size_t { return at < size ? data[at++] : 0; };
    ClientConfig config;
    const std::size_t flags = byte();
    config.seed = byte();
    config.vsn = (flags & 1) != 0 ? Vsn::v1 : Vsn::v2;
    config.ask_target = (flags & 2) != 0;
    config.max_attempts = (flags & 4) != 0 ? 3 : 0;
    config.channel.overflow = (flags & 8) != 0 ? Overflow::drop_oldest : Overflow::reject_newest;
    config.heartbeat_interval = std::chrono::seconds((flags & 16) != 0 ? 3 : 30);
    config.channel.max_buffered_pushes = 5;
    config.max_waiting_pushes = 40;
    const auto choose = [&](std::size_t n) {
        const std::size_t high = n > 256 ? byte() << 16 : 0;
        return (high | byte()) % n;
    };
    testing::ClientOperations operate(config, choose);
    while (at < size) operate.step();
    operate.finish();
    return 0;
}
