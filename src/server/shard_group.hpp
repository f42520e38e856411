#pragma once

#include "phx/server/server.hpp"
#include "src/loop/loop_core.hpp"
#include "src/server/connection_limits.hpp"
#include "src/server/counters.hpp"

#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::shell {

class Shard;
class TokenSlot;
struct Application;

/// One thread of a server with its connections.
struct Worker {
    std::shared_ptr<LoopCore> loop = {};
    std::shared_ptr<Counters> counters = std::make_shared<Counters>();
    std::weak_ptr<Shard> shard = {}; ///< the loop owns it; touched on its thread alone
    std::string node = {};           ///< what the ids of its connections begin with, before the dot

    /// `task(shard)` on its thread, unless it has ended; later also inside a handler, whose views a call
    /// would end.
    template <class Task> void post(Task task) const {
        loop->post([alive = shard, task = std::move(task)] {
            if (const auto one = alive.lock()) task(*one);
        });
    }
};

/// The threads of one server. Once they serve it does not change, so that any thread may use it.
class ShardGroup : public std::enable_shared_from_this<ShardGroup> {
public:
    explicit ShardGroup(const phx::server::Options& options)
        : limits(std::make_shared<ConnectionLimits>(options.max_connections,
                                                    options.max_connections_per_address)) {}

    std::vector<Worker> workers = {};
    const std::shared_ptr<ConnectionLimits> limits;

    /// One more. Throws std::system_error.
    void start_worker(const phx::server::Options&, const Application&, const std::shared_ptr<TokenSlot>&);
    /// Ends the loops, all at the same time: each may wait for its clients.
    void stop();
    /// Of all at the same time; blocks. Whether all were closed in order.
    bool drain(std::chrono::milliseconds spread, std::chrono::milliseconds timeout) const;
    bool on_a_loop_thread() const noexcept;

    phx::server::Stats stats() const noexcept;
    /// Whose connection has this id, or whose session of long poll this token; null if nobody's.
    const Worker* find_worker(std::string_view id) const noexcept;
    /// Likewise; the first one if nobody's.
    const Worker& worker_of(std::string_view connection_id) const noexcept;

    /// `question(shard, index)` on the thread of each, later; then `done(shard, answers)` on that of `home`.
    /// One that has ended gives an empty answer; if `home` has, `done` is not called.
    template <class Answer, class Question, class Done>
    void gather(std::size_t home, Question question, Done done) const;

private:
    template <class Answer, class Question, class Done> struct Gathering {
        Gathering(std::shared_ptr<const ShardGroup> of, std::size_t at, Question asked, Done then)
            : group(std::move(of)), home(at), question(std::move(asked)), done(std::move(then)) {}

        std::shared_ptr<const ShardGroup> group;
        std::size_t home;
        Question question;
        Done done;
        std::mutex mutex = {}; // of the answers
        std::vector<Answer> answers = {};

        /// True for the last one.
        bool add(Answer answer) {
            std::lock_guard lock(mutex);
            answers.push_back(std::move(answer));
            return answers.size() == group->workers.size();
        }
    };
};

template <class Answer, class Question, class Done>
void ShardGroup::gather(std::size_t home, Question question, Done done) const {
    using State = Gathering<Answer, Question, Done>;
    const auto state =
        std::make_shared<State>(shared_from_this(), home, std::move(question), std::move(done));
    const auto finish = [](const std::shared_ptr<State>& all) {
        const Worker& at = all->group->workers[all->home];
        at.loop->post([all, shard = at.shard] {
            if (const auto alive = shard.lock()) all->done(*alive, std::move(all->answers));
        });
    };
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const bool is_posted = workers[i].loop->post([state, finish, i, shard = workers[i].shard] {
            const auto alive = shard.lock();
            if (state->add(alive ? state->question(*alive, i) : Answer{})) finish(state);
        });
        if (!is_posted && state->add(Answer{})) finish(state);
    }
}

/// The first `limit` names of several lists that are each sorted by name, the members of a name summed.
std::vector<phx::server::TopicCount> merge_topics(std::vector<std::vector<phx::server::TopicCount>> lists,
                                                  std::size_t limit);

/// All of several lists.
template <class Item> std::vector<Item> concat(std::vector<std::vector<Item>> lists) {
    std::vector<Item> all;
    for (std::vector<Item>& list : lists)
        all.insert(all.end(), std::make_move_iterator(list.begin()), std::make_move_iterator(list.end()));
    return all;
}

} // namespace phx::shell
