#pragma once

#include "phx/testing.hpp"
#include "protocol/wire/websocket_parser.hpp"
#include "src/testing/virtual_network.hpp"

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phx::testing {

/// Reads along at the server's end of every connection: the bytes of HTTP and WebSocket, as they pass.
class WireLog {
public:
    explicit WireLog(const sim::VirtualClock& clock) : clock_(clock) {}

    void note_open(sim::LinkId);
    void note_bytes(sim::LinkId, sim::Side from, std::string_view);
    void note_end(sim::LinkId, std::string_view how);
    void note(sim::LinkId, std::string_view what);

    const std::vector<Frame>& frames() const noexcept { return frames_; }
    const std::string& trace() const noexcept { return trace_; }
    std::size_t websockets() const noexcept;
    /// 1: the first that was accepted. REQUIRES that it has not ended.
    std::size_t number(sim::LinkId id) const { return connections_.at(id).number; }

private:
    struct Lane {
        std::string head = {}; // of HTTP, while there is no parser
        std::optional<protocol::WebSocketParser> parser = {};
    };
    struct Connection {
        std::size_t number = 0;
        protocol::Vsn vsn = protocol::Vsn::v1;
        std::array<Lane, 2> lanes = {}; // by sender
        bool is_websocket = false;
    };

    /// What follows the head.
    std::string take_head(sim::LinkId, Connection&, sim::Side from, std::string_view);
    void take_event(sim::LinkId, Connection&, sim::Side from, const protocol::WebSocketEvent&);
    void take_frame(sim::LinkId, Connection&, sim::Side from, const protocol::WebSocketEvent&);

    const sim::VirtualClock& clock_;
    std::map<sim::LinkId, Connection> connections_;
    std::size_t accepted_ = 0;
    std::vector<Frame> frames_;
    std::string trace_;
    std::string scratch_;
};

/// A frame of the wire, for users.
Frame frame_of(const protocol::FrameView&);

} // namespace phx::testing
