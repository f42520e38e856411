#pragma once

#include "tests/sim/faults.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace phx::sim {

/// What became of one seed, or of many.
struct Report {
    std::uint64_t seeds = 0;
    std::uint64_t pushes = 0;
    std::uint64_t messages = 0; ///< delivered to channels
    std::uint64_t faults = 0;
    std::uint64_t connects = 0;
    std::uint64_t gaps = 0;
    std::uint64_t packets = 0;
    Duration virtual_time{0};
    std::uint64_t digest = 0; ///< of one seed: equal runs have equal ones
    std::vector<std::string> findings = {};

    void add(const Report&);
};

/// Servers, clients, users and faults, all of one seed: a busy time with faults, a quiet one without, and
/// then everybody disconnects.
class World {
public:
    World(std::uint64_t seed, const Trace&);
    Report run();

private:
    void add_server();
    void add_user();
    protocol::ClientConfig client_config(std::size_t number);
    void let_users_act();
    void act_later(User&, Duration mean_interval);
    void audit_content();
    void audit_rest();
    Report report() const;

    Chance chance_;
    const Trace& trace_;
    VirtualClock clock_;
    VirtualNetwork network_;
    Findings findings_;
    Framing framing_;
    std::vector<Faults::Server> servers_;
    std::vector<std::unique_ptr<User>> users_;
    std::unique_ptr<Faults> faults_;
    bool is_busy_ = true;
};

} // namespace phx::sim
