#include "protocol/server/topic_table.hpp"

namespace phx::protocol::server {

TopicIndex TopicTable::acquire(std::string_view name, Visibility visibility) {
    const auto found = topics_by_key_.find(Key{name, visibility});
    if (found != topics_by_key_.end()) {
        ++(*this)[found->second].uses;
        return found->second;
    }
    TopicIndex index;
    if (free_.empty()) {
        index = TopicIndex{static_cast<std::uint32_t>(topics_.size())};
        topics_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    Topic& topic = (*this)[index];
    topic.name.assign(name);
    topic.visibility = visibility;
    topic.uses = 1;
    topics_by_key_.emplace(Key{topic.name, visibility}, index);
    return index;
}

void TopicTable::release(TopicIndex index) {
    Topic& topic = (*this)[index];
    if (--topic.uses != 0) return;
    topics_by_key_.erase(Key{topic.name, topic.visibility});
    topic = Topic{};
    free_.push_back(index);
}

Topic* TopicTable::find(std::string_view name, Visibility visibility) {
    const auto found = topics_by_key_.find(Key{name, visibility});
    return found != topics_by_key_.end() ? &(*this)[found->second] : nullptr;
}

std::uint32_t TopicTable::join(TopicIndex index, Vsn vsn, SessionId session, MemberId member) {
    Topic& topic = (*this)[index];
    if (topic.size() == 0) ++populated_;
    ++members_;
    MemberList& list = topic.list(vsn);
    list.sessions.push_back(session);
    list.members.push_back(member);
    return static_cast<std::uint32_t>(list.members.size() - 1);
}

MemberId TopicTable::leave(TopicIndex index, Vsn vsn, std::uint32_t position) {
    Topic& topic = (*this)[index];
    MemberList& list = topic.list(vsn);
    const bool last = position + 1 == list.members.size();
    list.sessions[position] = list.sessions.back();
    list.members[position] = list.members.back();
    list.sessions.pop_back();
    list.members.pop_back();
    --members_;
    if (topic.size() == 0) --populated_;
    return last ? none : list.members[position];
}

} // namespace phx::protocol::server
