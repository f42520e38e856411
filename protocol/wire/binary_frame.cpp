#include "protocol/wire/binary_frame.hpp"

namespace phx::protocol::wire {
namespace {

constexpr Layout push_to_server{
    0, 4, {Field::join_ref, Field::ref, Field::topic, Field::event}, Encoding::none};
constexpr Layout push_to_client{0, 3, {Field::join_ref, Field::topic, Field::event}, Encoding::none};
constexpr Layout reply{1, 4, {Field::join_ref, Field::ref, Field::topic, Field::status}, Encoding::none};
constexpr Layout broadcast{2, 2, {Field::topic, Field::event}, Encoding::none};
constexpr Layout user_push{
    3, 5, {Field::join_ref, Field::ref, Field::topic, Field::user_event, Field::metadata}, Encoding::present};
constexpr Layout user_broadcast{4, 3, {Field::topic, Field::user_event, Field::metadata}, Encoding::present};

} // namespace

const Layout* find_layout(Direction direction, unsigned char kind) noexcept {
    const bool to_server = direction == Direction::to_server;
    switch (kind) {
    case 0: return to_server ? &push_to_server : &push_to_client;
    case 1: return to_server ? nullptr : &reply;
    case 2: return to_server ? nullptr : &broadcast;
    case 3: return to_server ? &user_push : nullptr;
    case 4: return to_server ? nullptr : &user_broadcast;
    default: return nullptr;
    }
}

std::string_view name_of(Field field) noexcept {
    switch (field) {
    case Field::join_ref: return "join_ref";
    case Field::ref: return "ref";
    case Field::topic: return "topic";
    case Field::event: return "event";
    case Field::status: return "status";
    case Field::user_event: return "user event";
    case Field::metadata: return "metadata";
    }
    return "";
}

} // namespace phx::protocol::wire
