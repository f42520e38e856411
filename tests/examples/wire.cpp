// Frames without a socket.
#include <phx/protocol/builders.hpp>
#include <phx/protocol/codec.hpp>

#include <iostream>

int main() {
    using namespace phx::protocol;
    std::string frame;
    build_broadcast(Vsn::v2, {.topic = "realtime:lobby"}, "cursor", R"({"x":1})", frame);
    std::cout << frame << '\n';

    std::string scratch;
    const auto view = decode(Vsn::v2, Direction::to_server, Opcode::text, frame, scratch);
    if (!view) {
        std::cerr << view.error().message << '\n'; // such as: byte 17: expected ','
        return 1;
    }
    std::cout << view->topic << ' ' << view->event << ' ' << view->payload << '\n';
    return event_kind(*view) == EventKind::broadcast ? 0 : 1;
}
