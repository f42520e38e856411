#include "phx/realtime/system_message.hpp"

#include "phx/protocol/codec.hpp"
#include "protocol/realtime/json_members.hpp"

#include <utility>

namespace phx::realtime {
namespace {

using protocol::realtime::json_member;
using protocol::realtime::json_string;

Failure malformed(const char* what) {
    return fail(Errc::invalid_payload, std::string("a system message ") + what, Origin::peer);
}

std::optional<std::string> text_member(std::string_view payload, std::string_view name) {
    const auto value = json_member(payload, name);
    return value ? json_string(*value) : std::nullopt;
}

} // namespace

Result<SystemMessage> SystemMessage::parse(std::string_view payload) {
    if (!protocol::validate_json(payload)) return malformed("that is no JSON");
    const auto status = text_member(payload, "status");
    if (!status || (*status != "ok" && *status != "error"))
        return malformed("whose status is neither ok nor error");
    auto message = text_member(payload, "message");
    if (!message) return malformed("without a message");
    auto extension = text_member(payload, "extension");
    if (!extension) return malformed("without an extension");
    SystemMessage result;
    result.ok = *status == "ok";
    result.extension = std::move(*extension);
    result.message = std::move(*message);
    result.channel = text_member(payload, "channel").value_or("");
    result.text = payload;
    return result;
}

} // namespace phx::realtime
