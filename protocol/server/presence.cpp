#include "protocol/server/machine_state.hpp"

#include <algorithm>

namespace phx::protocol::server {

void ServerMachine::State::fan_out_presence(Topic& topic, std::string_view diff) {
    FrameView frame;
    frame.event = "presence_diff";
    frame.payload = diff;
    fan_out(topic, frame, nullptr, Receivers::those_who_see_presence);
}

bool ServerMachine::State::track(Membership& member, std::string_view key, std::string_view meta,
                                 Repeat repeat) {
    Topic& topic = topics[member.topic];
    if (!topic.presence) topic.presence = std::make_unique<PresenceTracker>();
    const bool known = topic.presence->tracks(member.id, key);
    text.clear();
    if (!topic.presence->track(member.id, key, meta, repeat, ids, text)) return false;
    if (!known) member.presence_keys.emplace_back(key);
    fan_out_presence(topic, text);
    tell_presence(member, key);
    return true;
}

void ServerMachine::State::untrack(Membership& member, std::string_view key) {
    Topic& topic = topics[member.topic];
    text.clear();
    if (!topic.presence || !topic.presence->untrack(member.id, key, text)) return;
    std::erase(member.presence_keys, key);
    tell_absence(member, key);
    fan_out_presence(topic, text);
}

void ServerMachine::State::untrack_all(Membership& member) {
    Topic& topic = topics[member.topic];
    for (const std::string& key : member.presence_keys) tell_absence(member, key);
    // Everybody else who is in it has ended too; with peers there are theirs.
    if (topic.size() == 0 && config.peers == Peers::none) topic.presence.reset();
    text.clear();
    if (!topic.presence || !topic.presence->untrack_all(member.id, member.presence_keys, text)) return;
    member.presence_keys.clear();
    fan_out_presence(topic, text);
}

std::string_view ServerMachine::State::presence_state(const Membership& member) {
    const Topic& topic = topics[member.topic];
    text.clear();
    if (topic.presence) topic.presence->append_state(text);
    return text.empty() ? std::string_view("{}") : std::string_view(text);
}

void ServerMachine::State::push_presence_state(Session& session, Membership& member) {
    push(session, member, "presence_state", {Opcode::text, presence_state(member)});
}

} // namespace phx::protocol::server
