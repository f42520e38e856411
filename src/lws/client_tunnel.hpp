#pragma once

#include "phx/error.hpp"
#include "phx/options.hpp"
#include "phx/protocol/endpoint.hpp"
#include "protocol/clock.hpp"
#include "src/loop/connect_probe.hpp"
#include "src/loop/loop_core.hpp"
#include "src/loop/resolver.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct lws;
struct lws_protocols;

namespace phx::shell {

/// libwebsockets cuts the name that it verifies at its first ':', which leaves nothing of "::1", and nothing
/// matches every certificate: these names are for us to verify.
inline bool is_cut_by_library(const std::string& name) { return name.find(':') != std::string::npos; }

/// What the callbacks of the client's vhosts are.
const lws_protocols* client_protocols();

struct TunnelTarget {
    protocol::Url url = {};
    std::string subprotocols = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    TlsOptions tls = {};
};

/// How a tunnel ended. Without an error: the peer (or the network) ended an open one.
struct TunnelEnd {
    std::optional<Error> error = {};
    std::optional<protocol::Duration> retry_after = {};
};

/// One connection: libwebsockets resolves nothing, but does TCP, TLS and the HTTP/1.1 exchange of the
/// upgrade; after the 101 it is a pipe for bytes, and the WebSocket framing is ours. Its own WebSocket client
/// parses byte by byte, hides the body of refusals and turns close codes 1012 and 1013 into 1002. Loop thread
/// only, one use.
///
///     idle -> resolving -> connecting -> open -> ended
///                          connecting -> diagnosing (why it failed) -> ended
///                          connecting -> refused (reads the body) -> ended
class ClientTunnel final : private Flushable {
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
    ~ClientTunnel() override;

    void open(TunnelTarget);
    /// There is output: it leaves with the next flush.
    void write_later() { loop_.flush_later(*this); }
    /// Writes what the kernel takes.
    void flush_now() { flush(); }
    /// Ends once the output is written, but after a second at the most.
    void close_after_output();
    /// Ends now; a refusal whose body is being read is reported as far as it is known.
    void abort();

    /// For libwebsockets' callbacks.
    int handle_callback(lws*, int reason, void* in, std::size_t size);

private:
    enum class State { idle, resolving, connecting, diagnosing, refused, open, ended };

    void flush() override;
    void handle_addresses(Result<std::vector<std::string>>);
    void dial();
    void dial_next_or_end();
    void end_unconnected(std::string_view why);
    int append_request(char** position, std::size_t room);
    std::string request_head() const;
    int handle_response(lws*);
    std::optional<Error> check_upgrade(lws*) const;
    void note_refusal(lws*, int status);
    void handle_bytes(char* bytes, std::size_t size);
    void handle_failure(lws*, std::string_view text);
    void handle_end();
    void end(TunnelEnd);
    void drop_wsi();
    std::string place() const;
    /// What the certificate must be for.
    const std::string& verified_name() const noexcept {
        return target_.tls.server_name.empty() ? target_.url.host : target_.tls.server_name;
    }

    LoopCore& loop_;
    Listener& listener_;
    Resolver resolver_;
    ConnectProbe probe_;
    LoopTimer patience_; // of one address while there are others, of a refusal, and of close_after_output()
    State state_ = State::idle;
    TunnelTarget target_;
    std::string key_;
    std::vector<std::string> addresses_;
    std::size_t next_address_ = 0;
    lws* wsi_ = nullptr;
    bool is_in_dial_ = false; // inside libwebsockets' connect: failures are its return value
    bool is_request_sent_ = false;
    bool is_closing_ = false;
    std::shared_ptr<ErrorDetail> refusal_; // while its body is being read
    std::optional<protocol::Duration> retry_after_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(); // for what is posted
};

} // namespace phx::shell
