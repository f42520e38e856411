// phx-server's echo channel in a program that counts. Prints its address as phx-server does, then for each
// line of standard input what it has done since it started: {"allocations":N,"frames_out":N}. Ends with its
// input.
#include "phx/server/server.hpp"
#include "tests/support/alloc_count.hpp"
#include "tools/phx-server/echo.hpp"

#include <cstdio>

int main() {
    const phx::test::AllocationCount count;
    phx::server::Server server;
    server.channel("*", phx::tools::echo_handlers());
    const auto port = server.start();
    if (!port) {
        std::fprintf(stderr, "counting_server: %s\n", port.error().message.c_str());
        return 1;
    }
    std::printf("listening on 127.0.0.1:%d\n", *port);
    std::fflush(stdout);
    for (int c = std::getchar(); c != EOF; c = std::getchar()) {
        if (c != '\n') continue;
        std::printf("{\"allocations\":%llu,\"frames_out\":%llu}\n",
                    static_cast<unsigned long long>(count.allocations()),
                    static_cast<unsigned long long>(server.stats().frames_out));
        std::fflush(stdout);
    }
}
