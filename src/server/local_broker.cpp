#include "phx/server/broker.hpp"

#include "protocol/server/history_store.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <random>
#include <tuple>
#include <utility>

namespace phx::server {

Broker::~Broker() = default;
BrokerNode::~BrokerNode() = default;

namespace {

// A change that loses this often has lost against as many that were stored.
constexpr int max_attempts = 100;

struct Name {
    std::string ns;
    std::string key;
    friend bool operator<(const Name& a, const Name& b) {
        return std::tie(a.ns, a.key) < std::tie(b.ns, b.key);
    }
};

class LocalNode;

/// So that nobody can choose topics whose hashes collide.
std::uint64_t random_seed() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
}

std::string history_name(std::string_view ns, std::string_view key) {
    std::string name(ns);
    name.push_back('\0');
    return name.append(key);
}

/// What is given to a node: called on its loop, unless the node is gone.
using Delivery = Function<void(LocalNode&)>;

/// What the nodes share. Deliveries are posted while the mutex is held, so that every node gets them in one
/// order.
class LocalBroker final : public Broker, public std::enable_shared_from_this<LocalBroker> {
public:
    explicit LocalBroker(const LocalBrokerOptions& options)
        : history(random_seed(), options.max_history_bytes) {}
    std::unique_ptr<BrokerNode> attach(NodeConfig) override;

    struct Entity {
        std::string value = {};
        std::uint64_t version = 0; ///< zero: it is not there
    };
    struct Channel {
        std::vector<LocalNode*> subscribers = {};
        std::map<std::pair<std::string, std::string>, std::string> present = {}; ///< by node and id

        bool empty() const { return subscribers.empty() && present.empty(); }
        std::vector<PresenceEntry> present_elsewhere(const std::string& node) const;
    };
    using Channels = std::map<Name, Channel>;

    /// REQUIRES the mutex
    void tell_of_presence(const Name&, const Channel&, const LocalNode& source,
                          const std::vector<PresenceEntry>& joined, const std::vector<PresenceEntry>& left);
    void forget_if_empty(Channels::iterator);
    void deliver(const LocalNode& source, std::string_view ns, std::string_view key,
                 const BrokerNode::Bytes& bytes);

    std::mutex mutex;
    Channels channels;
    std::map<Name, Entity> entities;
    protocol::server::HistoryStore history; ///< by history_name()
    std::uint64_t last_version = 0;
};

class LocalNode final : public BrokerNode {
public:
    LocalNode(std::shared_ptr<LocalBroker> broker, NodeConfig config)
        : broker_(std::move(broker)), config_(std::move(config)) {}
    ~LocalNode() override;

    void publish(std::string_view ns, std::string_view key, std::string_view bytes, Done done) override;
    void publish_kept(std::string_view ns, std::string_view key, std::int64_t unix_ms, std::string_view bytes,
                      const History& rule, Done done) override;
    void read_history(std::string_view ns, std::string_view key, std::int64_t since_ms, std::size_t limit,
                      Function<void(Result<std::vector<Bytes>>)> answered) override;
    void subscribe(std::string_view ns, std::string_view key,
                   Function<void(Result<std::vector<PresenceEntry>>)> confirmed) override;
    void unsubscribe(std::string_view ns, std::string_view key) override;
    void update_entity(std::string_view ns, std::string_view key,
                       Function<Swap(const std::string* old, bool retried)> change, Done done) override;
    void put_presence(std::string_view ns, std::string_view key, std::string_view id,
                      std::string_view value) override;
    void drop_presence(std::string_view ns, std::string_view key, std::string_view id) override;

    const std::string& name() const { return config_.name; }
    NodeConfig& config() { return config_; }
    /// REQUIRES the mutex. Each call of config().post runs the delivery that is next: their order is ours,
    /// also where a loop runs what its own thread posted later than what came from others.
    void post(Delivery delivery) {
        deliveries_.push_back(std::move(delivery));
        config_.post([node = std::weak_ptr<LocalNode*>(self_)] {
            if (const auto alive = node.lock()) (*alive)->deliver_next();
        });
    }

private:
    void deliver_next();
    Result<void> swap(const Name&, Function<Swap(const std::string*, bool)>& change);
    /// False: somebody else has changed it since.
    bool commit(const Name&, std::uint64_t version, Swap);

    const std::shared_ptr<LocalBroker> broker_;
    NodeConfig config_;
    std::deque<Delivery> deliveries_; // under the broker's mutex
    // Made and ended on the node's loop, where what was posted runs.
    const std::shared_ptr<LocalNode*> self_ = std::make_shared<LocalNode*>(this);
};

// ---- the broker

std::unique_ptr<BrokerNode> LocalBroker::attach(NodeConfig config) {
    return std::make_unique<LocalNode>(shared_from_this(), std::move(config));
}

std::vector<PresenceEntry> LocalBroker::Channel::present_elsewhere(const std::string& node) const {
    std::vector<PresenceEntry> entries;
    for (const auto& [owner, value] : present)
        if (owner.first != node) entries.push_back({owner.first, owner.second, value});
    return entries;
}

void LocalBroker::tell_of_presence(const Name& name, const Channel& channel, const LocalNode& source,
                                   const std::vector<PresenceEntry>& joined,
                                   const std::vector<PresenceEntry>& left) {
    struct News {
        Name name;
        std::vector<PresenceEntry> joined, left;
    };
    const auto news = std::make_shared<const News>(News{name, joined, left});
    for (LocalNode* const node : channel.subscribers) {
        if (node == &source || !node->config().on_presence) continue;
        node->post([news](LocalNode& to) {
            to.config().on_presence(news->name.ns, news->name.key, news->joined, news->left);
        });
    }
}

void LocalBroker::deliver(const LocalNode& source, std::string_view ns, std::string_view key,
                          const BrokerNode::Bytes& bytes) {
    const auto channel = channels.find({std::string(ns), std::string(key)});
    if (channel == channels.end()) return;
    const auto name = std::make_shared<const Name>(channel->first);
    for (LocalNode* const node : channel->second.subscribers) {
        if (node == &source || !node->config().on_publication) continue;
        node->post([name, bytes](LocalNode& to) { to.config().on_publication(name->ns, name->key, *bytes); });
    }
}

void LocalBroker::forget_if_empty(Channels::iterator channel) {
    if (channel->second.empty()) channels.erase(channel);
}

// ---- a node

LocalNode::~LocalNode() {
    const std::lock_guard lock(broker_->mutex);
    auto& channels = broker_->channels;
    for (auto channel = channels.begin(); channel != channels.end();) {
        const auto at = channel++;
        std::erase(at->second.subscribers, this);
        auto& present = at->second.present;
        std::vector<PresenceEntry> left;
        const auto first = present.lower_bound({name(), {}});
        auto last = first;
        for (; last != present.end() && last->first.first == name(); ++last)
            left.push_back({name(), last->first.second, std::move(last->second)});
        present.erase(first, last);
        if (!left.empty()) broker_->tell_of_presence(at->first, at->second, *this, {}, left);
        broker_->forget_if_empty(at);
    }
}

void LocalNode::deliver_next() {
    Delivery next;
    {
        const std::lock_guard lock(broker_->mutex);
        next = std::move(deliveries_.front());
        deliveries_.pop_front();
    }
    next(*this);
}

void LocalNode::publish(std::string_view ns, std::string_view key, std::string_view bytes, Done done) {
    const auto shared = std::make_shared<const std::string>(bytes);
    const std::lock_guard lock(broker_->mutex);
    broker_->deliver(*this, ns, key, shared);
    if (done) post([done = std::move(done)](LocalNode&) mutable { done({}); });
}

void LocalNode::publish_kept(std::string_view ns, std::string_view key, std::int64_t unix_ms,
                             std::string_view bytes, const History& rule, Done done) {
    const auto shared = std::make_shared<const std::string>(bytes);
    const std::lock_guard lock(broker_->mutex);
    broker_->history.add(history_name(ns, key), unix_ms, shared, rule);
    broker_->deliver(*this, ns, key, shared);
    if (done) post([done = std::move(done)](LocalNode&) mutable { done({}); });
}

void LocalNode::read_history(std::string_view ns, std::string_view key, std::int64_t since_ms,
                             std::size_t limit, Function<void(Result<std::vector<Bytes>>)> answered) {
    const std::lock_guard lock(broker_->mutex);
    auto past = broker_->history.since(history_name(ns, key), since_ms, limit);
    post([answered = std::move(answered), past = std::move(past)](LocalNode&) mutable {
        answered(std::move(past));
    });
}

void LocalNode::subscribe(std::string_view ns, std::string_view key,
                          Function<void(Result<std::vector<PresenceEntry>>)> confirmed) {
    const std::lock_guard lock(broker_->mutex);
    LocalBroker::Channel& channel = broker_->channels[{std::string(ns), std::string(key)}];
    auto& subscribers = channel.subscribers;
    if (std::find(subscribers.begin(), subscribers.end(), this) == subscribers.end())
        subscribers.push_back(this);
    post([confirmed = std::move(confirmed), present = channel.present_elsewhere(name())](LocalNode&) mutable {
        confirmed(std::move(present));
    });
}

void LocalNode::unsubscribe(std::string_view ns, std::string_view key) {
    const std::lock_guard lock(broker_->mutex);
    const auto channel = broker_->channels.find({std::string(ns), std::string(key)});
    if (channel == broker_->channels.end()) return;
    std::erase(channel->second.subscribers, this);
    broker_->forget_if_empty(channel);
}

void LocalNode::update_entity(std::string_view ns, std::string_view key,
                              Function<Swap(const std::string* old, bool retried)> change, Done done) {
    const std::lock_guard lock(broker_->mutex);
    post([name = Name{std::string(ns), std::string(key)}, change = std::move(change),
          done = std::move(done)](LocalNode& self) mutable { done(self.swap(name, change)); });
}

Result<void> LocalNode::swap(const Name& name, Function<Swap(const std::string*, bool)>& change) {
    for (int attempt = 0; attempt < max_attempts; ++attempt) {
        LocalBroker::Entity old;
        {
            const std::lock_guard lock(broker_->mutex);
            const auto found = broker_->entities.find(name);
            if (found != broker_->entities.end()) old = found->second;
        }
        Swap wanted;
        try {
            wanted = change(old.version != 0 ? &old.value : nullptr, attempt > 0);
        } catch (const std::exception& thrown) {
            return fail(Errc::handler_failed, std::string("the change of an entity threw: ") + thrown.what());
        } catch (...) {
            return fail(Errc::handler_failed, "the change of an entity threw what is no std::exception");
        }
        if (commit(name, old.version, std::move(wanted))) return {};
    }
    return fail(Errc::cancelled, "an entity was changed by others " + std::to_string(max_attempts) +
                                     " times in a row: share less under one key");
}

bool LocalNode::commit(const Name& name, std::uint64_t version, Swap wanted) {
    const std::lock_guard lock(broker_->mutex);
    const auto found = broker_->entities.find(name);
    const std::uint64_t current = found != broker_->entities.end() ? found->second.version : 0;
    if (current != version) return false;
    if (wanted.kind == Swap::Kind::store)
        broker_->entities[name] = {std::move(wanted.value), ++broker_->last_version};
    if (wanted.kind == Swap::Kind::erase && found != broker_->entities.end()) broker_->entities.erase(found);
    return true;
}

void LocalNode::put_presence(std::string_view ns, std::string_view key, std::string_view id,
                             std::string_view value) {
    const Name channel_name{std::string(ns), std::string(key)};
    const PresenceEntry entry{name(), std::string(id), std::string(value)};
    const std::lock_guard lock(broker_->mutex);
    LocalBroker::Channel& channel = broker_->channels[channel_name];
    channel.present[{entry.node, entry.id}] = entry.value;
    broker_->tell_of_presence(channel_name, channel, *this, {entry}, {});
}

void LocalNode::drop_presence(std::string_view ns, std::string_view key, std::string_view id) {
    const std::lock_guard lock(broker_->mutex);
    const auto channel = broker_->channels.find({std::string(ns), std::string(key)});
    if (channel == broker_->channels.end()) return;
    auto& present = channel->second.present;
    const auto found = present.find({name(), std::string(id)});
    if (found == present.end()) return;
    const PresenceEntry entry{name(), std::string(id), std::move(found->second)};
    present.erase(found);
    broker_->tell_of_presence(channel->first, channel->second, *this, {}, {entry});
    broker_->forget_if_empty(channel);
}

} // namespace

std::shared_ptr<Broker> make_local_broker(const LocalBrokerOptions& options) {
    return std::make_shared<LocalBroker>(options);
}

} // namespace phx::server
