#include "phx/realtime/broadcast.hpp"

#include "protocol/realtime/json_members.hpp"

namespace phx::realtime {

using namespace protocol::realtime;

Result<Broadcast> Broadcast::read(const Message& message, std::string& scratch) {
    Broadcast broadcast;
    if (message.frame().user_event) { // binary kind 4
        broadcast.event_ = message.user_event();
        broadcast.kind_ = message.binary() ? protocol::Opcode::binary : protocol::Opcode::text;
        broadcast.payload_ = message.frame().payload;
        broadcast.meta_ = message.metadata();
        return broadcast;
    }
    if (message.binary() || !is_json_object(message.text())) {
        return fail(Errc::invalid_payload, "the payload of a broadcast is no JSON object", Origin::peer);
    }
    if (const auto event = json_member(message.text(), "event")) {
        scratch = json_string(*event).value_or(std::string());
        broadcast.event_ = scratch;
    }
    broadcast.payload_ = json_member(message.text(), "payload").value_or("{}");
    broadcast.meta_ = json_member(message.text(), "meta").value_or(std::string_view());
    return broadcast;
}

std::string Broadcast::id() const {
    const auto value = json_member(meta_, "id");
    return value ? json_string(*value).value_or(std::string()) : std::string();
}

bool Broadcast::is_replayed() const { return json_member(meta_, "replayed") == "true"; }

Broadcast Broadcast::own() const {
    if (storage_) return *this;
    auto storage = std::make_shared<std::string>();
    storage->reserve(event_.size() + payload_.size() + meta_.size());
    storage->append(event_).append(payload_).append(meta_);
    Broadcast owned;
    owned.kind_ = kind_;
    const std::string_view all(*storage);
    owned.event_ = all.substr(0, event_.size());
    owned.payload_ = all.substr(event_.size(), payload_.size());
    owned.meta_ = all.substr(event_.size() + payload_.size());
    owned.storage_ = std::move(storage);
    return owned;
}

} // namespace phx::realtime
