#pragma once

#include "tests/sim/application.hpp"
#include "tests/sim/client_node.hpp"
#include "tests/sim/oracles.hpp"
#include "tests/sim/trace.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace phx::sim {

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
    /// Questions are answered well, and at once.
    bool is_kind = false;

    // ---- operations
    void connect();
    void disconnect();
    void reconnect_now();
    std::size_t add_channel(const std::string& topic);
    void join(std::size_t channel, Duration timeout = Duration{0});
    void leave(std::size_t channel, Duration timeout = Duration{0});
    void push(std::size_t channel, const std::string& event, Duration timeout = Duration{0});
    void send(std::size_t channel, const std::string& event);
    void remove_and_add(std::size_t channel);
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
        bool asks = false;   ///< for its params
        bool wanted = false; ///< to be joined
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

    void made(protocol::PushId, Duration timeout, std::uint64_t tag = 0, protocol::ChannelId = {});
    void say(const std::string&) const;
    protocol::ChannelId make_channel(const std::string& topic, bool asks);
    Channel* find(protocol::ChannelId);
    std::size_t any_channel() { return chance_.below(channels_.size()); }
    Duration any_timeout();
    std::string any_event();
    std::string payload();

    VirtualClock& clock_;
    Findings findings_;
    const Trace& trace_;
    Setup setup_;
    Chance chance_;
    PushOracle pushes_;
    WireOracle wire_;
    DeliveryOracle delivery_;
    ClientNode node_;

    std::vector<Channel> channels_;
    std::map<protocol::ChannelId, std::string> topics_; ///< of all there ever were
    std::vector<protocol::PushId> recent_;
    bool wants_connection_ = false;
    bool has_ended_everything_ = false; ///< in the call at hand
    bool has_lost_connection_ = false;  ///< likewise
    TimePoint earliest_connect_ = TimePoint::min();
    std::uint64_t last_tag_ = 0;
    std::uint64_t opens_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t gaps_ = 0;
    std::string scratch_;
};

} // namespace phx::sim
