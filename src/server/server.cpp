#include "phx/server/server.hpp"

#include "src/loop/loop_core.hpp"
#include "src/server/shard.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace phx::server {

using shell::AcceptedSocket;
using shell::ListeningSocket;
using shell::LoopCore;
using shell::Shard;

class Server::Impl {
public:
    explicit Impl(Options options) : options_(with_broker(std::move(options))) {}
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
        if (!handlers.intercepts.empty() && !handlers.handle_out) {
            throw std::invalid_argument("channel(\"" + pattern + "\"): intercepts need a handle_out");
        }
        application_.patterns.emplace_back(std::move(pattern), std::move(handlers));
    }

    Result<std::uint16_t> start() {
        std::lock_guard lifecycle(lifecycle_mutex_);
        std::lock_guard lock(mutex_);
        if (state_ != State::new_)
            return fail(Errc::invalid_argument, "start(): a server starts once, make another");
        const auto reach =
            options_.authorize ? ListeningSocket::Reach::network : ListeningSocket::Reach::loopback_only;
        auto socket = ListeningSocket::open(options_.host, options_.port, reach);
        if (!socket) return Failure{socket.error()};
        const std::uint16_t port = socket->port();
        try {
            while (workers_.size() < std::max<std::size_t>(options_.threads, 1)) start_worker();
        } catch (const std::system_error& error) {
            state_ = State::stopped;
            end_workers();
            return fail(Errc::system_failure, std::string("the server cannot start: ") + error.what());
        }
        state_ = State::running;
        workers_.front().loop->call([&] {
            if (const auto first = workers_.front().shard.lock())
                first->listen(*std::move(socket), [this](AcceptedSocket accepted, std::string peer) {
                    hand_over(std::move(accepted), std::move(peer));
                });
        });
        return port;
    }

    void stop() {
        std::lock_guard lifecycle(lifecycle_mutex_);
        {
            std::lock_guard lock(mutex_); // not while threads are joined: their handlers may call broadcast()
            const State was = std::exchange(state_, State::stopped);
            if (was != State::running) return;
        }
        end_workers();
    }

    /// By one shard; the broker tells the others.
    void broadcast(std::string topic, std::string event, Payload payload) {
        std::lock_guard lock(mutex_);
        if (state_ != State::running) return;
        const Worker& worker = workers_.front();
        worker.loop->post([shard = worker.shard, topic = std::move(topic), event = std::move(event),
                           payload = std::move(payload)] {
            if (const auto alive = shard.lock()) alive->broadcast(topic, event, payload);
        });
    }

    Stats stats() const {
        std::lock_guard lock(mutex_);
        Stats stats;
        for (const Worker& worker : workers_) {
            const shell::Counters& counters = *worker.counters;
            stats.connections += counters.connections.load(std::memory_order_relaxed);
            stats.topics += counters.topics.load(std::memory_order_relaxed);
            stats.channels += counters.channels.load(std::memory_order_relaxed);
            stats.frames_in += counters.frames_in.load(std::memory_order_relaxed);
            stats.frames_out += counters.frames_out.load(std::memory_order_relaxed);
            stats.frames_dropped += counters.frames_dropped.load(std::memory_order_relaxed);
            stats.slow_consumers += counters.slow_consumers.load(std::memory_order_relaxed);
        }
        return stats;
    }

private:
    enum class State { new_, running, stopped };

    /// One thread with its connections.
    struct Worker {
        std::shared_ptr<LoopCore> loop = {};
        std::shared_ptr<shell::Counters> counters = std::make_shared<shell::Counters>();
        std::weak_ptr<Shard> shard = {}; // the loop owns it
    };

    /// Threads of one server know of each other as servers do.
    static Options with_broker(Options options) {
        if (options.threads > 1 && !options.broker) options.broker = make_local_broker();
        return options;
    }

    /// Throws std::system_error.
    void start_worker() {
        Worker& worker = workers_.emplace_back();
        worker.loop = LoopCore::start({});
        std::exception_ptr thrown;
        worker.loop->call([&] {
            try {
                auto shard = std::make_shared<Shard>(*worker.loop, options_, application_, worker.counters);
                shard->open_sockets();
                worker.loop->add_member(shard);
                worker.shard = shard;
            } catch (const std::system_error&) { // out of memory or descriptors
                thrown = std::current_exception();
            }
        });
        if (thrown) std::rethrow_exception(thrown);
    }

    void end_workers() {
        std::vector<std::thread> ending; // each may wait for its clients
        for (std::size_t i = 1; i < workers_.size(); ++i)
            if (workers_[i].loop) ending.emplace_back([loop = workers_[i].loop] { loop->shut_down(); });
        if (!workers_.empty() && workers_.front().loop) workers_.front().loop->shut_down();
        for (std::thread& thread : ending) thread.join();
    }

    /// Round robin. On the thread of the first worker.
    void hand_over(AcceptedSocket accepted, std::string peer) {
        const Worker& worker = workers_[next_worker_++ % workers_.size()];
        const auto give = [shard = worker.shard](AcceptedSocket socket, std::string address) {
            if (const auto alive = shard.lock()) alive->accept(std::move(socket), std::move(address));
        };
        if (worker.loop->on_loop_thread()) return give(std::move(accepted), std::move(peer));
        worker.loop->post([give, socket = std::move(accepted), address = std::move(peer)]() mutable {
            give(std::move(socket), std::move(address));
        });
    }

    const Options options_;
    std::mutex lifecycle_mutex_; // start() and stop(), one at a time
    mutable std::mutex mutex_;   // of what follows: members are called from any thread
    State state_ = State::new_;
    shell::Application application_;
    std::vector<Worker> workers_; // does not change while they run
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
void Server::stop() { impl_->stop(); }
void Server::broadcast(std::string topic, std::string event, Payload payload) {
    impl_->broadcast(std::move(topic), std::move(event), std::move(payload));
}
Stats Server::stats() const { return impl_->stats(); }

} // namespace phx::server
