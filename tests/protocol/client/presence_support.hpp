#pragma once

#include "protocol/client/presence.hpp"

#include <string>
#include <vector>

namespace phx::protocol::test {

/// "[1,1.2]": the refs of the metas.
inline std::string shown(const std::vector<PresenceMeta>& metas) {
    std::string text = "[";
    for (const PresenceMeta& meta : metas) {
        if (text.size() > 1) text += ',';
        text += meta.ref();
    }
    return text + ']';
}

/// "u1[1,1.2] u3[3]"
inline std::string shown(const PresenceState& state) {
    std::string text;
    for (const PresenceEntry& entry : state) {
        if (!text.empty()) text += ' ';
        text += entry.key + shown(entry.metas);
    }
    return text;
}
inline std::string shown(const PresenceStore& store) { return shown(store.state()); }

/// "join u1[1.2] before [1]", "update u1 [1] to [2]", "leave u2[2] now []"
inline std::string shown(const PresenceChange& change) {
    using Kind = PresenceChange::Kind;
    if (change.kind == Kind::updated) {
        return "update " + change.now->key + " " + shown(change.before->metas) + " to " +
               shown(change.now->metas);
    }
    const std::string who = change.changed->key + shown(change.changed->metas);
    if (change.kind == Kind::left) return "leave " + who + " now " + shown(change.now->metas);
    return "join " + who + (change.before ? " before " + shown(change.before->metas) : "");
}
inline std::vector<std::string> shown(const PresenceNews& news) {
    std::vector<std::string> lines;
    for (const Error& error : news.errors) lines.push_back("error " + error.message);
    for (const PresenceChange& change : news.changes) lines.push_back(shown(change));
    if (news.is_synced) lines.emplace_back("sync");
    return lines;
}

using Lines = std::vector<std::string>;

inline Lines sync_state(PresenceStore& store, std::string_view payload) {
    PresenceNews news;
    store.sync_state(payload, news);
    return shown(news);
}
inline Lines sync_diff(PresenceStore& store, std::string_view payload) {
    PresenceNews news;
    store.sync_diff(payload, news);
    return shown(news);
}

} // namespace phx::protocol::test
