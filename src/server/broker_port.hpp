#pragma once

#include "phx/server/broker.hpp"
#include "protocol/server/server_machine.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace phx::shell {

/// Between a machine and its node of the broker: carries out the machine's orders, and gives it what the
/// broker tells. Loop thread only.
class BrokerPort {
public:
    /// What it needs of who drives the machine.
    struct Driver {
        Function<void(Function<void()>)> post = {}; ///< as NodeConfig::post
        Function<protocol::TimePoint()> now = {};
        Function<void()> pump = {}; ///< the machine has outputs
        Function<void(const Error&)> report = {};
    };
    BrokerPort(phx::server::Broker&, std::string node, protocol::server::ServerMachine&, Driver);

    void on(const protocol::server::act::Subscribe&);
    void on(const protocol::server::act::Unsubscribe&);
    void on(const protocol::server::act::Publish&);
    void on(const protocol::server::act::ReadHistory&);
    void on(const protocol::server::act::PutPresence&);
    void on(const protocol::server::act::DropPresence&);

    phx::server::BrokerNode& node() noexcept { return *node_; }

private:
    protocol::server::ServerMachine& machine_;
    Driver driver_;
    std::unique_ptr<phx::server::BrokerNode> node_; // last: what it calls is still there when it ends
};

} // namespace phx::shell
