#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <utility>

namespace phx::protocol::server {

// A change of presence waits for the end of the turn, so that all those of a topic are one diff. Nothing that
// depends on it overtakes it: it is told before any broadcast of the topic, and before anything else that
// goes to the member whose change it is.

void ServerMachine::State::tell_presence_changes(Topic& topic) {
    if (!topic.presence || !topic.presence->has_changes()) return;
    presence_diff.clear();
    if (!topic.presence->take_diff(presence_diff)) return;
    FrameView frame;
    frame.event = "presence_diff";
    frame.payload = presence_diff;
    fan_out(topic, frame, nullptr, Receivers::those_who_see_presence);
}

void ServerMachine::State::tell_own_presence_changes(const Membership& member) {
    if (member.untold_in == 0) return; // without presence
    Topic& topic = topics[member.topic];
    if (topic.presence && topic.presence->diff_number() == member.untold_in) tell_presence_changes(topic);
}

void ServerMachine::State::note_presence_change(Membership& member) {
    Topic& topic = topics[member.topic];
    member.untold_in = topic.presence->diff_number();
    if (!std::exchange(topic.waits_for_turn_end, true)) untold.push_back(member.topic);
}

bool ServerMachine::handle_turn_end() {
    State& s = *state_;
    if (s.untold.empty()) return false;
    s.begin_call();
    for (const TopicIndex index : std::exchange(s.untold, {})) {
        Topic& topic =
            s.topics[index]; // another one, perhaps, since that one is gone: then it has no changes
        topic.waits_for_turn_end = false;
        s.tell_presence_changes(topic);
    }
    return true;
}

/// Whether the topic has room for one more meta of this member, or another one in its place.
bool ServerMachine::State::has_room(const Membership& member, std::string_view key, std::string_view meta) {
    static const PresenceTracker nobody{};
    const Topic& topic = topics[member.topic];
    const PresenceTracker& present = topic.presence ? *topic.presence : nobody;
    const bool has = present.has_room(member.id, key, meta,
                                      {config.max_metas_per_topic, config.max_presence_bytes_per_topic});
    if (!has) note_hit(Limit::max_presence_per_topic);
    return has;
}

bool ServerMachine::State::track(Membership& member, std::string_view key, std::string_view meta,
                                 Repeat repeat) {
    Topic& topic = topics[member.topic];
    if (!topic.presence) topic.presence = std::make_unique<PresenceTracker>();
    if (!topic.presence->track(member.id, key, meta, repeat, ids)) return false;
    auto& keys = member.presence_keys;
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.emplace_back(key);
    note_presence_change(member);
    tell_presence(member, key);
    return true;
}

void ServerMachine::State::untrack(Membership& member, std::string_view key) {
    Topic& topic = topics[member.topic];
    if (!topic.presence || !topic.presence->untrack(member.id, key)) return;
    std::erase(member.presence_keys, key);
    note_presence_change(member);
    tell_absence(member, key);
}

void ServerMachine::State::untrack_all(Membership& member) {
    Topic& topic = topics[member.topic];
    for (const std::string& key : member.presence_keys) tell_absence(member, key);
    // Everybody else who is in it has ended too; with peers there are theirs.
    if (topic.size() == 0 && config.peers == Peers::none) topic.presence.reset();
    if (!topic.presence || !topic.presence->untrack_all(member.id, member.presence_keys)) return;
    member.presence_keys.clear();
    note_presence_change(member);
}

std::string_view ServerMachine::State::presence_state(const Membership& member) {
    tell_own_presence_changes(member);
    const Topic& topic = topics[member.topic];
    text.clear();
    if (topic.presence) topic.presence->append_state(text);
    return text.empty() ? std::string_view("{}") : std::string_view(text);
}

void ServerMachine::State::push_presence_state(Session& session, Membership& member) {
    push(session, member, "presence_state", {Opcode::text, presence_state(member)});
}

} // namespace phx::protocol::server
