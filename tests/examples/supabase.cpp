// A tour of Supabase Realtime: tokens, broadcasts of JSON, of types and of bytes, presence, what the server
// says, gaps, leaving. A server in the process stands for the project.
#include <phx/phx.hpp>
#include <phx/realtime.hpp>
#include <phx/server/server.hpp>

#include <array>
#include <atomic>
#include <future>
#include <iostream>
#include <map>
#include <string>

using phx::realtime::Broadcast;
using phx::realtime::RealtimeChannel;
using phx::realtime::RealtimeClient;
using phx::realtime::Reason;

struct Cursor {
    int x = 0, y = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Cursor, x, y)

phx::realtime::RealtimeOptions project_options() {
    phx::realtime::RealtimeOptions options;
    options.api_key = "the project's publishable key";
    options.disconnect_when_empty = phx::Millis(10'000);
    options.socket = phx::realtime::socket_options(); // as it is anyway; say here what should differ
    return options;
}

/// Whether to ask again after a refusal. Much the same as without such a function.
bool should_resubscribe(const phx::Error& why) {
    if (why.code == Reason::private_only) std::cout << "this project has private channels only\n";
    if (why.code.category() != phx::realtime::reason_category()) return true;
    const auto reason = static_cast<Reason>(why.code.value());
    return phx::realtime::is_temporary(reason) || phx::realtime::needs_new_token(reason);
}

/// What the handlers write to: it outlives the clients.
struct Seen {
    std::promise<Broadcast> greeting;
    std::promise<Cursor> cursor;
    std::promise<std::size_t> voice;
    std::promise<void> came, went;
    std::atomic<int> syncs = 0;
    std::promise<phx::realtime::SystemMessage> said;
    std::promise<phx::Millis> missed;
};

bool broadcast(RealtimeClient& ada, RealtimeClient& bob, Seen& seen) {
    phx::HandlerId every = {};
    const RealtimeChannel room = bob.channel("room");
    room.on_broadcast("greeting", [&](const Broadcast& greeting) { seen.greeting.set_value(greeting.own()); })
        .on_broadcast<Cursor>("cursor", [&](const Cursor& cursor) { seen.cursor.set_value(cursor); })
        .on_broadcast("voice",
                      [&](const Broadcast& voice) {
                          if (voice.binary()) seen.voice.set_value(voice.bytes().size());
                      })
        .on_broadcast(
            "*", [](const Broadcast& any) { std::cout << any.event() << ' ' << any.text() << '\n'; }, &every);
    if (!room.subscribe().wait()) return false;

    phx::realtime::RealtimeChannelOptions options;
    options.broadcast_ack = true; // send() then waits for the server
    options.should_resubscribe = should_resubscribe;
    const RealtimeChannel sender = ada.channel("room", std::move(options));
    sender.subscribe([](phx::realtime::SubscribeStatus status, const phx::Error* error) {
        std::cout << "ada: " << to_string(status) << (error ? ": " + error->message : "") << '\n';
    });
    const std::array<unsigned char, 4> sound = {0, 1, 2, 3};
    if (!sender.send("greeting", {{"text", "hello"}}).wait()) return false; // waited for the subscription
    if (!sender.send_text("cursor", R"({"x":3,"y":4})").wait()) return false;
    if (!sender.send_binary("voice", std::as_bytes(std::span(sound))).wait()) return false;

    const Broadcast greeting = seen.greeting.get_future().get();
    const auto payload = greeting.json();
    const auto texts = greeting.as<std::map<std::string, std::string>>();
    // Messages of the database have an id, and say when they are sent again.
    std::cout << "meta: " << greeting.meta() << " id: " << greeting.id()
              << (greeting.is_replayed() ? " replayed\n" : " live\n");
    const bool is_right = payload && (*payload)["text"] == "hello" && texts && texts->at("text") == "hello" &&
                          seen.cursor.get_future().get().y == 4 && seen.voice.get_future().get() == 4;
    room.off(every);
    return is_right;
}

bool presence(RealtimeClient& ada, RealtimeClient& bob, Seen& seen) {
    phx::realtime::RealtimeChannelOptions options;
    options.presence_key = "bob";
    const RealtimeChannel lobby = bob.channel("lobby", std::move(options));
    lobby
        .on_presence_join([&](const phx::realtime::PresenceEvent& event) {
            const auto meta = phx::realtime::presence_json(event.changed.front());
            std::cout << event.key << " came: " << meta.value()["status"] << '\n';
            if (meta.value()["status"] == "away") seen.came.set_value();
        })
        .on_presence_leave([&](const phx::realtime::PresenceEvent& event) {
            if (event.current.empty()) seen.went.set_value(); // else only the meta is another
        })
        .on_presence_sync([&] { ++seen.syncs; });
    if (!lobby.subscribe().wait()) return false;

    phx::realtime::RealtimeChannelOptions own;
    own.presence_key = "ada";
    const RealtimeChannel shown = ada.channel("lobby", std::move(own));
    if (!shown.subscribe().wait()) return false;
    if (!shown.track({{"status", "online"}}).wait()) return false;
    if (!shown.track_text(R"({"status":"away"})").wait()) return false;
    seen.came.get_future().wait();
    for (const auto& [key, metas] : lobby.presence_state()) std::cout << key << ": " << metas.size() << '\n';
    const std::size_t present = lobby.presences().size(); // without parsing
    if (!shown.untrack().wait()) return false;
    seen.went.get_future().wait();
    return present == 1 && seen.syncs >= 3;
}

/// What the server says about the channel, mostly before it ends it.
bool system(RealtimeClient& bob, phx::server::Server& server, Seen& seen) {
    const RealtimeChannel room = bob.channel("room");
    room.on_system([&](const phx::realtime::SystemMessage& message) { seen.said.set_value(message); });
    if (!room.subscribe().wait()) return false; // is subscribed: the handler counts from now on
    server.broadcast(room.topic(), "system",
                     R"({"status":"error","extension":"system","channel":"room","message":)"
                     R"("Too many messages per second"})");
    const phx::realtime::SystemMessage message = seen.said.get_future().get();
    std::cout << "system: " << message.message
              << (message.ends_channel() ? ", and ends the channel\n" : "\n");
    return message.reason() == Reason::message_rate_limit && !message.is_subscribed_to_postgres();
}

/// What was sent while this client was away has to be fetched elsewhere.
bool gap(RealtimeClient& bob, Seen& seen) {
    const RealtimeChannel room = bob.channel("room");
    room.on_gap([&](phx::Millis offline) { seen.missed.set_value(offline); });
    bob.disconnect();
    bob.connect(); // brings back what was subscribed
    std::cout << "away for " << seen.missed.get_future().get().count() << " ms\n";
    return room.state() == phx::ChannelState::joined;
}

bool leave(RealtimeClient& ada, RealtimeClient& bob) {
    const RealtimeChannel room = ada.channel("room");
    if (!room.unsubscribe().wait()) return false; // subscribe() may follow
    ada.remove_channel(room);
    const bool is_new = !(ada.channel("room") == room);
    bob.remove_all_channels();
    std::cout << room.channel().topic() << " is left, " << ada.channels().size() << " channels are known\n";
    return is_new && bob.channels().empty();
}

int main() {
    phx::server::Server server;
    const std::string url = "http://127.0.0.1:" + std::to_string(server.start().value()); // the project's
    std::atomic<int> tokens = 0;
    Seen seen;
    phx::Loop loop;
    auto options = project_options();
    options.access_token = [&tokens] { return "token-" + std::to_string(++tokens); }; // or later, by Answer
    RealtimeClient ada(loop, url, std::move(options));
    RealtimeClient bob(loop, url, project_options());
    bob.set_auth("the user's token"); // without a provider: before it is used, and whenever it is new
    for (RealtimeClient* client : {&ada, &bob}) {
        client->socket().on_error([](const phx::Error& error) { std::cerr << error.message << '\n'; });
    }
    ada.connect(); // to be early; subscribe() does it
    if (!broadcast(ada, bob, seen) || !presence(ada, bob, seen)) return 1;
    if (!system(bob, server, seen) || !gap(bob, seen) || !leave(ada, bob)) return 1;
    return tokens > 0 ? 0 : 1;
}
