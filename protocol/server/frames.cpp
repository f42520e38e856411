#include "phx/protocol/codec.hpp"
#include "phx/protocol/topic.hpp"
#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <cassert>
#include <span>

namespace phx::protocol::server {
namespace {

/// Never less than what encode() writes: names may need six bytes for each of theirs.
std::size_t frame_bound(const FrameView& frame) {
    const auto token = [](const std::optional<JsonToken>& t) { return t ? t->text.size() : 0; };
    const std::size_t names = frame.topic.size() + frame.event.size() + frame.user_event.value_or("").size() +
                              frame.status.value_or("").size();
    const std::size_t tokens =
        token(frame.join_ref) + token(frame.ref) + token(frame.topic_token) + token(frame.event_token);
    return 256 + 6 * names + tokens + frame.metadata.size() + frame.payload.size();
}

struct Encoded {
    Opcode opcode;
    std::string_view data;
};

std::optional<Encoded> encode_into(OutputQueue& out, Vsn vsn, const FrameView& frame) {
    std::string& buffer = out.frame_buffer(frame_bound(frame));
    const char* const before = buffer.data();
    const std::size_t begin = buffer.size();
    const Result<Opcode> opcode = encode(vsn, Direction::to_client, frame, buffer);
    assert(buffer.data() == before && "frame_bound() is too low");
    static_cast<void>(before);
    if (!opcode) return std::nullopt;
    return Encoded{*opcode, std::string_view(buffer).substr(begin)};
}

} // namespace

bool ServerMachine::State::send(Session& session, FrameView frame) {
    if (session.phase != SessionPhase::open) return true;
    if (session.vsn == Vsn::v1) frame.join_ref.reset(); // Phoenix V1 never sends it
    const auto encoded = encode_into(out, session.vsn, frame);
    if (encoded) out.push(act::Send{session.id, encoded->opcode, encoded->data});
    return encoded.has_value();
}

bool ServerMachine::State::reply(Session& session, JsonToken join_ref, const FrameView& question,
                                 std::string_view status, PayloadView response) {
    FrameView frame;
    frame.join_ref = join_ref;
    frame.ref = question.ref;
    frame.topic = question.topic;
    frame.topic_token = question.topic_token;
    frame.event = "phx_reply";
    frame.status = status;
    frame.kind = response.kind;
    frame.payload = response.data.empty() && !response.binary() ? std::string_view("{}") : response.data;
    return send(session, frame);
}

void ServerMachine::State::refuse(Session& session, JsonToken join_ref, const FrameView& question,
                                  std::string_view reason) {
    text.assign("{\"reason\":");
    append_json_string(text, reason);
    text.push_back('}');
    reply(session, join_ref, question, "error", {Opcode::text, text});
}

bool ServerMachine::State::push(Session& session, const Membership& member, std::string_view event,
                                PayloadView payload) {
    tell_own_presence_changes(member);
    FrameView frame;
    frame.join_ref = JsonToken{member.channel_ref};
    frame.topic = topic_name(member);
    frame.event = event;
    frame.kind = payload.kind;
    frame.payload = payload.data;
    return send(session, frame);
}

void ServerMachine::State::end_frame(Session& session, std::string_view topic, JsonToken join_ref,
                                     std::string_view event, std::string_view json) {
    FrameView frame;
    frame.join_ref = join_ref;
    frame.ref = join_ref;
    frame.topic = topic;
    frame.event = event;
    frame.payload = json;
    send(session, frame);
}

void ServerMachine::State::push_system(Session& session, const Membership& member, std::string_view status,
                                       std::string_view extension, std::string_view message) {
    const std::string_view topic = topic_name(member);
    const bool has_prefix = topic.starts_with(realtime_prefix);
    text.assign("{\"message\":");
    append_json_string(text, message);
    text.append(",\"status\":\"").append(status);
    text.append("\",\"extension\":\"").append(extension).append("\",\"channel\":");
    append_json_string(text, has_prefix ? topic.substr(realtime_prefix.size()) : topic);
    text.push_back('}');
    push(session, member, "system", {Opcode::text, text});
}

void ServerMachine::State::send_to(const std::vector<SessionId>& receivers, Vsn vsn, const FrameView& frame) {
    const auto encoded = encode_into(out, vsn, frame);
    if (!encoded) return;
    std::vector<SessionId>& buffer = out.session_buffer(receivers.size());
    const auto begin = static_cast<std::ptrdiff_t>(buffer.size());
    buffer.insert(buffer.end(), receivers.begin(), receivers.end());
    const auto kept = std::span<const SessionId>(buffer).subspan(static_cast<std::size_t>(begin));
    out.push(act::Fanout{kept, encoded->opcode, encoded->data});
}

bool ServerMachine::State::sees_presence(MemberId id) {
    const Membership& member = *members.find(id);
    return !member.realtime || (member.rights.presence && member.realtime->watches_presence);
}

bool ServerMachine::State::fan_out(Topic& topic, FrameView frame, const Membership* except,
                                   Receivers receivers_wanted) {
    if (receivers_wanted == Receivers::everybody) tell_presence_changes(topic);
    frame.topic = topic.name;
    const bool filters = receivers_wanted == Receivers::those_who_see_presence && topic.blind_members > 0;
    for (const Vsn vsn : {Vsn::v2, Vsn::v1}) {
        const MemberList& list = topic.list(vsn);
        const bool skips = except != nullptr && except->position < list.members.size() &&
                           list.members[except->position] == except->id;
        const std::size_t count = list.sessions.size() - (skips ? 1 : 0);
        // Phoenix crashes the sender when a v1 member listens to a binary broadcast; here that member gets
        // nothing.
        if (count == 0 || (vsn == Vsn::v1 && frame.kind == Opcode::binary)) continue;
        const auto skipped = skips ? std::optional(except->position) : std::nullopt;
        if (!filters) {
            if (!fan_out(vsn, list.sessions, skipped, frame)) return false;
            continue;
        }
        std::vector<SessionId> seeing;
        for (std::uint32_t i = 0; i < list.members.size(); ++i)
            if (skipped != i && sees_presence(list.members[i])) seeing.push_back(list.sessions[i]);
        if (!seeing.empty() && !fan_out(vsn, seeing, std::nullopt, frame)) return false;
    }
    return true;
}

bool ServerMachine::State::fan_out(Vsn vsn, std::span<const SessionId> to,
                                   std::optional<std::uint32_t> skipped, const FrameView& frame) {
    const auto encoded = encode_into(out, vsn, frame);
    if (!encoded) return false;
    std::vector<SessionId>& buffer = out.session_buffer(to.size());
    const auto begin = static_cast<std::ptrdiff_t>(buffer.size());
    buffer.insert(buffer.end(), to.begin(), to.end());
    if (skipped) {
        std::iter_swap(buffer.begin() + begin + *skipped, buffer.end() - 1);
        buffer.pop_back();
    }
    const auto receivers = std::span<const SessionId>(buffer).subspan(static_cast<std::size_t>(begin));
    out.push(act::Fanout{receivers, encoded->opcode, encoded->data});
    return true;
}

void ServerMachine::State::ask_receivers(const Topic& topic, std::string_view event, PayloadView payload,
                                         const Membership* except) {
    const std::string_view kept_event = out.keep(event);
    const PayloadView kept{payload.kind, out.keep(payload.data)};
    std::vector<MemberId> keyed; // asking may end one of them
    for (const MemberList& list : topic.lists) {
        for (const MemberId id : list.members) {
            if (except != nullptr && id == except->id) continue;
            if (members.find(id)->keyed) {
                keyed.push_back(id);
            } else {
                out.push(event::MessageOut{id, *topic.pattern, kept_event, kept});
            }
        }
    }
    for (const MemberId id : keyed)
        ask(*members.find(id), {WaitingQuestion::Kind::out, std::string(event), Payload(payload), {}});
}

bool ServerMachine::State::broadcast(Topic& topic, std::string_view event, PayloadView payload,
                                     const Membership* except) {
    if (topic.pattern) {
        const auto& intercepts = patterns[static_cast<std::size_t>(*topic.pattern)].intercepts;
        if (std::find(intercepts.begin(), intercepts.end(), event) != intercepts.end()) {
            tell_presence_changes(topic);
            ask_receivers(topic, event, payload, except);
            return true;
        }
    }
    FrameView frame;
    frame.event = event;
    frame.kind = payload.kind;
    frame.payload = payload.data;
    return fan_out(topic, frame, except);
}

} // namespace phx::protocol::server
