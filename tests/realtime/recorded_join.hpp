#pragma once

#include "tests/realtime/replay_fixture.hpp"

#include <algorithm>
#include <cctype>

/// What raw clients asked for in their joins, and what the server's presence means.
namespace phx::test {

/// Whether the config of a join switches it on, in the server's reading: booleans may be strings.
inline bool is_true(const Json& config, const char* part, const char* name) {
    const Json* place = &config;
    if (*part != '\0') {
        if (!config.contains(part) || !config[part].is_object()) return false;
        place = &config[part];
    }
    std::string text = place->contains(name) ? (*place)[name].dump() : std::string();
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text == "true" || text == "\"true\"";
}

/// An entry of postgres_changes as ours says it; none if it cannot.
inline std::optional<realtime::PostgresFilter> filter_of(const Json& entry) {
    if (!entry.is_object() || !entry.contains("schema")) return {};
    realtime::PostgresFilter filter;
    for (const auto& [name, value] : entry.items()) {
        if (name == "select" ? !value.is_array() : !value.is_string()) return {};
    }
    using realtime::ChangeKind;
    for (const ChangeKind kind : {ChangeKind::insert, ChangeKind::update, ChangeKind::remove})
        if (entry.value("event", "*") == to_string(kind)) filter.kind = kind;
    filter.schema = entry["schema"];
    filter.table = entry.value("table", "");
    filter.filter = entry.value("filter", "");
    filter.select = entry.value("select", std::vector<std::string>());
    try {
        (void)to_binding(filter);
    } catch (const std::invalid_argument&) {
        return {};
    }
    return filter;
}
/// Presence as the notes describe it, in the plainest way: what we compare with.
class PresenceModel {
public:
    void take_state(const Json& state) {
        metas_ = Json::object();
        for (const auto& [key, entry] : state.items()) metas_[key] = entry.at("metas");
        is_known_ = true;
    }
    void take_diff(const Json& diff) {
        for (const auto& [key, entry] : diff.at("joins").items())
            for (const Json& meta : entry.at("metas")) metas_[key].push_back(meta);
        for (const auto& [key, entry] : diff.at("leaves").items()) {
            Json& metas = metas_[key];
            for (const Json& gone : entry.at("metas")) {
                const auto is_it = [&](const Json& meta) { return meta.at("phx_ref") == gone.at("phx_ref"); };
                metas.erase(std::remove_if(metas.begin(), metas.end(), is_it), metas.end());
            }
            if (metas.empty()) metas_.erase(key);
        }
    }
    bool is_known() const { return is_known_; }
    Json shown() const {
        Json all = metas_;
        for (auto& [key, metas] : all.items()) {
            for (Json& meta : metas) {
                meta["presence_ref"] = meta.at("phx_ref");
                meta.erase("phx_ref");
                meta.erase("phx_ref_prev");
            }
        }
        return all;
    }

private:
    Json metas_ = Json::object();
    bool is_known_ = false;
};

} // namespace phx::test
