#include "phx/server/server.hpp"

#include "src/loop/loop_core.hpp"
#include "src/server/origin.hpp"
#include "src/server/shard.hpp"
#include "src/server/token_slot.hpp"

#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace phx::server {

using shell::ListeningSocket;
using shell::LoopCore;
using shell::Shard;

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
    explicit Impl(Options options) : options_(std::move(options)) {}
    ~Impl() { stop(); }

    void channel(std::string pattern, Handlers handlers) {
        std::lock_guard lock(mutex_);
        if (state_ != State::new_) throw std::logic_error("channel(): the server has been started");
        if (!handlers.intercepts.empty() && !handlers.handle_out) {
            throw std::invalid_argument("channel(\"" + pattern + "\"): intercepts need a handle_out");
        }
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
        std::lock_guard lock(mutex_);
        if (state_ != State::running || !options_.tls)
            return fail(Errc::invalid_argument, "set_tls(): the server does not run, or not with TLS");
        loop_->post([shard = shard_, tls = *std::move(context)] {
            if (const auto alive = shard.lock()) alive->set_tls(tls);
        });
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
        std::lock_guard lock(mutex_);
        if (state_ != State::running) return;
        loop_->post([shard = shard_, topic = std::move(topic), event = std::move(event),
                     payload = std::move(payload)] {
            if (const auto alive = shard.lock()) alive->broadcast(topic, event, payload);
        });
    }

    Result<void> set_tokens(const TokenOptions& tokens) { return tokens_->set(tokens); }

    Stats stats() const { return counters_->read(); }

private:
    enum class State { new_, running, stopped };

    const Options options_;
    const std::shared_ptr<shell::Counters> counters_ = std::make_shared<shell::Counters>();
    const std::shared_ptr<shell::TokenSlot> tokens_ = std::make_shared<shell::TokenSlot>();
    std::mutex lifecycle_mutex_; // start() and stop(), one at a time
    std::mutex mutex_;           // of what follows: members are called from any thread
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
Result<void> Server::set_allowed_origins(std::vector<std::string> origins) {
    return impl_->set_allowed_origins(std::move(origins));
}
void Server::stop() { impl_->stop(); }
void Server::broadcast(std::string topic, std::string event, Payload payload) {
    impl_->broadcast(std::move(topic), std::move(event), std::move(payload));
}
Result<void> Server::set_tokens(const TokenOptions& tokens) { return impl_->set_tokens(tokens); }
Stats Server::stats() const { return impl_->stats(); }

} // namespace phx::server
