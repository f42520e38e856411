#pragma once

#include "src/loop/virtual_system.hpp"
#include "src/testing/chance.hpp"
#include "src/testing/virtual_clock.hpp"
#include "src/testing/virtual_network.hpp"
#include "src/testing/wire_log.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace phx::testing {

class Stream;

/// What the loop of a World lives on. It may outlive the World, with the loop; then nobody runs it any more.
class System final : public shell::VirtualSystem, private sim::Host {
public:
    /// Who is dialled: whether anybody listens, and the server's end of a connection.
    struct Listener {
        std::function<bool()> listens;
        std::function<void(std::unique_ptr<Stream>)> accept;
    };

    System(std::uint64_t seed, Conditions);

    protocol::TimePoint now() const noexcept override { return clock_.now(); }
    void at(protocol::TimePoint when, std::function<void()> task) override {
        clock_.at(when, std::move(task));
    }
    std::optional<protocol::TimePoint> next() const override { return clock_.next(); }
    bool run_next(protocol::TimePoint until) override { return clock_.run_one(until); }
    void fill_random(std::span<std::byte>) override;
    std::unique_ptr<shell::VirtualStream> dial() override;

    /// REQUIRES that nothing is due before.
    void pass_until(protocol::TimePoint end) { clock_.run_until(end); }
    void listen(Listener listener) { listener_ = std::move(listener); }
    void set(Conditions);
    void cut_all(sim::VirtualNetwork::Heard);

    sim::VirtualNetwork& network() noexcept { return network_; }
    WireLog& log() noexcept { return log_; }

    // ---- for streams
    sim::HostId host() const noexcept { return host_; }
    /// The server's end is let go of.
    void forget(sim::LinkId id) { served_.erase(id); }

private:
    std::optional<sim::Refusal> accept(sim::LinkId, const std::string&) override;
    void handle_open(sim::LinkId) override {}
    void handle_refused(sim::LinkId, const sim::Refusal&) override {}
    void handle_packet(sim::LinkId, sim::Packet&) override;
    void handle_ended(sim::LinkId, sim::LinkEnd) override;
    sim::LinkQuality quality();

    sim::VirtualClock clock_;
    sim::Chance chance_;
    sim::VirtualNetwork network_;
    WireLog log_;
    const sim::HostId host_;
    Conditions conditions_;
    Listener listener_;
    std::map<sim::LinkId, Stream*> served_;
};

/// One end of a link.
class Stream final : public shell::VirtualStream, public sim::LinkUser {
public:
    /// The end of who dials.
    explicit Stream(System&);
    /// The server's end of a link.
    Stream(System&, sim::LinkId);
    ~Stream() override;

    void attach(User user) override { user_ = std::make_shared<User>(std::move(user)); }
    void write(std::string_view) override;
    sim::LinkId link() const noexcept { return link_; }

    void handle_open(sim::LinkId) override;
    void handle_refused(sim::LinkId, const sim::Refusal&) override;
    void handle_packet(sim::LinkId, sim::Packet&) override;
    void handle_ended(sim::LinkId, sim::LinkEnd) override;

private:
    System& system_;
    const sim::Side side_;
    sim::LinkId link_;
    std::shared_ptr<User> user_; // shared with a call of it that ends the stream
    bool is_open_;
    bool is_held_ = true;
};

} // namespace phx::testing
