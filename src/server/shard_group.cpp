#include "src/server/shard_group.hpp"

#include <map>

namespace phx::shell {

phx::server::Stats ShardGroup::stats() const noexcept {
    phx::server::Stats stats;
    for (const Worker& worker : workers) worker.counters->add_to(stats);
    return stats;
}

const Worker& ShardGroup::worker_of(std::string_view connection_id) const noexcept {
    for (const Worker& worker : workers)
        if (connection_id.substr(0, connection_id.find('.')) == worker.node) return worker;
    return workers.front();
}

std::vector<phx::server::TopicCount> merge_topics(std::vector<std::vector<phx::server::TopicCount>> lists,
                                                  std::size_t limit) {
    if (lists.size() == 1) return std::move(lists.front());
    std::map<std::string, std::size_t> members;
    for (const auto& list : lists)
        for (const phx::server::TopicCount& topic : list) members[topic.name] += topic.members;
    std::vector<phx::server::TopicCount> first;
    for (const auto& [name, count] : members) {
        if (first.size() == limit) break;
        first.push_back({name, count});
    }
    return first;
}

} // namespace phx::shell
