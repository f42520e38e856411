#pragma once

#include "phx/error.hpp"
#include "protocol/wire/http_response.hpp"
#include "protocol/wire/proxy.hpp"
#include "src/loop/loop_core.hpp"
#include "src/loop/resolver.hpp"
#include "src/lws/client_stream.hpp"
#include "src/net/connection_target.hpp"
#include "src/net/dialer.hpp"
#include "src/net/http_refusal.hpp"
#include "src/net/tls_session.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phx::shell {

/// From a name to a pipe of bytes: look-up, TCP, CONNECT, TLS. Loop thread only, one use.
///
///     idle -> resolving -> connecting -> [proxying] -> [securing] -> open -> ended
///                                            |
///                                            +-> refused (reads a body)
///
/// Every state may end. None has a timeout of its own but refused: the connect timeout is the machine's.
class ClientLink final : private Flushable, private ClientStream::Listener {
public:
    class Listener {
    public:
        virtual void link_opened() = 0;
        /// Bytes of the server; they may be changed in place and live until this returns.
        virtual void link_received(std::span<char> bytes) = 0;
        /// What is to be written, and how much of it has been.
        virtual std::string_view link_output() = 0;
        virtual void link_wrote(std::size_t bytes) = 0;
        /// Once for each open(), never inside a call of the link, and last. It may destroy the link.
        virtual void link_ended(LinkEnd) = 0;

    protected:
        ~Listener() = default;
    };

    /// `target` outlives the link.
    ClientLink(LoopCore&, Listener&, const ConnectionTarget& target);
    /// Drops the connection without a word.
    ~ClientLink() override = default;

    void open();
    bool is_open() const noexcept { return state_ == State::open; }
    /// Sends bytes before those of link_output(), now or when the system takes them. REQUIRES open
    void say(std::string_view bytes);
    /// The system has taken it.
    bool has_said_all() const noexcept { return said_.empty() && pending_.empty(); }
    /// There is output: it leaves with the next flush.
    void write_later() { loop_.flush_later(*this); }
    /// Writes what the kernel takes.
    void flush_now() { flush(); }
    /// Ends once the output is written, but after a second at the most.
    void close_after_output();
    /// Ends now; a refusal whose body is being read is reported as far as it is known.
    void end();
    /// Ends now, and nobody is called any more.
    void drop();

private:
    enum class State : std::uint8_t {
        idle,
        resolving,
        connecting,
        proxying, // CONNECT is sent
        refused,  // by the proxy: the body follows
        securing, // the TLS handshake
        open,
        ended,
    };

    void flush() override;
    void stream_received(std::span<char> bytes) override;
    void stream_writable() override { flush(); }
    void stream_ended() override;

    /// Empty if there is to be none.
    Result<std::optional<protocol::Proxy>> choose_proxy() const;
    void handle_addresses(Result<std::vector<std::string>>);
    void dial(std::vector<std::string> addresses);
    void dial_virtually();
    void handle_connected(Result<Descriptor>);
    void secure();
    void handle_handshake();
    void become_open();
    void receive_encrypted(std::span<char> bytes);
    /// Bytes as the server (or the proxy) meant them.
    void handle_bytes(std::span<char> bytes);
    void handle_answer(std::span<char> bytes);
    Failure refusal_failure() const;
    std::string proxy_name() const { return "the proxy " + proxy_->place(); }

    void note_said(std::size_t written);
    /// True when nothing is left.
    bool write_pending();
    void shut();
    void end_with(LinkEnd);
    void end_with(Error error) { end_with(LinkEnd{.error = std::move(error)}); }

    LoopCore& loop_;
    Listener& listener_;
    const ConnectionTarget& target_;
    Resolver resolver_;
    Dialer dialer_;
    ClientStream stream_;
    LoopTimer patience_; // of a refusal, and of close_after_output()
    State state_ = State::idle;
    std::optional<protocol::Proxy> proxy_;
    TlsContext tls_context_;
    std::unique_ptr<TlsSession> tls_;
    protocol::HttpResponseReader reader_;
    std::optional<HttpRefusal> refusal_;
    std::string said_;             // comes before the listener's output
    std::size_t said_written_ = 0; // of said_
    std::string pending_;          // what the system has not taken yet, but for output without TLS
    bool is_closing_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(); // for what is posted
};

} // namespace phx::shell
