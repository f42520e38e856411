#pragma once

#include "protocol/client/long_poll.hpp"
#include "src/client/socket_connection.hpp"
#include "src/net/http_client.hpp"

#include <memory>
#include <optional>

namespace phx::shell {

/// One session of the long poll, over two connections of HTTP: one that waits for messages, one that brings
/// ours.
class LongPollConnection final : public SocketConnection, private Flushable, private HttpClient::Listener {
public:
    LongPollConnection(LoopCore&, SocketConnection::Listener&, protocol::ConnId, Limits, Duration timeout);

    void open(ConnectionTarget) override;
    void send(Opcode, std::string_view message) override;
    void close(std::uint16_t code, std::string_view reason) override;
    void fail(Error why) override { end({.error = std::move(why)}); }
    std::size_t buffered_bytes() const override { return machine_ ? machine_->waiting_bytes() : 0; }
    void flush_now() override { flush(); }

private:
    void flush() override;
    void http_answered(HttpClient&, const protocol::HttpResponse&, std::string body) override;
    void http_failed(HttpClient&, LinkEnd) override;

    HttpClient& client(protocol::long_poll::Lane);
    protocol::long_poll::Lane lane_of(const HttpClient& client) const noexcept;
    void carry_out(protocol::long_poll::Request&);
    void carry_out(protocol::long_poll::Drop&);
    void carry_out(protocol::long_poll::Opened&) { listener_.connection_opened(id()); }
    void carry_out(protocol::long_poll::Message& message) {
        listener_.connection_message(id(), Opcode::text, message.text);
    }
    void carry_out(protocol::long_poll::Closed& closed) { end(std::move(closed.how)); }
    void handle_reports();
    void end(protocol::CloseInfo);

    const Limits limits_;
    const Duration timeout_;
    LoopTimer timer_;
    std::optional<protocol::LongPollMachine> machine_; // these three from open() on
    std::optional<HttpClient> poll_;
    std::optional<HttpClient> push_;
    bool has_ended_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(); // for what is posted
};

} // namespace phx::shell
