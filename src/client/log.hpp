#pragma once

#include "phx/error.hpp"
#include "phx/logger.hpp"
#include "phx/protocol/frame.hpp"
#include "protocol/client/outputs.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace phx::shell {

/// What a socket does, in words for people. It never writes payloads, params, tokens, or the query of a URL;
/// text of the peer is escaped and cut. Loop thread only.
class Log {
public:
    Log(Logger logger, LogLevel least) : logger_(std::move(logger)), least_(least) {}

    bool takes(LogLevel level) const noexcept { return logger_ && level >= least_; }

    /// `wait`: until the next attempt.
    void note(const protocol::event::SocketChanged&, std::optional<protocol::Duration> wait);
    void note(const protocol::event::ChannelChanged&, std::string_view topic);
    void note(const protocol::event::HeartbeatChanged&);
    void note(const protocol::event::PushFinished&);
    void note(const protocol::event::FrameDropped&);
    void note(const protocol::act::Open&);
    void frame(protocol::Vsn, protocol::Direction, protocol::Opcode, std::string_view frame);

private:
    void write(LogLevel, const std::string& line) noexcept;

    Logger logger_;
    LogLevel least_;
    std::string scratch_;
};

} // namespace phx::shell
