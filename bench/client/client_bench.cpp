// client_bench PORT receive|send|push|call|raw-receive|raw-send|raw-call COUNT [BYTES|WINDOW [CHANNELS]]
// One measurement against client_peer; prints it as JSON.
#include "bench/client/measure.hpp"
#include "bench/client/raw_client.hpp"
#include "phx/phx.hpp"
#include "tests/support/alloc_count.hpp"

#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using phx::test::AllocationCount;

/// A JSON object of so many bytes.
std::string payload_of(std::size_t bytes) { return R"({"body":")" + std::string(bytes - 11, 'x') + "\"}"; }

struct Client {
    explicit Client(int port, phx::SocketOptions options = {})
        : socket(loop, "ws://127.0.0.1:" + std::to_string(port) + "/socket", std::move(options)) {
        socket.on_error([](const phx::Error& error) {
            std::cerr << error.message << '\n';
            std::_Exit(1);
        });
        socket.connect();
    }
    phx::Channel join(const std::string& topic) {
        phx::Channel channel = socket.channel(topic);
        channel.join().wait().value();
        return channel;
    }
    phx::Loop loop;
    phx::Socket socket;
};

void receive(int port, std::size_t count, std::size_t bytes) {
    Client client(port);
    auto room = client.join("bench:flood:" + std::to_string(count) + ':' + std::to_string(bytes));
    std::size_t seen = 0, characters = 0;
    std::uint64_t early = 0, late = 0; // allocations after a tenth, and at the end
    std::unique_ptr<AllocationCount> allocations;
    room.on("shout", [&](const phx::Message& message) {
        characters += message.text().size();
        if (++seen == count / 10) allocations = std::make_unique<AllocationCount>();
        if (seen == count / 10 + 1) early = allocations->allocations();
        if (seen == count) late = allocations->allocations();
    });
    const Stopwatch watch;
    room.push("go", phx::Json::object(), std::chrono::minutes(1)).wait().value();
    const double seconds = watch.seconds();
    if (seen != count || characters == 0) std::_Exit(1);
    print_result(count, seconds, watch.cpu_seconds(), 0, late - early);
}

/// Sends from the loop's thread, a batch in each turn.
void send(int port, std::size_t count, const std::string& payload) {
    Client client(port);
    auto room = client.join("bench:sink:" + std::to_string(count));
    std::promise<void> answered;
    std::size_t left = count;
    constexpr std::size_t batch = 1000;
    std::function<void()> turn = [&] {
        for (std::size_t i = 0; i < batch && left > 0; ++i, --left)
            (void)room.send("cursor", payload).has_value();
        if (left == 0) {
            room.push("done", phx::Json::object(), std::chrono::minutes(1))
                .receive("ok", [&](const phx::Reply&) { answered.set_value(); });
            return;
        }
        client.loop.post([&turn] { turn(); });
    };
    const Stopwatch watch;
    const AllocationCount allocations;
    client.loop.post([&turn] { turn(); });
    answered.get_future().wait();
    print_result(count, watch.seconds(), watch.cpu_seconds(), 0, allocations.allocations());
}

/// `window` requests are out at any time, spread over `channels`; each has a callback.
void call(int port, std::size_t count, std::size_t window, const std::string& payload, std::size_t channels) {
    Client client(port);
    std::vector<phx::Channel> rooms;
    rooms.push_back(client.join("bench:echo"));
    for (std::size_t i = 1; i < channels; ++i) {
        rooms.push_back(client.join("bench:echo:" + std::to_string(i)));
        rooms.back().on("never", [](const phx::Message&) {});
    }
    std::promise<void> done;
    std::size_t sent = 0, got = 0;
    std::vector<double> times;
    double before = 0;
    const Stopwatch watch;
    const AllocationCount allocations;
    std::function<void()> ask = [&] {
        rooms[sent++ % channels].push_text("ask", payload).then([&](const phx::Result<phx::Reply>& reply) {
            if (!reply) std::_Exit(1);
            if (window == 1) {
                const double now = watch.seconds();
                times.push_back((now - before) * 1e6);
                before = now;
            }
            if (sent < count) ask();
            if (++got == count) done.set_value();
        });
    };
    client.loop.post([&] {
        for (std::size_t i = 0; i < window && i < count; ++i) ask();
    });
    done.get_future().wait();
    print_result(count, watch.seconds(), watch.cpu_seconds(), median(times), allocations.allocations());
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    const int port = std::atoi(argv[1]);
    const std::string mode = argv[2];
    const std::size_t count = std::strtoul(argv[3], nullptr, 10);
    const std::size_t third = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 200;
    const std::size_t channels = argc > 5 ? std::strtoul(argv[5], nullptr, 10) : 1;
    const std::string payload = payload_of(200);
    if (mode == "receive")
        receive(port, count, third);
    else if (mode == "send")
        send(port, count, payload);
    else if (mode == "call")
        call(port, count, third, payload, channels);
    else if (mode == "raw-receive")
        raw_receive(port, count, third);
    else if (mode == "raw-send")
        raw_send(port, count, payload);
    else if (mode == "raw-call")
        raw_call(port, count, third, payload);
    else
        return 2;
}
