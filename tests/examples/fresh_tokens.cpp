// Tokens that expire: they are asked for before each connect and each join, so that none is stale after a
// reconnect.
#include "example_server.hpp"

#include <phx/phx.hpp>

#include <future>
#include <thread>

/// Stands for an identity provider that takes its time.
class Identity {
public:
    void fetch(phx::Answer<std::string> answer) {
        if (thread_.joinable()) thread_.join();
        thread_ = std::thread(
            [this, answer = std::move(answer)]() mutable { answer("token-" + std::to_string(++issued_)); });
    }
    ~Identity() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::thread thread_;
    int issued_ = 0;
};

int main() {
    ExampleServer server;
    Identity identity;
    std::promise<std::string> rejoined;
    phx::Loop loop;
    phx::SocketOptions options;
    options.auth_token = [&](phx::Answer<std::string> answer) { identity.fetch(std::move(answer)); };
    options.retry.should_reconnect = [](const phx::Error& why) {
        return why.code != phx::Errc::bad_auth; // signed out: do not knock for ever
    };
    phx::Socket socket(loop, server.url(), std::move(options));
    auto room = socket.channel("room:lobby");
    int joins = 0;
    room.set_params([&joins] { return phx::Json{{"attempt", ++joins}}; });
    room.on_gap([&](phx::Millis offline) {
        rejoined.set_value("joined again, " + std::to_string(offline.count()) + " ms may have been missed");
    });
    socket.connect();
    if (const auto joined = room.join().wait(); !joined) {
        std::cerr << joined.error().message << '\n';
        return 1;
    }
    if (!room.send("deploy", "{}")) return 1; // the server goes away, and comes back
    std::cout << rejoined.get_future().get() << '\n';
    return socket.stats().opens == 2 && joins == 2 ? 0 : 1;
}
