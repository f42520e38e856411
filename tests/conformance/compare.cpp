#include "tests/conformance/compare.hpp"

#include <algorithm>

namespace phx::conformance {

using nlohmann::json;

namespace {

std::string describe(const json& value) {
    std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    constexpr std::size_t most = 600;
    if (text.size() > most) text = text.substr(0, most) + "... (" + std::to_string(text.size()) + " bytes)";
    return text;
}

std::string mismatch(const json& recorded, const json& ours, const std::string& path) {
    return (path.empty() ? "" : "at " + path + ": ") + "expected " + describe(recorded) + ", got " +
           describe(ours);
}

/// 12 bytes as url-safe base64.
bool is_presence_ref(const std::string& text) {
    return text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
           });
}

} // namespace

std::string EventComparer::difference(const json& recorded, const json& ours) {
    return compare(recorded, ours, "");
}

std::string EventComparer::compare(const json& recorded, const json& ours, const std::string& path) {
    if (recorded.is_object() && ours.is_object()) return compare_objects(recorded, ours, path);
    if (!recorded.is_array() || !ours.is_array())
        return recorded == ours ? "" : mismatch(recorded, ours, path);
    if (recorded.size() != ours.size()) return mismatch(recorded, ours, path);
    for (std::size_t i = 0; i < recorded.size(); ++i) {
        const std::string found = compare(recorded[i], ours[i], path + "/" + std::to_string(i));
        if (!found.empty()) return found;
    }
    return "";
}

std::string EventComparer::compare_objects(const json& recorded, const json& ours, const std::string& path) {
    if (recorded.size() != ours.size()) return mismatch(recorded, ours, path);
    for (const auto& [key, value] : recorded.items()) {
        const auto other = ours.find(key);
        if (other == ours.end()) return mismatch(recorded, ours, path);
        const bool is_ref = key == "phx_ref" || key == "phx_ref_prev";
        const std::string below = path + "/" + key;
        const std::string found = is_ref ? compare_refs(value, *other, below) : compare(value, *other, below);
        if (!found.empty()) return found;
    }
    return "";
}

std::string EventComparer::compare_refs(const json& recorded, const json& ours, const std::string& path) {
    if (!recorded.is_string() || !ours.is_string()) return mismatch(recorded, ours, path);
    const std::string theirs = recorded.get<std::string>();
    const std::string mine = ours.get<std::string>();
    if (!is_presence_ref(mine)) return "at " + path + ": no presence ref: " + mine;
    const auto known = ours_of_.find(theirs);
    if (known == ours_of_.end() && !recorded_of_.contains(mine)) {
        ours_of_[theirs] = mine;
        recorded_of_[mine] = theirs;
        return "";
    }
    if (known != ours_of_.end() && known->second == mine) return "";
    return "at " + path + ": " + mine + " stood for another presence ref before";
}

} // namespace phx::conformance
