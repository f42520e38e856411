#pragma once

#include "phx/protocol/frame.hpp"
#include "phx/server/connection.hpp"
#include "protocol/server/outputs.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace phx::shell {

/// What carries the messages of one session: a WebSocket, or a client that polls.
class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    /// Ignored once it is closed. Too much waiting closes it with 1013.
    virtual void send(protocol::Opcode, std::string_view payload) = 0;
    /// The same; `frame` is the message as a WebSocket's, made once for many.
    virtual void send_shared(std::string_view frame, protocol::Opcode, std::string_view payload) = 0;
    /// Ends the session; ignored once it is closed.
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    virtual protocol::TimePoint last_receive() const noexcept = 0;
    /// The machine has forgotten the session. It may destroy the transport.
    virtual void session_over() {}

    void start_session(protocol::server::SessionId session,
                       std::shared_ptr<const phx::server::Connection> record) {
        session_ = session;
        record_ = std::move(record);
    }
    /// None before start_session().
    const std::optional<protocol::server::SessionId>& session() const noexcept { return session_; }
    const std::shared_ptr<const phx::server::Connection>& record() const noexcept { return record_; }
    bool session_has_ended() const noexcept { return session_has_ended_; }
    void note_session_end() noexcept { session_has_ended_ = true; }

private:
    std::optional<protocol::server::SessionId> session_;
    std::shared_ptr<const phx::server::Connection> record_;
    bool session_has_ended_ = false;
};

} // namespace phx::shell
