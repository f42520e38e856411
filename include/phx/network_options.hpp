#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace phx {

enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

/// Trust and identity of a wss connection. The server's certificate and name are verified unless
/// `verify_peer` is false. Files are PEM, and are read when the first connection with these options is made
/// on a loop.
struct TlsOptions {
    std::string ca_file = {};     ///< authorities to trust instead of the system's
    std::string ca_pem = {};      ///< the same as text; together with `ca_file` both are trusted
    std::string cert_file = {};   ///< our own certificate (with its chain), when the server asks for one
    std::string key_file = {};    ///< and its key; empty: it is in `cert_file`
    std::string server_name = {}; ///< SNI and the name to verify; empty: the host of the URL
    TlsVersion min_version = TlsVersion::v1_2; ///< RFC 8996 forbids older ones
    /// A debug aid: the session keys are appended to this file in the format of NSS, so that Wireshark can
    /// read what was sent. Whoever has the file can do so too: it is made for its owner only (mode 0600).
    std::string key_log_file = {};
    bool verify_peer = true; ///< false accepts anybody who answers: for tests only

    bool operator==(const TlsOptions&) const = default;
};

/// How the server is reached.
struct NetworkOptions {
    /// `http://[user:password@]host[:port]`: an HTTP proxy, asked to CONNECT for ws and wss; it resolves the
    /// name of the server. Empty text: none. Not set: what the environment says, as curl: `https_proxy` for
    /// wss, `http_proxy` (not in capitals) for ws, `all_proxy` for both, but not for what `no_proxy` lists
    /// nor for this machine; it is read at each attempt. Only Basic credentials are sent (RFC 7617). A
    /// refusal is `Errc::bad_auth` (407) or `Errc::connect_failed`, with the HTTP status in `Error::detail`.
    std::optional<std::string> proxy = {};
    /// The path of a Unix socket to connect to; the URL still says host and path, and ws or wss. No proxy.
    std::string unix_socket = {};
    /// Where connections come from: an IP address of this machine, or the name of an interface, whose address
    /// is taken. Only addresses of the server of the same family are then tried.
    std::string local_address = {};
};

} // namespace phx
