#pragma once

#include "phx/error.hpp"
#include "phx/network_options.hpp"
#include "phx/protocol/endpoint.hpp"
#include "protocol/clock.hpp"
#include "protocol/wire/http_response.hpp"
#include "protocol/wire/proxy.hpp"
#include "src/loop/loop_core.hpp"
#include "src/loop/resolver.hpp"
#include "src/lws/client_stream.hpp"
#include "src/net/dialer.hpp"
#include "src/net/tls_session.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phx::shell {

struct TunnelTarget {
    protocol::Url url = {};
    std::string subprotocols = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    TlsOptions tls = {};
    NetworkOptions network = {};
};

/// How a tunnel ended. Without an error: the peer (or the network) ended an open one.
struct TunnelEnd {
    std::optional<Error> error = {};
    std::optional<protocol::Duration> retry_after = {};
};

/// One connection up to the end of the HTTP upgrade, and then a pipe for bytes. The WebSocket framing is
/// another's. Loop thread only, one use.
///
///     idle -> resolving -> connecting -> [proxying] -> [securing] -> upgrading -> open -> ended
///                                            |                           |
///                                            +-> refused (reads a body) <+
///
/// Every state may end. None has a timeout of its own but refused: the connect timeout is the machine's.
class ClientTunnel final : private Flushable, private ClientStream::Listener {
public:
    class Listener {
    public:
        /// The server accepted the upgrade.
        virtual void tunnel_opened() = 0;
        /// Bytes after the upgrade; they may be changed in place and live until this returns.
        virtual void tunnel_received(std::span<char> bytes) = 0;
        /// What is to be written, and how much of it has been.
        virtual std::string_view tunnel_output() = 0;
        virtual void tunnel_wrote(std::size_t bytes) = 0;
        /// Once for each open(), never inside a call of the tunnel, and last. It may destroy the tunnel.
        virtual void tunnel_ended(TunnelEnd) = 0;

    protected:
        ~Listener() = default;
    };

    ClientTunnel(LoopCore&, Listener&);
    /// Drops the connection without a word.
    ~ClientTunnel() override = default;

    void open(TunnelTarget);
    /// There is output: it leaves with the next flush.
    void write_later() { loop_.flush_later(*this); }
    /// Writes what the kernel takes.
    void flush_now() { flush(); }
    /// Ends once the output is written, but after a second at the most.
    void close_after_output();
    /// Ends now; a refusal whose body is being read is reported as far as it is known.
    void abort();

private:
    enum class State : std::uint8_t {
        idle,
        resolving,
        connecting,
        proxying, // CONNECT is sent
        securing, // the TLS handshake
        upgrading,
        refused, // by the server or the proxy: the body follows
        open,
        ended,
    };
    struct Refusal {
        std::shared_ptr<ErrorDetail> detail;
        protocol::HttpBody body;
        std::optional<protocol::Duration> retry_after;
        bool is_by_proxy = false;
    };

    void flush() override;
    void stream_received(std::span<char> bytes) override;
    void stream_writable() override { flush(); }
    void stream_ended() override;

    /// Empty if there is to be none.
    Result<std::optional<protocol::Proxy>> choose_proxy() const;
    void handle_addresses(Result<std::vector<std::string>>);
    void dial(std::vector<std::string> addresses);
    void handle_connected(Result<Descriptor>);
    void secure_or_upgrade();
    void handle_handshake();
    void receive_encrypted(std::span<char> bytes);
    /// Bytes as the server (or the proxy) meant them.
    void handle_bytes(std::span<char> bytes);
    void handle_answer(std::span<char> bytes);
    void handle_response(protocol::HttpResponse&&);
    void note_refusal(protocol::HttpResponse&&);

    /// Sends bytes of an exchange before the tunnel is open, encrypted if it is.
    void say(std::string_view bytes);
    /// True when nothing is left.
    bool write_pending();
    void end(TunnelEnd);
    void end_with(Error error) { end({.error = std::move(error)}); }

    // ---- client_upgrade.cpp
    std::string request_head() const;
    std::optional<Error> check_upgrade(const protocol::HttpResponse&) const;
    Error refusal_error();
    Error unreadable_error(protocol::HttpResponseReader::Status) const;
    Error ended_error() const;
    /// For people: "host:port".
    std::string place() const;
    /// What is talked to at the moment, for people.
    std::string peer() const { return state_ == State::proxying ? "the proxy " + proxy_->place() : place(); }

    LoopCore& loop_;
    Listener& listener_;
    Resolver resolver_;
    Dialer dialer_;
    ClientStream stream_;
    LoopTimer patience_; // of a refusal, and of close_after_output()
    State state_ = State::idle;
    TunnelTarget target_;
    std::string key_;
    std::optional<protocol::Proxy> proxy_;
    TlsContext tls_context_;
    std::unique_ptr<TlsSession> tls_;
    protocol::HttpResponseReader reader_;
    std::optional<Refusal> refusal_;
    std::string pending_; // what the system has not taken yet, but for the listener's output without TLS
    bool is_closing_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(); // for what is posted
};

} // namespace phx::shell
