#include "tests/sim/world.hpp"

#include <chrono>
#include <utility>

namespace phx::sim {

using namespace std::chrono_literals;
using namespace protocol;

void Report::add(const Report& other) {
    seeds += other.seeds;
    pushes += other.pushes;
    messages += other.messages;
    faults += other.faults;
    connects += other.connects;
    gaps += other.gaps;
    packets += other.packets;
    virtual_time += other.virtual_time;
    findings.insert(findings.end(), other.findings.begin(), other.findings.end());
}

World::World(std::uint64_t seed, const Trace& trace)
    : chance_(seed), trace_(trace), network_(clock_, chance_.next()),
      framing_(chance_.one_in(4) ? Framing::bytes : Framing::messages) {
    const std::size_t servers = chance_.one_in(4) ? 2 + chance_.below(2) : 1;
    for (std::size_t i = 0; i < servers; ++i) add_server();
    const std::size_t users = chance_.one_in(20) ? 10 + chance_.below(20) : 1 + chance_.below(4);
    for (std::size_t i = 0; i < users; ++i) add_user();
    faults_ = std::make_unique<Faults>(clock_, network_, servers_, users_, trace_, chance_.next());
}

void World::add_server() {
    protocol::server::ServerConfig config;
    config.seed = chance_.next();
    config.max_held_frames = 1 + chance_.below(chance_.one_in(2) ? 4 : 64);
    config.max_waiting_replies = 1 + chance_.below(64);
    auto application = std::make_unique<ChatApplication>(servers_.size() + 1, chance_.next(), findings_);
    auto node = std::make_unique<ServerNode>(clock_, network_, std::move(config), framing_, *application);
    servers_.push_back({std::move(application), std::move(node)});
}

void World::add_user() {
    const std::size_t number = users_.size() + 1;
    User::Setup setup;
    setup.number = number;
    setup.seed = chance_.next();
    setup.config = client_config(number);
    setup.framing = framing_;
    setup.host = servers_[chance_.below(servers_.size())].node->host();
    users_.push_back(std::make_unique<User>(clock_, network_, trace_, std::move(setup)));
}

ClientConfig World::client_config(std::size_t number) {
    ClientConfig config;
    config.seed = chance_.next();
    config.vsn = chance_.one_in(4) ? Vsn::v1 : Vsn::v2;
    config.target.url = request_of(config.vsn, number);
    config.ask_target = chance_.one_in(4);
    config.max_attempts = chance_.one_in(8) ? 1 + static_cast<unsigned>(chance_.below(10)) : 0;
    config.heartbeat_interval = chance_.between(5s, 45s);
    config.timeout = chance_.between(1s, 15s);
    config.max_waiting_pushes = chance_.one_in(4) ? 1 + chance_.below(8) : 1000;
    config.channel = any_channel_config(chance_);
    config.in_flight = chance_.one_in(3) ? InFlight::wait : InFlight::fail;
    config.first_connect.jitter = any_jitter(chance_);
    config.reconnect.jitter = any_jitter(chance_);
    return config;
}

// ---- the phases of a run

Report World::run() {
    let_users_act();
    faults_->start(chance_.between(500ms, 20s));
    clock_.run_for(chance_.between(10s, 3min));

    is_busy_ = false;
    faults_->end();
    for (auto& user : users_) user->settle();
    // A half-open link, a Retry-After, the longest steps of both ladders, and the patience of who was given
    // up.
    clock_.run_for(5min);
    audit_content();

    for (auto& user : users_) user->disconnect();
    clock_.run_for(3min); // servers find out about links that are half open
    audit_rest();
    return report();
}

void World::let_users_act() {
    for (auto& user : users_) {
        user->connect();
        act_later(*user, chance_.between(100ms, 3s));
    }
}

void World::act_later(User& user, Duration mean_interval) {
    clock_.after(chance_.between(0s, 2 * mean_interval), [this, &user, mean_interval] {
        if (!is_busy_) return;
        user.act();
        act_later(user, mean_interval);
    });
}

void World::audit_content() {
    for (auto& server : servers_) {
        std::size_t joined = 0;
        for (auto& user : users_) {
            if (user->node().host() != server.node->host()) continue;
            user->expect_content(*server.application);
            joined += user->joined();
        }
        if (server.node->machine().members() != joined) {
            findings_.add("a server has " + std::to_string(server.node->machine().members()) +
                          " members, its clients " + std::to_string(joined));
        }
    }
}

void World::audit_rest() {
    for (auto& user : users_) user->expect_at_rest();
    for (auto& server : servers_) {
        const protocol::server::ServerMachine& machine = server.node->machine();
        if (machine.sessions() + machine.members() + machine.topics() != 0)
            findings_.add("a server keeps what belongs to nobody");
        if (machine.next_timeout()) findings_.add("a server without connections has a timer");
        if (server.node->most_timeouts_at_once() >= ServerNode::timeouts_that_spin)
            findings_.add("a server's timer spins");
    }
    if (!network_.links().empty()) findings_.add("a link was never let go of");
}

Report World::report() const {
    Report report;
    report.seeds = 1;
    report.faults = faults_->count();
    report.packets = network_.totals().packets;
    report.virtual_time = clock_.now().time_since_epoch();
    report.digest = network_.totals().digest;
    report.findings = findings_.all();
    for (const auto& user : users_) {
        report.pushes += user->pushes();
        report.messages += user->messages();
        report.connects += user->opens();
        report.gaps += user->gaps();
        const std::string name = "user " + std::to_string(&user - users_.data() + 1) + ": ";
        for (const std::string& finding : user->findings().all()) report.findings.push_back(name + finding);
    }
    return report;
}

} // namespace phx::sim
