#include "phx/socket.hpp"

#include "phx/protocol/codec.hpp"
#include "phx/protocol/endpoint.hpp"
#include "src/client/driver.hpp"
#include "src/client/socket_core.hpp"
#include "src/client/socket_setup.hpp"

#include <stdexcept>
#include <utility>

namespace phx {
namespace {

using shell::Driver;
using shell::SocketCore;

template <class List, class Handler>
HandlerId add_handler(const std::shared_ptr<SocketCore>& core, List SocketCore::*list, Handler handler) {
    return core->add_handler<typename List::Slot>(
        std::move(handler), [core = core.get(), list](const auto& slot) { (core->*list).add(slot); });
}

template <class Command> void post_command(const std::shared_ptr<SocketCore>& core, Command command) {
    core->post([command = std::move(command)](Driver* driver) mutable {
        if (driver) command(*driver);
    });
}

} // namespace

Socket::Socket(Loop& loop, std::string url, SocketSetup setup)
    : core_(std::make_shared<SocketCore>(loop.core())) {
    shell::check_setup(url, setup);
    loop.core()->post([core = core_, url = std::move(url), setup = std::move(setup)]() mutable {
        auto driver = std::make_shared<Driver>(core, std::move(url), std::move(setup));
        core->driver = driver.get();
        core->loop().add_member(std::move(driver));
    });
}

Socket::~Socket() {
    shell::LoopCore& loop = core_->loop();
    auto detach = [core = core_] {
        if (core->driver) core->driver->detach();
    };
    if (loop.on_loop_thread()) {
        core_->close_handles(); // others wait for the same message
        loop.post(std::move(detach));
    } else {
        // A loop that has ended has detached the driver, but channels may have been made since.
        if (!loop.call(std::move(detach))) core_->detach();
        if (loop.dispatches()) core_->handlers.wait_for_running();
    }
}

void Socket::connect() {
    post_command(core_, [](Driver& driver) { driver.connect(); });
}

void Socket::disconnect(std::uint16_t code, std::string reason) {
    post_command(core_,
                 [code, reason = std::move(reason)](Driver& driver) { driver.disconnect(code, reason); });
}

void Socket::reconnect_now() {
    post_command(core_, [](Driver& driver) { driver.reconnect_now(); });
}

SocketState Socket::state() const noexcept { return core_->state; }

Channel Socket::channel_text(std::string topic, std::string params, ChannelOptions options) {
    if (topic.empty()) throw std::invalid_argument("a channel needs a topic");
    shell::check_channel(options);
    auto channel = core_->channel(std::move(topic), std::move(params), std::move(options));
    post_command(core_, [channel](Driver& driver) { driver.add_channel(*channel); });
    return Channel(std::move(channel));
}

void Socket::remove(const Channel& channel) {
    if (&channel.core()->socket() != core_.get()) return;
    core_->forget(*channel.core()); // at once: the next channel() of this topic makes a new one
    post_command(core_, [channel = channel.core()](Driver& driver) { driver.remove_channel(*channel); });
}

HandlerId Socket::on_open(Function<void()> handler) {
    return add_handler(core_, &SocketCore::opened, std::move(handler));
}
HandlerId Socket::on_close(Function<void(std::uint16_t, std::string_view)> handler) {
    return add_handler(core_, &SocketCore::closed, std::move(handler));
}
HandlerId Socket::on_error(Function<void(const Error&)> handler) {
    return add_handler(core_, &SocketCore::failed, std::move(handler));
}
HandlerId Socket::on_message(Function<void(const Message&)> handler) {
    return add_handler(core_, &SocketCore::message, std::move(handler));
}
HandlerId Socket::on_state(Function<void(SocketState, SocketState)> handler) {
    return add_handler(core_, &SocketCore::changed, std::move(handler));
}
HandlerId Socket::on_heartbeat(Function<void(HeartbeatStatus, Micros)> handler) {
    return add_handler(core_, &SocketCore::heartbeat, std::move(handler));
}

HandlerId Socket::on_drain(Function<void()> handler) {
    return add_handler(core_, &SocketCore::drained, std::move(handler));
}

SocketStats Socket::stats() const noexcept { return core_->counters.stats(); }
std::size_t Socket::buffered_bytes() const noexcept { return core_->counters.buffered_bytes.get(); }

void Socket::off(HandlerId id) {
    if (!core_->handlers.kill(id)) return;
    core_->post([core = core_](Driver*) { core->sweep(); });
}

Push Socket::ping() {
    auto state = std::make_shared<shell::PushState>(core_);
    core_->post([pending = shell::PendingPush(state)](Driver* driver) mutable {
        if (driver) driver->ping(pending.take());
    });
    return Push(std::move(state));
}

} // namespace phx
