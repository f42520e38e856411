#pragma once

#include "protocol/client/client_machine.hpp"
#include "tests/sim/virtual_socket.hpp"

#include <map>
#include <optional>
#include <string_view>

namespace phx::sim {

/// The shell of a ClientMachine: dials, sends and closes over the virtual network, and keeps the one timer.
class ClientNode : private LinkUser, private VirtualSocket::Listener {
public:
    class Observer {
    public:
        virtual ~Observer() = default;
        /// Before the order is carried out. Commands have to wait until the machine is at rest.
        virtual void handle_output(const protocol::Output&) = 0;
        /// Before the machine gets it.
        virtual void handle_received(protocol::ConnId, protocol::Opcode, std::string_view) = 0;
        /// All that came of one call has been carried out.
        virtual void handle_rest() = 0;
    };

    ClientNode(VirtualClock&, VirtualNetwork&, protocol::ClientConfig, Framing, HostId, Observer&);

    /// After every command: pump().
    protocol::ClientMachine& machine() noexcept { return machine_; }
    /// Returns how many outputs there were.
    std::size_t pump();

    /// By this client's own clock.
    TimePoint now() const noexcept { return clock_.now() + skew_; }
    /// The program did not run for so long, and its connections died meanwhile.
    void suspend(Duration, VirtualNetwork::Heard);
    /// Where to dial from now on.
    void set_host(HostId host) noexcept { host_ = host; }
    /// What was dialled last.
    HostId host() const noexcept { return dialled_; }
    /// Of the newest connection that is open.
    LinkId link() const noexcept { return link_; }

    /// How often the timer fired at one instant at most. At `timeouts_that_spin` it is let go of, so that the
    /// run ends.
    unsigned most_timeouts_at_once() const noexcept { return most_timeouts_; }
    static constexpr unsigned timeouts_that_spin = 100;
    /// That one call put out.
    std::size_t most_outputs_at_once() const noexcept { return most_outputs_; }
    /// That came of messages and closes of connections that the machine had given up or replaced.
    std::size_t outputs_of_old_connections() const noexcept { return old_outputs_; }

private:
    struct Connection {
        protocol::ConnId conn;
        std::optional<VirtualSocket> socket = {}; ///< once it is open
    };

    void handle_open(LinkId) override;
    void handle_refused(LinkId, const Refusal&) override;
    void handle_packet(LinkId, Packet&) override;
    void handle_ended(LinkId, LinkEnd) override;
    void socket_message(LinkId, protocol::Opcode, std::string_view) override;
    void socket_closed(LinkId, std::uint16_t code, std::string reason) override;

    void handle_timeout();
    void carry_out(const protocol::Output&);
    void close(const protocol::act::Close&);
    void report_closed(LinkId, protocol::CloseInfo);
    Connection* find(protocol::ConnId);

    VirtualClock& clock_;
    VirtualNetwork& network_;
    Observer& observer_;
    protocol::ClientMachine machine_;
    VirtualTimer timer_;
    Framing framing_;
    HostId host_;
    HostId dialled_{};
    Duration skew_{0};
    std::map<LinkId, Connection> connections_; ///< until handle_closed(), also those that the machine gave up
    LinkId link_{};
    protocol::ConnId newest_{}; ///< of all that were dialled

    TimePoint last_timeout_ = TimePoint::min();
    unsigned timeouts_ = 0; ///< at that time
    unsigned most_timeouts_ = 0;
    std::size_t most_outputs_ = 0;
    std::size_t old_outputs_ = 0;
};

} // namespace phx::sim
