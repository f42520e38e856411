#include "phx/protocol/codec.hpp"
#include "protocol/server/machine_state.hpp"
#include "protocol/wire/utf8.hpp"

#include <string>

namespace phx::protocol::server {
namespace {

std::string_view route_name(Route::Kind kind) noexcept {
    switch (kind) {
    case Route::Kind::all: return "all";
    case Route::Kind::user: return "user";
    case Route::Kind::role: return "role";
    case Route::Kind::connection: return "connection";
    case Route::Kind::topic: break;
    }
    return "topic";
}

std::string route_meta(Route::Kind kind) { return "{\"route\":\"" + std::string(route_name(kind)) + "\"}"; }

/// Version 1 has no binary frames.
std::size_t reached(Topic& topic, Opcode kind, const Membership* except) noexcept {
    std::size_t count = topic.list(Vsn::v2).members.size();
    if (kind == Opcode::text) count += topic.list(Vsn::v1).members.size();
    if (except == nullptr) return count;
    for (const Vsn vsn : {Vsn::v2, Vsn::v1}) {
        const MemberList& list = topic.list(vsn);
        const bool is_there =
            except->position < list.members.size() && list.members[except->position] == except->id;
        if (is_there && (vsn == Vsn::v2 || kind == Opcode::text)) --count;
    }
    return count;
}

} // namespace

// ---- the reserved topic

void ServerMachine::State::join_inbox(Session& session, std::uint64_t topic_hash, const FrameView& frame,
                                      std::optional<std::string> replaced) {
    Membership& member = add_member(session, topic_hash, frame, Visibility::open, std::nullopt);
    member.is_inbox = true;
    member.token = std::make_unique<ChannelToken>();
    member.pending = std::make_unique<PendingJoin>();
    member.pending->ref.assign(frame.ref.value_or(null_token).text);
    member.pending->replaced = std::move(replaced);
    const auto token = token_in(frame);
    if (config.verifies_tokens && token) return ask_about_token(member, *token);
    accept_inbox(member);
}

void ServerMachine::State::accept_inbox(Membership& member) {
    // As a join of realtime:* is answered: realtime-js looks for the changes it is subscribed to.
    settle(time, member, phx::server::JoinAnswer::ok(R"({"postgres_changes":[]})"));
}

/// realtime-js connects with the project's key; the user's token comes with its channels. The connection's
/// own names stay: whoever is to be disconnected must be found, whatever tokens it shows.
void ServerMachine::State::name_inbox(Session& session, const phx::server::Identity* who) {
    registry.remove(session, sessions);
    registry.add(session);
    if (who != nullptr) registry.add_inbox(session, *who);
}

void ServerMachine::State::deliver_inbox(Session& session, Membership& member, const FrameView& frame) {
    if (frame.event == "access_token") return receive_token(member, frame);
    refuse(session, JsonToken{member.channel_ref}, frame, "read only");
}

// ---- routing

std::optional<std::size_t> ServerMachine::State::send_to(const Route& route, std::string_view event,
                                                         PayloadView payload, Session* source) {
    if (event.empty()) return std::nullopt;
    if (route.kind == Route::Kind::topic) return send_to_topic(route.target, event, payload, source);
    const std::string meta = route_meta(route.kind);
    FrameView frame = broadcast_frame(event, payload, meta);
    frame.topic = inbox_topic;
    if (route.kind == Route::Kind::all) {
        Topic* const inbox = topics.find(inbox_topic, Visibility::open);
        if (inbox == nullptr) return 0;
        const Membership* const except = source != nullptr ? members.find(source->inbox) : nullptr;
        if (!fan_out(*inbox, frame, except)) return std::nullopt;
        return reached(*inbox, payload.kind, except);
    }
    const auto receivers = inboxes(connections(route), source);
    std::size_t count = 0;
    for (const Vsn vsn : {Vsn::v2, Vsn::v1}) {
        const auto& list = receivers[static_cast<std::size_t>(vsn)];
        if (list.empty() || (vsn == Vsn::v1 && payload.binary())) continue;
        if (!fan_out(vsn, list, std::nullopt, frame)) return std::nullopt;
        count += list.size();
    }
    return count;
}

std::array<std::vector<SessionId>, 2> ServerMachine::State::inboxes(std::span<const SessionId> list,
                                                                    const Session* source) {
    std::array<std::vector<SessionId>, 2> receivers;
    for (const SessionId id : list) {
        const Session* const session = sessions.find(id);
        if (session == source || session->inbox == MemberId{}) continue;
        receivers[static_cast<std::size_t>(session->vsn)].push_back(id);
    }
    return receivers;
}

std::optional<std::size_t> ServerMachine::State::send_to_topic(std::string_view name, std::string_view event,
                                                               PayloadView payload, Session* source) {
    const std::uint64_t hash = text_hash(config.hash_seed, name);
    const Membership* const own = source != nullptr ? find_join(*source, hash, name) : nullptr;
    std::size_t count = 0;
    for (const Visibility visibility : {Visibility::open, Visibility::restricted}) {
        Topic* const topic = topics.find(name, visibility);
        if (topic == nullptr) continue;
        const bool is_in =
            own != nullptr && own->phase == MemberPhase::joined && &topics[own->topic] == topic;
        const auto here = send_to_topic(*topic, event, payload, is_in ? own : nullptr);
        if (!here) return std::nullopt;
        count += *here;
    }
    return count;
}

std::optional<std::size_t> ServerMachine::State::send_to_topic(Topic& topic, std::string_view event,
                                                               PayloadView payload,
                                                               const Membership* except) {
    const bool is_sent = topic.pattern ? broadcast(topic, event, payload, except)
                                       : fan_out(topic, broadcast_frame(event, payload, {}), except);
    if (!is_sent) return std::nullopt;
    return reached(topic, payload.kind, except);
}

FrameView ServerMachine::State::broadcast_frame(std::string_view event, PayloadView payload,
                                                std::string_view meta) {
    FrameView frame;
    frame.event = "broadcast";
    frame.kind = payload.kind;
    if (payload.binary()) { // Supabase's kind 4
        frame.user_event = event;
        frame.metadata = meta;
        frame.payload = payload.data;
        return frame;
    }
    // As JSON also over version 2: phoenix.js reads no kind 4.
    text.assign("{\"type\":\"broadcast\",\"event\":");
    append_json_string(text, event);
    text.append(",\"payload\":").append(payload.data.empty() ? std::string_view("{}") : payload.data);
    if (!meta.empty()) text.append(",\"meta\":").append(meta);
    text.push_back('}');
    frame.payload = text;
    return frame;
}

std::optional<std::size_t> ServerMachine::broadcast_realtime(TimePoint now, const RealtimeBroadcast& wanted) {
    State& s = *state_;
    s.begin_call();
    s.time = now;
    if (!s.may_send(wanted)) return std::nullopt;
    const auto visibility = wanted.is_private ? Visibility::restricted : Visibility::open;
    // Also of a room that nobody is in: history may be kept of it.
    const TopicIndex index = s.topics.acquire(wanted.topic, visibility);
    if (!wanted.is_private) s.topics[index].pattern = s.match(wanted.topic);
    const std::size_t count = s.broadcast_from_outside(s.topics[index], wanted);
    s.topics.release(index);
    return count;
}

std::size_t ServerMachine::State::broadcast_from_outside(Topic& topic, const RealtimeBroadcast& wanted) {
    if (topic.pattern) {
        tell_peers_of_broadcast(topic, wanted.event, wanted.payload);
        return send_to_topic(topic, wanted.event, wanted.payload, nullptr).value_or(0);
    }
    FrameView frame;
    if (wanted.form == RealtimeBroadcast::Form::text || wanted.payload.binary()) {
        frame = broadcast_frame(wanted.event, wanted.payload, {});
    } else {
        frame.event = "broadcast";
        frame.user_event = wanted.event;
        frame.payload = wanted.payload.data;
    }
    return relay_everywhere(topic, frame, nullptr) ? reached(topic, frame.kind, nullptr) : 0;
}

std::size_t ServerMachine::send(TimePoint, const Route& route, std::string_view event, PayloadView payload,
                                Reach reach) {
    State& s = *state_;
    s.begin_call();
    if (reach == Reach::other_servers) {
        Publication publication = State::publication_of(Publication::Kind::send, route);
        publication.opcode = payload.kind;
        publication.event = event;
        publication.payload = payload.data;
        s.tell_other_servers(publication);
    }
    return s.send_to(route, event, payload, nullptr).value_or(0);
}

Result<void> check_message(std::string_view event, PayloadView payload) {
    constexpr std::size_t max_field_bytes = 255; // of binary frames
    if (event.empty()) return fail(Errc::invalid_argument, "a message needs an event");
    if (!is_utf8(event)) return fail(Errc::invalid_utf8, "the event is not UTF-8");
    if (payload.binary()) {
        if (event.size() <= max_field_bytes) return {};
        return fail(Errc::field_too_long,
                    "the event has " + std::to_string(event.size()) + " bytes, binary frames allow 255");
    }
    if (payload.data.empty()) return {};
    if (const auto valid = validate_json(payload.data); !valid)
        return fail(Errc::invalid_payload, "the payload is no JSON: " + valid.error().message);
    return {};
}

} // namespace phx::protocol::server
