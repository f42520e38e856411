#include "phx/protocol/codec.hpp"
#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

// What is shared with the other nodes of a broker: broadcasts, publishes, disconnects and presence.
namespace phx::protocol::server {

// ---- joins that wait for the broker

bool ServerMachine::State::subscribe(TimePoint now, Membership& member,
                                     const phx::server::JoinAnswer& answer) {
    if (config.peers == Peers::none) return false;
    if (!member.subscribed) {
        member.subscribed = std::make_unique<SubscribedMember>();
        const Topic& topic = topics[member.topic];
        subscribe_to(member, topic_ns(topic), topic.name);
        if (member.keyed) {
            const std::string& pattern = patterns[static_cast<std::size_t>(member.pattern)].text;
            subscribe_to(member, std::string(channel_ns_prefix) + pattern, member.keyed->key);
        }
    }
    if (member.subscribed->awaited == 0 && !ask_history(member)) return false;
    member.phase = MemberPhase::subscribing;
    member.pending->answer = answer;
    const TimePoint at = after(now, config.subscribe_timeout);
    if (deadlines.push(at, DeadlineKind::subscription, static_cast<std::uint64_t>(member.id)))
        ++member.timers;
    return true;
}

void ServerMachine::State::subscribe_to(Membership& member, std::string_view ns, std::string_view key) {
    const auto [id, subscription] = subscriptions.acquire(ns, key);
    member.subscribed->ids.push_back(id);
    if (subscription.uses == 1) out.push(act::Subscribe{id, out.keep(ns), out.keep(key)});
    if (subscription.is_confirmed) return;
    subscription.waiting.push_back(member.id);
    ++member.subscribed->awaited;
}

void ServerMachine::State::unsubscribe(Membership& member) {
    if (!member.subscribed) return;
    for (const SubscriptionId id : member.subscribed->ids) {
        SubscriptionTable::Subscription& subscription = *subscriptions.find(id);
        std::erase(subscription.waiting, member.id);
        if (--subscription.uses != 0) continue;
        out.push(act::Unsubscribe{out.keep(subscription.ns), out.keep(subscription.key)});
        if (Topic* const topic = find_topic(subscription.ns, subscription.key)) topic->presence.reset();
        subscriptions.erase(id);
    }
    member.subscribed.reset();
}

void ServerMachine::State::stop_waiting(TimePoint now, Membership& member,
                                        const phx::server::JoinAnswer& answer) {
    if (member.timers > 0) { // its deadline; none if the time-out is never
        --member.timers;
        add_dead(1);
    }
    settle(now, member, answer);
}

void ServerMachine::State::go_on_joining(TimePoint now, Membership& member) {
    const phx::server::JoinAnswer answer = std::move(member.pending->answer);
    stop_waiting(now, member, answer);
}

phx::server::JoinAnswer ServerMachine::State::refusal(std::string_view reason) {
    std::string json = "{\"reason\":";
    append_json_string(json, reason);
    json.push_back('}');
    return phx::server::JoinAnswer::refuse(std::move(json));
}

// ---- to other nodes

Publication ServerMachine::State::publication_of(std::string_view event, PayloadView payload) {
    Publication publication;
    publication.opcode = payload.kind;
    publication.event = event;
    publication.payload = payload.data;
    return publication;
}

Publication ServerMachine::State::publication_of(const FrameView& frame) {
    Publication publication = publication_of(frame.event, {frame.kind, frame.payload});
    publication.user_event = frame.user_event;
    publication.metadata = frame.metadata;
    return publication;
}

void ServerMachine::State::tell_peers(std::string_view ns, std::string_view key,
                                      const Publication& publication, const phx::server::History* kept) {
    if (config.peers == Peers::none) return;
    std::string& buffer =
        out.frame_buffer(64 + publication.event.size() + publication.payload.size() +
                         publication.target.size() + publication.skipped_server.size() +
                         publication.metadata.size() + publication.user_event.value_or("").size());
    const std::size_t begin = buffer.size();
    append_publication(buffer, publication);
    const std::string_view bytes = std::string_view(buffer).substr(begin);
    out.push(act::Publish{out.keep(ns), out.keep(key), bytes, kept, kept != nullptr ? unix_ms() : 0});
}

void ServerMachine::State::tell_peers_of_broadcast(const Topic& topic, std::string_view event,
                                                   PayloadView payload) {
    tell_peers(topic_ns(topic), topic.name, publication_of(event, payload));
}

Publication ServerMachine::State::publication_of(Publication::Kind kind, const Route& route) {
    Publication publication;
    publication.kind = kind;
    publication.route = route.kind;
    publication.target = route.target;
    return publication;
}

bool ServerMachine::State::send_everywhere(const Route& route, std::string_view event, PayloadView payload,
                                           Session* source) {
    if (!send_to(route, event, payload, source)) return false;
    Publication publication = publication_of(Publication::Kind::send, route);
    publication.opcode = payload.kind;
    publication.event = event;
    publication.payload = payload.data;
    tell_peers(node_ns, all_nodes, publication);
    return true;
}

void ServerMachine::State::tell_other_servers(Publication publication) {
    publication.skipped_server = config.server;
    tell_peers(node_ns, all_nodes, publication);
}

void ServerMachine::State::disconnect_everywhere(Publication::Kind kind, std::string_view target) {
    Publication publication;
    publication.kind = kind;
    publication.target = target;
    tell_peers(node_ns, all_nodes, publication);
    take_publication(node_ns, all_nodes, publication);
}

namespace {

std::string presence_id(MemberId member, std::string_view key) {
    return std::to_string(static_cast<std::uint64_t>(member)) + '.' + std::string(key);
}

} // namespace

void ServerMachine::State::tell_presence(const Membership& member, std::string_view key) {
    if (config.peers == Peers::none) return;
    const Topic& topic = topics[member.topic];
    std::string value;
    append_presence_value(value, topic.presence->value(member.id, key));
    out.push(act::PutPresence{topic_ns(topic), out.keep(topic.name), out.keep(presence_id(member.id, key)),
                              out.keep(value)});
}

void ServerMachine::State::tell_absence(const Membership& member, std::string_view key) {
    if (config.peers == Peers::none) return;
    const Topic& topic = topics[member.topic];
    out.push(act::DropPresence{topic_ns(topic), out.keep(topic.name), out.keep(presence_id(member.id, key))});
}

// ---- from other nodes

std::string_view ServerMachine::State::topic_ns(const Topic& topic) noexcept {
    return topic.visibility == Visibility::open ? open_topic_ns : restricted_topic_ns;
}

Topic* ServerMachine::State::find_topic(std::string_view ns, std::string_view key) {
    if (ns == open_topic_ns) return topics.find(key, Visibility::open);
    return ns == restricted_topic_ns ? topics.find(key, Visibility::restricted) : nullptr;
}

void ServerMachine::State::take_publication(std::string_view ns, std::string_view key,
                                            const Publication& publication) {
    const auto route = [&] { return Route{publication.route, std::string(publication.target)}; };
    constexpr std::uint16_t going_away = 1001; // 1000 before Phoenix 1.8
    switch (publication.kind) {
    case Publication::Kind::broadcast:
        if (Topic* const topic = find_topic(ns, key)) take_broadcast(*topic, publication);
        return;
    case Publication::Kind::to_channels:
        for (std::size_t i = 0; i < patterns.size(); ++i) {
            if (!ns.starts_with(channel_ns_prefix) || ns.substr(channel_ns_prefix.size()) != patterns[i].text)
                continue;
            publish_here(group(PatternId{static_cast<std::uint32_t>(i)}, key), publication, MemberId{});
            return;
        }
        return;
    case Publication::Kind::disconnect_socket: {
        const auto found = registry.find(Registry::Kind::socket_id, publication.target);
        disconnect({found.begin(), found.end()}, going_away);
        return;
    }
    case Publication::Kind::disconnect_user:
        disconnect(connections(Route::user(std::string(publication.target))), going_away);
        return;
    case Publication::Kind::send:
        send_to(route(), publication.event, {publication.opcode, publication.payload}, nullptr);
        return;
    case Publication::Kind::disconnect: {
        std::uint16_t code = going_away;
        std::from_chars(publication.payload.data(), publication.payload.data() + publication.payload.size(),
                        code);
        disconnect(connections(route()), code);
        return;
    }
    }
}

void ServerMachine::State::take_broadcast(Topic& topic, const Publication& publication) {
    if (!publication.user_event) {
        broadcast(topic, publication.event, {publication.opcode, publication.payload}, nullptr);
        return;
    }
    FrameView frame;
    frame.event = publication.event;
    frame.user_event = publication.user_event;
    frame.metadata = publication.metadata;
    frame.kind = publication.opcode;
    frame.payload = publication.payload;
    fan_out(topic, frame, nullptr);
}

void ServerMachine::State::take_presence(Topic& topic, const std::vector<phx::server::PresenceEntry>& joined,
                                         const std::vector<phx::server::PresenceEntry>& left) {
    if (!topic.presence) topic.presence = std::make_unique<PresenceTracker>();
    topic.presence->merge(joined, left);
    tell_presence_changes(topic);
}

// ---- the calls

void ServerMachine::handle_subscribed(TimePoint now, SubscriptionId id,
                                      const std::vector<phx::server::PresenceEntry>& present) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    SubscriptionTable::Subscription* const subscription = s.subscriptions.find(id);
    if (subscription == nullptr || subscription->is_confirmed) return;
    subscription->is_confirmed = true;
    if (Topic* const topic = s.find_topic(subscription->ns, subscription->key))
        s.take_presence(*topic, present, {});
    for (const MemberId waiting : std::exchange(subscription->waiting, {})) {
        Membership& member = *s.members.find(waiting);
        if (member.phase != MemberPhase::subscribing || --member.subscribed->awaited != 0) continue;
        if (!s.ask_history(member)) s.go_on_joining(now, member);
    }
}

void ServerMachine::handle_subscribe_failed(TimePoint now, SubscriptionId id) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    SubscriptionTable::Subscription* const subscription = s.subscriptions.find(id);
    if (subscription == nullptr || subscription->is_confirmed) return;
    const std::vector<MemberId> waiting = subscription->waiting; // the last refusal ends the subscription
    for (const MemberId id_of : waiting) {
        Membership& member = *s.members.find(id_of);
        if (member.phase == MemberPhase::subscribing)
            s.stop_waiting(now, member, State::refusal(broker_unavailable));
    }
}

void ServerMachine::handle_publication(TimePoint now, std::string_view ns, std::string_view key,
                                       std::string_view bytes) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    if (const auto publication = read_publication(bytes)) {
        const std::string_view skipped = publication->skipped_server;
        if (skipped.empty() || skipped != s.config.server) s.take_publication(ns, key, *publication);
        return;
    }
    s.out.push(event::FrameDropped{
        SessionId{},
        fail(Errc::malformed_frame,
             "a publication of another node that is none: does it run another version?", Origin::peer)
            .error});
}

void ServerMachine::handle_presence(TimePoint, std::string_view ns, std::string_view key,
                                    const std::vector<phx::server::PresenceEntry>& joined,
                                    const std::vector<phx::server::PresenceEntry>& left) {
    State& s = *state_;
    s.begin_call();
    if (Topic* const topic = s.find_topic(ns, key)) s.take_presence(*topic, joined, left);
}

} // namespace phx::protocol::server
