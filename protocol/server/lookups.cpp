#include "protocol/server/machine_state.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace phx::protocol::server {

std::optional<SessionId> ServerMachine::State::session_id(std::string_view connection_id) {
    if (!connection_id.starts_with(config.node)) return std::nullopt;
    connection_id.remove_prefix(config.node.size());
    if (!connection_id.starts_with('.')) return std::nullopt;
    connection_id.remove_prefix(1);
    std::uint64_t number = 0;
    const char* const end = connection_id.data() + connection_id.size();
    const auto [stop, error] = std::from_chars(connection_id.data(), end, number, 16);
    if (error != std::errc{} || stop != end) return std::nullopt;
    const Session* const session = sessions.find(SessionId{number});
    if (session == nullptr || session->phase != SessionPhase::open) return std::nullopt;
    return session->id;
}

bool ServerMachine::State::is_about(Route::Kind kind, std::string_view target,
                                    const phx::server::Identity& who) {
    if (kind == Route::Kind::user) return !target.empty() && who.user_id == target;
    return kind == Route::Kind::role &&
           std::find(who.roles.begin(), who.roles.end(), target) != who.roles.end();
}

std::vector<SessionId> ServerMachine::State::sessions_of(const Route& route) {
    const bool by_user = route.kind == Route::Kind::user;
    const auto own = registry.find(by_user ? Registry::Kind::user : Registry::Kind::role, route.target);
    std::vector<SessionId> found(own.begin(), own.end());
    for (const SessionId id :
         registry.find(by_user ? Registry::Kind::inbox_user : Registry::Kind::inbox_role, route.target))
        if (!is_about(route.kind, route.target, *sessions.find(id)->connection)) found.push_back(id);
    return found;
}

std::vector<SessionId> ServerMachine::State::connections(const Route& route) {
    std::vector<SessionId> found;
    switch (route.kind) {
    case Route::Kind::user:
    case Route::Kind::role: return sessions_of(route);
    case Route::Kind::connection:
        if (const auto id = session_id(route.target)) found.push_back(*id);
        break;
    case Route::Kind::all:
        sessions.for_each([&](const Session& session) {
            if (session.phase == SessionPhase::open) found.push_back(session.id);
        });
        break;
    case Route::Kind::topic:
        for (const Visibility visibility : {Visibility::open, Visibility::restricted}) {
            if (Topic* const topic = topics.find(route.target, visibility))
                for (const MemberList& list : topic->lists)
                    found.insert(found.end(), list.sessions.begin(), list.sessions.end());
        }
        break;
    }
    return found;
}

std::size_t ServerMachine::disconnect(TimePoint, const Route& route, std::uint16_t code, Reach reach) {
    State& s = *state_;
    s.begin_call();
    if (reach == Reach::other_servers) {
        const std::string digits = std::to_string(code);
        Publication publication = State::publication_of(Publication::Kind::disconnect, route);
        publication.payload = digits;
        s.tell_other_servers(publication);
    }
    return s.disconnect(s.connections(route), code);
}

std::shared_ptr<const phx::server::Connection> ServerMachine::connection(std::string_view id) const {
    const auto session = state_->session_id(id);
    return session ? state_->sessions.find(*session)->connection : nullptr;
}

std::vector<std::shared_ptr<const phx::server::Connection>>
ServerMachine::connections(const Route& route) const {
    std::vector<std::shared_ptr<const phx::server::Connection>> found;
    for (const SessionId id : state_->connections(route))
        found.push_back(state_->sessions.find(id)->connection);
    return found;
}

std::vector<phx::server::TopicCount> ServerMachine::topics(std::string_view after, std::size_t limit) const {
    // The smallest names, as a heap whose top is the largest of them: no copy of all topics.
    const std::size_t most = 2 * std::min(limit, topics()); // a name may be there twice
    std::vector<const Topic*> page;
    const auto by_name = [](const Topic* a, const Topic* b) {
        return std::pair(std::string_view(a->name), a->visibility) <
               std::pair(std::string_view(b->name), b->visibility);
    };
    state_->topics.for_each_populated([&](const Topic& topic) {
        if (topic.name <= after) return;
        page.push_back(&topic);
        std::push_heap(page.begin(), page.end(), by_name);
        if (page.size() <= most) return;
        std::pop_heap(page.begin(), page.end(), by_name);
        page.pop_back();
    });
    std::sort_heap(page.begin(), page.end(), by_name);
    std::vector<phx::server::TopicCount> counts;
    for (const Topic* const topic : page) {
        if (!counts.empty() && counts.back().name == topic->name) {
            counts.back().members += topic->size();
        } else if (counts.size() < limit) {
            counts.push_back({topic->name, topic->size()});
        } else {
            break;
        }
    }
    return counts;
}

} // namespace phx::protocol::server
