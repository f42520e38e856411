#include "phx/server/server.hpp"

#include "protocol/server/policy.hpp"
#include "protocol/server/server_machine.hpp"
#include "src/loop/loop_core.hpp"
#include "src/server/origin.hpp"
#include "src/server/prepared_handlers.hpp"
#include "src/server/shard.hpp"
#include "src/server/status_channel.hpp"
#include "src/server/token_slot.hpp"

#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace phx::server {

using shell::ListeningSocket;
using shell::LoopCore;
using shell::Shard;
using Machine = protocol::server::ServerMachine;

namespace {

Result<void> check_origins(const std::vector<std::string>& origins) {
    for (const std::string& origin : origins) {
        if (!shell::is_origin_pattern(origin))
            return fail(Errc::invalid_argument,
                        "allowed_origins: \"" + origin +
                            "\" is no origin; give SCHEME://HOST[:PORT], https://*.HOST or *");
    }
    return {};
}

Result<shell::TlsContext> make_tls(const TlsCertificate& certificate) {
    return shell::make_server_tls_context(certificate.cert_file, certificate.key_file,
                                          certificate.min_version);
}

} // namespace

Result<void> check(const Options& options) {
    if (auto checked = check_origins(options.allowed_origins); !checked) return checked;
    if (options.tokens) {
        const auto verifier = TokenVerifier::make(options.tokens->keys, options.tokens->rules);
        if (!verifier) return Failure{verifier.error()};
    }
    if (!options.tls) return {};
    if (const auto context = make_tls(*options.tls); !context) return Failure{context.error()};
    return {};
}

class Server::Impl {
public:
    explicit Impl(Options options) : options_(std::move(options)) {
        for (const Policy& policy : options_.policies) {
            if (!protocol::server::is_valid_pattern(policy.topic))
                throw std::invalid_argument("the policy for \"" + policy.topic +
                                            "\": {sub} stands for all that is between two colons");
        }
    }
    ~Impl() { stop(); }

    void channel(std::string pattern, Handlers handlers) {
        std::lock_guard lock(mutex_);
        if (state_ != State::new_) throw std::logic_error("channel(): the server has been started");
        handlers = shell::prepared(pattern, std::move(handlers));
        patterns_.emplace_back(std::move(pattern), std::move(handlers));
    }

    Result<std::uint16_t> start() {
        std::lock_guard lifecycle(lifecycle_mutex_);
        std::lock_guard lock(mutex_);
        if (state_ != State::new_)
            return fail(Errc::invalid_argument, "start(): a server starts once, make another");
        if (const auto checked = check_origins(options_.allowed_origins); !checked)
            return Failure{checked.error()};
        // Tokens that set_tokens() was given already are newer.
        if (options_.tokens && !tokens_->get())
            if (auto set = tokens_->set(*options_.tokens); !set) return Failure{set.error()};
        const auto reach = options_.authorize || tokens_->get() ? ListeningSocket::Reach::network
                                                                : ListeningSocket::Reach::loopback_only;
        shell::TlsContext tls;
        if (options_.tls) {
            auto context = make_tls(*options_.tls);
            if (!context) return Failure{context.error()};
            tls = *std::move(context);
        }
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
                if (options_.status_page) add_status_channel();
                auto shard = std::make_shared<Shard>(*loop_, options_, std::move(patterns_),
                                                     *std::move(socket), tokens_, counters_);
                shard->set_tls(tls);
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

    Result<void> set_tls(const TlsCertificate& certificate) {
        auto context = make_tls(certificate);
        if (!context) return Failure{context.error()};
        const bool is_posted =
            options_.tls && post([tls = *std::move(context)](Shard& shard) { shard.set_tls(tls); });
        if (!is_posted)
            return fail(Errc::invalid_argument, "set_tls(): the server does not run, or not with TLS");
        return {};
    }

    Result<void> set_allowed_origins(std::vector<std::string> origins) {
        if (auto checked = check_origins(origins); !checked) return checked;
        std::lock_guard lock(mutex_);
        if (state_ != State::running)
            return fail(Errc::invalid_argument, "set_allowed_origins(): the server does not run");
        loop_->post([shard = shard_, origins = std::move(origins)]() mutable {
            if (const auto alive = shard.lock()) alive->set_allowed_origins(std::move(origins));
        });
        return {};
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
        post([topic = std::move(topic), event = std::move(event),
              payload = std::move(payload)](Shard& shard) { shard.broadcast(topic, event, payload); });
    }

    Result<void> emit_change(Change change) {
        if (auto checked = protocol::server::check(change); !checked) return checked;
        post([change = std::move(change)](Shard& shard) mutable { shard.emit_change(std::move(change)); });
        return {};
    }

    Result<void> set_tokens(const TokenOptions& tokens) { return tokens_->set(tokens); }

    Delivery send(Route route, std::string event, Payload payload,
                  std::function<void(std::size_t)> on_delivered) {
        if (auto valid = protocol::server::check_message(event, payload); !valid)
            return {.why = valid.error()};
        const bool is_posted = post([route = std::move(route), event = std::move(event),
                                     payload = std::move(payload), on_delivered = std::move(on_delivered)](
                                        Shard& shard) { shard.send(route, event, payload, on_delivered); });
        if (is_posted) return {.accepted = true};
        return {.why = not_running().error};
    }

    void disconnect(Route route, std::uint16_t code) {
        post([route = std::move(route), code](Shard& shard) { shard.disconnect(route, code); });
    }

    void request(ClientRequest wanted, std::function<void(const Result<Payload>&)> done) {
        const auto answer = std::make_shared<std::function<void(const Result<Payload>&)>>(std::move(done));
        const auto loop = running_loop();
        const bool is_posted = loop && loop->post([shard = shard_, wanted = std::move(wanted), answer] {
            const auto alive = shard.lock();
            if (!alive) return (*answer)(not_running());
            alive->request(wanted, std::move(*answer));
        });
        if (!is_posted) (*answer)(not_running());
    }

    void notify(ClientRequest wanted) {
        post([wanted = std::move(wanted)](Shard& shard) { shard.notify(wanted); });
    }

    bool drain(std::chrono::milliseconds spread, std::chrono::milliseconds timeout) {
        const auto loop = running_loop();
        if (!loop) return true;
        if (loop->on_loop_thread())
            throw std::logic_error("drain(): not inside a handler, which would wait for itself");
        const auto done = std::make_shared<std::promise<bool>>();
        const bool is_posted = loop->post([shard = shard_, spread, timeout, done] {
            const auto finish = [done](bool is_in_order) { done->set_value(is_in_order); };
            const auto alive = shard.lock();
            if (!alive) return finish(true);
            alive->drain(spread, timeout, finish);
        });
        return !is_posted || done->get_future().get();
    }

    /// `question(machine)`, on the server's thread; what it would give of no machine, unless there is one.
    template <class Question>
    auto ask(Question question) const -> decltype(question(std::declval<const Machine&>())) {
        decltype(question(std::declval<const Machine&>())) found{};
        if (const auto loop = running_loop()) {
            loop->call([&] {
                if (const auto shard = shard_.lock()) found = question(shard->machine());
            });
        }
        return found;
    }

    Stats stats() const { return counters_->read(); }

private:
    enum class State { new_, running, stopped };

    static Failure not_running() {
        return fail(Errc::socket_closed, "the server does not run: nobody can be reached before start() or "
                                         "after stop()");
    }

    /// Before the patterns of the user, which it goes ahead of.
    void add_status_channel() {
        const bool asks = options_.authorize || tokens_->get();
        const auto report = [this, start = loop_->now()] {
            shell::StatusReport now;
            now.stats = counters_->read();
            if (const auto shard = shard_.lock()) now.topics = shard->machine().topics({}, 1000);
            now.uptime = std::chrono::duration_cast<std::chrono::milliseconds>(loop_->now() - start);
            return now;
        };
        patterns_.emplace(patterns_.begin(), shell::status_topic,
                          shell::prepared(shell::status_topic,
                                          shell::status_channel(asks ? options_.service_role : "", report)));
    }

    /// Null unless the server runs. Not held while somebody waits for the loop, whose handlers come here too.
    std::shared_ptr<LoopCore> running_loop() const {
        std::lock_guard lock(mutex_);
        return state_ == State::running ? loop_ : nullptr;
    }

    /// Later also inside a handler, whose views a call would end. False unless the server runs.
    template <class Task> bool post(Task task) {
        const auto loop = running_loop();
        return loop && loop->post([shard = shard_, task = std::move(task)]() mutable {
            if (const auto alive = shard.lock()) task(*alive);
        });
    }

    const Options options_;
    const std::shared_ptr<shell::Counters> counters_ = std::make_shared<shell::Counters>();
    const std::shared_ptr<shell::TokenSlot> tokens_ = std::make_shared<shell::TokenSlot>();
    std::mutex lifecycle_mutex_; // start() and stop(), one at a time
    mutable std::mutex mutex_;   // of what follows: members are called from any thread
    State state_ = State::new_;
    shell::Patterns patterns_;
    std::shared_ptr<LoopCore> loop_;
    std::weak_ptr<Shard> shard_; // the loop owns it
};

Server::Server(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;

void Server::channel(std::string pattern, Handlers handlers) {
    impl_->channel(std::move(pattern), std::move(handlers));
}
Result<std::uint16_t> Server::start() { return impl_->start(); }
Result<void> Server::set_tls(const TlsCertificate& certificate) { return impl_->set_tls(certificate); }
bool Server::drain(std::chrono::milliseconds spread, std::chrono::milliseconds timeout) {
    return impl_->drain(spread, timeout);
}
Result<void> Server::set_allowed_origins(std::vector<std::string> origins) {
    return impl_->set_allowed_origins(std::move(origins));
}
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
void Server::disconnect(Route route, std::uint16_t code) { impl_->disconnect(std::move(route), code); }

std::vector<std::shared_ptr<const Connection>> Server::connections(const Route& route) const {
    return impl_->ask([&](const Machine& machine) { return machine.connections(route); });
}
std::vector<std::shared_ptr<const Connection>> Server::connections(std::span<const std::string> ids) const {
    return impl_->ask([&](const Machine& machine) {
        std::vector<std::shared_ptr<const Connection>> found;
        for (const std::string& id : ids)
            if (auto connection = machine.connection(id)) found.push_back(std::move(connection));
        return found;
    });
}
std::shared_ptr<const Connection> Server::connection(std::string_view id) const {
    return impl_->ask([&](const Machine& machine) { return machine.connection(id); });
}
std::vector<TopicCount> Server::topics(std::string_view after, std::size_t limit) const {
    return impl_->ask([&](const Machine& machine) { return machine.topics(after, limit); });
}
Result<void> Server::set_tokens(const TokenOptions& tokens) { return impl_->set_tokens(tokens); }
Result<void> Server::emit_change(Change change) { return impl_->emit_change(std::move(change)); }
Stats Server::stats() const { return impl_->stats(); }

} // namespace phx::server
