// The wire layer alone: build, encode and parse frames; no socket, no thread.
#include <phx/protocol/builders.hpp>
#include <phx/protocol/codec.hpp>
#include <phx/protocol/topic.hpp>

#include <iostream>

int main() {
    using namespace phx::protocol;
    std::string frame;
    build_join(Vsn::v2,
               {.topic = realtime_topic("lobby"), .join_ref = JsonToken{"\"1\""}, .ref = JsonToken{"\"1\""}},
               join_payload({.broadcast_self = true}), frame);
    std::cout << frame << '\n';

    std::string scratch;
    const auto view = decode(Vsn::v2, Direction::to_server, Opcode::text, frame, scratch);
    if (!view) {
        std::cerr << view.error().message << '\n';
        return 1;
    }
    if (view->topic != "realtime:lobby" || view->event != "phx_join") return 1;

    const auto bad = decode(Vsn::v2, Direction::to_server, Opcode::text, "[1,2", scratch);
    return bad || bad.error().code != phx::Errc::malformed_frame ? 1 : 0;
}
