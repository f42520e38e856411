#include "phx/server/server.hpp"

#include "src/loop/loop_core.hpp"
#include "src/server/shard.hpp"

#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace phx::server {

using shell::ListeningSocket;
using shell::LoopCore;
using shell::Shard;

class Server::Impl {
public:
    explicit Impl(Options options) : options_(std::move(options)) {}
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
            loop_ = LoopCore::start({});
        } catch (const std::system_error& error) {
            return fail(Errc::system_failure, std::string("the server cannot start: ") + error.what());
        }
        state_ = State::running;
        bool is_serving = false;
        loop_->call([&] {
            try {
                auto shard = std::make_shared<Shard>(*loop_, options_, std::move(application_),
                                                     *std::move(socket), counters_);
                loop_->add_member(shard);
                shard_ = shard;
                is_serving = true;
            } catch (const std::system_error&) { // out of memory or descriptors
            }
        });
        if (is_serving) return port;
        loop_->shut_down();
        state_ = State::stopped;
        return fail(Errc::system_failure, "the server cannot start: out of memory or descriptors");
    }

    void stop() {
        std::lock_guard lifecycle(lifecycle_mutex_);
        {
            std::lock_guard lock(mutex_); // not while the thread is joined: its handlers may call broadcast()
            const State was = std::exchange(state_, State::stopped);
            if (was != State::running) return;
        }
        loop_->shut_down();
    }

    void broadcast(std::string topic, std::string event, Payload payload) {
        std::lock_guard lock(mutex_);
        if (state_ != State::running) return;
        loop_->post([shard = shard_, topic = std::move(topic), event = std::move(event),
                     payload = std::move(payload)] {
            if (const auto alive = shard.lock()) alive->broadcast(topic, event, payload);
        });
    }

    Stats stats() const {
        Stats stats;
        stats.connections = counters_->connections.load(std::memory_order_relaxed);
        stats.topics = counters_->topics.load(std::memory_order_relaxed);
        stats.channels = counters_->channels.load(std::memory_order_relaxed);
        stats.frames_in = counters_->frames_in.load(std::memory_order_relaxed);
        stats.frames_out = counters_->frames_out.load(std::memory_order_relaxed);
        stats.frames_dropped = counters_->frames_dropped.load(std::memory_order_relaxed);
        stats.slow_consumers = counters_->slow_consumers.load(std::memory_order_relaxed);
        return stats;
    }

private:
    enum class State { new_, running, stopped };

    const Options options_;
    const std::shared_ptr<shell::Counters> counters_ = std::make_shared<shell::Counters>();
    std::mutex lifecycle_mutex_; // start() and stop(), one at a time
    std::mutex mutex_;           // of what follows: members are called from any thread
    State state_ = State::new_;
    shell::Application application_;
    std::shared_ptr<LoopCore> loop_;
    std::weak_ptr<Shard> shard_; // the loop owns it
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
