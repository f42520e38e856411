#pragma once

#include "tests/client/client_fixture.hpp"

#include <string>
#include <utility>

namespace phx::test {

/// These options reach this server: a channel joins, a push of a megabyte goes there and back, nothing is
/// reported.
inline void works(ScriptedServer& server, const std::string& url, SocketOptions options) {
    Inbox<Error> errors;
    Loop loop;
    Socket socket(loop, url, std::move(options));
    socket.on_error([&](const Error& error) { errors.add(error); });
    auto room = socket.channel("room:1");
    socket.connect();
    const Push joined = room.join();
    Peer peer = server.accept_upgraded();
    peer.accept_join();
    EXPECT_TRUE(result_of(joined));
    const Push pushed = room.push_text("big", '"' + std::string(1u << 20, 'x') + '"');
    const PhxFrame frame = peer.expect("big");
    peer.reply(frame, "ok", frame.payload);
    const auto reply = result_of(pushed);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text().size(), (1u << 20) + 2);
    EXPECT_TRUE(errors.all().empty());
    // Before the peer goes: it would come again, and who accepts next would find it waiting.
    socket.disconnect();
    while (peer.receive().opcode != 8) {
    }
}

} // namespace phx::test
