#include "src/server/shard_group.hpp"

#include "src/server/shard.hpp"

#include <algorithm>
#include <exception>
#include <future>
#include <map>
#include <system_error>
#include <thread>

namespace phx::shell {

void ShardGroup::start_worker(const phx::server::Options& options, const Application& application,
                              const std::shared_ptr<TokenSlot>& tokens) {
    Worker& worker = workers.emplace_back();
    worker.loop = LoopCore::start({});
    std::exception_ptr thrown;
    worker.loop->call([&] {
        try {
            auto shard =
                std::make_shared<Shard>(*worker.loop, options, application, tokens, limits, worker.counters);
            shard->open_sockets();
            worker.loop->add_member(shard);
            worker.shard = shard;
            worker.node = shard->node();
        } catch (const std::system_error&) { // out of memory or descriptors
            thrown = std::current_exception();
        }
    });
    if (thrown) std::rethrow_exception(thrown);
}

void ShardGroup::stop() {
    std::vector<std::thread> ending;
    for (std::size_t i = 1; i < workers.size(); ++i)
        if (workers[i].loop) ending.emplace_back([loop = workers[i].loop] { loop->shut_down(); });
    if (!workers.empty() && workers.front().loop) workers.front().loop->shut_down();
    for (std::thread& thread : ending) thread.join();
}

bool ShardGroup::drain(std::chrono::milliseconds spread, std::chrono::milliseconds timeout) const {
    std::vector<std::future<bool>> ends;
    for (const Worker& worker : workers) {
        const auto done = std::make_shared<std::promise<bool>>();
        auto end = done->get_future();
        const bool is_posted = worker.loop->post([shard = worker.shard, spread, timeout, done] {
            const auto finish = [done](bool is_in_order) { done->set_value(is_in_order); };
            const auto alive = shard.lock();
            if (!alive) return finish(true);
            alive->drain(spread, timeout, finish);
        });
        if (is_posted) ends.push_back(std::move(end));
    }
    bool is_in_order = true;
    for (auto& end : ends) is_in_order = end.get() && is_in_order;
    return is_in_order;
}

bool ShardGroup::on_a_loop_thread() const noexcept {
    return std::any_of(workers.begin(), workers.end(),
                       [](const Worker& worker) { return worker.loop->on_loop_thread(); });
}

phx::server::Stats ShardGroup::stats() const noexcept {
    phx::server::Stats stats;
    for (const Worker& worker : workers) worker.counters->add_to(stats);
    return stats;
}

const Worker* ShardGroup::find_worker(std::string_view id) const noexcept {
    for (const Worker& worker : workers)
        if (id.substr(0, id.find('.')) == worker.node) return &worker;
    return nullptr;
}

const Worker& ShardGroup::worker_of(std::string_view connection_id) const noexcept {
    const Worker* const found = find_worker(connection_id);
    return found ? *found : workers.front();
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
