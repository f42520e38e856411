#include "tests/sim/policy_oracle.hpp"

namespace phx::sim {

using namespace protocol;

void PolicyOracle::add(ChannelId id, const std::string& topic, const ChannelConfig& config) {
    channels_[id] = {topic, config.after_close, config.max_rejoins};
}

bool PolicyOracle::wants(ChannelId id) const {
    const auto at = channels_.find(id);
    return at != channels_.end() && at->second.is_wanted;
}

void PolicyOracle::join(ChannelId id) {
    may_join_.insert(id);
    const std::string& topic = channels_.at(id).topic;
    for (const auto& [other, channel] : channels_)
        if (other != id && channel.topic == topic) may_close_.insert(other);
}

void PolicyOracle::closed_by_server(const std::string& topic) {
    for (const auto& [id, channel] : channels_)
        if (channel.topic == topic && channel.is_wanted && channel.after_close == AfterClose::stay_closed)
            has_to_close_.insert(id);
}

bool PolicyOracle::changed(const event::SocketChanged& change) {
    is_open_ = change.to == SocketState::open;
    if (is_open_) {
        failed_connects_ = 0;
        for (auto& [id, channel] : channels_) channel.failures = 0;
    }
    const bool is_idle = change.to == SocketState::idle;
    if (change.to == SocketState::connecting && change.from != SocketState::waiting && !may_connect_)
        findings_.add("connects though nobody asked for it");
    if (!wants_connection_) return false;
    if (change.from == SocketState::connecting && !is_open_) ++failed_connects_;
    const bool is_used_up = max_attempts_ != 0 && failed_connects_ >= max_attempts_;
    if (change.to == SocketState::waiting && is_used_up) findings_.add("goes on after the last attempt");
    if (!is_idle) return false;
    if (!is_used_up) findings_.add("gave up connecting by itself");
    stop();
    return true;
}

bool PolicyOracle::changed(const event::ChannelChanged& change) {
    const auto at = channels_.find(change.channel);
    if (at == channels_.end()) {
        findings_.add("a channel that was removed changes");
        return false;
    }
    Channel& channel = at->second;
    switch (change.to) {
    case ChannelState::joining:
        if (change.from == ChannelState::closed && may_join_.count(change.channel) == 0)
            findings_.add("joins " + channel.topic + " though nobody asked for it");
        channel.is_wanted = true;
        return false;
    case ChannelState::joined: channel.failures = 0; return false;
    case ChannelState::errored:
        if (is_open_) ++channel.failures;
        if (channel.max_rejoins != 0 && channel.failures > channel.max_rejoins)
            used_up_.insert(change.channel);
        return false;
    default: break; // leaving, closed
    }
    check_end(change.channel, channel, change);
    channel.is_wanted = false;
    channel.failures = 0;
    has_to_close_.erase(change.channel);
    return used_up_.erase(change.channel) == 1;
}

void PolicyOracle::check_end(ChannelId id, const Channel& channel, const event::ChannelChanged& change) {
    const bool by_server = has_to_close_.count(id) == 1 && change.to == ChannelState::closed;
    const bool is_used_up = used_up_.count(id) == 1 && change.from == ChannelState::errored;
    if (change.from != ChannelState::leaving && may_close_.count(id) == 0 && !by_server && !is_used_up)
        findings_.add("gave up " + channel.topic + " by itself");
}

void PolicyOracle::rest() {
    for (const ChannelId id : used_up_)
        findings_.add("goes on joining " + channels_.at(id).topic + " after the last rejoin");
    for (const ChannelId id : has_to_close_)
        if (wants(id)) findings_.add("keeps " + channels_.at(id).topic + ", which the server closed");
    may_connect_ = false;
    may_join_.clear();
    may_close_.clear();
    has_to_close_.clear();
    used_up_.clear();
}

} // namespace phx::sim
