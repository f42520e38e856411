#pragma once

#include "phx/error.hpp"
#include "phx/protocol/frame.hpp"
#include "protocol/client/outputs.hpp"
#include "src/loop/loop_core.hpp"
#include "src/net/connection_target.hpp"

#include <cstddef>
#include <string_view>

namespace phx::shell {

using protocol::Opcode;

/// One connection of a socket, whatever carries its messages. Loop thread only, one use.
class SocketConnection {
public:
    class Listener {
    public:
        virtual void connection_opened(protocol::ConnId) = 0;
        /// A whole message; it lives until this returns.
        virtual void connection_message(protocol::ConnId, Opcode, std::string_view) = 0;
        /// Bytes have left; `waiting` ones have not.
        virtual void connection_wrote(std::size_t waiting) = 0;
        /// Once, last, and never inside a call of the connection. It may destroy the connection.
        virtual void connection_closed(protocol::ConnId, protocol::CloseInfo) = 0;

    protected:
        ~Listener() = default;
    };

    struct Limits {
        std::size_t max_message_bytes = 0;
        std::size_t max_output_bytes = 0;
    };

    virtual ~SocketConnection() = default;
    SocketConnection(const SocketConnection&) = delete;
    SocketConnection& operator=(const SocketConnection&) = delete;

    protocol::ConnId id() const noexcept { return id_; }
    virtual void open(ConnectionTarget) = 0;
    /// A message; it leaves before the loop blocks. A peer that takes nothing until the output is full has
    /// lost us.
    virtual void send(Opcode, std::string_view message) = 0;
    /// Says goodbye, or ends an attempt.
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    /// Ends it at once, for this reason.
    virtual void fail(Error why) = 0;
    virtual std::size_t buffered_bytes() const = 0;
    /// Writes now what the kernel takes: for the last words before the loop ends.
    virtual void flush_now() = 0;

protected:
    SocketConnection(LoopCore& loop, Listener& listener, protocol::ConnId id)
        : loop_(loop), listener_(listener), id_(id) {}

    LoopCore& loop_;
    Listener& listener_;

private:
    const protocol::ConnId id_;
};

/// Of a peer that does not take what we send.
inline Error output_full_error() {
    return phx::fail(Errc::buffer_full,
                     "the server takes too little: more waits than SocketOptions::max_buffered_bytes",
                     Origin::peer)
        .error;
}

} // namespace phx::shell
