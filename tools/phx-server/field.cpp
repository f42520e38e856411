#include "tools/phx-server/field.hpp"

#include <algorithm>
#include <numeric>

namespace phx::tools {
namespace {

/// How many letters have to change; Levenshtein's.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = std::exchange(row[j + 1], std::min({row[j], row[j + 1], diagonal}) + 1);
            row[j + 1] = std::min(row[j + 1], replaced);
        }
    }
    return row.back();
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

class Walk {
public:
    Walk(const std::vector<std::string>& keys, std::string where, Faults& faults,
         const std::function<void(std::size_t, const ConfigJson&)>& found)
        : keys_(keys), where_(std::move(where)), faults_(faults), found_(found) {}

    /// `prefix` is "" or a section with its dot.
    void object(const ConfigJson& json, const std::string& prefix) {
        for (const auto& [name, value] : json.items()) {
            if (faults_.is_full()) return;
            member(prefix + name, name.find('.') != std::string::npos, value);
        }
    }

private:
    void member(const std::string& key, bool has_dot, const ConfigJson& value) {
        const auto own = std::find(keys_.begin(), keys_.end(), key);
        if (!has_dot && own != keys_.end())
            return found_(static_cast<std::size_t>(own - keys_.begin()), value);
        const std::string section = key + ".";
        const bool is_section = std::any_of(keys_.begin(), keys_.end(),
                                            [&](const auto& known) { return known.starts_with(section); });
        if (has_dot)
            return faults_.add(place(shown(key)), R"(a key has no dot; write {"a":{"b":...}} for a.b)");
        if (!is_section) return unknown(key);
        if (!value.is_object()) return add_wrong_type(faults_, place(key), "an object", value);
        object(value, section);
    }

    void unknown(const std::string& key) {
        const std::string_view meant = nearest_key(keys_, key);
        faults_.add(place(shown(key)),
                    meant.empty() ? "unknown key" : "unknown key; did you mean " + place(meant) + "?");
    }

    std::string place(std::string_view key) const {
        return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
    }

    const std::vector<std::string>& keys_;
    const std::string where_;
    Faults& faults_;
    const std::function<void(std::size_t, const ConfigJson&)>& found_;
};

std::string_view kind_of(const ConfigJson& json) {
    if (json.is_number()) return "this number";
    if (json.is_string()) return "this text";
    if (json.is_boolean()) return json.get<bool>() ? "true" : "false";
    if (json.is_array()) return "a list";
    return json.is_object() ? "an object" : "null";
}

} // namespace

void walk_members(const std::vector<std::string>& keys, const ConfigJson& object, const std::string& where,
                  Faults& faults, const std::function<void(std::size_t, const ConfigJson&)>& found) {
    if (!object.is_object())
        return add_wrong_type(faults, where.empty() ? "the configuration" : where, "an object", object);
    Walk(keys, where, faults, found).object(object, "");
}

std::string_view nearest_key(const std::vector<std::string>& keys, std::string_view unknown) {
    constexpr std::size_t max_bytes = 100;
    if (unknown.size() > max_bytes) return {};
    std::string_view best;
    std::size_t least = std::max<std::size_t>(2, unknown.size() / 6) + 1;
    const auto consider = [&](std::string_view known, std::size_t changes) {
        if (changes >= least) return;
        least = changes;
        best = known;
    };
    for (const std::string_view key : keys) {
        const std::string_view section = key.substr(0, std::min(key.rfind('.'), key.size()));
        const bool is_nearly = last_part(key) == last_part(unknown) ||
                               key.starts_with(std::string(unknown) + "_") ||
                               key.ends_with("_" + std::string(unknown));
        consider(key, is_nearly ? 1 : distance(key, unknown));
        consider(section, distance(section, unknown));
    }
    return best;
}

void add_member(ConfigJson& object, std::string_view key, ConfigJson value) {
    ConfigJson* place = &object;
    for (std::size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
        place = &(*place)[std::string(key.substr(0, dot))];
        key.remove_prefix(dot + 1);
    }
    (*place)[std::string(key)] = std::move(value);
}

void add_wrong_type(Faults& faults, std::string_view where, std::string_view wanted, const ConfigJson& got) {
    faults.add(where, "expected " + std::string(wanted) + ", not " + std::string(kind_of(got)));
}

} // namespace phx::tools
