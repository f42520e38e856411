#include "phx/server/broker.hpp"
#include "protocol/server/server_machine.hpp"
#include "src/server/broker_port.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

// Several machines on one local broker, whose loops take turns at random, against what their clients must
// see.
namespace phx::test {
namespace {

using namespace protocol::server;
using nlohmann::json;
using phx::server::Actions;
using phx::server::JoinAnswer;

constexpr int topics = 3;

struct Client {
    SessionId session;
    /// What it sees of a topic it has joined.
    struct Room {
        std::map<int, int> heard = {};    ///< number of a message -> how often
        std::set<std::string> there = {}; ///< phx_refs
        bool has_state = false;
    };
    std::map<std::string, Room> rooms = {};
    std::set<std::string> asked = {}; ///< joins without an answer
};

class Node {
public:
    Node(phx::server::Broker& broker, const std::string& name) : machine_(config(name)) {
        machine_.add_channel("room:*", {}, {.published = ChannelTraits::Published::asked});
        port_ = std::make_unique<shell::BrokerPort>(
            broker, name, machine_,
            shell::BrokerPort::Driver{
                .post = [this](Function<void()> call) { tasks_.push_back(std::move(call)); },
                .now = [] { return protocol::TimePoint{}; },
                .pump = [this] { pump(); },
                .report = [](const Error& error) { ADD_FAILURE() << error.message; }});
    }

    bool run_one() {
        if (tasks_.empty()) return false;
        auto task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
        return true;
    }
    Client& open() {
        SessionConfig session;
        session.idle_timeout = {};
        const SessionId id = machine_.handle_open({}, session);
        Client& client = clients[id];
        client.session = id;
        pump();
        return client;
    }
    void close(SessionId id) {
        clients.erase(id);
        machine_.handle_closed({}, id);
        pump();
    }
    void send(SessionId id, const std::string& topic, const std::string& event,
              const std::string& payload = "{}") {
        const std::string frame = R"(["1","1",")" + topic + "\",\"" + event + "\"," + payload + "]";
        machine_.handle_frame({}, id, protocol::Opcode::text, frame);
        pump(); // its outputs point into the frame
    }

    std::map<SessionId, Client> clients;

private:
    static ServerConfig config(const std::string& name) {
        ServerConfig config;
        config.node = name;
        config.seed = std::hash<std::string>{}(name);
        config.peers = Peers::possible;
        config.subscribe_timeout = std::chrono::hours(1);
        const phx::server::Requirement nothing;
        config.policies = {{.topic = "realtime:*", .join = nothing, .write = nothing, .presence = nothing}};
        config.history = {{}};
        return config;
    }
    void pump() {
        do {
            while (const auto output = machine_.poll()) std::visit([this](const auto& o) { on(o); }, *output);
        } while (machine_.handle_turn_end());
    }

    void on(const RareOutput& rare) {
        std::visit([this](const auto& o) { on(o); }, rare);
    }
    void on(const act::Send& send) { take(send.session, send.data); }
    void on(const act::Fanout& fanout) {
        for (const SessionId session : fanout.sessions) take(session, fanout.data);
    }
    void on(const event::JoinAsked& asked) {
        machine_.set_broker_key(asked.member, "k"); // every channel of the pattern shares one
        JoinAnswer answer = JoinAnswer::ok();
        answer.then.presence_state().track(std::to_string(static_cast<std::uint64_t>(asked.member) % 3));
        machine_.answer_join({}, asked.member, answer);
    }
    void on(const event::MessageIn& in) {
        Actions actions;
        const std::string key = std::to_string(static_cast<std::uint64_t>(in.member) % 3);
        if (in.event == "say") actions.broadcast("news", in.payload);
        if (in.event == "publish") actions.publish(phx::server::Route::all(), "news", in.payload);
        if (in.event == "track") actions.track(key, std::string(in.payload.data));
        if (in.event == "untrack") actions.untrack(key);
        machine_.apply({}, in.member, in.reply_to, actions.no_reply());
    }
    void on(const event::BrokerMessage& message) {
        machine_.apply({}, message.member, {}, Actions().push(message.event, message.payload));
    }
    void on(const event::Ended& ended) { machine_.apply_closed({}, ended.member, {}); }
    void on(const event::FrameDropped& dropped) { ADD_FAILURE() << dropped.error.message; }
    void on(const act::Subscribe& order) { port_->on(order); }
    void on(const act::Unsubscribe& order) { port_->on(order); }
    void on(const act::Publish& order) { port_->on(order); }
    void on(const act::ReadHistory& order) { port_->on(order); }
    void on(const act::PutPresence& order) { port_->on(order); }
    void on(const act::DropPresence& order) { port_->on(order); }
    template <class Other> void on(const Other&) { ADD_FAILURE() << "not in this model"; }

    void take(SessionId session, std::string_view data) {
        const auto client = clients.find(session);
        ASSERT_NE(client, clients.end()) << data;
        const json frame = json::parse(data);
        const std::string topic = frame[2], event = frame[3];
        if (event == "phx_reply") {
            if (client->second.asked.erase(topic) == 0) return; // of a leave
            ASSERT_EQ(frame[4]["status"], "ok") << data;
            client->second.rooms[topic];
            return;
        }
        if (event == "phx_close") return void(client->second.rooms.erase(topic));
        Client::Room& room = client->second.rooms.at(topic);
        if (event == "news" || event == "broadcast") ++room.heard[frame[4]["n"].get<int>()];
        if (event == "presence_state") {
            room.has_state = true;
            room.there = refs(frame[4]);
        }
        if (event == "presence_diff") {
            ASSERT_TRUE(room.has_state);
            for (const std::string& ref : refs(frame[4]["leaves"]))
                EXPECT_EQ(room.there.erase(ref), 1u) << data;
            for (const std::string& ref : refs(frame[4]["joins"]))
                EXPECT_TRUE(room.there.insert(ref).second) << data;
        }
    }
    static std::set<std::string> refs(const json& groups) {
        std::set<std::string> found;
        for (const auto& [key, group] : groups.items())
            for (const auto& meta : group["metas"]) EXPECT_TRUE(found.insert(meta["phx_ref"]).second);
        return found;
    }

    ServerMachine machine_;
    std::deque<Function<void()>> tasks_;
    std::unique_ptr<shell::BrokerPort> port_;
};

/// Three nodes that take turns.
class Nodes {
protected:
    explicit Nodes(std::uint64_t seed) : random_(seed) {
        for (int i = 0; i < 3; ++i) start_node();
    }

    unsigned pick(std::size_t n) { return static_cast<unsigned>(random_() % n); }
    Node& any_node() { return *nodes_[pick(nodes_.size())]; }
    Client* any_client(Node& node) {
        if (node.clients.empty()) return nullptr;
        return &std::next(node.clients.begin(), pick(node.clients.size()))->second;
    }
    void start_node() {
        nodes_.push_back(std::make_unique<Node>(*broker_, "n" + std::to_string(++started_)));
    }
    void settle() {
        bool is_busy = true;
        while (is_busy) {
            is_busy = false;
            for (unsigned i = 0; i < 8; ++i) any_node().run_one();
            for (const auto& node : nodes_) is_busy = node->run_one() || is_busy;
        }
    }

    std::mt19937_64 random_;
    const std::shared_ptr<phx::server::Broker> broker_ = phx::server::make_local_broker();
    std::vector<std::unique_ptr<Node>> nodes_;
    int started_ = 0, last_ = 0;
};

class Model : Nodes {
public:
    explicit Model(std::uint64_t seed) : Nodes(seed) {}

    /// Some steps of every kind with deliveries in between, then what they must have led to.
    void round() {
        struct Sure {
            Client* client;
            std::string topic;
        };
        std::vector<Sure> stayed; // joined before the round; who goes is taken out
        for (const auto& node : nodes_)
            for (auto& [id, client] : node->clients)
                for (auto& [topic, room] : client.rooms) stayed.push_back({&client, topic});
        struct Said {
            int n;
            std::string topic; ///< empty: to all of the key
            Client* source;
        };
        std::vector<Said> said;
        const auto goes = [&](const Client* client, const std::string& topic) {
            std::erase_if(stayed, [&](const Sure& sure) {
                return sure.client == client && (topic.empty() || sure.topic == topic);
            });
        };
        if (pick(10) == 0) { // a node dies
            const auto dead = nodes_.begin() + pick(nodes_.size());
            for (auto& [id, client] : (*dead)->clients) goes(&client, {});
            nodes_.erase(dead);
            start_node();
        }
        for (unsigned steps = 10 + pick(20); steps > 0; --steps) {
            Node& node = any_node();
            Client* const client = any_client(node);
            const unsigned what = pick(12);
            if (client == nullptr || what == 0) {
                if (node.clients.size() < 5) node.open();
                continue;
            }
            const std::string topic = any_topic();
            const bool is_member = client->rooms.count(topic) == 1;
            if (what == 1) {
                goes(client, {});
                for (Said& one : said)
                    if (one.source == client) one.source = nullptr;
                node.close(client->session);
            } else if (what < 5 && !is_member && client->asked.insert(topic).second) {
                node.send(client->session, topic, "phx_join");
            } else if (what == 5 && is_member) {
                goes(client, topic);
                node.send(client->session, topic, "phx_leave");
            } else if (what == 6 && is_member) {
                node.send(client->session, topic, pick(3) == 0 ? "untrack" : "track",
                          "{\"n\":" + std::to_string(++last_) + "}");
            } else if (what < 10 && is_member) {
                const bool by_key = pick(3) == 0;
                said.push_back({++last_, by_key ? std::string() : topic, client});
                published_from_[last_] = topic;
                node.send(client->session, topic, by_key ? "publish" : "say",
                          "{\"n\":" + std::to_string(last_) + "}");
            } else {
                for (unsigned tasks = pick(6); tasks > 0; --tasks) any_node().run_one();
            }
        }
        settle();
        for (const Said& one : said)
            for (const Sure& sure : stayed)
                check_heard(one.n, one.topic, one.source, *sure.client, sure.topic);
        check_all();
    }

private:
    std::string any_topic() { return "room:" + std::to_string(pick(topics)); }

    void check_heard(int n, const std::string& topic, const Client* source, Client& client,
                     const std::string& client_topic) {
        const bool is_source = topic.empty() && source == &client && published_from_[n] == client_topic;
        const bool is_meant = topic.empty() ? !is_source : topic == client_topic;
        EXPECT_EQ(client.rooms.at(client_topic).heard[n], is_meant ? 1 : 0)
            << n << " in " << client_topic << (topic.empty() ? ", published" : ", said");
    }

    /// Nobody heard anything twice; all members of a topic see the same presence.
    void check_all() {
        std::map<std::string, std::set<std::string>> seen;
        for (const auto& node : nodes_) {
            for (auto& [id, client] : node->clients) {
                EXPECT_TRUE(client.asked.empty());
                for (auto& [topic, room] : client.rooms) {
                    for (const auto& [n, times] : room.heard) EXPECT_LE(times, 1) << n;
                    const auto [view, is_first] = seen.emplace(topic, room.there);
                    EXPECT_TRUE(is_first || view->second == room.there) << topic;
                }
            }
        }
    }

    std::map<int, std::string> published_from_;
};

/// One room whose broadcasts are kept: who joins has the newest replayed, and hears the others.
class ReplayModel : Nodes {
public:
    explicit ReplayModel(std::uint64_t seed) : Nodes(seed) {}

    void round() {
        for (unsigned steps = 10 + pick(40); steps > 0; --steps) step();
        settle();
        for (const auto& node : nodes_)
            for (const auto& [id, client] : node->clients) check(client);
    }

private:
    void step() {
        Node& node = any_node();
        Client* const client = any_client(node);
        const unsigned what = pick(10);
        if (client == nullptr || what == 0) {
            if (node.clients.size() < 5) node.open();
            return;
        }
        const bool is_member = client->rooms.count(room_) == 1;
        if (what == 1) {
            node.close(client->session);
        } else if (what == 2 && is_member) {
            node.send(client->session, room_, "phx_leave");
        } else if (what < 5 && !is_member && client->asked.insert(room_).second) {
            node.send(client->session, room_, "phx_join",
                      R"({"config":{"private":true,"broadcast":{"self":true,"replay":{"since":0}}}})");
        } else if (what < 8 && is_member) {
            node.send(client->session, room_, "broadcast", "{\"n\":" + std::to_string(++last_) + "}");
        } else {
            any_node().run_one();
        }
    }

    void check(const Client& client) const {
        EXPECT_TRUE(client.asked.empty());
        const auto room = client.rooms.find(room_);
        if (room == client.rooms.end()) return;
        const auto& heard = room->second.heard;
        EXPECT_GE(heard.size(), static_cast<std::size_t>(std::min(25, last_)));
        int next = last_ + 1 - static_cast<int>(heard.size()); // without a gap up to the last one
        for (const auto& [n, times] : heard) {
            EXPECT_EQ(n, next++);
            EXPECT_EQ(times, 1) << n;
        }
    }

    const std::string room_ = "realtime:kept";
};

template <class M> void run_seeds(std::uint64_t count) {
    const char* const wanted = std::getenv("PHX_SEED");
    const std::uint64_t first = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 1;
    const std::uint64_t last = wanted != nullptr ? first : count;
    for (std::uint64_t seed = first; seed <= last && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("PHX_SEED=" + std::to_string(seed));
        M model(seed);
        for (int i = 0; i < 25 && !testing::Test::HasFailure(); ++i) model.round();
    }
}

TEST(ClusterModel, DeliversEverythingOnceAndShowsEverybodyTheSamePresence) { run_seeds<Model>(40); }

TEST(ClusterModel, ReplaysWhatWasKeptWithoutALossOrADouble) { run_seeds<ReplayModel>(100); }

} // namespace
} // namespace phx::test
