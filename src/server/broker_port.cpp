#include "src/server/broker_port.hpp"

#include "protocol/server/publication.hpp"

#include <utility>
#include <vector>

namespace phx::shell {

using namespace protocol::server;
using phx::server::PresenceEntry;

BrokerPort::BrokerPort(phx::server::Broker& broker, std::string node, ServerMachine& machine, Driver driver)
    : machine_(machine), driver_(std::move(driver)) {
    phx::server::NodeConfig config;
    config.name = std::move(node);
    config.post = [this](Function<void()> call) { driver_.post(std::move(call)); };
    config.on_publication = [this](std::string_view ns, std::string_view key, std::string_view bytes) {
        machine_.handle_publication(driver_.now(), ns, key, bytes);
        driver_.pump();
    };
    config.on_presence = [this](std::string_view ns, std::string_view key,
                                const std::vector<PresenceEntry>& joined,
                                const std::vector<PresenceEntry>& left) {
        machine_.handle_presence(driver_.now(), ns, key, joined, left);
        driver_.pump();
    };
    node_ = broker.attach(std::move(config));
    node_->subscribe(node_ns, all_nodes, [this](const Result<std::vector<PresenceEntry>>& answer) {
        if (!answer) driver_.report(answer.error());
    });
}

void BrokerPort::on(const act::Subscribe& order) {
    node_->subscribe(order.ns, order.key,
                     [this, id = order.id](const Result<std::vector<PresenceEntry>>& present) {
                         if (present) {
                             machine_.handle_subscribed(driver_.now(), id, *present);
                         } else {
                             machine_.handle_subscribe_failed(driver_.now(), id);
                             driver_.report(present.error());
                         }
                         driver_.pump();
                     });
}

void BrokerPort::on(const act::Unsubscribe& order) { node_->unsubscribe(order.ns, order.key); }

void BrokerPort::on(const act::Publish& order) {
    auto done = [this](const Result<void>& published) {
        if (!published) driver_.report(published.error());
    };
    if (order.kept == nullptr) return node_->publish(order.ns, order.key, order.bytes, std::move(done));
    node_->publish_kept(order.ns, order.key, order.unix_ms, order.bytes, *order.kept, std::move(done));
}

void BrokerPort::on(const act::ReadHistory& order) {
    node_->read_history(
        order.ns, order.key, order.since_ms, order.limit,
        [this, member = order.member](Result<std::vector<phx::server::BrokerNode::Bytes>> past) {
            if (past) {
                machine_.handle_history(driver_.now(), member, *std::move(past));
            } else {
                machine_.handle_history_failed(driver_.now(), member);
                driver_.report(past.error());
            }
            driver_.pump();
        });
}

void BrokerPort::on(const act::PutPresence& order) {
    node_->put_presence(order.ns, order.key, order.id, order.value);
}

void BrokerPort::on(const act::DropPresence& order) { node_->drop_presence(order.ns, order.key, order.id); }

} // namespace phx::shell
