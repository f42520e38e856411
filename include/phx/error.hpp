#pragma once

#include "phx/export.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace phx {

/// What went wrong. Each value names its cause and what to do about it; compare with `error.code ==
/// Errc::timeout`.
enum class Errc {
    /// No answer in time. The peer may still have acted: repeat only what is safe to repeat.
    timeout = 1,
    /// The server answered with a status other than "ok". The reply is in `Error::detail`.
    rejected,
    /// The server refused the join. The reason is in `Error::detail`; fix the topic, the params or the
    /// rights.
    join_refused,
    /// A push on a channel that was never joined, or has been left. Call `join()` first.
    not_joined,
    /// The channel ended (left, closed or crashed at the server) before the answer came. Join again.
    channel_closed,
    /// The socket was closed by this program (`disconnect()`, `~Socket`, `~Loop`) before the answer came.
    socket_closed,
    /// The connection was lost before the answer came. The socket reconnects by itself; repeat if that is
    /// safe.
    disconnected,
    /// No connection: name not resolved, refused, unreachable, timed out. Check address, port and network.
    connect_failed,
    /// TLS failed: unknown authority, wrong name, expired. Check the clock, the certificate or `TlsOptions`.
    tls_failed,
    /// The server answered the upgrade with an HTTP error. Status and body are in `Error::detail`.
    upgrade_refused,
    /// The server closed the connection. Code and reason are in `Error::detail`.
    server_closed,
    /// Bytes that are not a frame of the protocol: bad JSON, wrong shape, truncated. The message says where.
    malformed_frame,
    /// Text that is not UTF-8. Text travels as UTF-8 only; send other bytes as a binary payload.
    invalid_utf8,
    /// A frame or message larger than the configured limit. Raise the limit or send less.
    frame_too_large,
    /// A binary frame of a kind that this protocol version does not have.
    unknown_kind,
    /// A topic, event, ref or status over 255 bytes in a binary frame, whose length field is one byte.
    /// Shorten it.
    field_too_long,
    /// A payload that this frame cannot carry: not JSON, too deep, or binary over protocol version 1.
    invalid_payload,
    /// A bounded buffer is full. Wait until it drains, or raise its limit.
    buffer_full,
    /// The server did not answer a heartbeat in time; the connection counts as lost and is opened again.
    heartbeat_lost,
    /// The credentials were refused (HTTP 401 or 403, 407 of a proxy, or a token that is no token). Get new
    /// ones.
    bad_auth,
    /// The server's postgres_changes bindings differ from those asked for.
    binding_mismatch,
    /// Given up by this program before the answer came.
    cancelled,
    /// A blocking call on the loop thread, or in virtual time, could never finish. Use a callback or
    /// `co_await` there.
    would_deadlock,
    /// An exception left a handler of this program. The message has its what(); the loop goes on.
    handler_failed,
    /// An argument that cannot be used (URL, JSON text, option). The message says which part and why.
    invalid_argument,
    /// The operating system or a library refused (address in use, no file descriptors). The message says
    /// which.
    system_failure,
};

PHX_API const std::error_category& error_category() noexcept;
inline std::error_code make_error_code(Errc e) noexcept { return {static_cast<int>(e), error_category()}; }

/// Who caused an error: this process, the other end, or the network between them.
enum class Origin { local, peer, transport };

/// Whatever there is beyond code and text. Text here comes from the peer: show it, never interpret it.
struct ErrorDetail {
    std::string status = {};    ///< of a reply: "error" or an application's own
    std::string reply = {};     ///< of a reply: its response, as JSON text or bytes
    int http_status = 0;        ///< of a refused upgrade or CONNECT; 0 when there was no HTTP answer
    std::string http_body = {}; ///< of a refused upgrade; at most 16 KiB of it
    std::vector<std::pair<std::string, std::string>> http_headers =
        {};                        ///< of a refused upgrade; names in lower case
    std::uint16_t close_code = 0;  ///< of a closed connection; 0 when there was none, 1006 when it just ended
    std::string close_reason = {}; ///< of a closed connection
};

/// A run-time failure as a value.
struct Error {
    std::error_code code = {};
    Origin origin = Origin::local;
    std::string message = {}; ///< one line for people; never parsed, never contains a token
    std::shared_ptr<const ErrorDetail> detail = {};
};

/// Converts to a failed `Result<T>` of any T.
struct Failure {
    Error error;
};

inline Failure fail(Errc code, std::string message, Origin origin = Origin::local) {
    return Failure{Error{make_error_code(code), origin, std::move(message), {}}};
}

} // namespace phx

template <> struct std::is_error_code_enum<phx::Errc> : std::true_type {};
