#pragma once

#include "phx/export.hpp"
#include "phx/function.hpp"
#include "phx/result.hpp"
#include "phx/server/history.hpp"
#include "phx/server/presence_entry.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::server {

/// What becomes of an entity.
struct Swap {
    enum class Kind : std::uint8_t { keep, store, erase };

    Kind kind = Kind::keep;
    std::string value = {};

    static Swap keep() { return {}; }
    static Swap store(std::string value) { return {Kind::store, std::move(value)}; }
    static Swap erase() { return {Kind::erase, {}}; }
};

/// What a broker asks of a node, and tells it.
struct NodeConfig {
    std::string name = {}; ///< differs from the names of all other nodes
    /// Runs the call on the node's loop, later, or never when that has ended. Called on any thread; must
    /// neither run it inside nor block, and must not call the broker.
    Function<void(Function<void()>)> post = {};
    /// Another node published to what this one has subscribed to.
    Function<void(std::string_view ns, std::string_view key, std::string_view bytes)> on_publication = {};
    /// Who came and who went at other nodes, where this one has subscribed to. An entry that is changed is in
    /// `joined` with its new value only.
    Function<void(std::string_view ns, std::string_view key, const std::vector<PresenceEntry>& joined,
                  const std::vector<PresenceEntry>& left)>
        on_presence = {};
};

/// One node's end of a broker: a server has one for each of its threads. Used on the node's loop alone;
/// everything that is given to it is called there, through NodeConfig::post, never inside a call, and never
/// after the destructor, which takes the node out: its subscriptions end, and its members leave.
///
/// `ns` and `key` name what is meant; subscriptions, entities, presence and history are apart from each
/// other.
class PHX_API BrokerNode {
public:
    using Done = Function<void(Result<void>)>;
    using Bytes = std::shared_ptr<const std::string>;

    virtual ~BrokerNode();

    /// To every other node that has subscribed, once and in order; never to this one. `done` may be empty.
    virtual void publish(std::string_view ns, std::string_view key, std::string_view bytes, Done done) = 0;
    /// As publish(), and it is kept as long as the rule says (its pattern says nothing here), for
    /// read_history(). Both or neither; also when nobody has subscribed. `unix_ms`: now, by this node's
    /// clock, in milliseconds since 1970; the clocks of nodes differ, which changes no order.
    virtual void publish_kept(std::string_view ns, std::string_view key, std::int64_t unix_ms,
                              std::string_view bytes, const History&, Done done) = 0;
    /// The newest `limit` publications that were kept and are not older than `since_ms`, oldest first: of
    /// this node's those from before this call and none from after it, and of others' those that came to
    /// NodeConfig::on_publication before `answered` and none that comes after it.
    virtual void read_history(std::string_view ns, std::string_view key, std::int64_t since_ms,
                              std::size_t limit, Function<void(Result<std::vector<Bytes>>)> answered) = 0;
    /// `confirmed`: from now on everything is delivered; with it come those who are present at other nodes.
    /// Changes of theirs that the list does not have come after it.
    virtual void subscribe(std::string_view ns, std::string_view key,
                           Function<void(Result<std::vector<PresenceEntry>>)> confirmed) = 0;
    virtual void unsubscribe(std::string_view ns, std::string_view key) = 0;
    /// Compare-and-swap: `change` gets the value, or null, and says what becomes of it. If somebody else has
    /// changed it meanwhile, `change` is called again with `retried`: it must be pure. `done` says whether it
    /// was stored; `cancelled`: too many conflicts; `handler_failed`: `change` threw.
    virtual void update_entity(std::string_view ns, std::string_view key,
                               Function<Swap(const std::string* old, bool retried)> change, Done done) = 0;
    /// A member of this node is present, or has another value. Others hear of it if they have subscribed.
    /// The broker forgets it when the node drops it or is gone.
    virtual void put_presence(std::string_view ns, std::string_view key, std::string_view id,
                              std::string_view value) = 0;
    virtual void drop_presence(std::string_view ns, std::string_view key, std::string_view id) = 0;

protected:
    BrokerNode() = default;
    BrokerNode(const BrokerNode&) = delete;
    BrokerNode& operator=(const BrokerNode&) = delete;
};

/// What servers know of each other by. Servers with the same broker in Options::broker are one: broadcasts,
/// publishes, presence, entities, history and disconnects reach the clients of all of them.
class PHX_API Broker {
public:
    virtual ~Broker();

    /// Any thread.
    virtual std::unique_ptr<BrokerNode> attach(NodeConfig) = 0;

protected:
    Broker() = default;
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;
};

struct LocalBrokerOptions {
    std::size_t max_history_bytes = 64u << 20; ///< of all topics; the oldest broadcasts go first
};

/// A broker inside this process, for the servers in it. It lives as long as somebody has it.
PHX_API std::shared_ptr<Broker> make_local_broker(const LocalBrokerOptions& = {});

} // namespace phx::server
