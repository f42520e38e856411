#include "phx/server/server.hpp"

#include "protocol/server/server_machine.hpp"
#include "src/loop/loop_core.hpp"
#include "src/loop/random.hpp"
#include "src/server/options_check.hpp"
#include "src/server/prepared_handlers.hpp"
#include "src/server/shard.hpp"
#include "src/server/shard_group.hpp"
#include "src/server/status_channel.hpp"
#include "src/server/status_topics.hpp"
#include "src/server/token_slot.hpp"

#include <algorithm>
#include <array>
#include <future>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace phx::server {

using shell::AcceptedSocket;
using shell::ListeningSocket;
using shell::Shard;
using shell::ShardGroup;
using shell::Worker;
using Machine = protocol::server::ServerMachine;

class Server::Impl {
public:
    explicit Impl(Options options) : options_(with_broker(std::move(options))) {
        if (const auto checked = shell::check_policies(options_.policies); !checked)
            throw std::invalid_argument(checked.error().message);
    }
    ~Impl() { stop(); }

    void effect(std::string name, std::function<void(std::string_view)> run) {
        std::lock_guard lock(mutex_);
        if (state_ != State::new_) throw std::logic_error("effect(): the server has been started");
        const auto [taken, is_new] = application_.effects.emplace(std::move(name), std::move(run));
        if (!is_new) throw std::invalid_argument("effect(\"" + taken->first + "\"): the name is taken");
    }

    void channel(std::string pattern, Handlers handlers) {
        std::lock_guard lock(mutex_);
        if (state_ != State::new_) throw std::logic_error("channel(): the server has been started");
        handlers = shell::prepared(pattern, std::move(handlers));
        application_.patterns.emplace_back(std::move(pattern), std::move(handlers));
    }

    Result<std::uint16_t> start() {
        std::lock_guard lifecycle(lifecycle_mutex_);
        std::lock_guard lock(mutex_);
        if (state_ != State::new_)
            return fail(Errc::invalid_argument, "start(): a server starts once, make another");
        if (const auto checked = shell::check_values(options_); !checked) return Failure{checked.error()};
        // Tokens that set_tokens() was given already are newer.
        if (options_.tokens && !tokens_->get())
            if (auto set = tokens_->set(*options_.tokens); !set) return Failure{set.error()};
        const auto reach = options_.authorize || tokens_->get() ? ListeningSocket::Reach::network
                                                                : ListeningSocket::Reach::loopback_only;
        shell::TlsContext tls;
        if (options_.tls) {
            auto context = shell::make_tls(*options_.tls);
            if (!context) return Failure{context.error()};
            tls = *std::move(context);
        }
        auto socket = ListeningSocket::open(options_.host, options_.port, reach);
        if (!socket) return Failure{socket.error()};
        const std::uint16_t port = socket->port();
        if (options_.status_page) add_status_channel();
        try {
            start_workers();
        } catch (const std::system_error& error) {
            state_ = State::stopped;
            group_->stop();
            return fail(Errc::system_failure, std::string("the server cannot start: ") + error.what());
        }
        state_ = State::running;
        serve(*std::move(socket), tls);
        return port;
    }

    Result<void> set_tls(const TlsCertificate& certificate) {
        auto context = shell::make_tls(certificate);
        if (!context) return Failure{context.error()};
        const bool is_set =
            options_.tls && set_in_all([tls = *std::move(context)](Shard& shard) { shard.set_tls(tls); });
        if (!is_set)
            return fail(Errc::invalid_argument, "set_tls(): the server does not run, or not with TLS");
        return {};
    }

    Result<void> set_allowed_origins(const std::vector<std::string>& origins) {
        if (auto checked = shell::check_origins(origins); !checked) return checked;
        return if_running("set_allowed_origins()",
                          set_in_all([origins](Shard& shard) { shard.set_allowed_origins(origins); }));
    }

    Result<void> set_policies(const std::vector<Policy>& policies) {
        if (auto checked = shell::check_policies(policies); !checked) return checked;
        return if_running("set_policies()",
                          set_in_all([policies](Shard& shard) { shard.set_policies(policies); }));
    }

    Result<void> set_rates(const Rates& rates) {
        return if_running("set_rates()", set_in_all([rates](Shard& shard) { shard.set_rates(rates); }));
    }

    void stop() {
        std::lock_guard lifecycle(lifecycle_mutex_);
        {
            std::lock_guard lock(mutex_); // not while threads are joined: their handlers may call broadcast()
            const State was = std::exchange(state_, State::stopped);
            if (was != State::running) return;
        }
        group_->stop();
    }

    /// By one shard; the broker tells the others.
    void broadcast(std::string topic, std::string event, Payload payload) {
        const auto group = running_group();
        if (!group) return;
        group->workers.front().post(
            [topic = std::move(topic), event = std::move(event), payload = std::move(payload)](Shard& shard) {
                shard.broadcast(topic, event, payload);
            });
    }

    Result<void> emit_change(const Change& change) {
        if (auto checked = protocol::server::check(change); !checked) return checked;
        post_all([change](Shard& shard) { shard.emit_change(change); });
        return {};
    }

    Result<void> set_tokens(const TokenOptions& tokens) { return tokens_->set(tokens); }

    Delivery send(Route route, std::string event, Payload payload,
                  std::function<void(std::size_t)> on_delivered) {
        if (auto valid = protocol::server::check_message(event, payload); !valid)
            return {.why = valid.error()};
        const auto group = running_group();
        if (!group) return {.why = not_running().error};
        group->gather<std::size_t>(
            0,
            [route = std::move(route), event = std::move(event),
             payload = std::move(payload)](Shard& shard, std::size_t index) {
                return shard.send(route, event, payload, reach_of(index));
            },
            [on_delivered = std::move(on_delivered)](Shard& shard, const std::vector<std::size_t>& counts) {
                shard.tell_delivered(on_delivered,
                                     std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
            });
        return {.accepted = true};
    }

    void disconnect(const Route& route, std::uint16_t code) {
        const auto group = running_group();
        if (!group) return;
        for (std::size_t i = 0; i < group->workers.size(); ++i)
            group->workers[i].post(
                [route, code, i](Shard& shard) { shard.disconnect(route, code, reach_of(i)); });
    }

    void request(ClientRequest wanted, std::function<void(const Result<Payload>&)> done) {
        const auto answer = std::make_shared<std::function<void(const Result<Payload>&)>>(std::move(done));
        const auto group = running_group();
        const Worker* const worker = group ? &group->worker_of(wanted.connection_id) : nullptr;
        const bool is_posted =
            worker && worker->loop->post([shard = worker->shard, wanted = std::move(wanted), answer] {
                const auto alive = shard.lock();
                if (!alive) return (*answer)(not_running());
                alive->request(wanted, std::move(*answer));
            });
        if (!is_posted) (*answer)(not_running());
    }

    void notify(ClientRequest wanted) {
        const auto group = running_group();
        if (!group) return;
        const Worker& worker = group->worker_of(wanted.connection_id);
        worker.post([wanted = std::move(wanted)](Shard& shard) { shard.notify(wanted); });
    }

    /// Of all at the same time.
    bool drain(std::chrono::milliseconds spread, std::chrono::milliseconds timeout) {
        const auto group = running_group();
        if (!group) return true;
        if (group->on_a_loop_thread())
            throw std::logic_error("drain(): not inside a handler, which would wait for itself");
        return group->drain(spread, timeout);
    }

    /// `question(machine)` of each shard, on its thread; of none unless the server runs.
    template <class Question> auto ask(Question question) const {
        std::vector<decltype(question(std::declval<const Machine&>()))> answers;
        const auto group = running_group();
        if (!group) return answers;
        if (group->workers.size() > 1 && group->on_a_loop_thread())
            throw std::logic_error("look-ups: not inside a handler of a server with several threads, whose "
                                   "handlers would wait for each other");
        for (const Worker& worker : group->workers) {
            worker.loop->call([&] {
                if (const auto shard = worker.shard.lock()) answers.push_back(question(shard->machine()));
            });
        }
        return answers;
    }

    Stats stats() const {
        std::lock_guard lock(mutex_);
        return group_->stats();
    }

private:
    enum class State { new_, running, stopped };

    static Result<void> if_running(const char* call, bool is_set) {
        if (is_set) return {};
        return fail(Errc::invalid_argument, std::string(call) + ": the server does not run");
    }

    static Failure not_running() {
        return fail(Errc::socket_closed, "the server does not run: nobody can be reached before start() or "
                                         "after stop()");
    }

    /// Before the patterns of the user, which it goes ahead of.
    void add_status_channel() {
        // Asked at each join: set_tokens() may be the first to bring tokens.
        const auto may_watch = [asks_program = static_cast<bool>(options_.authorize), tokens = tokens_,
                                role = options_.service_role](const Connection& connection) {
            if (!asks_program && !tokens->get()) return true;
            const auto& roles = connection.roles;
            return std::find(roles.begin(), roles.end(), role) != roles.end();
        };
        const auto report = [this, topics = std::make_shared<shell::StatusTopics>(),
                             start = std::chrono::steady_clock::now()] {
            using std::chrono::duration_cast;
            shell::StatusReport now;
            now.stats = group_->stats();
            now.topics = topics->read(*group_);
            now.uptime = duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
            return now;
        };
        application_.patterns.emplace(
            application_.patterns.begin(), shell::status_topic,
            shell::prepared(shell::status_topic, shell::status_channel(may_watch, report)));
    }

    /// The first shard tells the other servers, once.
    static protocol::server::Reach reach_of(std::size_t index) noexcept {
        return index == 0 ? protocol::server::Reach::other_servers : protocol::server::Reach::here;
    }

    /// Null unless the server runs. Not held while somebody waits for a loop, whose handlers come here too.
    std::shared_ptr<const ShardGroup> running_group() const {
        std::lock_guard lock(mutex_);
        return state_ == State::running ? group_ : nullptr;
    }

    /// To each worker. False unless the server runs.
    template <class Task> bool post_all(const Task& task) const {
        const auto group = running_group();
        if (!group) return false;
        for (const Worker& worker : group->workers) worker.post(task);
        return true;
    }

    /// The same, and returns when all have it. Inside a handler later: the threads would wait for each other.
    template <class Task> bool set_in_all(const Task& task) const {
        const auto group = running_group();
        if (!group) return false;
        if (group->on_a_loop_thread()) return post_all(task);
        const std::lock_guard one(setting_mutex_); // or two would leave each worker with another
        for (const Worker& worker : group->workers) {
            worker.loop->call([&] {
                if (const auto shard = worker.shard.lock()) task(*shard);
            });
        }
        return true;
    }

    /// Threads of one server know of each other as servers do.
    static Options with_broker(Options options) {
        if (options.threads > 1 && !options.broker)
            options.broker = make_local_broker({options.max_history_bytes});
        return options;
    }

    /// Throws std::system_error.
    void start_workers() {
        std::array<std::uint64_t, 1> name{};
        shell::fill_random(std::span(name));
        application_.server = std::to_string(name[0]);
        while (group_->workers.size() < std::max<std::size_t>(options_.threads, 1))
            group_->start_worker(options_, application_, tokens_);
    }

    void serve(ListeningSocket socket, const shell::TlsContext& tls) {
        const std::vector<Worker>& workers = group_->workers;
        for (std::size_t i = 0; i < workers.size(); ++i) {
            workers[i].loop->call([&] {
                const auto shard = workers[i].shard.lock();
                if (!shard) return;
                shard->set_tls(tls);
                if (workers.size() > 1) shard->join_group(group_, i);
            });
        }
        workers.front().loop->call([&] {
            if (const auto first = workers.front().shard.lock())
                first->listen(std::move(socket), [this](AcceptedSocket accepted, std::string peer) {
                    hand_over(std::move(accepted), std::move(peer));
                });
        });
    }

    /// Round robin. On the thread of the first worker.
    void hand_over(AcceptedSocket accepted, std::string peer) {
        auto entry = group_->limits->enter(peer);
        if (!entry.place) {
            if (const auto first = group_->workers.front().shard.lock()) first->count_refusal(entry.crowded);
            return;
        }
        const Worker& worker = group_->workers[next_worker_++ % group_->workers.size()];
        auto give = [shard = worker.shard, socket = std::move(accepted), address = std::move(peer),
                     place = *std::move(entry.place)]() mutable {
            if (const auto alive = shard.lock())
                alive->accept(std::move(socket), std::move(address), std::move(place));
        };
        if (worker.loop->on_loop_thread()) return give();
        worker.loop->post(std::move(give));
    }

    const Options options_;
    const std::shared_ptr<shell::TokenSlot> tokens_ = std::make_shared<shell::TokenSlot>();
    std::mutex lifecycle_mutex_; // start() and stop(), one at a time
    mutable std::mutex setting_mutex_;
    mutable std::mutex mutex_; // of what follows: members are called from any thread
    State state_ = State::new_;
    shell::Application application_;
    const std::shared_ptr<ShardGroup> group_ = std::make_shared<ShardGroup>(options_); // see there
    std::size_t next_worker_ = 0; // of the first worker's thread
};

Server::Server(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;

void Server::channel(std::string pattern, Handlers handlers) {
    impl_->channel(std::move(pattern), std::move(handlers));
}
void Server::effect(std::string name, std::function<void(std::string_view)> run) {
    impl_->effect(std::move(name), std::move(run));
}
Result<std::uint16_t> Server::start() { return impl_->start(); }
Result<void> Server::set_tls(const TlsCertificate& certificate) { return impl_->set_tls(certificate); }
bool Server::drain(std::chrono::milliseconds spread, std::chrono::milliseconds timeout) {
    return impl_->drain(spread, timeout);
}
Result<void> Server::set_allowed_origins(const std::vector<std::string>& origins) {
    return impl_->set_allowed_origins(origins);
}
Result<void> Server::set_policies(const std::vector<Policy>& policies) {
    return impl_->set_policies(policies);
}
Result<void> Server::set_rates(const Rates& rates) { return impl_->set_rates(rates); }
void Server::stop() { impl_->stop(); }
void Server::broadcast(std::string topic, std::string event, Payload payload) {
    impl_->broadcast(std::move(topic), std::move(event), std::move(payload));
}
Delivery Server::send(Route route, std::string event, Payload payload,
                      std::function<void(std::size_t)> on_delivered) {
    return impl_->send(std::move(route), std::move(event), std::move(payload), std::move(on_delivered));
}
void Server::request(ClientRequest request, std::function<void(const Result<Payload>&)> done) {
    impl_->request(std::move(request), std::move(done));
}
std::future<Result<Payload>> Server::request(ClientRequest request) {
    const auto answer = std::make_shared<std::promise<Result<Payload>>>();
    auto future = answer->get_future();
    impl_->request(std::move(request),
                   [answer](const Result<Payload>& result) { answer->set_value(result); });
    return future;
}
void Server::notify(ClientRequest request) { impl_->notify(std::move(request)); }
void Server::disconnect(const Route& route, std::uint16_t code) { impl_->disconnect(route, code); }

std::vector<std::shared_ptr<const Connection>> Server::connections(const Route& route) const {
    return shell::concat(impl_->ask([&](const Machine& machine) { return machine.connections(route); }));
}
std::vector<std::shared_ptr<const Connection>> Server::connections(std::span<const std::string> ids) const {
    std::vector<std::shared_ptr<const Connection>> found(ids.size());
    impl_->ask([&](const Machine& machine) {
        for (std::size_t i = 0; i < ids.size(); ++i)
            if (auto connection = machine.connection(ids[i])) found[i] = std::move(connection);
        return true;
    });
    std::erase(found, nullptr);
    return found;
}
std::shared_ptr<const Connection> Server::connection(std::string_view id) const {
    const auto found = impl_->ask([&](const Machine& machine) { return machine.connection(id); });
    const auto one = std::find_if(found.begin(), found.end(), [](const auto& c) { return c != nullptr; });
    return one != found.end() ? *one : nullptr;
}
std::vector<TopicCount> Server::topics(std::string_view after, std::size_t limit) const {
    return shell::merge_topics(
        impl_->ask([&](const Machine& machine) { return machine.topics(after, limit); }), limit);
}
Result<void> Server::set_tokens(const TokenOptions& tokens) { return impl_->set_tokens(tokens); }
Result<void> Server::emit_change(const Change& change) { return impl_->emit_change(change); }
Stats Server::stats() const { return impl_->stats(); }

} // namespace phx::server
