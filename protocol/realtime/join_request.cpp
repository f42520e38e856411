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
std::uint32_t append_entry(std::string& out, std::string_view entry) {
    std::string members;
    JsonMembers reader(entry);
    JsonMember member;
    std::string scratch;
    while (reader.next(member)) {
        if (unquote(member.name, scratch) == "id") continue;
        members.append(",").append(member.name.text).append(":").append(member.value);
    }
    const std::uint32_t id = entry_id(members);
    out.append("{\"id\":").append(std::to_string(id)).append(members).append("}");
    return id;
}

void read_subscriptions(std::string_view config, JoinRequest& request) {
    std::string& out = request.response;
    out = "{\"postgres_changes\":[";
    const std::size_t first = out.size();
    JsonElements entries(json_member(config, "postgres_changes").value_or("[]"));
    std::string_view entry;
    while (entries.next(entry)) {
        if (!is_json_object(entry)) continue; // nulls are dropped
        if (out.size() != first) out.push_back(',');
        const std::uint32_t id = append_entry(out, entry);
        if (!request.subscription_error.empty()) continue;
        auto subscription = read_subscription(entry);
        if (subscription) {
            subscription->id = id;
            request.subscriptions.push_back(*std::move(subscription));
        } else {
            request.subscription_error = subscription.error().message;
            request.subscriptions.clear();
        }
    }
    out.append("]}");
}

std::optional<std::string> read_token(std::string_view payload) {
    for (const std::string_view name : {"user_token", "access_token"}) {
        auto token = json_string(json_member(payload, name).value_or("null"));
        if (token) return token->starts_with("sb_") ? std::nullopt : token;
    }
    return std::nullopt;
}

/// Supabase: replay is for private channels, needs `since` and a `limit` from 1 to 25 if any.
std::string_view read_replay(std::string_view broadcast, JoinRequest& request) {
    const auto replay = json_member(broadcast, "replay");
    if (!replay || !is_json_object(*replay)) return {};
    if (!request.is_private) return "UnableToReplayMessages: Replay is not allowed for public channels";
    const auto since = read_integer(*replay, "since");
    const bool limited = json_member(*replay, "limit").value_or("null") != "null";
    const auto limit = limited ? read_integer(*replay, "limit") : std::optional<std::int64_t>(25);
    if (!since || *since < 0 || !limit || *limit < 1 || *limit > 25)
        return "UnableToReplayMessages: Replay params are not valid";
    request.replay = {*since, static_cast<std::size_t>(*limit)};
    return {};
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
    request.replication_ready = read_flag(broadcast, "replication_ready");
    request.token = read_token(payload);
    request.refusal = read_replay(broadcast, request);
    read_subscriptions(config, request);
    return request;
}

} // namespace phx::protocol::realtime
