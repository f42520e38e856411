#pragma once

#include "phx/error.hpp"
#include "protocol/wire/http_response.hpp"
#include "src/net/client_link.hpp"
#include "src/net/connection_target.hpp"
#include "src/net/http_refusal.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phx::shell {

/// One connection up to the end of the HTTP upgrade, and then a pipe for bytes. The WebSocket framing is
/// another's. Loop thread only, one use.
///
///     idle -> connecting (the link) -> upgrading -> open -> ended
///                                          |
///                                          +-> refused (reads a body)
///
/// Every state may end. None has a timeout of its own but refused: the connect timeout is the machine's.
class ClientTunnel final : private ClientLink::Listener {
public:
    /// As the link's, from the upgrade on: link_opened() says that the server accepted it.
    using Listener = ClientLink::Listener;

    ClientTunnel(LoopCore&, Listener&);

    void open(ConnectionTarget);
    /// There is output: it leaves with the next flush.
    void write_later() { link_.write_later(); }
    /// Writes what the kernel takes.
    void flush_now() { link_.flush_now(); }
    /// Ends once the output is written, but after a second at the most.
    void close_after_output();
    /// Ends now; a refusal whose body is being read is reported as far as it is known.
    void abort();

private:
    enum class State : std::uint8_t { idle, connecting, upgrading, refused, open, ended };

    void link_opened() override;
    void link_received(std::span<char> bytes) override;
    std::string_view link_output() override;
    void link_wrote(std::size_t bytes) override { listener_.link_wrote(bytes); }
    void link_ended(LinkEnd) override;

    void handle_answer(std::span<char> bytes);
    void handle_response(protocol::HttpResponse&&);
    void end(LinkEnd);
    void end_with(Error error) { end({.error = std::move(error)}); }

    // ---- client_upgrade.cpp
    std::string request_head() const;
    std::optional<Error> check_upgrade(const protocol::HttpResponse&) const;
    Failure refusal_failure() const;
    Error ended_error() const;

    LoopCore& loop_;
    Listener& listener_;
    ConnectionTarget target_;
    ClientLink link_;
    LoopTimer patience_; // of a refusal
    State state_ = State::idle;
    std::string key_;
    protocol::HttpResponseReader reader_;
    std::optional<HttpRefusal> refusal_;
    LinkEnd end_; // when it was ended from here
};

} // namespace phx::shell
