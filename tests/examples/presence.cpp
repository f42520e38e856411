// Who is in the room: ada watches while bob comes, types and goes.
#include <phx/phx.hpp>
#include <phx/server/server.hpp>

#include <cstdlib>
#include <future>
#include <iostream>
#include <string>

/// A room that tracks whoever joins under the "nick" of its join, until it leaves.
class PresenceServer {
public:
    PresenceServer() {
        phx::server::Handlers room;
        room.join = [](const phx::server::Context&, phx::server::PayloadView params) {
            const std::string nick = phx::parse_json(params.data).value()["nick"];
            auto answer = phx::server::JoinAnswer::ok();
            answer.then.state(nick).track(nick, R"({"typing":false})").presence_state();
            return answer;
        };
        room.handle_in = [](const phx::server::Context& context, std::string_view,
                            phx::server::PayloadView meta) {
            return phx::server::Actions().track(std::string(context.state), std::string(meta.data)).ok();
        };
        server_.channel("room:*", room);
        url_ = "ws://127.0.0.1:" + std::to_string(server_.start().value()) + "/socket";
    }
    const std::string& url() const { return url_; }

private:
    phx::server::Server server_;
    std::string url_;
};

int main() {
    PresenceServer server;
    std::promise<void> bob_came, bob_typed, bob_went;

    phx::Loop loop;
    phx::Socket socket(loop, server.url());
    auto room = socket.channel("room:lobby", {{"nick", "ada"}});
    phx::Presence presence(room); // before the join, whose state it waits for
    presence.on_join([&](const phx::PresenceEntry* before, const phx::PresenceEntry& joined) {
        std::cout << joined.key << (before ? " is here once more\n" : " came\n");
        if (joined.key == "bob") bob_came.set_value();
    });
    presence.on_update([&](const phx::PresenceEntry&, const phx::PresenceEntry& now) {
        const auto meta = phx::meta_json(now.metas.front());
        std::cout << now.key << (meta && (*meta)["typing"] == true ? " types\n" : " thinks\n");
        bob_typed.set_value();
    });
    presence.on_leave([&](const phx::PresenceEntry& now, const phx::PresenceEntry& left) {
        std::cout << left.key << (now.metas.empty() ? " went\n" : " left one device\n");
        bob_went.set_value();
    });
    socket.connect();
    if (!room.join().wait()) return 1;

    phx::Socket others(loop, server.url());
    others.connect();
    auto bob = others.channel("room:lobby", {{"nick", "bob"}});
    if (!bob.join().wait()) return 1;
    bob_came.get_future().wait();
    for (const phx::PresenceEntry& entry : presence.state()) std::cout << "here: " << entry.key << '\n';

    if (!bob.push("typing", {{"typing", true}}).wait()) return 1;
    bob_typed.get_future().wait();
    if (!bob.leave().wait()) return 1;
    bob_went.get_future().wait();
    const auto keys = presence.list([](const phx::PresenceEntry& entry) { return entry.key; });
    return keys == std::vector<std::string>{"ada"} ? 0 : 1;
}
