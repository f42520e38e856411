// server_load PORT PID MODE ARGUMENTS: one measurement of the server that listens on PORT and is process PID,
// by one thread; printed as JSON. It fails when something that is owed does not arrive.
//
//   fanout SUBSCRIBERS WINDOW SECONDS     so many publishes are outstanding; one is done when all have it
//   paced SUBSCRIBERS PER_SECOND SECONDS  evenly spread, the next one when all have the one before
//   echo CONNECTIONS WINDOW SECONDS       each has so many pushes outstanding
//   active IDLE COUNT                     round trips of one connection beside so many idle ones
//   connect CONNECTIONS                   connects and joins them all to one topic
//   connect-tls CONNECTIONS               the same over TLS, one after the other
//   topics TOPICS                         joins so many topics (hundreds), 100 on each connection
//   presence MEMBERS JOINS                so many are present; more join one by one
#include "bench/client/frames.hpp"
#include "bench/client/measure.hpp"
#include "bench/server/connections.hpp"
#include "bench/server/process.hpp"
#include "bench/server/tls_connections.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t message_bytes = 200; // of what is delivered, without the WebSocket header

/// From its making on.
class Measurement {
public:
    explicit Measurement(const Process& server)
        : server_(server), cpu_before_(server.cpu_seconds()), kb_before_(server.resident_kb()) {}
    double seconds() const { return watch_.seconds(); }
    void stop(std::size_t count) {
        count_ = count;
        seconds_ = watch_.seconds();
        load_cpu_ = watch_.cpu_seconds();
        server_cpu_ = server_.cpu_seconds() - cpu_before_;
    }
    void print(double median_us = 0) const {
        std::printf("{\"count\":%zu,\"seconds\":%.6f,\"server_cpu\":%.6f,\"load_cpu\":%.6f,"
                    "\"median_us\":%.2f,\"kb_before\":%zu,\"kb_after\":%zu}\n",
                    count_, seconds_, server_cpu_, load_cpu_, median_us, kb_before_, server_.resident_kb());
    }

private:
    const Process& server_;
    Stopwatch watch_;
    double cpu_before_;
    std::size_t kb_before_;
    std::size_t count_ = 0;
    double seconds_ = 0, load_cpu_ = 0, server_cpu_ = 0;
};

std::string join_of(std::string_view topic) { return push_of(topic, "phx_join", "{}"); }

/// A push whose broadcast, which has null for both refs, has message_bytes.
std::string message_of(std::string_view topic) {
    const std::size_t around =
        std::string_view(R"([null,null,"","shout",{"body":""}])").size() + topic.size();
    return push_of(topic, "shout", R"({"body":")" + std::string(message_bytes - around, 'x') + "\"}");
}

/// Counts deliveries, and the publishes that everybody has got.
class Deliveries {
public:
    Deliveries(std::size_t subscribers, std::size_t window)
        : seen_(subscribers), missing_(window, subscribers) {}
    void take(std::size_t who, std::string_view text) {
        if (text.size() != message_bytes) {
            if (!Connections::is_reply(text)) throw std::runtime_error("an unexpected frame");
            return;
        }
        ++count;
        std::size_t& missing = missing_[seen_[who]++ % missing_.size()];
        if (--missing > 0) return;
        missing = seen_.size();
        ++complete;
    }
    std::size_t count = 0;
    std::size_t complete = 0;

private:
    std::vector<std::size_t> seen_;
    std::vector<std::size_t> missing_; // of each outstanding publish: how many do not have it yet
};

void fan_out(Connections& connections, const Process& server, std::size_t subscribers, std::size_t window,
             double seconds) {
    constexpr double warm_up = 0.1;
    connections.open(subscribers, [](std::size_t) { return join_of("bench:fanout"); });
    const std::string publish = message_of("bench:fanout");
    std::string batch;
    for (std::size_t i = 0; i < window; ++i) batch += publish;
    Deliveries deliveries(subscribers, window);
    connections.send(0, batch);
    const auto run_for = [&](double time) {
        Measurement measurement(server);
        const std::size_t before = deliveries.count;
        while (measurement.seconds() < time) {
            deliveries.complete = 0;
            connections.read([&](std::size_t who, std::string_view text) { deliveries.take(who, text); });
            connections.send(0, std::string_view(batch).substr(0, deliveries.complete * publish.size()));
        }
        measurement.stop(deliveries.count - before);
        return measurement;
    };
    (void)run_for(warm_up);
    run_for(seconds).print();
}

void paced(Connections& connections, const Process& server, std::size_t subscribers, std::size_t per_second,
           double seconds) {
    connections.open(subscribers, [](std::size_t) { return join_of("bench:fanout"); });
    const std::string publish = message_of("bench:fanout");
    Deliveries deliveries(subscribers, 1);
    const std::size_t publishes = static_cast<std::size_t>(seconds * static_cast<double>(per_second));
    Measurement measurement(server);
    for (std::size_t sent = 0; deliveries.complete < publishes;) {
        const double left =
            static_cast<double>(sent) / static_cast<double>(per_second) - measurement.seconds();
        if (left <= 0 && sent == deliveries.complete && sent < publishes) {
            connections.send(0, publish);
            ++sent;
        }
        connections.read_for(left > 0 ? static_cast<int>(left * 1e3) : 1,
                             [&](std::size_t who, std::string_view text) { deliveries.take(who, text); });
    }
    measurement.stop(deliveries.count);
    measurement.print();
}

void echo(Connections& connections, const Process& server, std::size_t count, std::size_t window,
          double seconds) {
    connections.open(count, [](std::size_t) { return join_of("bench:echo"); });
    const std::string push = push_of("bench:echo", "ask", R"({"body":")" + std::string(150, 'x') + "\"}");
    std::string batch;
    for (std::size_t i = 0; i < window; ++i) batch += push;
    for (std::size_t i = 0; i < count; ++i) connections.send(i, batch);
    std::vector<std::size_t> answered(count);
    std::vector<std::size_t> busy;
    std::size_t replies = 0;
    Measurement measurement(server);
    while (measurement.seconds() < seconds) {
        connections.read([&](std::size_t who, std::string_view) {
            ++replies;
            if (answered[who]++ == 0) busy.push_back(who);
        });
        for (const std::size_t who : busy)
            connections.send(
                who, std::string_view(batch).substr(0, std::exchange(answered[who], 0) * push.size()));
        busy.clear();
    }
    measurement.stop(replies);
    measurement.print();
}

void active(Connections& connections, const Process& server, std::size_t idle, std::size_t count) {
    connections.open(idle + 1, [](std::size_t) { return join_of("bench:echo"); });
    const std::string push = push_of("bench:echo", "ask", R"({"body":"x"})");
    std::vector<double> times;
    Measurement measurement(server);
    for (std::size_t i = 0; i < count; ++i) {
        const auto start = Clock::now();
        connections.send(0, push);
        for (std::size_t got = 0; got == 0;) connections.read([&](std::size_t, std::string_view) { ++got; });
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    measurement.stop(count);
    measurement.print(median(times));
}

void connect(Connections& connections, const Process& server, std::size_t count) {
    Measurement measurement(server);
    connections.open(count, [](std::size_t) { return join_of("bench:echo"); });
    measurement.stop(count);
    connections.read_for(1000, [](std::size_t, std::string_view) {}); // the server comes to rest
    measurement.print();
}

void connect_over_tls(int port, const Process& server, std::size_t count) {
    TlsConnections connections(port);
    Measurement measurement(server);
    for (std::size_t i = 0; i < count; ++i) connections.open(upgrade_request, join_of("bench:echo"));
    measurement.stop(count);
    measurement.print();
}

void join_topics(Connections& connections, const Process& server, std::size_t topics) {
    constexpr std::size_t per_connection = 100, at_once = 64;
    const auto join = [](std::size_t who, std::size_t which) {
        return join_of("bench:" + std::to_string(who) + ':' + std::to_string(which));
    };
    connections.open(topics / per_connection, [&](std::size_t who) { return join(who, 0); });
    constexpr std::size_t further = per_connection - 1; // on each
    const std::size_t all = connections.size() * further;
    std::size_t joined = 0, asked = 0;
    Measurement measurement(server);
    while (joined < all) {
        for (; asked < all && asked - joined < at_once; ++asked)
            connections.send(asked / further, join(asked / further, 1 + asked % further));
        connections.read([&](std::size_t, std::string_view text) { joined += Connections::is_reply(text); });
    }
    measurement.stop(all);
    measurement.print();
}

/// Members of a realtime channel. What each has been told of the others is counted by the phx_ref of the
/// metas, however they are spread over diffs.
class Members {
public:
    explicit Members(Connections& connections) : connections_(connections) {}

    void join(std::size_t count, bool with_state) {
        const std::size_t before = connections_.size();
        const std::string config = with_state ? "true" : "false";
        connections_.open(
            count,
            [&](std::size_t) {
                return push_of(topic, "phx_join", R"({"config":{"presence":{"enabled":)" + config + "}}}");
            },
            [this](std::size_t, std::string_view text) { take(text); });
        for (std::size_t i = 0; i < count; ++i) {
            if (with_state) expected_ += present_;
            connections_.send(before + i, track);
        }
        present_ += count;
        expected_ += count * connections_.size();
        while (heard_ < expected_) {
            send_heartbeats();
            connections_.read([this](std::size_t, std::string_view text) { take(text); });
        }
    }

private:
    static constexpr std::string_view topic = "realtime:bench";
    const std::string track =
        push_of(topic, "presence", R"({"type":"presence","event":"track","payload":{"name":"someone"}})");

    const std::string heartbeat = frame_of(R"([null,"1","phoenix","heartbeat",{}])");

    void take(std::string_view text) {
        constexpr std::string_view mark = "\"phx_ref\"";
        const auto next = [&] { return memmem(text.data(), text.size(), mark.data(), mark.size()); };
        while (const void* const found = next()) {
            const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
            text.remove_prefix(at + mark.size());
            ++heard_;
        }
    }

    /// In time for the idle timeout: what is told to 10,000 takes a while.
    void send_heartbeats() {
        constexpr auto interval = std::chrono::seconds(20);
        if (Clock::now() - last_heartbeats_ < interval) return;
        last_heartbeats_ = Clock::now();
        for (std::size_t i = 0; i < connections_.size(); ++i) connections_.send(i, heartbeat);
    }

    Connections& connections_;
    Clock::time_point last_heartbeats_ = Clock::now();
    std::size_t heard_ = 0, expected_ = 0, present_ = 0;
};

void presence(Connections& connections, const Process& server, std::size_t count, std::size_t joins) {
    constexpr std::size_t at_once = 64;
    Members members(connections);
    for (std::size_t present = 0; present < count; present += at_once)
        members.join(std::min(at_once, count - present), false);
    Measurement measurement(server);
    for (std::size_t i = 0; i < joins; ++i) members.join(1, true);
    measurement.stop(joins);
    measurement.print();
}

int run(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: server_load PORT PID MODE ARGUMENTS; see the head of its source\n");
        return 2;
    }
    const int port = std::atoi(argv[1]);
    Connections connections(port);
    const Process server(std::atoi(argv[2]));
    const std::string mode = argv[3];
    const auto number = [&](int i) { return i < argc ? std::strtoul(argv[i], nullptr, 10) : 1; };
    const double seconds = argc > 6 ? std::atof(argv[6]) : 1;
    if (mode == "fanout") return fan_out(connections, server, number(4), number(5), seconds), 0;
    if (mode == "paced") return paced(connections, server, number(4), number(5), seconds), 0;
    if (mode == "echo") return echo(connections, server, number(4), number(5), seconds), 0;
    if (mode == "active") return active(connections, server, number(4), number(5)), 0;
    if (mode == "connect") return connect(connections, server, number(4)), 0;
    if (mode == "connect-tls") return connect_over_tls(port, server, number(4)), 0;
    if (mode == "topics") return join_topics(connections, server, number(4)), 0;
    if (mode == "presence") return presence(connections, server, number(4), number(5)), 0;
    std::fprintf(stderr, "server_load: there is no mode %s\n", mode.c_str());
    return 2;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "server_load: %s\n", error.what());
        return 1;
    }
}
