// attack_load PORT PID SECONDS ATTACK: round trips of one client that behaves while another thread attacks
// the server that listens on PORT and is process PID; printed as JSON. ATTACK is one of
//
//   none            nothing else happens
//   idle COUNT      so many connections come, join a topic and stay
//   messages        one connection pushes as fast as it is answered, a thousand at a time
//   slow-reader     a member of a busy topic, 20 MB/s, reads nothing, and comes again when it is closed
//   slowloris COUNT so many connections send a byte of an HTTP request now and then
#include "bench/client/frames.hpp"
#include "bench/client/measure.hpp"
#include "bench/server/connections.hpp"
#include "bench/server/process.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::string join_of(std::string_view topic) { return push_of(topic, "phx_join", "{}"); }

using Flag = std::atomic<bool>;
void ignore(std::size_t, std::string_view) {}

void attack_idle(int port, std::size_t count, const Flag& is_over) {
    Connections connections(port);
    connections.open(count, [](std::size_t) { return join_of("attack:idle"); });
    while (!is_over) connections.read_for(10, ignore);
}

void attack_with_messages(int port, std::size_t, const Flag& is_over) {
    constexpr std::size_t window = 1'000;
    Connections connections(port);
    connections.open(1, [](std::size_t) { return join_of("attack:messages"); });
    const std::string push =
        push_of("attack:messages", "ask", R"({"body":")" + std::string(150, 'x') + "\"}");
    std::string batch;
    for (std::size_t i = 0; i < window; ++i) batch += push;
    connections.send(0, batch);
    for (std::size_t answered = 0; !is_over; answered = 0) {
        connections.read_for(10, [&](std::size_t, std::string_view) { ++answered; });
        connections.send(0, std::string_view(batch).substr(0, answered * push.size()));
    }
}

/// Blocking, with the smallest buffer; nobody reads from it.
class SlowReader {
public:
    explicit SlowReader(int port) : fd_(connect_to(port, 0)) {
        const int bytes = 4096;
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        const std::string all = std::string(upgrade_request) + join_of("attack:slow");
        if (send(fd_, all.data(), all.size(), MSG_NOSIGNAL) < 0) throw std::runtime_error("send");
    }
    ~SlowReader() { close(fd_); }
    SlowReader(const SlowReader&) = delete;
    SlowReader& operator=(const SlowReader&) = delete;

private:
    int fd_;
};

void attack_as_slow_reader(int port, std::size_t, const Flag& is_over) {
    constexpr auto life = std::chrono::seconds(1); // 8 MiB are full by then
    Connections publisher(port);
    publisher.open(1, [](std::size_t) { return join_of("attack:slow"); });
    const std::string push = push_of("attack:slow", "shout", '"' + std::string(20'000, 'x') + '"');
    auto reader = std::make_unique<SlowReader>(port);
    auto since = Clock::now();
    while (!is_over) {
        publisher.send(0, push);
        publisher.read_for(1, ignore);
        if (Clock::now() - since < life) continue;
        reader = std::make_unique<SlowReader>(port);
        since = Clock::now();
    }
}

void attack_with_slow_headers(int port, std::size_t count, const Flag& is_over) {
    constexpr std::string_view begin = "GET /socket/websocket HTTP/1.1\r\nx-slow: ";
    std::vector<int> all(count, -1);
    for (std::size_t i = 0; !is_over; i = (i + 1) % count) {
        if (all[i] < 0) {
            all[i] = connect_to(port, i);
            send(all[i], begin.data(), begin.size(), MSG_NOSIGNAL);
        } else if (send(all[i], "a", 1, MSG_NOSIGNAL) < 0) { // it was refused: again
            close(std::exchange(all[i], -1));
        }
        if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    for (const int fd : all)
        if (fd >= 0) close(fd);
}

using Attack = std::function<void(int port, std::size_t count, const Flag& is_over)>;

Attack attack_of(const std::string& name) {
    if (name == "none") return [](int, std::size_t, const Flag&) {};
    if (name == "idle") return attack_idle;
    if (name == "messages") return attack_with_messages;
    if (name == "slow-reader") return attack_as_slow_reader;
    if (name == "slowloris") return attack_with_slow_headers;
    throw std::invalid_argument("there is no attack " + name);
}

/// A thousand round trips a second at the most.
struct Bystander {
    explicit Bystander(int port) : connections(port) {
        connections.open(1, [](std::size_t) { return join_of("bench:bystander"); });
    }
    void go_on(double seconds, const Process& server) {
        const std::string push = push_of("bench:bystander", "ask", R"({"body":"x"})");
        const Stopwatch watch;
        while (watch.seconds() < seconds) {
            const auto start = Clock::now();
            connections.send(0, push);
            for (std::size_t got = 0; got == 0;)
                connections.read([&](std::size_t, std::string_view) { ++got; });
            times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
            if (times.size() % 16 == 0) most_kb = std::max(most_kb, server.resident_kb());
            connections.read_for(1, ignore);
        }
        std::sort(times.begin(), times.end());
    }
    Connections connections;
    std::vector<double> times;
    std::size_t most_kb = 0;
};

int run(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr,
                     "usage: attack_load PORT PID SECONDS ATTACK [COUNT]; see the head of its source\n");
        return 2;
    }
    const int port = std::atoi(argv[1]);
    const Process server(std::atoi(argv[2]));
    const std::size_t count = argc > 5 ? std::strtoul(argv[5], nullptr, 10) : 1;
    const Attack attack = attack_of(argv[4]);
    Bystander bystander(port);
    const std::size_t kb_before = server.resident_kb();
    Flag is_over{false};
    std::string complaint;
    std::thread attacker([&] {
        try {
            attack(port, count, is_over);
        } catch (const std::exception& error) {
            complaint = error.what();
        }
    });
    bystander.go_on(std::atof(argv[3]), server);
    is_over = true;
    attacker.join();
    if (!complaint.empty()) throw std::runtime_error(complaint);
    const auto& times = bystander.times;
    std::printf("{\"count\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"longest_us\":%.1f,\"kb_before\":%zu,\"kb_"
                "most\":%zu}\n",
                times.size(), times[times.size() / 2], times[times.size() * 99 / 100], times.back(),
                kb_before, bystander.most_kb);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "attack_load: %s\n", error.what());
        return 1;
    }
}
