#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/realtime/json_members.hpp"
#include "protocol/server/machine_state.hpp"

#include <chrono>
#include <limits>
#include <utility>

namespace phx::protocol::server {
namespace {

std::int64_t ends_after(std::int64_t now_ms, std::chrono::seconds age) noexcept {
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    return age.count() >= (never - now_ms) / 1000 ? never : now_ms + 1000 * age.count();
}

/// The object without a meta: that is the server's to say. Empty if it is no object.
std::string without_meta(std::string_view object) {
    std::string kept;
    realtime::JsonMembers members(object);
    realtime::JsonMember member;
    std::string scratch;
    if (!members.is_object()) return kept;
    while (members.next(member)) {
        if (unquote(member.name, scratch) == "meta") continue;
        kept.append(kept.empty() ? "{" : ",").append(member.name.text).append(":").append(member.value);
    }
    return kept.empty() ? "{}" : kept.append("}");
}

std::string with_meta(std::string_view object, std::string_view meta) {
    std::string out(object.substr(0, object.size() - 1));
    return out.append(out.size() > 1 ? ",\"meta\":" : "\"meta\":").append(meta).append("}");
}

std::string envelope(std::string_view user_event, std::string_view json) {
    std::string out = "{\"type\":\"broadcast\",\"event\":";
    append_json_string(out, user_event);
    return out.append(",\"payload\":").append(json.empty() ? "{}" : json).append("}");
}

} // namespace

std::int64_t ServerMachine::State::unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch() + unix_offset)
        .count();
}

/// Only of private rooms: Supabase replays nothing else.
const phx::server::History* ServerMachine::State::history_rule(const Topic& topic) const {
    if (topic.visibility == Visibility::open) return nullptr;
    for (const phx::server::History& rule : config.history)
        if (topic_matches(rule.pattern, topic.name)) return &rule;
    return nullptr;
}

bool ServerMachine::State::relay_kept(Topic& topic, const phx::server::History& rule, FrameView copy,
                                      const Membership* except) {
    PastMessage past{topic.name, unix_ms(), 0, ids.uuid(), copy.kind, {}, {}};
    past.ends_ms = ends_after(past.unix_ms, rule.max_age);
    const std::string meta = "{\"id\":\"" + past.id + "\"}";
    std::string with;
    if (copy.user_event) {
        copy.metadata = meta;
        if (copy.kind == Opcode::binary) {
            past.user_event = *copy.user_event;
            past.payload = copy.payload;
        } else {
            past.payload = envelope(*copy.user_event, copy.payload);
        }
    } else {
        past.payload = copy.kind == Opcode::text ? without_meta(copy.payload) : std::string();
        // Nothing that could carry an id.
        if (past.payload.empty()) return fan_out_everywhere(topic, copy, except);
        with = with_meta(past.payload, meta);
        copy.payload = with;
    }
    if (!fan_out_everywhere(topic, copy, except)) return false;
    history.add(std::move(past), rule);
    return true;
}

void ServerMachine::State::replay_history(Session& session, const Membership& member,
                                          const realtime::JoinRequest& request) {
    if (!request.replay || !history_rule(topics[member.topic])) return;
    for (const PastMessage* const past :
         history.since(topic_name(member), request.replay->since_ms, request.replay->limit, unix_ms())) {
        const std::string meta = "{\"id\":\"" + past->id + "\",\"replayed\":true}";
        if (past->kind == Opcode::text) {
            push(session, member, "broadcast", {Opcode::text, with_meta(past->payload, meta)});
        } else if (session.vsn == Vsn::v2) { // v1 has no bytes
            FrameView frame;
            frame.topic = past->topic;
            frame.event = "broadcast";
            frame.user_event = past->user_event;
            frame.metadata = meta;
            frame.kind = Opcode::binary;
            frame.payload = past->payload;
            send(session, frame);
        }
    }
}

} // namespace phx::protocol::server
