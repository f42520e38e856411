#pragma once

#include "tests/sim/application.hpp"
#include "tests/sim/client_node.hpp"
#include "tests/sim/oracles.hpp"
#include "tests/sim/policy_oracle.hpp"
#include "tests/sim/trace.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::sim {

protocol::Jitter any_jitter(Chance&);
protocol::ChannelConfig any_channel_config(Chance&);

/// Somebody with a client who does anything in any order, answers its questions, and keeps the books of it.
class User : private ClientNode::Observer {
public:
    struct Setup {
        std::size_t number = 0; ///< from 1
        std::uint64_t seed = 0;
        protocol::ClientConfig config = {};
        Framing framing = Framing::messages;
        HostId host = {};
    };
    User(VirtualClock&, VirtualNetwork&, const Trace&, Setup);

    /// One operation.
    void act();
    /// From now on questions are answered well, and at once, and every join has a payload that can be sent.
    void settle();

    // ---- operations
    void connect();
    void disconnect();
    void reconnect_now();
    void give_up();
    void give_up(std::size_t channel);
    std::size_t add_channel(const std::string& topic);
    void join(std::size_t channel, Duration timeout = Duration{0});
    void leave(std::size_t channel, Duration timeout = Duration{0});
    void push(std::size_t channel, const std::string& event, Duration timeout = Duration{0});
    void send(std::size_t channel, const std::string& event);
    void remove_and_add(std::size_t channel);
    void set_join_payload(std::size_t channel, std::string json);
    void ping(Duration timeout = Duration{0});
    void cancel();
    void suspend(Duration, VirtualNetwork::Heard);

    // ---- audits
    /// Faults are over and time has passed.
    void expect_content(ChatApplication&);
    /// disconnect() was some time ago.
    void expect_at_rest();

    std::size_t joined(); ///< channels
    ClientNode& node() noexcept { return node_; }
    const Findings& findings() const noexcept { return findings_; }
    std::uint64_t pushes() const noexcept { return pushes_.made(); }
    std::uint64_t opens() const noexcept { return opens_; }
    std::uint64_t messages() const noexcept { return messages_; }
    std::uint64_t gaps() const noexcept { return gaps_; }

private:
    struct Channel {
        protocol::ChannelId id;
        std::string topic;
        bool asks = false; ///< for its params
        std::optional<protocol::ChannelConfig> own = {};
        std::string join_payload = "{}";
    };

    void handle_output(const protocol::Output&) override;
    void handle_received(protocol::ConnId, protocol::Opcode, std::string_view) override;
    void handle_rest() override;
    void note(const protocol::act::Prepare&);
    void note(const protocol::act::PrepareJoin&);
    void note(const protocol::act::Open&);
    void note(const protocol::act::Send&);
    void note(const protocol::act::Close&) {}
    void note(const protocol::event::SocketChanged&);
    void note(const protocol::event::ChannelChanged&);
    void note(const protocol::event::MessageArrived&);
    void note(const protocol::event::Unclaimed&) { wire_.delivered(); }
    void note(const protocol::event::PushFinished&);
    void note(const protocol::event::HeartbeatChanged&) { wire_.delivered(); }
    void note(const protocol::event::FrameDropped&);
    void note(const protocol::event::Gap&);
    void note(const protocol::event::Joined&) {}

    void made(protocol::PushId, Duration timeout, std::uint64_t tag = 0, protocol::ChannelId = {});
    void say(const std::string&) const;
    Channel make_channel(const std::string& topic, bool asks);
    const protocol::ChannelConfig& config_of(const Channel& channel) const {
        return channel.own ? *channel.own : setup_.config.channel;
    }
    /// What the client gave up is asked for again after a while.
    void connect_later();
    void join_later(protocol::ChannelId);
    Channel* find(protocol::ChannelId);
    std::size_t any_channel() { return chance_.below(channels_.size()); }
    Duration any_timeout();
    std::string any_event();
    std::string payload();
    std::string any_join_payload() { return "{\"n\":" + std::to_string(++payloads_) + "}"; }

    VirtualClock& clock_;
    Findings findings_;
    const Trace& trace_;
    Setup setup_;
    Chance chance_;
    PushOracle pushes_;
    PolicyOracle policy_;
    WireOracle wire_;
    DeliveryOracle delivery_;
    ClientNode node_;

    std::vector<Channel> channels_;
    std::map<protocol::ChannelId, std::string> topics_; ///< of all there ever were
    std::vector<protocol::PushId> recent_;
    std::map<std::string, protocol::ChannelId> joining_; ///< by topic, who joins or has joined it
    bool is_kind_ = false;
    bool has_ended_everything_ = false; ///< in the call at hand
    std::uint64_t decisions_ = 0;       ///< to connect or to disconnect
    std::uint64_t payloads_ = 0;        ///< of joins
    TimePoint earliest_connect_ = TimePoint::min();
    std::uint64_t last_tag_ = 0;
    std::uint64_t opens_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t gaps_ = 0;
    std::string scratch_;
};

} // namespace phx::sim
