#include "tests/sim/faults.hpp"

#include <chrono>
#include <utility>

namespace phx::sim {

using namespace std::chrono_literals;

Faults::Faults(VirtualClock& clock, VirtualNetwork& network, std::vector<Server>& servers,
               std::vector<std::unique_ptr<User>>& users, const Trace& trace, std::uint64_t seed)
    : clock_(clock), network_(network), servers_(servers), users_(users), trace_(trace), chance_(seed) {
    change_weather();
    network_.weather = [this] { return weather(); };
}

void Faults::start(Duration mean_interval) {
    mean_interval_ = mean_interval;
    is_on_ = true;
    schedule();
}

void Faults::end() {
    is_on_ = false;
    for (Server& server : servers_) {
        if (server.node->is_up() && server.node->is_draining())
            server.node->crash(VirtualNetwork::Heard::by_both);
        server.node->start();
        server.application->refusal.reset();
        server.application->is_kind = true;
    }
    best_ = {10ms, 0s, {}, 0, 0, false};
    network_.improve(weather());
}

void Faults::schedule() {
    later(chance_.between(Duration{0}, 2 * mean_interval_), [this] {
        inject();
        schedule();
    });
}

void Faults::later(Duration wait, VirtualClock::Task task) {
    clock_.after(wait, [this, run = std::move(task)] {
        if (is_on_) run();
    });
}

void Faults::inject() {
    ++count_;
    switch (chance_.below(20)) {
    case 0: return restart(any_server());
    case 1: return deploy();
    case 2:
    case 3: return refuse(any_server());
    case 4:
    case 5: return suspend_somebody();
    case 6:
    case 7: return kick_somebody();
    case 8: return change_weather();
    case 9: hanging_until_ = clock_.now() + chance_.between(1s, 15s); return say("connects hang");
    default: return break_link();
    }
}

std::optional<LinkId> Faults::any_link() {
    const auto links = network_.links();
    return links.empty() ? std::nullopt : std::optional(links[chance_.below(links.size())]);
}

void Faults::break_link() {
    const auto link = any_link();
    if (!link) return;
    const Side side = chance_.one_in(2) ? Side::client : Side::server;
    const std::string name = " link " + std::to_string(static_cast<std::uint64_t>(*link));
    switch (chance_.below(5)) {
    case 0: say("cut" + name); return network_.cut(*link, anybody());
    case 1:
    case 2:
        say("cut later" + name);
        return network_.cut_after(*link, side, chance_.below(chance_.one_in(2) ? 10 : 2000));
    case 3: say("one way only" + name); return network_.lose(*link, side);
    default: say("stall" + name); return network_.stall(*link, clock_.now() + chance_.between(1s, 30s));
    }
}

void Faults::restart(Server& server) {
    if (!server.node->is_up()) return;
    say("server crash");
    server.node->crash(anybody());
    later(chance_.between(0s, 10s), [&server] { server.node->start(); });
}

/// One server after the other: closes with 1012, then the process goes, then the next version comes.
void Faults::deploy() {
    say("deploy");
    Duration wait{0};
    for (Server& server : servers_) {
        later(wait, [&server] {
            if (server.node->is_up()) server.node->drain();
        });
        wait += chance_.between(0s, 6s);
        later(wait, [&server] {
            if (!server.node->is_up() || !server.node->is_draining()) return;
            server.node->crash(VirtualNetwork::Heard::by_both);
        });
        wait += chance_.between(0s, 2s);
        later(wait, [&server] { server.node->start(); });
    }
}

void Faults::refuse(Server& server) {
    Refusal refusal{chance_.one_in(3) ? 401 : 503, std::nullopt};
    if (chance_.one_in(2)) refusal.retry_after = chance_.between(0s, 30s);
    say("refuses with " + std::to_string(refusal.http_status));
    server.application->refusal = refusal;
    later(chance_.between(0s, 15s), [&server] { server.application->refusal.reset(); });
}

void Faults::suspend_somebody() {
    User& user = *users_[chance_.below(users_.size())];
    const Duration wait = chance_.one_in(3) ? chance_.between(1min, 5h) : chance_.between(1s, 2min);
    ++count_;
    user.suspend(wait, anybody());
    if (chance_.one_in(2)) user.act(); // before its timers
}

void Faults::kick_somebody() {
    Server& server = any_server();
    if (!server.node->is_up()) return;
    say("kick");
    const std::size_t user = chance_.below(users_.size());
    // The next connection goes wherever the load balancer likes.
    if (chance_.one_in(2)) users_[user]->node().set_host(any_server().node->host());
    server.node->machine().disconnect(clock_.now(), "user:" + std::to_string(user + 1));
    server.node->pump();
}

void Faults::change_weather() {
    say("another weather");
    best_ = {chance_.between(Duration{100}, 50ms),
             chance_.one_in(2) ? 0s : chance_.between(0s, 100ms),
             {},
             0,
             0,
             false};
    worst_ = {chance_.between(1ms, 2s),     chance_.between(0s, 1s), chance_.between(0s, 8s),
              1000 + chance_.below(50'000), 1 + chance_.below(60),   false};
}

LinkQuality Faults::weather() {
    LinkQuality quality = chance_.one_in(3) && is_on_ ? worst_ : best_;
    quality.max_chunk = worst_.max_chunk;
    quality.hangs = is_on_ && clock_.now() < hanging_until_ && chance_.one_in(2);
    return quality;
}

} // namespace phx::sim
