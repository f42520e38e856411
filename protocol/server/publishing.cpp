#include "protocol/server/machine_state.hpp"

// Actions::publish: from channel to channel of one pattern.
namespace phx::protocol::server {

void ServerMachine::State::publish(const Membership& source, const phx::server::action::Publish& wanted) {
    Publication publication;
    publication.kind = Publication::Kind::to_channels;
    publication.opcode = wanted.payload.kind;
    publication.route = wanted.route.kind;
    publication.event = wanted.event;
    publication.payload = wanted.payload.data;
    publication.target = wanted.route.target;
    if (!source.keyed)
        return publish_here(unkeyed_members(source.pattern, wanted.route), publication, source.id);
    publish_here(group(source.pattern, source.keyed->key), publication, source.id);
    if (config.peers == Peers::none) return;
    const std::string& pattern = patterns[static_cast<std::size_t>(source.pattern)].text;
    tell_peers(std::string(channel_ns_prefix) + pattern, source.keyed->key, publication);
}

bool ServerMachine::State::is_for(const Publication& publication, const Membership& member) {
    switch (publication.route) {
    case Route::Kind::all: return true;
    case Route::Kind::user:
    case Route::Kind::role: return is_about(publication.route, publication.target, *member.connection);
    case Route::Kind::connection: return member.connection->id == publication.target;
    case Route::Kind::topic: return topic_name(member) == publication.target;
    }
    return false;
}

void ServerMachine::State::publish_here(const std::vector<MemberId>& receivers,
                                        const Publication& publication, MemberId source) {
    for (const MemberId id : receivers) {
        Membership& member = *members.find(id);
        if (id == source || member.phase != MemberPhase::joined || !is_for(publication, member)) continue;
        const PayloadView payload{publication.opcode, publication.payload};
        if (traits(member).published == ChannelTraits::Published::asked) {
            ask(member,
                {WaitingQuestion::Kind::broker, std::string(publication.event), Payload(payload), {}});
        } else {
            push(*sessions.find(member.session), member, publication.event, payload); // not to v1 if binary
        }
    }
}

std::vector<MemberId> ServerMachine::State::unkeyed_members(PatternId pattern, const Route& route) {
    std::vector<MemberId> found;
    const auto add = [&](MemberId id) {
        const Membership& member = *members.find(id);
        if (!member.realtime && !member.is_inbox && !member.keyed && member.pattern == pattern)
            found.push_back(id);
    };
    if (route.kind == Route::Kind::topic) {
        if (const Topic* const topic = topics.find(route.target, Visibility::open))
            for (const MemberList& list : topic->lists)
                for (const MemberId id : list.members) add(id);
        return found;
    }
    for (const SessionId id : connections(route))
        for (const JoinEntry& entry : sessions.find(id)->joins) add(entry.member);
    return found;
}

} // namespace phx::protocol::server
