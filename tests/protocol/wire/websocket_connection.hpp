#pragma once

#include "protocol/wire/websocket_machine.hpp"
#include "tests/protocol/wire/test_frame.hpp"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace phx::test {

using Lines = std::vector<std::string>;

inline constexpr WebSocketRole both_roles[] = {WebSocketRole::client, WebSocketRole::server};

inline WebSocketRole peer_of(WebSocketRole role) {
    return role == WebSocketRole::client ? WebSocketRole::server : WebSocketRole::client;
}

struct LineOf {
    std::string operator()(const protocol::websocket::Message& m) const {
        return (m.kind == protocol::Opcode::text ? "text " : "binary ") + std::string(m.payload);
    }
    std::string operator()(const protocol::websocket::Pong& p) const {
        return "pong " + std::string(p.payload);
    }
    std::string operator()(const protocol::websocket::Failed& f) const {
        return "failure " + std::to_string(f.code);
    }
    std::string operator()(const protocol::websocket::Closed& c) const {
        return "closed " + std::to_string(c.code) + " " + std::string(c.reason) +
               (c.ending == protocol::websocket::Ending::clean ? " clean" : " unclean");
    }
};

/// A machine, what it reported, and what it wrote as the peer reads it.
class Connection {
public:
    explicit Connection(WebSocketRole role, protocol::WebSocketConfig config = {})
        : role_(role), machine((config.role = role, config)), peer_(peer_of(role), 100u << 20) {}

    void receive(std::string_view bytes) {
        const auto chunk = std::make_unique<char[]>(bytes.size());
        bytes.copy(chunk.get(), bytes.size());
        machine.feed(now, {chunk.get(), bytes.size()});
        drain();
    }
    void receive(const std::vector<TestFrame>& frames) { receive(wire(frames, peer_of(role_))); }
    void receive_eof() { machine.handle_eof(now), drain(); }
    void pass(protocol::Duration duration) { now += duration, machine.handle_timeout(now), drain(); }
    void drain() {
        while (const auto report = machine.poll()) reports.push_back(std::visit(LineOf{}, *report));
    }

    Lines take_reports() { return std::exchange(reports, {}); }

    /// Writes at most so many bytes; gives the frames that the peer has read whole.
    Lines write(std::size_t max_bytes = std::string::npos) {
        std::string bytes(machine.output().substr(0, max_bytes));
        machine.consume_output(bytes.size());
        Lines lines;
        peer_.feed(bytes);
        while (const auto event = peer_.next()) {
            static constexpr const char* kinds[] = {"text", "binary", "ping", "pong", "close", "failure"};
            std::string line = kinds[static_cast<std::size_t>(event->kind)];
            if (event->kind == protocol::WebSocketEvent::Kind::close)
                line += " " + std::to_string(event->code);
            lines.push_back(line + " " + std::string(event->payload));
        }
        return lines;
    }

private:
    WebSocketRole role_;

public:
    protocol::WebSocketMachine machine;
    protocol::TimePoint now{std::chrono::hours{1}};
    Lines reports;

private:
    protocol::WebSocketParser peer_;
};

} // namespace phx::test
