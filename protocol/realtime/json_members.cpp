#include "protocol/realtime/json_members.hpp"

#include "phx/protocol/codec.hpp"

#include <string>
#include <utility>

namespace phx::protocol::realtime {
namespace {

constexpr std::size_t any_depth = wire::JsonReader::depth_cap;

} // namespace

JsonMembers::JsonMembers(std::string_view text) : reader_(text, any_depth) {
    reader_.skip_space();
    is_object_ = reader_.take('{');
}

bool JsonMembers::next(JsonMember& member) {
    if (!is_object_ || broken_) return false;
    if (std::exchange(first_, false) ? reader_.peek() == '}' : !reader_.take(',')) return false;
    wire::RawString name;
    broken_ = !reader_.name(name) || !reader_.value(member.value);
    if (broken_) return false;
    member.name.text = {name.text.data() - 1, name.text.size() + 2};
    return true;
}

bool JsonMembers::complete() { return is_object_ && !broken_ && reader_.take('}') && reader_.finish(); }

JsonElements::JsonElements(std::string_view text) : reader_(text, any_depth) {
    reader_.skip_space();
    is_array_ = reader_.take('[');
}

bool JsonElements::next(std::string_view& value) {
    if (!is_array_) return false;
    if (std::exchange(first_, false) ? reader_.peek() == ']' : !reader_.take(',')) return false;
    return is_array_ = reader_.value(value);
}

std::optional<std::string_view> json_member(std::string_view object, std::string_view name) {
    JsonMembers members(object);
    JsonMember member;
    std::string scratch;
    while (members.next(member))
        if (unquote(member.name, scratch) == name) return member.value;
    return std::nullopt;
}

std::optional<std::string> json_string(std::string_view value) {
    if (value.empty() || value.front() != '"') return std::nullopt;
    std::string scratch;
    return std::string(unquote(JsonToken{value}, scratch));
}

bool is_json_object(std::string_view value) noexcept { return !value.empty() && value.front() == '{'; }

} // namespace phx::protocol::realtime
