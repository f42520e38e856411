#pragma once

#include "tools/phx-server/value_type.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace phx::tools {

/// When a changed value takes effect.
enum class Applies : std::uint8_t { at_start, at_reload };

/// A member of a JSON object and what it is in `Owner`. One line declares it, see config.cpp.
template <class Owner> struct Field {
    std::string key; ///< "limits.max_pending_bytes": in the object "limits"
    std::string help = {};
    Applies applies = Applies::at_start;
    std::string_view value_name = "JSON";
    ConfigJson (*from_text)(std::string_view) = nullptr; ///< null: a flag or a variable has it as JSON
    std::function<void(Owner&, const ConfigJson&, const std::string& where, Faults&)> read = {};
    std::function<ConfigJson(const Owner&)> write = {};
};

/// A type that is a JSON object has `static const std::vector<Field<T>>& all()` here.
template <class T> struct FieldsOf;
template <class T>
concept HasFields = requires {
    FieldsOf<T>::all();
};
template <class T>
concept HasValueType = requires {
    ValueType<T>::name();
};

/// Walks an object whose members may be one of the keys, or an object with the rest of a key.
void walk_members(const std::vector<std::string>& keys, const ConfigJson& object, const std::string& where,
                  Faults&, const std::function<void(std::size_t key, const ConfigJson&)>& found);
void add_member(ConfigJson& object, std::string_view key, ConfigJson value);
/// The key or section that was probably meant, written nearly so, shortened or in another place; or empty.
std::string_view nearest_key(const std::vector<std::string>& keys, std::string_view unknown);
void add_wrong_type(Faults&, std::string_view where, std::string_view wanted, const ConfigJson& got);

template <class T> std::vector<std::string> keys_of() {
    std::vector<std::string> keys;
    for (const auto& field : FieldsOf<T>::all()) keys.push_back(field.key);
    return keys;
}

/// What is missing in the object keeps its value.
template <HasFields T>
void read_value(T& value, const ConfigJson& json, const std::string& where, Faults& faults) {
    const std::vector<Field<T>>& fields = FieldsOf<T>::all();
    const std::string prefix = where.empty() ? where : where + ".";
    walk_members(keys_of<T>(), json, where, faults, [&](std::size_t key, const ConfigJson& member) {
        fields[key].read(value, member, prefix + fields[key].key, faults);
    });
}

template <HasValueType T>
void read_value(T& value, const ConfigJson& json, const std::string& where, Faults& faults) {
    if (!ValueType<T>::read(json, value)) add_wrong_type(faults, where, ValueType<T>::wanted(), json);
}

/// A list replaces the one that was there.
template <HasFields T>
void read_value(std::vector<T>& values, const ConfigJson& json, const std::string& where, Faults& faults) {
    if (!json.is_array()) return add_wrong_type(faults, where, "a list of objects", json);
    values.clear();
    for (std::size_t i = 0; i < json.size() && !faults.is_full(); ++i)
        read_value(values.emplace_back(), json[i], where + "[" + std::to_string(i) + "]", faults);
}

/// null: there is none.
template <HasFields T>
void read_value(std::optional<T>& value, const ConfigJson& json, const std::string& where, Faults& faults) {
    value.reset();
    if (!json.is_null()) read_value(value.emplace(), json, where, faults);
}

template <HasFields T> ConfigJson write_value(const T& value) {
    ConfigJson object = ConfigJson::object();
    for (const auto& field : FieldsOf<T>::all()) add_member(object, field.key, field.write(value));
    return object;
}

template <HasValueType T> ConfigJson write_value(const T& value) { return ValueType<T>::write(value); }

template <HasFields T> ConfigJson write_value(const std::vector<T>& values) {
    ConfigJson list = ConfigJson::array();
    for (const T& value : values) list.push_back(write_value(value));
    return list;
}

template <HasFields T> ConfigJson write_value(const std::optional<T>& value) {
    return value ? write_value(*value) : ConfigJson(nullptr);
}

/// `member` gives the member of an Owner, const or not.
template <class Owner, class Member>
Field<Owner> field(std::string key, Member member, std::string help, Applies applies = Applies::at_start) {
    using T = std::remove_cvref_t<decltype(member(std::declval<Owner&>()))>;
    Field<Owner> made{std::move(key), std::move(help), applies};
    if constexpr (HasValueType<T>) {
        made.value_name = ValueType<T>::name();
        made.from_text = &ValueType<T>::from_text;
    }
    made.read = [member](Owner& owner, const ConfigJson& json, const std::string& where, Faults& faults) {
        read_value(member(owner), json, where, faults);
    };
    made.write = [member](const Owner& owner) { return write_value(member(owner)); };
    return made;
}

} // namespace phx::tools
