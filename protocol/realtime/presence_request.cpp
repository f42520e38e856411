#include "protocol/realtime/presence_request.hpp"

#include "protocol/realtime/json_members.hpp"

#include <string>

namespace phx::protocol::realtime {
namespace {

std::string to_lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return text;
}

} // namespace

PresenceRequest read_presence(std::string_view payload) {
    if (!is_json_object(payload)) return {};
    const auto event = json_member(payload, "event");
    if (!event) return {PresenceAction::nothing};
    const std::string name = to_lower(json_string(*event).value_or(""));
    if (name == "untrack") return {PresenceAction::untrack};
    if (name != "track") return {};
    const std::string_view meta = json_member(payload, "payload").value_or("{}");
    return {is_json_object(meta) ? PresenceAction::track : PresenceAction::bad_meta, meta};
}

} // namespace phx::protocol::realtime
