#pragma once

#include "protocol/server/long_poll.hpp"
#include "src/loop/loop_core.hpp"
#include "src/server/connection_limits.hpp"
#include "src/server/deadlines.hpp"
#include "src/server/http_exchange.hpp"
#include "src/server/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace phx::shell {

class Shard;

/// A client that speaks Phoenix' long poll: it posts what it sends, and polls for what it gets. What comes
/// within one loop turn is one answer. Loop thread only; the shard owns it.
class PollingClient final : public Transport, public Deadline, public Flushable {
public:
    /// A longer message ends the session.
    PollingClient(Shard&, std::string token, ConnectionLimits::Place, std::size_t max_message_bytes);

    const std::string& token() const noexcept { return token_; }
    /// What a new session is told: 410 and its token.
    HttpAnswer welcome() const;
    /// Is answered now, when something comes, or after the window; the poll before it is answered now.
    void poll(std::shared_ptr<HttpExchange>);
    HttpAnswer post(const HttpExchange&);

    void send(protocol::Opcode, std::string_view payload) override;
    void send_shared(std::string_view, protocol::Opcode opcode, std::string_view payload) override {
        send(opcode, payload);
    }
    void close(std::uint16_t code, std::string_view reason) override;
    protocol::TimePoint last_receive() const noexcept override { return last_receive_; }
    void session_over() override;

    void handle_deadline() override;
    void flush() override;

private:
    void answer_poll(std::string body);

    Shard& shard_;
    const std::string token_;
    const ConnectionLimits::Place place_;
    const std::size_t max_message_bytes_;
    protocol::server::LongPollQueue queue_;
    std::shared_ptr<HttpExchange> poll_; // the one that is open
    protocol::TimePoint last_receive_;
    bool is_closed_ = false;
};

} // namespace phx::shell
