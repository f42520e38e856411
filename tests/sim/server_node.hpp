#pragma once

#include "protocol/server/server_machine.hpp"
#include "tests/sim/virtual_socket.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phx::sim {

/// The shell of a ServerMachine: accepts links, asks the application, sends and closes. A restart is a new
/// machine under the same address.
class ServerNode : private Host, private VirtualSocket::Listener {
public:
    using Member = protocol::server::ServerMachine::Member;

    /// What runs on the server. Nothing from message() and the like: the handler crashed.
    class Application {
    public:
        using Answer = std::optional<phx::server::Actions>;
        virtual ~Application() = default;
        virtual void set_up(protocol::server::ServerMachine&) = 0;
        virtual std::optional<Refusal> admit(const std::string& request) = 0;
        virtual protocol::server::SessionConfig session(const std::string& request) = 0;
        /// Before the output is carried out.
        virtual void handle_output(ServerNode&, const protocol::server::Output&) = 0;
        virtual std::optional<phx::server::JoinAnswer> join(const Member&) = 0;
        virtual Answer message(const protocol::server::event::MessageIn&, const Member&, LinkId) = 0;
        virtual Answer message_out(const protocol::server::event::MessageOut&) = 0;
        virtual Answer info(const protocol::server::event::InfoDue&, const Member&) = 0;
    };

    ServerNode(VirtualClock&, VirtualNetwork&, protocol::server::ServerConfig, Framing, Application&);

    HostId host() const noexcept { return host_; }
    bool is_up() const noexcept { return machine_ != nullptr; }
    bool is_draining() const noexcept { return is_draining_; }
    void start();
    /// The process is gone, and all links with it; who hears of it is the network's business.
    void crash(VirtualNetwork::Heard);
    /// Closes every connection with 1012 and lets nobody in.
    void drain();

    /// REQUIRES is_up(). After every command: pump().
    protocol::server::ServerMachine& machine() noexcept { return *machine_; }
    void pump();
    bool is_connected(protocol::server::SessionId session) const { return sessions_.count(session) == 1; }

    unsigned most_timeouts_at_once() const noexcept { return most_timeouts_; }
    static constexpr unsigned timeouts_that_spin = 100;

private:
    struct Connection {
        protocol::server::SessionId session;
        VirtualSocket socket;
    };

    std::optional<Refusal> accept(LinkId, const std::string& request) override;
    void handle_open(LinkId) override {}
    void handle_refused(LinkId, const Refusal&) override {}
    void handle_packet(LinkId, Packet&) override;
    void handle_ended(LinkId, LinkEnd) override;
    void socket_message(LinkId, protocol::Opcode, std::string_view) override;
    void socket_closed(LinkId, std::uint16_t code, std::string reason) override;

    void handle_timeout();
    void carry_out(const protocol::server::Output&);
    void ask(const protocol::server::Output&);
    void settle(protocol::server::MemberId, phx::server::ReplyTo, Application::Answer);
    VirtualSocket* socket(protocol::server::SessionId);

    VirtualClock& clock_;
    VirtualNetwork& network_;
    protocol::server::ServerConfig config_;
    Framing framing_;
    Application& application_;
    HostId host_;
    std::unique_ptr<protocol::server::ServerMachine> machine_;
    VirtualTimer timer_;
    std::map<LinkId, std::unique_ptr<Connection>> connections_;
    std::map<protocol::server::SessionId, LinkId> sessions_;
    bool is_draining_ = false;

    TimePoint last_timeout_ = TimePoint::min();
    unsigned timeouts_ = 0;
    unsigned most_timeouts_ = 0;
};

} // namespace phx::sim
