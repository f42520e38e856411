#include "protocol/realtime/join_request.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

namespace phx::protocol::realtime {
namespace {

constexpr std::uint32_t id_limit = 1u << 27; // ids are below it: Erlang's phash2
constexpr std::size_t max_quoted_payload = 128;

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
    if (text.size() != lower.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
    }
    return true;
}

/// Supabase: a boolean, or "true" or "false" in any case; anything else is the default, which is false
/// everywhere.
bool read_flag(std::string_view object, std::string_view name) {
    const auto value = json_member(object, name);
    if (!value) return false;
    if (*value == "true") return true;
    const auto text = json_string(*value);
    return text && equals_ignoring_case(*text, "true");
}

std::string_view object_member(std::string_view object, std::string_view name) {
    const auto value = json_member(object, name);
    return value && is_json_object(*value) ? *value : std::string_view("{}");
}

std::optional<std::int64_t> read_integer(std::string_view object, std::string_view name) {
    const auto value = json_member(object, name);
    if (!value) return std::nullopt;
    std::int64_t number = 0;
    const char* const end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

/// A hash of the entry, as Supabase's: equal entries have equal ids (FNV-1a).
std::uint32_t entry_id(std::string_view entry) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : entry) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return static_cast<std::uint32_t>((hash ^ hash >> 32) % id_limit);
}

/// The entry with its id; an id that the client sent gives way.
void append_entry(std::string& out, std::string_view entry) {
    std::string members;
    JsonMembers reader(entry);
    JsonMember member;
    std::string scratch;
    while (reader.next(member)) {
        if (unquote(member.name, scratch) == "id") continue;
        members.append(",").append(member.name.text).append(":").append(member.value);
    }
    out.append("{\"id\":").append(std::to_string(entry_id(members))).append(members).append("}");
}

std::string join_response(std::string_view config) {
    std::string out = "{\"postgres_changes\":[";
    const std::size_t first = out.size();
    JsonElements entries(json_member(config, "postgres_changes").value_or("[]"));
    std::string_view entry;
    while (entries.next(entry)) {
        if (!is_json_object(entry)) continue; // nulls are dropped
        if (out.size() != first) out.push_back(',');
        append_entry(out, entry);
    }
    return out.append("]}");
}

/// Supabase: replay is for private channels, needs `since` and a `limit` from 1 to 25 if any. There is no
/// history in this server yet: a valid request is accepted and replays nothing.
std::string_view judge_replay(std::string_view broadcast, bool is_private) {
    const auto replay = json_member(broadcast, "replay");
    if (!replay || !is_json_object(*replay)) return {};
    if (!is_private) return "UnableToReplayMessages: Replay is not allowed for public channels";
    const auto since = read_integer(*replay, "since");
    const bool limited = json_member(*replay, "limit").value_or("null") != "null";
    const auto limit = limited ? read_integer(*replay, "limit") : std::optional<std::int64_t>(25);
    const bool valid = since && *since >= 0 && limit && *limit >= 1 && *limit <= 25;
    return valid ? std::string_view() : "UnableToReplayMessages: Replay params are not valid";
}

/// Elixir's inspect() of the payload, as far as JSON looks the same.
std::string not_a_map(std::string_view payload) {
    std::string text = "UnknownErrorOnChannel: expected params to be a :map, got: `";
    if (payload.size() > max_quoted_payload) {
        text.append("...");
    } else {
        text.append(payload == "null" ? std::string_view("nil") : payload);
    }
    return text.append("`");
}

} // namespace

JoinRequest read_join(std::string_view subtopic, std::string_view payload) {
    JoinRequest request;
    if (!is_json_object(payload)) {
        request.refusal = not_a_map(payload);
        return request;
    }
    if (subtopic.empty()) {
        request.refusal = topic_name_required;
        return request;
    }
    const std::string_view config = object_member(payload, "config");
    const std::string_view broadcast = object_member(config, "broadcast");
    const std::string_view presence = object_member(config, "presence");
    request.broadcast_self = read_flag(broadcast, "self");
    request.broadcast_ack = read_flag(broadcast, "ack");
    request.presence_enabled = read_flag(presence, "enabled");
    request.presence_key = json_string(json_member(presence, "key").value_or("null")).value_or("");
    request.is_private = read_flag(config, "private");
    request.refusal = judge_replay(broadcast, request.is_private);
    request.response = join_response(config);
    return request;
}

} // namespace phx::protocol::realtime
