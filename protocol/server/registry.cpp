#include "protocol/server/registry.hpp"

#include "protocol/server/session.hpp"

namespace phx::protocol::server {

void Registry::add(Session& session) {
    const phx::server::Connection& connection = *session.connection;
    add(session, Kind::user, connection.user_id);
    for (const std::string& role : connection.roles) add(session, Kind::role, role);
    add(session, Kind::socket_id, connection.socket_id);
}

void Registry::add_inbox(Session& session, const phx::server::Identity& who) {
    add(session, Kind::inbox_user, who.user_id);
    for (const std::string& role : who.roles) add(session, Kind::inbox_role, role);
}

void Registry::add(Session& session, Kind kind, const std::string& name) {
    if (name.empty()) return;
    Groups::value_type& group = *groups_.try_emplace(Key{kind, name}).first;
    std::vector<SessionId>& members = group.second;
    if (!members.empty() && members.back() == session.id) return; // a role that is named twice
    session.registered.push_back({&group, static_cast<std::uint32_t>(members.size())});
    members.push_back(session.id);
}

void Registry::remove(Session& session, SessionTable& sessions) {
    for (const Entry& entry : session.registered) {
        std::vector<SessionId>& members = entry.group->second;
        const SessionId moved = members.back();
        members[entry.position] = moved;
        members.pop_back();
        if (members.empty()) {
            groups_.erase(groups_.find(KeyView(entry.group->first)));
        } else if (moved != session.id) {
            for (Entry& other : sessions.find(moved)->registered)
                if (other.group == entry.group) other.position = entry.position;
        }
    }
    session.registered.clear();
}

std::span<const SessionId> Registry::find(Kind kind, std::string_view name) const {
    const auto found = groups_.find(KeyView(kind, name));
    return found != groups_.end() ? std::span<const SessionId>(found->second) : std::span<const SessionId>();
}

} // namespace phx::protocol::server
