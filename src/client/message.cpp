#include "phx/message.hpp"

#include <optional>

namespace phx {

Message Message::own() const {
    Message copy = *this;
    if (storage_) return copy; // shares its bytes
    protocol::FrameView& frame = copy.frame_;
    std::size_t size = 0;
    auto each = [&frame](auto&& visit) {
        if (frame.join_ref) visit(frame.join_ref->text);
        if (frame.ref) visit(frame.ref->text);
        visit(frame.topic);
        visit(frame.event);
        if (frame.topic_token) visit(frame.topic_token->text);
        if (frame.event_token) visit(frame.event_token->text);
        if (frame.user_event) visit(*frame.user_event);
        visit(frame.metadata);
        if (frame.status) visit(*frame.status);
        visit(frame.payload);
    };
    each([&size](std::string_view part) { size += part.size(); });
    auto storage = std::make_shared<std::string>();
    storage->reserve(size); // the views must not move
    each([&storage](std::string_view& part) {
        const std::size_t begin = storage->size();
        storage->append(part);
        part = std::string_view(*storage).substr(begin);
    });
    copy.storage_ = std::move(storage);
    return copy;
}

} // namespace phx
