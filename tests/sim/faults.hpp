#pragma once

#include "tests/sim/application.hpp"
#include "tests/sim/trace.hpp"
#include "tests/sim/user.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phx::sim {

/// What goes wrong in a world: at random times until end().
class Faults {
public:
    struct Server {
        std::unique_ptr<ChatApplication> application;
        std::unique_ptr<ServerNode> node;
    };

    Faults(VirtualClock&, VirtualNetwork&, std::vector<Server>&, std::vector<std::unique_ptr<User>>&,
           const Trace&, std::uint64_t seed);

    void start(Duration mean_interval);
    /// From now on everything works, but nobody is told of what broke before.
    void end();

    std::uint64_t count() const noexcept { return count_; }

private:
    void schedule();
    void inject();
    void break_link();
    void restart(Server&);
    void deploy();
    void refuse(Server&);
    void change_weather();
    void suspend_somebody();
    void kick_somebody();
    LinkQuality weather();
    std::optional<LinkId> any_link();
    Server& any_server() { return servers_[chance_.below(servers_.size())]; }
    VirtualNetwork::Heard anybody() { return static_cast<VirtualNetwork::Heard>(chance_.below(4)); }
    void say(const std::string& what) { trace_.line(clock_.now(), "fault: " + what); }
    /// Later, if there are faults at all then.
    void later(Duration wait, VirtualClock::Task task);

    VirtualClock& clock_;
    VirtualNetwork& network_;
    std::vector<Server>& servers_;
    std::vector<std::unique_ptr<User>>& users_;
    const Trace& trace_;
    Chance chance_;
    Duration mean_interval_{0};
    bool is_on_ = false;
    LinkQuality best_;
    LinkQuality worst_;
    TimePoint hanging_until_ = TimePoint::min();
    std::uint64_t count_ = 0;
};

} // namespace phx::sim
