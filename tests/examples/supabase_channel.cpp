// Supabase Realtime with the socket and channel of Phoenix alone: for a program that already has them. The
// messages and reasons of Supabase are read with the same functions that phx::realtime uses.
#include <phx/phx.hpp>
#include <phx/realtime.hpp>
#include <phx/server/server.hpp>

#include <future>
#include <iostream>
#include <string>

using phx::realtime::Broadcast;
using phx::realtime::PostgresChange;
using phx::realtime::Reason;
using phx::realtime::SystemMessage;

int main() {
    phx::server::Server server;
    const std::string port = std::to_string(server.start().value());

    std::promise<std::string> heard;
    std::promise<Reason> said;
    phx::Loop loop;
    phx::Socket socket(loop, "ws://127.0.0.1:" + port + "/realtime/v1", {.params = {{"apikey", "the key"}}});
    auto room =
        socket.channel("realtime:room", {{"config", {{"broadcast", {{"self", true}, {"ack", true}}}}}});
    room.on("broadcast", [&, scratch = std::string()](const phx::Message& message) mutable {
        const auto broadcast = Broadcast::read(message, scratch); // borrows from both
        if (broadcast) heard.set_value(std::string(broadcast->event()));
    });
    room.on("system", [&](const phx::Message& message) {
        const auto system = SystemMessage::parse(message.text());
        const auto reason = system ? phx::realtime::reason_of_system(system->message) : std::nullopt;
        if (reason) said.set_value(*reason);
    });
    socket.connect();
    if (!room.join().wait()) return 1;
    const phx::Json greeting = {{"type", "broadcast"}, {"event", "greeting"}, {"payload", {{"n", 1}}}};
    if (!room.push("broadcast", greeting).wait()) return 1;
    std::cout << "heard " << heard.get_future().get() << '\n';

    server.broadcast(
        room.topic(), "system",
        R"({"status":"error","extension":"system","message":"Token has expired 0 seconds ago"})");
    const Reason reason = said.get_future().get();
    const std::error_code code = reason; // or make_error_code(reason)
    std::cout << code.category().name() << ": " << code.message() << '\n';
    if (code != phx::realtime::make_error_code(Reason::token_expired)) return 1;

    auto nameless = socket.channel("realtime:");
    const auto refused = nameless.join().wait();
    if (refused || !refused.error().detail) return 1;
    const auto reply = phx::parse_json(refused.error().detail->reply);
    const auto why = phx::realtime::reason_of_refusal(reply.value()["reason"].get<std::string>());
    std::cout << "refused: " << reply.value()["reason"] << '\n';

    // A change that did not come from a channel: of a test, or kept as text.
    const PostgresChange made(phx::realtime::PostgresChangeText{.table = "orders", .new_row = R"({"id":1})"});
    return why == Reason::topic_name_required && made.new_row().value()["id"] == 1 ? 0 : 1;
}
