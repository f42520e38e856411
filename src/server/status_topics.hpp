#pragma once

#include "phx/server/topic_count.hpp"
#include "src/server/shard_group.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace phx::shell {

/// The topics that the status page shows. Any loop thread of the group.
class StatusTopics : public std::enable_shared_from_this<StatusTopics> {
public:
    /// Of several threads those that the last call asked for: inside a handler nobody waits for the others.
    std::vector<phx::server::TopicCount> read(const ShardGroup&);

private:
    std::mutex mutex_;
    std::vector<phx::server::TopicCount> last_;
};

} // namespace phx::shell
