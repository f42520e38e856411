#include "phx/testing.hpp"

#include "src/loop/loop_core.hpp"
#include "src/server/prepared_handlers.hpp"
#include "src/server/shard.hpp"
#include "src/testing/scripted_peer.hpp"
#include "src/testing/system.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

namespace phx::testing {

using Heard = sim::VirtualNetwork::Heard;
using protocol::Direction;

// ---- the server

namespace {

std::shared_ptr<const shell::TokenSlot> token_slot(const server::Options& options) {
    auto slot = std::make_shared<shell::TokenSlot>();
    if (options.tokens) slot->set(*options.tokens).value();
    return slot;
}

} // namespace

struct Server::Impl {
    System& system;
    shell::LoopCore& loop;
    const server::Options options;
    const std::shared_ptr<shell::Counters> counters = std::make_shared<shell::Counters>();
    const std::shared_ptr<const shell::TokenSlot> tokens = token_slot(options);
    shell::Application application = {};
    std::weak_ptr<shell::Shard> shard = {}; // the loop owns it
    bool is_up = true;
    Peer::State::Script script = {};
    std::optional<Peer::State::Refusal> refusal = {};
    std::vector<std::shared_ptr<Peer::State>> peers = {};

    /// Now, or when the handler at hand has returned.
    template <class Task> void run(Task task) {
        if (loop.on_loop_thread()) {
            loop.post(std::move(task));
        } else {
            loop.call(std::move(task));
        }
    }

    bool listens() const { return refusal || script || is_up; }

    void accept(std::unique_ptr<Stream> stream) {
        if (!refusal && !script) return running_shard().accept(std::move(stream), "127.0.0.1");
        const auto peer = std::make_shared<Peer::State>(system, options.endpoints, std::move(stream));
        std::erase_if(peers, [](const auto& entry) { return entry->is_over(); });
        peers.push_back(peer);
        if (refusal) {
            peer->start(*refusal);
        } else {
            peer->start(script);
        }
    }

    shell::Shard& running_shard() {
        if (const auto running = shard.lock()) return *running;
        const auto limits = std::make_shared<shell::ConnectionLimits>(options.max_connections,
                                                                      options.max_connections_per_address);
        const auto started =
            std::make_shared<shell::Shard>(loop, options, application, tokens, limits, counters);
        loop.add_member(started);
        shard = started;
        return *started;
    }

    void close_peers(std::uint16_t code, std::string_view reason) {
        for (const auto& peer : peers) peer->close(code, reason);
    }

    void stop() {
        is_up = false;
        close_peers(1012, {});
        if (const auto running = std::exchange(shard, {}).lock()) running->loop_stopping();
    }

    std::vector<Frame> select(Direction direction,
                              std::optional<std::pair<std::string_view, std::string_view>> what) const {
        std::vector<Frame> found;
        for (const Frame& frame : system.log().frames()) {
            const bool is_asked = !what || (frame.topic == what->first && frame.event == what->second);
            if (frame.direction == direction && is_asked) found.push_back(frame);
        }
        return found;
    }
};

void Server::channel(std::string pattern, server::Handlers handlers) {
    if (!impl_.shard.expired()) throw std::logic_error("channel(): the server runs; stop() it first");
    handlers = shell::prepared(pattern, std::move(handlers));
    impl_.application.patterns.emplace_back(std::move(pattern), std::move(handlers));
}

void Server::effect(std::string name, std::function<void(std::string_view)> run) {
    if (!impl_.shard.expired()) throw std::logic_error("effect(): the server runs; stop() it first");
    if (!impl_.application.effects.emplace(name, std::move(run)).second)
        throw std::invalid_argument("effect(\"" + name + "\"): the name is taken");
}

void Server::broadcast(std::string topic, std::string event, server::Payload payload) {
    impl_.run(
        [impl = &impl_, topic = std::move(topic), event = std::move(event), payload = std::move(payload)] {
            if (const auto shard = impl->shard.lock()) shard->broadcast(topic, event, payload);
        });
}

server::Delivery Server::send(server::Route route, std::string event, server::Payload payload,
                              std::function<void(std::size_t)> on_delivered) {
    if (auto valid = protocol::server::check_message(event, payload); !valid) return {.why = valid.error()};
    impl_.run([impl = &impl_, route = std::move(route), event = std::move(event),
               payload = std::move(payload), on_delivered = std::move(on_delivered)] {
        const auto shard = impl->shard.lock();
        if (!shard) return;
        const auto reach = protocol::server::Reach::other_servers;
        shard->tell_delivered(on_delivered, shard->send(route, event, payload, reach));
    });
    return {.accepted = true};
}

void Server::request(server::ClientRequest request,
                     std::function<void(const Result<server::Payload>&)> done) {
    impl_.run([impl = &impl_, request = std::move(request), done = std::move(done)]() mutable {
        if (const auto shard = impl->shard.lock()) return shard->request(request, std::move(done));
        done(fail(Errc::socket_closed, "the server does not run"));
    });
}

std::vector<std::shared_ptr<const server::Connection>> Server::connections(const server::Route& route) const {
    std::vector<std::shared_ptr<const server::Connection>> found;
    impl_.loop.call([&] {
        if (const auto shard = impl_.shard.lock()) found = shard->machine().connections(route);
    });
    return found;
}

Result<void> Server::emit_change(server::Change change) {
    if (auto checked = protocol::server::check(change); !checked) return checked;
    impl_.run([impl = &impl_, change = std::move(change)]() mutable {
        if (const auto shard = impl->shard.lock()) shard->emit_change(std::move(change));
    });
    return {};
}

void Server::disconnect_all(std::uint16_t code, std::string reason) {
    impl_.run([impl = &impl_, code, reason = std::move(reason)] {
        impl->close_peers(code, reason);
        if (const auto shard = impl->shard.lock()) shard->close_all(code, reason);
    });
}

void Server::drain(Millis spread, Millis timeout) {
    impl_.run(
        [impl = &impl_, spread, timeout] { impl->running_shard().drain(spread, timeout, [](bool) {}); });
}
void Server::stop() {
    impl_.run([impl = &impl_] { impl->stop(); });
}
void Server::start() {
    impl_.run([impl = &impl_] { impl->is_up = true; });
}
void Server::restart(Millis downtime) {
    impl_.run([impl = &impl_, downtime] {
        impl->stop();
        impl->system.at(protocol::after(impl->system.now(), downtime), [impl] { impl->is_up = true; });
    });
}

std::vector<Frame> Server::received() const { return impl_.select(Direction::to_server, {}); }
std::vector<Frame> Server::received(std::string_view topic, std::string_view event) const {
    return impl_.select(Direction::to_server, std::pair(topic, event));
}
std::vector<Frame> Server::sent() const { return impl_.select(Direction::to_client, {}); }
std::vector<Frame> Server::sent(std::string_view topic, std::string_view event) const {
    return impl_.select(Direction::to_client, std::pair(topic, event));
}
std::size_t Server::connections() const { return impl_.system.log().websockets(); }

// ---- the world

struct World::Impl {
    System& system; // the loop owns it
    Loop loop;
    Server::Impl server_impl;
    Server server{server_impl};

    Impl(std::unique_ptr<System> owned, server::Options options)
        : system(*owned),
          loop(shell::LoopCore::start({.run = LoopOptions::Run::caller, .dispatch = {}}, std::move(owned))),
          server_impl{.system = system, .loop = *loop.core(), .options = std::move(options)} {
        system.listen(
            {.listens = [this] { return server_impl.listens(); },
             .accept = [this](std::unique_ptr<Stream> stream) { server_impl.accept(std::move(stream)); }});
    }
    ~Impl() { loop.core()->shut_down(); }

    void drive(Function<bool()> done, Micros limit) {
        if (loop.on_loop_thread()) throw std::logic_error("time does not pass inside a handler");
        std::exception_ptr thrown;
        auto guarded = [&] {
            try {
                return done();
            } catch (...) {
                thrown = std::current_exception();
                return true;
            }
        };
        loop.core()->drive_until(guarded, protocol::after(system.now(), limit));
        if (thrown) std::rethrow_exception(thrown);
    }
};

World::World(std::uint64_t seed, Options options)
    : impl_(std::make_unique<Impl>(std::make_unique<System>(seed, options.network),
                                   std::move(options.server))) {}
World::~World() = default;

Loop& World::loop() noexcept { return impl_->loop; }
Server& World::server() noexcept { return impl_->server; }
std::string World::url(std::string_view path) const { return "ws://phx.test" + std::string(path); }

Micros World::now() const noexcept { return impl_->system.now().time_since_epoch(); }

std::chrono::system_clock::time_point World::wall_clock() const noexcept {
    return impl_->loop.core()->wall_clock();
}

void World::run_for(Micros time) {
    const auto end = protocol::after(impl_->system.now(), time);
    impl_->drive([] { return false; }, time);
    impl_->system.pass_until(end);
}

bool World::run_until(Function<bool()> done, Micros limit) {
    bool is_done = false;
    impl_->drive([&] { return is_done = done(); }, limit);
    return is_done;
}

void World::drop_connections() { impl_->system.cut_all(Heard::by_both); }
void World::half_open() { impl_->system.cut_all(Heard::by_nobody); }

void World::refuse(int http_status, std::optional<std::chrono::seconds> retry_after) {
    if (http_status < 300 || http_status > 599)
        throw std::invalid_argument("refuse(): the HTTP status must be 300 to 599");
    impl_->server_impl.refusal = {http_status, retry_after};
}
void World::accept() { impl_->server_impl.refusal.reset(); }
void World::set(Conditions conditions) { impl_->system.set(conditions); }
void World::script(std::function<void(Peer&, const Frame&)> script) {
    impl_->server_impl.script = std::move(script);
}

std::size_t World::dialled() const noexcept {
    return static_cast<std::size_t>(impl_->system.network().totals().links);
}
const std::string& World::trace() const noexcept { return impl_->system.log().trace(); }

} // namespace phx::testing
