#include "src/server/status_topics.hpp"

#include "src/server/shard.hpp"

#include <cstddef>
#include <utility>

namespace phx::shell {

std::vector<phx::server::TopicCount> StatusTopics::read(const ShardGroup& group) {
    using Topics = std::vector<phx::server::TopicCount>;
    constexpr std::size_t most = 1000;
    if (group.workers.size() == 1) {
        const auto shard = group.workers.front().shard.lock();
        return shard ? shard->machine().topics({}, most) : Topics{};
    }
    group.gather<Topics>(
        0, [](Shard& shard, std::size_t) { return shard.machine().topics({}, most); },
        [self = shared_from_this()](Shard&, std::vector<Topics> lists) {
            const std::lock_guard lock(self->mutex_);
            self->last_ = merge_topics(std::move(lists), most);
        });
    const std::lock_guard lock(mutex_);
    return last_;
}

} // namespace phx::shell
