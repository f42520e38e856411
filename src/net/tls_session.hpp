#pragma once

#include "phx/error.hpp"
#include "phx/export.hpp"
#include "src/net/tls_context.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_st;

namespace phx::shell {

/// One side of a TLS connection, without a socket: bytes of the network go in and out as text. Loop thread
/// only. Exported for phx_server.
class PHX_API TlsSession {
public:
    /// The server's side.
    explicit TlsSession(TlsContext);
    /// The client's side.
    ///
    /// `name` is what the certificate must be for, and the SNI unless it is an address; a final dot is left
    /// out.
    TlsSession(TlsContext, const TlsOptions&, std::string name);

    enum class State : std::uint8_t { shaking_hands, open, closed, failed };
    State state() const noexcept { return state_; }

    /// Starts the handshake, or goes on with it.
    void handshake();
    /// What came from the network.
    void feed(std::string_view bytes);
    /// What was meant for us; zero when more must be fed first, or when it is over.
    std::size_t read(std::span<char> into);
    /// Appends to `out`, encrypted, what it takes of the bytes, and returns how many that are. Fewer than all
    /// when the rest of a message of TLS itself must be fed first, or when it is over.
    std::size_t write(std::string_view bytes, std::string& out);
    /// Says that no more will be written.
    void close();
    /// Appends what is to be sent, also after a failure: the alert.
    void take_output(std::string& out);
    /// REQUIRES failed, or a connection that ended before it was open. Errors: tls_failed.
    Error error(const std::string& place) const;
    /// Of a failure, as OpenSSL words it; may be empty.
    const std::string& reason() const noexcept { return reason_; }

private:
    /// Judges what OpenSSL returned: whether it is over.
    void note(int result);

    TlsContext context_;
    std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
    const bool verifies_peer_;
    const char* peer_; // for texts
    State state_ = State::shaking_hands;
    std::string reason_; // of a failure
};

} // namespace phx::shell
