#pragma once

#include "phx/protocol/frame.hpp"
#include "protocol/wire/json_text.hpp"

#include <optional>
#include <string_view>

namespace phx::protocol::realtime {

struct JsonMember {
    JsonToken name = {};
    std::string_view value = {}; ///< as written
};

/// Walks the members of one JSON object without building a tree. Any text is safe: what is no object has no
/// members.
class JsonMembers {
public:
    explicit JsonMembers(std::string_view text);

    bool is_object() const noexcept { return is_object_; }
    bool next(JsonMember&);
    /// After next() returned false: the text was one object and nothing else.
    bool complete();

private:
    wire::JsonReader reader_;
    bool is_object_ = false;
    bool first_ = true;
    bool broken_ = false;
};

/// Likewise the elements of an array.
class JsonElements {
public:
    explicit JsonElements(std::string_view text);

    bool is_array() const noexcept { return is_array_; }
    bool next(std::string_view& value);

private:
    wire::JsonReader reader_;
    bool is_array_ = false;
    bool first_ = true;
};

/// The value of a member, as written; of a repeated name the first, as in Jason, which is what the real
/// servers read with.
std::optional<std::string_view> json_member(std::string_view object, std::string_view name);
/// The text of a string value; none if it is no string.
std::optional<std::string> json_string(std::string_view value);
/// Whether the value is an object.
bool is_json_object(std::string_view value) noexcept;

} // namespace phx::protocol::realtime
