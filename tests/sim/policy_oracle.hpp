#pragma once

#include "tests/sim/oracles.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace phx::sim {

/// What a user wants, and that the client keeps to it: it connects and joins when asked and then again and
/// again, and stops where the policies say so and nowhere else.
class PolicyOracle {
public:
    PolicyOracle(Findings& findings, unsigned max_attempts)
        : findings_(findings), max_attempts_(max_attempts) {}

    // ---- what the user does, before the client hears of it
    void connect() { wants_connection_ = may_connect_ = true; }
    /// disconnect(), or give_up() while waiting.
    void stop() {
        wants_connection_ = false;
        failed_connects_ = 0;
    }
    void reconnect_now() { failed_connects_ = 0; }
    void add(protocol::ChannelId, const std::string& topic, const protocol::ChannelConfig&);
    /// Whoever else has the topic may be closed by it.
    void join(protocol::ChannelId);
    /// leave(), give_up() while errored, or the end of the channel.
    void close(protocol::ChannelId id) { may_close_.insert(id); }
    void remove(protocol::ChannelId id) { channels_.erase(id); }

    // ---- what happens
    /// The server closed the current join of that topic.
    void closed_by_server(const std::string& topic);
    /// True if the client gave up by itself: nothing happens until the user connects.
    bool changed(const protocol::event::SocketChanged&);
    /// True if the client gave up by itself: nothing happens until the user joins.
    bool changed(const protocol::event::ChannelChanged&);
    /// All that comes of one call has come.
    void rest();

    bool wants_connection() const noexcept { return wants_connection_; }
    bool wants(protocol::ChannelId) const;

private:
    struct Channel {
        std::string topic;
        protocol::AfterClose after_close{};
        unsigned max_rejoins = 0;
        bool is_wanted = false;
        unsigned failures = 0; ///< in a row, on one connection
    };
    void check_end(protocol::ChannelId, const Channel&, const protocol::event::ChannelChanged&);

    Findings& findings_;
    unsigned max_attempts_;
    bool is_open_ = false;
    bool wants_connection_ = false;
    bool may_connect_ = false;
    unsigned failed_connects_ = 0; ///< in a row
    std::map<protocol::ChannelId, Channel> channels_;
    std::set<protocol::ChannelId> may_join_; ///< in the call at hand, as the rest
    std::set<protocol::ChannelId> may_close_;
    std::set<protocol::ChannelId> has_to_close_;
    std::set<protocol::ChannelId> used_up_; ///< their rejoins
};

} // namespace phx::sim
