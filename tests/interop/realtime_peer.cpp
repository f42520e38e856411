// realtime_peer URL VSN: a RealtimeClient that is told what to do on stdin, one JSON object per line, and
// says on stdout, one JSON object per line, what its handlers see and how its pushes end. It ends with its
// input. The suites run it beside realtime-js; realtime_peer.mjs speaks to it.
#include <phx/phx.hpp>
#include <phx/realtime.hpp>

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace {

using phx::Json;
using phx::realtime::Broadcast;
using phx::realtime::PresenceEvent;
using phx::realtime::RealtimeChannel;
using phx::realtime::RealtimeClient;

void say(const Json& line) {
    static std::mutex mutex; // commands are answered on one thread, handlers run on another
    const std::lock_guard lock(mutex);
    std::cout << line.dump() << std::endl;
}

Json described(const phx::Error& error) {
    return {{"category", error.code.category().name()},
            {"code", error.code.message()},
            {"unauthorized", error.code == phx::realtime::Reason::unauthorized},
            {"message", error.message}};
}

Json list_of(phx::Binary bytes) {
    Json list = Json::array();
    for (const std::byte byte : bytes) list.push_back(std::to_integer<int>(byte));
    return list;
}

Json list_of(const std::vector<phx::PresenceMeta>& metas) {
    Json list = Json::array();
    for (const phx::PresenceMeta& meta : metas) list.push_back(phx::realtime::presence_json(meta).value());
    return list;
}

Json described(const PresenceEvent& event) {
    return Json::array({event.key, list_of(event.current), list_of(event.changed)});
}

Json described(const Broadcast& broadcast) {
    Json message = {{"type", "broadcast"}, {"event", broadcast.event()}};
    if (broadcast.binary()) {
        message["bytes"] = list_of(broadcast.bytes());
    } else {
        message["payload"] = broadcast.json().value();
    }
    return message;
}

/// Tells what one log of a channel gets: "statuses", "heard" or "seen", as those of realtime_js.mjs.
auto teller(const RealtimeChannel& channel, const char* log) {
    return [topic = channel.topic(), log](std::string_view event, const Json& value) {
        say({{"topic", topic}, {"log", log}, {"event", event}, {"value", value}});
    };
}

phx::realtime::RealtimeChannelOptions options_of(const Json& command) {
    phx::realtime::RealtimeChannelOptions options;
    options.broadcast_self = command.value("self", false);
    options.broadcast_ack = command.value("ack", false);
    options.is_private = command.value("private", false);
    options.presence_key = command.value("presence_key", "");
    return options;
}

void listen(const RealtimeChannel& channel, const Json& command) {
    for (const Json& event : command.value("events", Json::array())) {
        channel.on_broadcast(event.get<std::string>(),
                             [tell = teller(channel, "heard")](const Broadcast& broadcast) {
                                 tell(broadcast.event(), described(broadcast));
                             });
    }
    channel.on_gap([tell = teller(channel, "gaps")](phx::Millis) { tell("gap", nullptr); });
    if (!command.value("presence", false)) return;
    const auto tell = teller(channel, "seen");
    channel.on_presence_join([tell](const PresenceEvent& event) { tell("join", described(event)); })
        .on_presence_leave([tell](const PresenceEvent& event) { tell("leave", described(event)); })
        .on_presence_sync([tell, channel] { tell("sync", channel.presence_state()); });
}

phx::Push subscribe(const RealtimeChannel& channel) {
    const auto tell = teller(channel, "statuses");
    return channel.subscribe([tell](phx::realtime::SubscribeStatus status, const phx::Error* error) {
        tell(to_string(status), error ? described(*error) : Json());
    });
}

/// `{"id":1,"do":"send","name":"lobby","event":"shout","payload":{}}` is answered with `{"id":1,"ok":true}`
/// or
/// `{"id":1,"error":{...}}`.
void obey(RealtimeClient& client, const Json& command) {
    const auto answer = [id = command.at("id")](const phx::Result<phx::Reply>& result) {
        result ? say({{"id", id}, {"ok", true}}) : say({{"id", id}, {"error", described(result.error())}});
    };
    const std::string what = command.at("do");
    if (what == "set_auth") {
        client.set_auth(command.at("token"));
        return say({{"id", command.at("id")}, {"ok", true}});
    }
    const auto channel = client.channel(command.at("name").get<std::string>(), options_of(command));
    if (what == "subscribe") {
        listen(channel, command);
        subscribe(channel).then(answer);
    } else if (what == "send") {
        channel.send(command.at("event").get<std::string>(), command.at("payload")).then(answer);
    } else if (what == "send_binary") {
        const auto bytes = command.at("bytes").get<std::vector<unsigned char>>();
        channel.send_binary(command.at("event").get<std::string>(), std::as_bytes(std::span(bytes)))
            .then(answer);
    } else if (what == "track") {
        channel.track(command.at("payload")).then(answer);
    } else if (what == "untrack") {
        channel.untrack().then(answer);
    } else if (what == "unsubscribe") {
        channel.unsubscribe().then(answer);
    } else if (what == "presence_state") {
        say({{"id", command.at("id")}, {"ok", channel.presence_state()}});
    } else {
        throw std::invalid_argument("no command is named " + what);
    }
}

} // namespace

int main(int argc, char** argv) {
    const char* const api_key = std::getenv("PHX_REALTIME_API_KEY");
    if (argc != 3 || api_key == nullptr) {
        std::cerr << "usage: PHX_REALTIME_API_KEY=KEY realtime_peer URL VSN\n";
        return 2;
    }
    phx::realtime::RealtimeOptions options;
    options.api_key = api_key;
    options.socket.vsn = std::string_view(argv[2]) == "1.0.0" ? phx::Vsn::v1 : phx::Vsn::v2;
    options.socket.retry.first_connect = {{phx::Millis(20)}, phx::Jitter::none};
    options.socket.retry.reconnect = {{phx::Millis(20)}, phx::Jitter::none};
    try {
        phx::Loop loop;
        RealtimeClient client(loop, argv[1], std::move(options));
        client.socket().on_error([](const phx::Error& error) { say({{"failed", described(error)}}); });
        for (std::string line; std::getline(std::cin, line);) obey(client, Json::parse(line));
    } catch (const std::exception& failure) {
        std::cerr << "realtime_peer: " << failure.what() << '\n';
        return 1;
    }
    return 0;
}
