#include "phx/protocol/builders.hpp"

#include "phx/protocol/codec.hpp"

namespace phx::protocol {
namespace {

constexpr JsonToken null_token{"null"};

FrameView frame_of(const Address& address, std::string_view event, Opcode kind, std::string_view payload) {
    FrameView frame;
    frame.join_ref = address.join_ref;
    frame.ref = address.ref;
    frame.topic = address.topic;
    frame.event = event;
    frame.kind = kind;
    frame.payload = payload;
    return frame;
}

/// Text to the server: nothing in it can be refused.
void build_text(Vsn vsn, const Address& address, std::string_view event, std::string_view json,
                std::string& out) {
    static_cast<void>(encode(vsn, Direction::to_server, frame_of(address, event, Opcode::text, json), out));
}

/// Real servers send no join_ref over v1.
Result<Opcode> build_to_client(Vsn vsn, FrameView& frame, std::string& out) {
    if (vsn == Vsn::v1) frame.join_ref.reset();
    return encode(vsn, Direction::to_client, frame, out);
}

void append_flag(std::string& out, std::string_view key, bool value) {
    out.append(key).append(value ? "true" : "false");
}

void append_member(std::string& out, std::string_view key, std::string_view text) {
    if (text.empty()) return;
    if (out.back() != '{') out.push_back(',');
    append_json_string(out, key);
    out.push_back(':');
    append_json_string(out, text);
}

void append_binding(std::string& out, const PostgresBinding& binding) {
    out.push_back('{');
    append_member(out, "event", binding.event);
    append_member(out, "schema", binding.schema);
    append_member(out, "table", binding.table);
    append_member(out, "filter", binding.filter);
    if (!binding.select.empty()) {
        out.append(out.back() == '{' ? "\"select\":[" : ",\"select\":[");
        for (std::size_t i = 0; i < binding.select.size(); ++i) {
            if (i != 0) out.push_back(',');
            append_json_string(out, binding.select[i]);
        }
        out.push_back(']');
    }
    out.push_back('}');
}

void append_json(std::string& out, std::string_view json) {
    out.append(json.empty() ? std::string_view("{}") : json);
}

} // namespace

std::string join_payload(const JoinConfig& config, std::optional<std::string_view> access_token) {
    std::string out;
    append_flag(out, "{\"config\":{\"broadcast\":{\"ack\":", config.broadcast_ack);
    append_flag(out, ",\"self\":", config.broadcast_self);
    if (config.replay_since_ms) {
        out.append(",\"replay\":{\"since\":").append(std::to_string(*config.replay_since_ms));
        if (config.replay_limit) out.append(",\"limit\":").append(std::to_string(*config.replay_limit));
        out.push_back('}');
    }
    out.append("},\"presence\":{\"key\":");
    append_json_string(out, config.presence_key);
    append_flag(out, ",\"enabled\":", config.presence_enabled);
    out.append("},\"postgres_changes\":[");
    for (std::size_t i = 0; i < config.postgres_changes.size(); ++i) {
        if (i != 0) out.push_back(',');
        append_binding(out, config.postgres_changes[i]);
    }
    append_flag(out, "],\"private\":", config.is_private);
    out.push_back('}');
    if (access_token) {
        out.append(",\"access_token\":");
        append_json_string(out, *access_token);
    }
    out.push_back('}');
    return out;
}

std::string broadcast_payload(std::string_view event, std::string_view json) {
    std::string out = "{\"type\":\"broadcast\",\"event\":";
    append_json_string(out, event);
    out.append(",\"payload\":");
    append_json(out, json);
    out.push_back('}');
    return out;
}

std::string presence_track_payload(std::string_view json) {
    std::string out = "{\"type\":\"presence\",\"event\":\"track\",\"payload\":";
    append_json(out, json);
    out.push_back('}');
    return out;
}

std::string presence_untrack_payload() { return "{\"type\":\"presence\",\"event\":\"untrack\"}"; }

std::string access_token_payload(std::string_view token) {
    std::string out = "{\"access_token\":";
    append_json_string(out, token);
    out.push_back('}');
    return out;
}

void build_join(Vsn vsn, const Address& address, std::string_view json, std::string& out) {
    build_text(vsn, address, "phx_join", json, out);
}

void build_leave(Vsn vsn, const Address& address, std::string& out) {
    build_text(vsn, address, "phx_leave", "{}", out);
}

void build_heartbeat(Vsn vsn, JsonToken ref, std::string& out) {
    Address address{"phoenix"};
    address.ref = ref;
    build_text(vsn, address, "heartbeat", "{}", out);
}

void build_broadcast(Vsn vsn, const Address& address, std::string_view event, std::string_view json,
                     std::string& out) {
    build_text(vsn, address, "broadcast", broadcast_payload(event, json), out);
}

void build_presence_track(Vsn vsn, const Address& address, std::string_view json, std::string& out) {
    build_text(vsn, address, "presence", presence_track_payload(json), out);
}

void build_presence_untrack(Vsn vsn, const Address& address, std::string& out) {
    build_text(vsn, address, "presence", presence_untrack_payload(), out);
}

void build_access_token(Vsn vsn, const Address& address, std::string_view token, std::string& out) {
    build_text(vsn, address, "access_token", access_token_payload(token), out);
}

Result<Opcode> build_push(Vsn vsn, const Address& address, std::string_view event, Opcode kind,
                          std::string_view payload, std::string& out) {
    return encode(vsn, Direction::to_server, frame_of(address, event, kind, payload), out);
}

Result<Opcode> build_user_push(Vsn vsn, const Address& address, std::string_view user_event,
                               std::string_view metadata, Opcode kind, std::string_view payload,
                               std::string& out) {
    FrameView frame = frame_of(address, "broadcast", kind, payload);
    frame.user_event = user_event;
    frame.metadata = metadata;
    return encode(vsn, Direction::to_server, frame, out);
}

Result<Opcode> build_reply(Vsn vsn, const Address& address, std::string_view status, Opcode kind,
                           std::string_view response, std::string& out) {
    if (kind == Opcode::text && response.empty()) response = "{}";
    FrameView frame = frame_of(address, "phx_reply", kind, response);
    frame.status = status;
    return build_to_client(vsn, frame, out);
}

Result<Opcode> build_server_push(Vsn vsn, const Address& address, std::string_view event, Opcode kind,
                                 std::string_view payload, std::string& out) {
    FrameView frame = frame_of(address, event, kind, payload);
    if (!frame.join_ref) frame.join_ref = null_token; // kind 0 also when the channel was joined without a ref
    return build_to_client(vsn, frame, out);
}

Result<Opcode> build_server_broadcast(Vsn vsn, std::string_view topic, std::string_view event, Opcode kind,
                                      std::string_view payload, std::string& out) {
    FrameView frame = frame_of(Address{topic}, event, kind, payload);
    return build_to_client(vsn, frame, out);
}

Result<Opcode> build_user_broadcast(Vsn vsn, std::string_view topic, std::string_view user_event,
                                    std::string_view metadata, Opcode kind, std::string_view payload,
                                    std::string& out) {
    FrameView frame = frame_of(Address{topic}, "broadcast", kind, payload);
    frame.user_event = user_event;
    frame.metadata = metadata;
    return build_to_client(vsn, frame, out);
}

} // namespace phx::protocol
