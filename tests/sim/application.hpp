#pragma once

#include "src/testing/chance.hpp"
#include "tests/sim/oracles.hpp"
#include "tests/sim/server_node.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace phx::sim {

/// What runs on the servers of a world. The prefix of a topic says how joins fare (`room:` let in, `door:`
/// and `trap:` refuse or crash now and then, `late:` answers late, `shut:` never lets in), the event of a
/// push what becomes of it.
class ChatApplication : public ServerNode::Application {
public:
    /// `number` tells the streams of several servers apart.
    ChatApplication(std::uint64_t number, std::uint64_t seed, Findings& findings)
        : chance_(seed), findings_(findings), oracle_(findings), last_stream_(number * 1'000'000) {}

    /// Every join that may be let in is, and at once.
    bool is_kind = false;
    /// Of whoever asks to be let in.
    std::optional<Refusal> refusal = {};

    /// A number more of the stream, for a broadcast from outside.
    std::string next(const std::string& topic, const std::string& stream);
    Position position(const std::string& topic, const std::string& stream);
    std::uint64_t handled() const noexcept { return handled_; }

    void set_up(protocol::server::ServerMachine&) override;
    std::optional<Refusal> admit(const std::string&) override { return refusal; }
    protocol::server::SessionConfig session(const std::string& request) override;
    void handle_output(ServerNode&, const protocol::server::Output&) override;
    std::optional<phx::server::JoinAnswer> join(const ServerNode::Member&) override;
    Answer message(const protocol::server::event::MessageIn&, const ServerNode::Member&, LinkId) override;
    Answer message_out(const protocol::server::event::MessageOut&) override;
    Answer info(const protocol::server::event::InfoDue&, const ServerNode::Member&) override;

private:
    struct Stream {
        std::uint64_t id;
        std::map<std::string, std::uint64_t> last = {}; ///< by name
    };
    Stream& stream(const std::string& topic);
    Answer react(const protocol::server::event::MessageIn&, const std::string& topic,
                 const std::string& reply);

    Chance chance_;
    Findings& findings_;
    ServerOracle oracle_;
    std::map<std::string, Stream> streams_; ///< by topic, since this start of the server
    std::uint64_t last_stream_;
    std::uint64_t handled_ = 0;
};

/// How a client asks to be let in.
std::string request_of(protocol::Vsn, std::size_t user);

} // namespace phx::sim
